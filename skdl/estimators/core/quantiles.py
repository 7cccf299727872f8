"""Several quantiles of a target at once: what is asked for, and the target."""

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skdl.estimators.core.checks import as_list
from skdl.estimators.core.targets import RealTarget
from skdl.training.objectives import LOCATION_SCALE, pinball


def several(quantile: Any) -> list[float] | None:
    """Return the quantiles where there is a list of them.

    Raises
    ------
    ValueError
        If they are not rising numbers in (0, 1).
    """
    if isinstance(quantile, Real):
        return None
    values = as_list(quantile)
    inside = [isinstance(q, Real) and 0 < q < 1 for q in values or ()]
    if not values or not all(inside) or not (np.diff(values) > 0).all():
        raise ValueError(
            "quantile must be a number in (0, 1), or several in rising order such as "
            f"[0.05, 0.5, 0.95]; got {quantile!r}."
        )
    return [float(q) for q in values]


class QuantileTarget(RealTarget):
    """A real target of which a network tells several quantiles.

    Parameters
    ----------
    quantiles : sequence of float
        In (0, 1), rising.
    """

    def __init__(self, quantiles: Sequence[float]) -> None:
        super().__init__(LOCATION_SCALE)
        self.quantiles = list(quantiles)

    @property
    def n_outputs(self) -> int:
        """Columns of the network's output."""
        return len(self.quantiles)

    def extended(
        self, y: np.ndarray, weight: np.ndarray | None
    ) -> tuple["RealTarget", None]:
        """Return a target that has learned from more rows, in the same units.

        Raw outputs that are distances between quantiles do not follow another unit.
        """
        result, change = super().extended(y, weight)
        return (result if change is None else result.in_units_of(self)), None

    def decode(self, predicted: np.ndarray) -> np.ndarray:
        """Return quantiles (n, n_quantiles) on the scale of y, float64."""
        return self.on_scale(predicted)

    def score(self, predicted: Tensor, target: Tensor, weight: Tensor | None) -> float:
        """Return D^2, the mean over the quantiles.

        It is the share by which the pinball loss is lower than that of the best
        constants, as R^2 is of the squared error.
        """
        predicted, target = predicted.double(), target.double()
        share = torch.ones_like(target[:, 0])
        if weight is not None:
            share = weight.double()
        share = (share / share.sum()).unsqueeze(1)
        quantiles = target.new_tensor(self.quantiles)
        loss = (share * pinball(target - predicted, quantiles)).sum(0)
        constant = _constants(target[:, 0], share[:, 0], self.quantiles)
        most = (share * pinball(target - constant, quantiles)).sum(0)
        return (
            torch.where(most > 0, 1 - loss / most, (loss == 0).double()).mean().item()
        )


def _constants(target: Tensor, share: Tensor, quantiles: Sequence[float]) -> Tensor:
    """Return the quantiles (K,) of weighted numbers (B,)."""
    ordered, order = target.sort()
    mass = share[order].cumsum(0)
    at = torch.searchsorted(mass, mass.new_tensor(quantiles))
    return ordered[at.clamp(max=len(ordered) - 1)]
