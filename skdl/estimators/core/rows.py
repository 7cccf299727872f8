"""Training and held-out rows: weights, validation split, checks that need both."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils.validation import _check_sample_weight

# Weights beyond it, and all of them below its inverse, are brought to 1: weights count
# relative to each other.
_LARGE = 1e20


@dataclass
class Rows:
    """Validated inputs and targets of the same rows, and their weights if any.

    `weight` is for the loss; `score_weight` leaves out what the task adds to it.
    """

    X: Any
    y: np.ndarray
    weight: np.ndarray | None = None
    score_weight: np.ndarray | None = None

    def __len__(self) -> int:
        return self.X.shape[0]

    def take(self, index: np.ndarray) -> "Rows":
        """Return some of the rows."""
        weights = (
            None if weight is None else weight[index]
            for weight in (self.weight, self.score_weight)
        )
        return Rows(self.X[index], self.y[index], *weights)

    def without_zero_weights(self) -> "Rows":
        """Leave out rows of zero weight: they are as good as absent."""
        if self.weight is None or (self.weight > 0).all():
            return self
        return self.take(np.flatnonzero(self.weight > 0))


def weighing(rows: Rows, what: str) -> Rows:
    """Return the rows that have a weight.

    Raises
    ------
    ValueError
        If there is none.
    """
    found = rows.without_zero_weights()
    if len(rows) and not len(found):
        raise ValueError(
            f"All {len(rows)} {what} have weight zero, by sample weights and "
            "class_weight together; there is nothing to compute a loss from."
        )
    return found


def check_weight(sample_weight: Any, X: Any) -> np.ndarray | None:
    """Return the weights as float64 (n,), or None."""
    if sample_weight is None:
        return None
    try:
        weight = _check_sample_weight(
            sample_weight, X, dtype=np.float64, ensure_non_negative=True
        )
    except ValueError as error:
        if "could not convert" not in str(error):
            raise
        raise ValueError(
            f"sample_weight must hold a number for each row, but {error}."
        ) from error
    return moderate(weight)


def moderate(weight: np.ndarray) -> np.ndarray:
    """Return weights whose sum is finite and which float32 holds.

    Examples
    --------
    >>> moderate(np.array([1e300, 5e299])), moderate(np.array([3.0, 1.0]))
    (array([1. , 0.5]), array([3., 1.]))
    """
    largest = weight.max(initial=0.0)
    if largest and not 1 / _LARGE < largest < _LARGE:
        return weight / largest
    return weight
