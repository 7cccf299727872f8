"""Targets: what users give as y, and the tensors that networks are trained on."""

import copy

import numpy as np
import torch
from scipy import sparse
from sklearn.utils import column_or_1d
from torch import Tensor

from skdl.data.numeric import LOOK_AGAIN

# A target's scale is learned anew where its spread has changed by that ratio or its
# mean has moved by that share of it.
_RATIO, _DISTANCE = 1.5, 0.5
# Raw outputs of networks that cannot follow keep their units from so many rows on.
_SETTLED_ROWS = 100
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
    soft : bool
        Whether y is probabilities of the classes (n, n_classes), while a fit learns
        from such.
    counts : ndarray of shape (n_classes,)
        Rows of each class seen so far.
    """

    soft = False

    def __init__(
        self, y: np.ndarray, classes: np.ndarray | None = None, *, soft: bool = False
    ) -> None:
        self.multilabel = y.ndim == 2 and not soft
        self.soft = soft
        if self.multilabel:
            self.classes = np.arange(y.shape[1])
        else:
            self.classes = np.unique(y if classes is None else np.asarray(classes))

    @property
    def n_outputs(self) -> int:
        """Columns of the network's output."""
        return len(self.classes)

    @property
    def has_codes(self) -> bool:
        """Whether encoded targets are numbers of classes."""
        return not (self.multilabel or self.soft)

    def harden(self) -> None:
        """Take labels from now on."""
        self.soft = False

    def fit(self, y: np.ndarray, weight: np.ndarray | None) -> None:
        """Count the classes of the training rows; there may be classes without any."""
        self.counts = np.zeros(self.n_outputs, dtype=np.int64)
        self._count(y)

    def extended(
        self, y: np.ndarray, weight: np.ndarray | None
    ) -> tuple["ClassTarget", None]:
        """Return a target that has counted these rows too; raw outputs stay."""
        result = copy.copy(self)
        result.counts = self.counts.copy()
        result._count(y)
        return result, None

    def _count(self, y: np.ndarray) -> None:
        if not self.multilabel:
            self.counts += np.bincount(self._codes(y), minlength=self.n_outputs)

    def _codes(self, y: np.ndarray) -> np.ndarray:
        """Return numbers of classes, of the most probable ones where y is soft."""
        return y.argmax(axis=1) if self.soft else self.encode(y).numpy()

    def labels(self, y: np.ndarray) -> np.ndarray:
        """Return labels, the most probable ones where y is soft."""
        return self.classes[self._codes(y)] if self.soft else y

    def balanced_weight(self, y: np.ndarray) -> np.ndarray:
        """Return weights that make the classes of all rows so far count alike."""
        seen = np.maximum(self.counts, 1)
        each = self.counts.sum() / (np.count_nonzero(self.counts) * seen)
        return each[self._codes(y)]

    def encode(self, y: np.ndarray) -> Tensor:
        """Return class numbers (n,) int64; indicators, probabilities (n, K) float32."""
        if self.soft:
            return torch.from_numpy(y.astype(np.float32))
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
            codes = target.argmax(dim=1) if self.soft else target
            correct = (predicted.argmax(dim=1) == codes).double()
        if weight is None:
            return correct.mean().item()
        weight = weight.double()
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
        self.unit = _units(y.reshape(len(y), -1).astype(np.float64))
        self._moments = _moments(y, weight, self.unit)
        self._looked_at = self.n_rows = len(y)
        self.offset, self.factor, self._is_constant = self._location_and_scale()

    def _location_and_scale(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return location, scale, and where there is no scale yet but one."""
        total, mean, squares = self._moments
        offset, spread = mean, np.sqrt(squares / total)
        if self.scaling == "scale":
            offset, spread = np.zeros_like(mean), mean
        floor = 8 * np.finfo(np.float64).eps * np.abs(mean)
        is_constant = ~(spread > floor)
        return offset, np.where(is_constant, 1.0, spread), is_constant

    def extended(
        self, y: np.ndarray, weight: np.ndarray | None
    ) -> tuple["RealTarget", tuple[np.ndarray, np.ndarray] | None]:
        """Return a target that has learned from more rows.

        Returns
        -------
        target : RealTarget
        change : tuple of two ndarray of shape (n_outputs,), or None
            Scale and shift that raw outputs need to mean what they did; None where
            location and scale are as good as before.
        """
        self.encode(y[:1])  # as many columns?
        result = copy.copy(self)
        result.n_rows = self.n_rows + len(y)
        result._moments = _merged(self._moments, _moments(y, weight, self.unit))
        offset, factor, result._is_constant = result._location_and_scale()
        first_varies = self._is_constant & ~result._is_constant
        if not first_varies.any() and result.n_rows < LOOK_AGAIN * self._looked_at:
            return result, None
        result._looked_at = result.n_rows
        ratio, distance = factor / self.factor, np.abs(offset - self.offset) / factor
        same = (np.maximum(ratio, 1 / ratio) < _RATIO) & (distance < _DISTANCE)
        if same.all():
            return result, None
        result.offset = np.where(same, self.offset, offset)
        result.factor = np.where(same, self.factor, factor)
        ratio = self.factor / result.factor
        if self.scaling == "scale":  # raw outputs are logarithms
            return result, (np.ones_like(ratio), np.log(ratio))
        return result, (ratio, (self.offset - result.offset) / result.factor)

    def in_units_of(self, other: "RealTarget") -> "RealTarget":
        """Return this target with another's location and scale.

        For networks whose raw outputs cannot be rescaled. While there are few rows,
        location and scale are this one's all the same: little has been learned.
        """
        if other.n_rows < _SETTLED_ROWS:
            return self
        result = copy.copy(self)
        result.offset, result.factor = other.offset, other.factor
        return result

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
        if columns.shape[1] != len(self.offset):
            raise ValueError(
                f"y has {columns.shape[1]} columns, but the regressor was fitted on "
                f"{len(self.offset)}."
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
        values = self.on_scale(predicted)
        return values[:, 0] if self.one_dimensional else values

    def on_scale(self, predicted: np.ndarray) -> np.ndarray:
        """Return columns on the scale of y, float64."""
        # What is beyond the largest number stays finite.
        largest = np.finfo(np.float64).max / np.maximum(self.unit, 1.0)
        values = predicted * self.factor + self.offset
        return np.clip(values, -largest, largest) * self.unit

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


def _moments(y: np.ndarray, weight: np.ndarray | None, unit: np.ndarray) -> tuple:
    """Return the sum of weights, the means (K,) and the sums of squares about them."""
    columns = y.reshape(len(y), -1).astype(np.float64) / unit
    mean = np.average(columns, axis=0, weights=weight)
    variance = np.average((columns - mean) ** 2, axis=0, weights=weight)
    total = float(len(y)) if weight is None else float(weight.sum())
    return total, mean, total * variance


def _merged(one: tuple, other: tuple) -> tuple:
    """Return the moments of both (Chan et al. 1979, equation 2.1)."""
    (n, mean, squares), (m, other_mean, other_squares) = one, other
    difference, share = other_mean - mean, m / (n + m)
    apart = difference**2 * n * share
    return n + m, mean + difference * share, squares + other_squares + apart


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
