"""Targets: what users give as y, and the tensors that networks are trained on."""

import numpy as np
import torch
from scipy import sparse
from sklearn.utils import column_or_1d
from torch import Tensor

# Beyond it, and below its inverse, squares leave the range of float64.
_LARGE = 1e100


class ClassTarget:
    """Class labels to class numbers, or label indicators to floats, and back.

    Attributes
    ----------
    classes : ndarray
        The labels in sorted order; for label indicators the numbers of the columns.
    multilabel : bool
        Whether the target is a matrix of label indicators.
    """

    def __init__(self, y: np.ndarray, classes: np.ndarray | None = None) -> None:
        self.multilabel = y.ndim == 2
        if self.multilabel:
            self.classes = np.arange(y.shape[1])
        else:
            self.classes = np.unique(y if classes is None else np.asarray(classes))

    @property
    def n_outputs(self) -> int:
        """Columns of the network's output."""
        return len(self.classes)

    def fit(self, y: np.ndarray, weight: np.ndarray | None) -> None:
        """Do nothing: the classes are known from all rows, training or not."""

    def encode(self, y: np.ndarray) -> Tensor:
        """Return class numbers (n,) int64, or label indicators (n, K) float32."""
        if self.multilabel:
            if y.ndim != 2 or y.shape[1] != self.n_outputs:
                raise ValueError(
                    f"y has shape {y.shape}, but the classifier was fitted on "
                    f"indicators of {self.n_outputs} labels."
                )
            return torch.from_numpy(y.astype(np.float32))
        if y.ndim != 1:
            raise ValueError(
                f"y has shape {y.shape}, as label indicators have, but the classifier "
                f"was fitted on one label a row: {self.classes.tolist()}."
            )
        codes = np.searchsorted(self.classes, y).clip(max=len(self.classes) - 1)
        unknown = self.classes[codes] != y
        if unknown.any():
            raise ValueError(
                f"y contains labels that were not in the classes "
                f"{self.classes.tolist()}: {np.unique(y[unknown]).tolist()}."
            )
        return torch.from_numpy(codes.astype(np.int64))

    def decode(self, probabilities: np.ndarray) -> np.ndarray:
        """Return the most probable label, or the indicators of probable labels."""
        if self.multilabel:
            return (probabilities > 0.5).astype(np.int64)
        return self.classes[probabilities.argmax(axis=1)]

    def score(self, predicted: Tensor, target: Tensor, weight: Tensor | None) -> float:
        """Return the accuracy, of whole rows where there are several labels."""
        if self.multilabel:
            correct = ((predicted > 0.5) == (target > 0.5)).all(dim=1).double()
        else:
            correct = (predicted.argmax(dim=1) == target).double()
        if weight is None:
            return correct.mean().item()
        return ((correct * weight).sum() / weight.sum()).item()


def _units(columns: np.ndarray) -> np.ndarray:
    """Return powers of two by which columns are divided before they are squared.

    1 where squares are in the range of float64 anyway.
    """
    largest = np.abs(columns).max(axis=0, initial=0.0)
    _, exponent = np.frexp(largest)
    extreme = (largest > _LARGE) | ((largest < 1 / _LARGE) & (largest > 0))
    return np.where(extreme, np.ldexp(1.0, np.maximum(exponent - 1, -1022)), 1.0)


class RealTarget:
    """Real targets to standardised float32 columns, and back.

    Parameters
    ----------
    scaling : {"location_scale", "scale"}
        What of the target may be standardised.
    """

    def __init__(self, scaling: str) -> None:
        self.scaling = scaling

    def fit(self, y: np.ndarray, weight: np.ndarray | None) -> None:
        """Learn location and scale of the training targets (n,) or (n, K)."""
        self.one_dimensional = y.ndim == 1
        columns = y.reshape(len(y), -1).astype(np.float64)
        self.unit = _units(columns)
        columns = columns / self.unit
        mean = np.average(columns, axis=0, weights=weight)
        if self.scaling == "scale":
            self.offset = np.zeros_like(mean)
            spread = mean
        else:
            self.offset = mean
            spread = np.sqrt(np.average((columns - mean) ** 2, axis=0, weights=weight))
        floor = 8 * np.finfo(np.float64).eps * np.abs(mean)
        self.factor = np.where(spread > floor, spread, 1.0)

    @property
    def n_outputs(self) -> int:
        """Columns of the network's output."""
        return len(self.offset)

    @property
    def raw_scale(self) -> np.ndarray:
        """What a difference of one in the raw outputs (n_outputs,) is in y.

        Ones where the raw outputs are logarithms.
        """
        if self.scaling == "scale":
            return np.ones_like(self.factor)
        return self.factor * self.unit

    def encode(self, y: np.ndarray) -> Tensor:
        """Return standardised targets (n, K) float32."""
        columns = y.reshape(len(y), -1)
        if columns.shape[1] != self.n_outputs:
            raise ValueError(
                f"y has {columns.shape[1]} columns, but the regressor was fitted on "
                f"{self.n_outputs}."
            )
        scaled = (columns / self.unit - self.offset) / self.factor
        furthest = np.abs(scaled).max(initial=0.0)
        if not furthest < np.finfo(np.float32).max:
            raise ValueError(
                f"y holds values that are {furthest:.2g} times the spread of the "
                "targets that the scaling was learned from, more than float32 holds: "
                "are they in the same unit?"
            )
        return torch.from_numpy(scaled.astype(np.float32))

    def decode(self, predicted: np.ndarray) -> np.ndarray:
        """Return predictions on the scale of y, float64, of the shape of y."""
        # What is beyond the largest number stays finite.
        largest = np.finfo(np.float64).max / np.maximum(self.unit, 1.0)
        values = predicted * self.factor + self.offset
        values = np.clip(values, -largest, largest) * self.unit
        return values[:, 0] if self.one_dimensional else values

    def score(self, predicted: Tensor, target: Tensor, weight: Tensor | None) -> float:
        """Return R^2, the mean over the targets."""
        predicted, target = predicted.double(), target.double()
        share = torch.ones(len(target), dtype=torch.float64, device=target.device)
        if weight is not None:
            share = weight.double()
        share = (share / share.sum()).unsqueeze(1)
        residual = (share * (target - predicted) ** 2).sum(0)
        total = (share * (target - (share * target).sum(0)) ** 2).sum(0)
        r2 = torch.where(total > 0, 1 - residual / total, (residual == 0).double())
        return r2.mean().item()


def check_real_y(y: np.ndarray, owner: str) -> np.ndarray:
    """Return y as floats (n,) or (n, K).

    Raises
    ------
    ValueError
        If y holds text, dates, missing values or numbers beyond float64.
    """
    if sparse.issparse(y):
        y = y.toarray()
    if y.ndim == 2 and y.shape[1] == 1:
        y = column_or_1d(y, warn=True)
    if y.dtype.kind in "mM":
        raise ValueError(
            f"{owner} predicts numbers, but y holds dates or times ({y.dtype}): make "
            "them numbers first, such as days since a day."
        )
    if y.dtype.kind not in "fiub":
        y = _as_floats(y, owner)
    return y


def _as_floats(y: np.ndarray, owner: str) -> np.ndarray:
    """Return numbers in text or objects as floats."""
    try:
        floats = y.astype(np.float64)
    except (TypeError, ValueError) as error:
        classifier = owner.replace("Regressor", "Classifier")
        raise ValueError(
            f"{owner} predicts numbers, but y holds what is none, such as "
            f"{y.flat[0]!r} ({error}). Labels are for {classifier}."
        ) from error
    except OverflowError as error:
        raise ValueError("y holds numbers too large for float64.") from error
    if not np.isfinite(floats).all():
        first = int(np.flatnonzero(~np.isfinite(floats.reshape(len(y), -1)).all(1))[0])
        raise ValueError(
            f"y contains NaN, None or infinity, the first at row {first}; leave out "
            "rows without a target."
        )
    return floats
