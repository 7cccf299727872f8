"""Labels as users give them: one kind, none missing."""

from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets


def check_class_y(y: np.ndarray) -> np.ndarray:
    """Return y as labels (n,) or indicators (n, K), or say what is wrong with it."""
    if sparse.issparse(y):
        y = y.toarray()
    if y.ndim == 2 and y.shape[1] == 1:
        y = column_or_1d(y, warn=True)
    if y.dtype == object:
        y = _of_one_kind(y, "y")
    check_classification_targets(y)
    if y.ndim == 2:
        _check_indicators(y)
    return y


def _check_indicators(y: np.ndarray) -> None:
    """Refuse columns of labels that are not 0 and 1."""
    values = np.unique(y)
    if values.dtype.kind in "biuf" and np.isin(values, (0, 1)).all():
        return
    if any(len(np.unique(column)) > 2 for column in y.T):
        raise ValueError(
            "y has several columns of more than two classes each (multiclass-"
            "multioutput), which is not supported; wrap the classifier in "
            "sklearn.multioutput.MultiOutputClassifier."
        )
    raise ValueError(
        "Where y has a column for each label, it tells by 0 and 1 which ones a row "
        f"has, but holds {', '.join(repr(v) for v in values[:5].tolist())}. Give "
        "(y == what stands for a label).astype(int)."
    )


def check_classes(classes: Any) -> np.ndarray:
    """Return the labels that `partial_fit` is told, sorted.

    Raises
    ------
    ValueError
        If they are not labels of one kind, or one is missing.
    """
    if isinstance(classes, str | bytes) or not hasattr(classes, "__iter__"):
        raise ValueError(f"classes must be a list of all labels, got {classes!r}.")
    labels = _labels_of(list(classes))
    if labels.ndim != 1 or not len(labels):
        raise ValueError(
            f"classes must be a list of all labels, got an array of shape "
            f"{labels.shape}."
        )
    return np.unique(_of_one_kind(labels, "classes"))


def labels_as_given(y: Any) -> Any:
    """Return a list of labels of several kinds as objects, and missing ones as None.

    NumPy would make texts of all of them, of numbers and of missing ones too. Other `y`
    are returned as they are.

    Raises
    ------
    ValueError
        If y is one text.
    """
    if isinstance(y, str | bytes):
        raise ValueError(
            f"y must hold the target of every row, got the text {y!r}. Of rows in "
            "memory, give the column: X=frame.drop(columns=name), y=frame[name]; by "
            "their names they are for rows read piece by piece, where X is Parquet "
            "files, a Dataset, a query or gives frames."
        )
    if isinstance(y, list | tuple) and any(isinstance(label, str) for label in y):
        y = _labels_of(list(y))
    return _missing_as_none(y)


def _missing_as_none(y: Any) -> Any:
    """Return a column of objects with None for what is missing.

    NA cannot be compared with anything, not even in order to refuse it.
    """
    if not isinstance(y, np.ndarray | pd.Series | pd.api.extensions.ExtensionArray):
        return y
    if y.ndim != 1 or pd.api.types.is_numeric_dtype(y.dtype) or _is_of_numpy(y.dtype):
        return y
    missing = np.asarray(pd.isna(y))
    if not missing.any():
        return y
    found = np.array(y, dtype=object)
    found[missing] = None
    return found


def _is_of_numpy(dtype: Any) -> bool:
    return isinstance(dtype, np.dtype) and dtype.kind != "O"


def _labels_of(labels: list) -> np.ndarray:
    """Return labels as an array in which each is what it was."""
    if all(isinstance(label, str) for label in labels):
        return np.array(labels)
    array = np.array(labels, dtype=object)
    return array if array.ndim == 1 else np.array(labels)


def _of_one_kind(labels: np.ndarray, name: str) -> np.ndarray:
    """Return objects as the type that they are of."""
    if labels.dtype.kind == "f":
        labels = labels.astype(object)
    if labels.dtype != object:
        return labels
    flat = labels.ravel().tolist()
    missing = [i for i, label in enumerate(flat) if _is_missing(label)]
    if missing:
        raise ValueError(
            f"{name} holds {len(missing)} missing labels (None or NaN), the first at "
            f"position {missing[0]}: leave them out, or give them a label of their own."
        )
    is_text = [isinstance(label, str) for label in flat]
    if any(is_text) and not all(is_text):
        first, other = flat[is_text.index(True)], flat[is_text.index(False)]
        raise ValueError(
            f"{name} mixes text and other labels, such as {first!r} and {other!r}, "
            "which have no order: make all of one kind."
        )
    if any(is_text):
        return labels
    typed = np.array(labels.tolist())
    return typed if typed.shape == labels.shape else labels


def _is_missing(label: Any) -> bool:
    if label is None or type(label).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(label, float | np.floating) and label != label
