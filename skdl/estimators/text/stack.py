"""How much each branch counts in what a text estimator says."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor

_SMALL = 0.05  # where the search for a weight begins that is expected to be none


class Stack:
    """A weighted sum of what branches say, with weights from texts held out.

    Weights are not negative. They are drawn to what they are expected to be, and what
    is added to each class to nothing, as a few more texts would draw them: little data
    decides little.

    Parameters
    ----------
    objective : Objective
        Whose loss the weights make low.
    expected : sequence of float or None, default=None
        Weights of the branches where nothing is known; None is equal ones.
    pull : float, default=1.0
        How many texts draw the weights there.

    Attributes
    ----------
    weights : ndarray of shape (n_branches,)
    bias : ndarray of shape (K,)
    """

    def __init__(
        self,
        objective: Any,
        *,
        expected: Sequence[float] | None = None,
        pull: float = 1.0,
    ) -> None:
        self._objective, self._expected, self._pull = objective, expected, pull

    def loss(self, raw: np.ndarray, target: Tensor, weight: np.ndarray) -> float:
        """Return the mean loss of raw outputs (n, K)."""
        w = torch.from_numpy(weight)
        loss = self._objective.loss(torch.from_numpy(raw), _double(target), w)
        return float(loss)

    def fit(self, raws: list[np.ndarray], target: Tensor, weight: np.ndarray) -> float:
        """Learn the weights; return the loss that they give.

        Parameters
        ----------
        raws : list of ndarray of shape (n, K)
            Of each branch, for texts that it has not learned from.
        target : Tensor
            Encoded targets.
        weight : ndarray of shape (n,)
            Of the texts.
        """
        together = torch.from_numpy(np.stack(raws))  # (branches, n, K)
        target, w = _double(target), torch.from_numpy(weight)
        expected = torch.full((len(raws),), 1.0 / len(raws), dtype=torch.float64)
        if self._expected is not None:
            expected = torch.tensor(self._expected, dtype=torch.float64)

        @torch.enable_grad()
        def loss_and_slope(values: np.ndarray) -> tuple[float, np.ndarray]:
            at = torch.tensor(values, requires_grad=True)
            weights, bias = at[: len(raws)].exp(), at[len(raws) :]
            raw = torch.tensordot(weights, together, 1) + bias
            loss = self._objective.loss(raw, target, w)
            far = (weights - expected).square().sum() + bias.square().sum()
            total = loss + self._pull * far / len(weight)
            total.backward()
            return float(total.detach()), at.grad.numpy()

        start = np.append(expected.clamp(min=_SMALL).log(), np.zeros(together.shape[2]))
        found = minimize(loss_and_slope, start, jac=True, method="L-BFGS-B").x
        self.weights, self.bias = np.exp(found[: len(raws)]), found[len(raws) :]
        return self.loss(self.combined(raws), target, weight)

    def combined(self, raws: list[np.ndarray]) -> np.ndarray:
        """Return the raw outputs (n, K) of all branches together."""
        pairs = zip(self.weights, raws, strict=True)
        return sum((w * raw for w, raw in pairs), start=self.bias)


def _double(target: Tensor) -> Tensor:
    return target.double() if target.is_floating_point() else target
