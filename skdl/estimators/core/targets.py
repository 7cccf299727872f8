"""Targets: what users give as y, and the tensors that networks are trained on."""

import numpy as np
import torch
from scipy import sparse
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from torch import Tensor


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
        return np.ones_like(self.factor) if self.scaling == "scale" else self.factor

    def encode(self, y: np.ndarray) -> Tensor:
        """Return standardised targets (n, K) float32."""
        columns = y.reshape(len(y), -1)
        if columns.shape[1] != self.n_outputs:
            raise ValueError(
                f"y has {columns.shape[1]} columns, but the regressor was fitted on "
                f"{self.n_outputs}."
            )
        scaled = (columns - self.offset) / self.factor
        return torch.from_numpy(scaled.astype(np.float32))

    def decode(self, predicted: np.ndarray) -> np.ndarray:
        """Return predictions on the scale of y, float64, of the shape of y."""
        values = predicted * self.factor + self.offset
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


def check_class_y(y: np.ndarray) -> np.ndarray:
    """Return y as labels (n,) or indicators (n, K), or say what is wrong with it."""
    if sparse.issparse(y):
        y = y.toarray()
    if y.ndim == 2 and y.shape[1] == 1:
        y = column_or_1d(y, warn=True)
    check_classification_targets(y)
    if type_of_target(y, input_name="y") == "multiclass-multioutput":
        raise ValueError(
            "y has several columns of more than two classes each (multiclass-"
            "multioutput), which is not supported; wrap the classifier in "
            "sklearn.multioutput.MultiOutputClassifier."
        )
    return y


def check_real_y(y: np.ndarray) -> np.ndarray:
    """Return y as floats (n,) or (n, K)."""
    if sparse.issparse(y):
        y = y.toarray()
    if y.ndim == 2 and y.shape[1] == 1:
        y = column_or_1d(y, warn=True)
    if y.dtype.kind not in "fiub":
        y = y.astype(np.float64)
    return y
