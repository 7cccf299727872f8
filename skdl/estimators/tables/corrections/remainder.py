"""What predictions leave over, and how much less it is with a correction."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from scipy.special import expit, log_softmax

from skdl.training.objectives import BinaryCrossEntropy, CrossEntropy, SquaredError

# A step of Newton's method on logits goes no farther than this.
_FAR = 2.0


class Remainder(ABC):
    """Targets less predictions, for raw outputs to which corrections are added.

    Parameters
    ----------
    raw : ndarray of shape (n_rows, K)
        Raw outputs.
    target : ndarray of shape (n_rows, K)
        Of classes their probabilities.

    Attributes
    ----------
    losses : ndarray of shape (n_rows, K) or (n_rows, 1)
        Of each row, by the parts of the loss: the second where outputs do not go by
        themselves.
    gradient : ndarray of shape (n_rows, K)
        By how much the loss falls as an output rises.
    hessian : ndarray of shape (n_rows, K)
        By how much the gradient falls then.
    farthest : float
        By how much a correction moves outputs at most.
    """

    raw: np.ndarray
    losses: np.ndarray
    gradient: np.ndarray
    hessian: np.ndarray
    farthest = _FAR

    def __init__(self, raw: np.ndarray, target: np.ndarray) -> None:
        self.target = target.astype(np.float64)
        self._take(raw.astype(np.float64))

    def gain(self, added: np.ndarray) -> np.ndarray:
        """Return by how much the losses are lower with a correction."""
        return self.losses - self._losses(self.raw + added)

    def add(self, added: np.ndarray) -> None:
        """Correct the outputs."""
        self._take(self.raw + added)

    def _take(self, raw: np.ndarray) -> None:
        self.raw, self.losses = raw, self._losses(raw)
        self._look()

    def units(self) -> np.ndarray:
        """Return the hessian that a row of nothing has, (K,).

        Where a class or label is rare it is that of one that is less so: what a few
        rows of it have in common is little.
        """
        return np.sqrt(self.hessian.mean(axis=0)) / 2

    @abstractmethod
    def _look(self) -> None:
        """Find gradient and hessian."""

    @abstractmethod
    def _losses(self, raw: np.ndarray) -> np.ndarray:
        """Return the losses of raw outputs."""


class _OfMeans(Remainder):
    farthest = np.inf

    def units(self) -> np.ndarray:
        return np.ones(self.raw.shape[1])

    def _look(self) -> None:
        self.gradient = self.target - self.raw
        self.hessian = np.ones_like(self.gradient)

    def _losses(self, raw: np.ndarray) -> np.ndarray:
        return (self.target - raw) ** 2 / 2


class _OfClasses(Remainder):
    def _look(self) -> None:
        share = np.exp(log_softmax(self.raw, axis=1))
        self.gradient = self.target - share
        self.hessian = share * (1 - share)

    def _losses(self, raw: np.ndarray) -> np.ndarray:
        return -(log_softmax(raw, axis=1) * self.target).sum(1, keepdims=True)


class _OfLabels(Remainder):
    def _look(self) -> None:
        share = expit(self.raw)
        self.gradient = self.target - share
        self.hessian = share * (1 - share)

    def _losses(self, raw: np.ndarray) -> np.ndarray:
        return np.logaddexp(0, raw) - self.target * raw


def remainder_of(member: Any, raw: np.ndarray, target: np.ndarray) -> Remainder | None:
    """Return what an objective leaves over; None where it has no such corrections.

    Parameters
    ----------
    member : Objective
        What `raw` are the outputs for.
    raw : ndarray of shape (n_rows, K)
        Raw outputs.
    target : ndarray
        As the objective takes it.
    """
    kinds = {
        SquaredError: _OfMeans,
        CrossEntropy: _OfClasses,
        BinaryCrossEntropy: _OfLabels,
    }
    kind = kinds.get(type(member))
    if kind is _OfClasses and target.ndim == 1:
        target = np.eye(raw.shape[1])[target]
    return None if kind is None else kind(raw, target)
