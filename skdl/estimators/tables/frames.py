"""Frames and arrays to validated tables of categorical and numeric columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.utils.validation import _num_samples, validate_data

from skdl.data.categories import Factors, factorize
from skdl.data.table import Table
from skdl.estimators.core.inputs import refuse_no_table

FROM_DTYPE = "from_dtype"


@dataclass(frozen=True)
class Schema:
    """What was learned of the columns: their names and which are categorical."""

    names: list[Any]
    categorical: np.ndarray

    @property
    def categorical_names(self) -> list[Any]:
        """Names of the categorical columns."""
        return [n for n, c in zip(self.names, self.categorical, strict=True) if c]

    @property
    def numeric_names(self) -> list[Any]:
        """Names of the other columns."""
        return [n for n, c in zip(self.names, self.categorical, strict=True) if not c]


def is_frame(X: Any) -> bool:
    """Tell whether X is a data frame of any library."""
    return hasattr(X, "columns") and hasattr(X, "shape") and len(X.shape) == 2


def as_frame(X: Any, estimator: Any, *, reset: bool) -> pd.DataFrame:
    """Return X as a pandas frame, its columns checked against those of `fit`.

    Parameters
    ----------
    X : DataFrame of any library, or array-like of shape (n_samples, n_features)
        The columns of an array are named by their numbers.
    estimator : estimator
        Gets, or is asked for, `n_features_in_` and `feature_names_in_`.
    reset : bool
        Whether this is `fit`.

    Returns
    -------
    pandas.DataFrame
    """
    refuse_no_table(X, estimator)
    if issparse(X):
        raise TypeError(
            f"Sparse data was passed for X, but {type(estimator).__name__} takes dense "
            "data: pass the categories themselves, not their one-hot encoding."
        )
    if not is_frame(X):
        return _frame_of_array(X, estimator, reset=reset)
    columns = list(X.columns)
    repeated = sorted({str(c) for c in columns if columns.count(c) > 1})
    if repeated:
        raise ValueError(f"Names of columns must be unique; twice there: {repeated}.")
    validate_data(estimator, X, reset=reset, skip_check_array=True)
    _check_not_empty(X, estimator)
    if isinstance(X, pd.DataFrame):
        return X
    return pd.DataFrame({name: X[name].to_numpy() for name in columns})


def _frame_of_array(X: Any, estimator: Any, *, reset: bool) -> pd.DataFrame:
    kind = getattr(X, "dtype", None)
    array = X if isinstance(kind, np.dtype) else _as_array(X)
    if array.dtype.kind in "OUS" and array.ndim == 2:
        validate_data(estimator, array, reset=reset, skip_check_array=True)
        _check_not_empty(array, estimator)
        return pd.DataFrame(array.astype(object)).infer_objects()
    array = validate_data(
        estimator,
        X,
        reset=reset,
        dtype=(np.float64, np.float32),
        ensure_all_finite="allow-nan",
    )
    return pd.DataFrame(array)


def _as_array(X: Any) -> np.ndarray:
    """Return a list of rows as an array that keeps each value's type."""
    array = np.asarray(X)
    return np.asarray(X, dtype=object) if array.dtype.kind in "US" else array


def _check_not_empty(X: Any, estimator: Any) -> None:
    if _num_samples(X) == 0 or X.shape[1] == 0:
        raise ValueError(
            f"Found array with {X.shape[0]} sample(s) and {X.shape[1]} feature(s) "
            f"(shape={tuple(X.shape)}) while a minimum of 1 is required by "
            f"{type(estimator).__name__}."
        )


def learn_schema(frame: pd.DataFrame, categorical_features: Any) -> Schema:
    """Decide which columns are categorical."""
    names = list(frame.columns)
    if categorical_features is None:
        mask = np.zeros(len(names), dtype=bool)
    elif isinstance(categorical_features, str):
        if categorical_features != FROM_DTYPE:
            raise ValueError(
                f"categorical_features must be {FROM_DTYPE!r}, None, or names, indices "
                f"or a mask of columns, got {categorical_features!r}. For one column "
                f"write [{categorical_features!r}]."
            )
        mask = np.array([is_categorical(frame[name]) for name in names], dtype=bool)
    else:
        mask = _mask_of(names, list(categorical_features))
    for name, categorical in zip(names, mask, strict=True):
        _check_type(frame[name], name, categorical=bool(categorical))
    return Schema(names, mask)


def is_categorical(column: pd.Series) -> bool:
    """Tell whether a column's type makes it categorical: text, category or bool."""
    kind = column.dtype
    if pd.api.types.is_bool_dtype(kind) or isinstance(kind, pd.CategoricalDtype):
        return True
    if kind == np.dtype(object):
        return not pd.api.types.is_numeric_dtype(column.infer_objects().dtype)
    return pd.api.types.is_string_dtype(kind)


def _is_text(column: pd.Series) -> bool:
    kind = column.dtype
    if pd.api.types.is_bool_dtype(kind) or isinstance(kind, pd.CategoricalDtype):
        return False
    return is_categorical(column)


def _mask_of(names: Sequence[Any], chosen: list[Any]) -> np.ndarray:
    """Return a mask of the columns chosen by mask, name or number."""
    n = len(names)
    if chosen and all(isinstance(c, bool | np.bool_) for c in chosen):
        if len(chosen) != n:
            raise ValueError(
                f"categorical_features is a mask of {len(chosen)} columns, but X has "
                f"{n}."
            )
        return np.array(chosen, dtype=bool)
    mask = np.zeros(n, dtype=bool)
    for choice in chosen:
        if choice in names:
            mask[list(names).index(choice)] = True
        elif isinstance(choice, int | np.integer) and -n <= choice < n:
            mask[choice] = True
        else:
            raise ValueError(
                f"categorical_features names {choice!r}, which is not a column of X: "
                f"{[str(name) for name in names]}."
            )
    return mask


def _check_type(column: pd.Series, name: Any, *, categorical: bool) -> None:
    kind = column.dtype
    dates = (
        pd.api.types.is_datetime64_any_dtype(kind)
        or pd.api.types.is_timedelta64_dtype(kind)
        or isinstance(kind, pd.PeriodDtype)
    )
    if dates:
        raise ValueError(
            f"Column {name!r} holds dates or times ({kind}), which are neither "
            "categories nor numbers. Expand it to what matters, such as "
            f"X[{name!r}].dt.year, .dt.month and .dt.dayofweek."
        )
    if pd.api.types.is_complex_dtype(kind):
        raise ValueError(f"Complex data not supported: column {name!r}.")
    if not categorical and _is_text(column):
        raise ValueError(
            f"Column {name!r} holds text ({column.iloc[0]!r} ...) but is not among "
            "categorical_features."
        )


def make_table(frame: pd.DataFrame, schema: Schema) -> Table:
    """Return categories as factors and all else as one matrix of floats."""
    columns = [frame.iloc[:, j] for j in range(frame.shape[1])]
    pairs = list(zip(schema.names, columns, schema.categorical, strict=True))
    factors = [_factors(column, name) for name, column, wanted in pairs if wanted]
    numbers = [_numbers(column, name) for name, column, wanted in pairs if not wanted]
    if not numbers:
        return Table(factors, np.empty((len(frame), 0), dtype=np.float32))
    matrix = np.stack(numbers, axis=1)
    if np.isinf(matrix).any():
        bad = [
            name
            for name, column in zip(schema.numeric_names, matrix.T, strict=True)
            if np.isinf(column).any()
        ]
        raise ValueError(f"Input X contains infinity, in the columns {bad}.")
    return Table(factors, matrix)


def _factors(column: pd.Series, name: Any) -> Factors:
    try:
        return factorize(column)
    except TypeError as error:
        raise TypeError(
            f"Column {name!r} holds values that cannot be compared ({error}); "
            "categories must be text, numbers or booleans."
        ) from error


def _numbers(column: pd.Series, name: Any) -> np.ndarray:
    """Return a column as float32 if it is that, else as float64; NaN is missing."""
    kind = np.float32 if column.dtype == np.float32 else np.float64
    try:
        return column.to_numpy(dtype=kind, na_value=np.nan)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"Column {name!r} should hold numbers, but could not convert string to "
            f"float ({error}). If it holds categories, name it in "
            "categorical_features."
        ) from error
