"""Texts with their targets, as the branches of an estimator learn from them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from skdl.estimators.core.rows import Rows


@dataclass(frozen=True)
class LabelledTexts:
    """Texts, encoded targets and weights.

    Attributes
    ----------
    texts : list of str
        The texts.
    target : Tensor
        One row a text.
    weight : ndarray of shape (n,)
        Ones where there are none.
    """

    texts: list[str]
    target: Tensor
    weight: np.ndarray

    def scaled_weight(self) -> np.ndarray:
        """Return the weights with a mean of one."""
        return self.weight / self.weight.mean()


def labelled_texts(rows: Rows, target: Any) -> LabelledTexts:
    """Return the texts of rows with what a target makes of theirs."""
    weight = np.ones(len(rows)) if rows.weight is None else rows.weight
    return LabelledTexts(rows.X.tolist(), target.encode(rows.y), weight)
