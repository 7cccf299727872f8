"""Columns of numbers out of frames whose types scikit-learn does not understand."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from skdl.data.columns import (
    CATEGORIES,
    DATES,
    as_numbers,
    check_kind,
    is_plain,
    kind_of,
    refuse_dates,
)
from skdl.data.containers import as_array, as_pandas, check_collected, is_frame
from skdl.data.values import has_dates
from skdl.estimators.tables.frames import (
    check_names,
    check_not_empty,
    has_names,
    warn_of_rounding,
)

# What columns of numbers are taken as they are.
FLOATS = (np.float64, np.float32)


def readable(X: Any, estimator: Any, *, reset: bool) -> Any:
    """Return X as scikit-learn's validation can read it.

    Parameters
    ----------
    X : array-like
        Frames of plain numbers and arrays stay as they are.
    estimator : estimator
        Gets, or is asked for, names of columns that are no text.
    reset : bool
        Whether this is `fit`.

    Raises
    ------
    ValueError
        If a column holds dates or times, or has another name than in `fit`.
    """
    check_collected(X)
    if not is_frame(X):
        check_names(estimator, None, reset=reset)
        array = _readable_array(X)
        if reset and array.ndim == 2:
            warn_of_rounding(dict(enumerate(array.T)))
        return array
    frame = X if isinstance(X, pd.DataFrame) else as_pandas(X)
    check_names(estimator, list(frame.columns), reset=reset)
    if frame.shape[1] == 0:
        check_not_empty(frame, estimator)
    if reset:
        warn_of_rounding(dict(frame.items()))
    if all(is_plain(dtype) and dtype.isnative for dtype in frame.dtypes):
        return frame
    return _with_plain_columns(frame)


def numbers_of(frame: pd.DataFrame, names: np.ndarray) -> np.ndarray | None:
    """Return the numbers of a frame as scikit-learn's validation would, but sooner.

    Parameters
    ----------
    frame : DataFrame
        Of pandas.
    names : ndarray of str
        Of the columns that it shall have.

    Returns
    -------
    ndarray or None
        None where columns have other names, or are not plain numbers.
    """
    if not has_names(frame, names):
        return None
    dtypes = set(frame.dtypes)
    if not all(is_plain(dtype) and dtype.isnative for dtype in dtypes):
        return None
    kind = np.result_type(*dtypes)
    return frame.to_numpy(dtype=kind if kind in FLOATS else np.float64)


def _readable_array(X: Any) -> Any:
    if isinstance(X, list | tuple):
        array = np.asarray(X)
        X = np.asarray(X, dtype=object) if array.dtype.kind in "US" else array
    elif type(X) is not np.ndarray:
        X = as_array(X)
    refuse_dates(X)
    # pandas' NA is no float.
    return np.where(pd.isna(X), np.nan, X) if X.dtype == object else X


def explain(error: Exception, X: Any) -> None:
    """Raise a better error than scikit-learn's where values are no numbers."""
    if isinstance(error, OverflowError):
        raise ValueError(
            f"X holds integers that are too large for float64 ({error}). If they are "
            "identifiers, they are categories and no numbers."
        ) from error
    if not is_frame(X) and has_dates(set(map(type, np.ravel(as_objects(X))))):
        check_kind(DATES, None, "object")
    for value in _objects(X):
        if not pd.api.types.is_scalar(value):
            raise TypeError(
                f"X holds a {type(value).__name__} ({str(value)[:60]}), but what float "
                "takes as its argument must be a string or a number. Make columns of "
                "numbers of it first."
            ) from error


def _objects(X: Any) -> Iterator[Any]:
    """Yield the values that are held as objects."""
    if not is_frame(X):
        yield from np.ravel(as_objects(X))
        return
    for j, dtype in enumerate(X.dtypes):
        if pd.api.types.is_object_dtype(dtype):
            yield from X.iloc[:, j]


def as_objects(X: Any) -> np.ndarray:
    """Return an array of objects, empty where the rows differ in length."""
    try:
        return np.asarray(X, dtype=object)
    except ValueError:
        return np.empty(0, dtype=object)


def _with_plain_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with columns of numbers as floats, and text as it is."""
    columns = {}
    for j, name in enumerate(frame.columns):
        column = frame.iloc[:, j]
        kind = kind_of(column)
        check_kind(kind, name, column.dtype)
        is_text = kind == CATEGORIES and not pd.api.types.is_bool_dtype(column.dtype)
        if not is_text:
            values = as_numbers(column, name)
            column = pd.Series(values, index=frame.index)
        columns[j] = column
    result = pd.DataFrame(columns, index=frame.index)
    return result.set_axis(frame.columns, axis=1)
