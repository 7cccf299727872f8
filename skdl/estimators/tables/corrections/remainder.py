"""What predictions leave over, and how much less it is with a correction."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from scipy.special import expit, log_softmax

from skdl.training.objectives import BinaryCrossEntropy, CrossEntropy, SquaredError


class Remainder(ABC):
    """Targets less predictions, for raw outputs to which corrections are added.

    Parameters
    ----------
    raw : ndarray of shape (n_rows, K)
        Raw outputs.
    target : ndarray
        As the objective takes it.

    Attributes
    ----------
    gradient : ndarray of shape (n_rows, K)
        By how much the loss falls as an output rises.
    hessian : ndarray of shape (n_rows, K)
        By how much the gradient falls then.
    """

    gradient: np.ndarray
    hessian: np.ndarray

    def __init__(self, raw: np.ndarray, target: np.ndarray) -> None:
        self.raw = raw.astype(np.float64)
        self.target = target
        self._look()

    def gain(self, added: np.ndarray, rows: Any = slice(None)) -> np.ndarray:
        """Return by how much the loss of each row is lower with a correction."""
        raw = self.raw[rows]
        return self._losses(raw, rows) - self._losses(raw + added, rows)

    def add(self, added: np.ndarray) -> None:
        """Correct the outputs."""
        self.raw = self.raw + added
        self._look()

    def losses(self) -> np.ndarray:
        """Return the loss of each row."""
        return self._losses(self.raw, slice(None))

    @abstractmethod
    def _look(self) -> None:
        """Find gradient and hessian."""

    @abstractmethod
    def _losses(self, raw: np.ndarray, rows: Any) -> np.ndarray:
        """Return the loss of raw outputs for some rows."""


class _OfMeans(Remainder):
    def _look(self) -> None:
        self.gradient = self.target - self.raw
        self.hessian = np.ones_like(self.gradient)

    def _losses(self, raw: np.ndarray, rows: Any) -> np.ndarray:
        return ((self.target[rows] - raw) ** 2).mean(1) / 2


class _OfClasses(Remainder):
    def _look(self) -> None:
        share = np.exp(log_softmax(self.raw, axis=1))
        self.gradient = -share
        self.gradient[np.arange(len(share)), self.target] += 1
        self.hessian = share * (1 - share)

    def _losses(self, raw: np.ndarray, rows: Any) -> np.ndarray:
        target = self.target[rows]
        return -log_softmax(raw, axis=1)[np.arange(len(target)), target]


class _OfLabels(Remainder):
    def _look(self) -> None:
        share = expit(self.raw)
        self.gradient = self.target - share
        self.hessian = share * (1 - share)

    def _losses(self, raw: np.ndarray, rows: Any) -> np.ndarray:
        return (np.logaddexp(0, raw) - self.target[rows] * raw).mean(1)


def remainder_of(member: Any, raw: np.ndarray, target: np.ndarray) -> Remainder | None:
    """Return what an objective leaves over; None where it has no such corrections."""
    kinds = {
        SquaredError: _OfMeans,
        CrossEntropy: _OfClasses,
        BinaryCrossEntropy: _OfLabels,
    }
    kind = kinds.get(type(member))
    return None if kind is None else kind(raw, target)
