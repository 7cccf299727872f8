"""Frames and arrays to validated tables of categorical and numeric columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.utils.validation import _num_samples, validate_data

from skdl.data.columns import (
    CATEGORIES,
    as_factors,
    as_numbers,
    kind_of,
    loses_integers,
    refuse_dates,
)
from skdl.data.containers import as_array, as_pandas, check_collected, is_frame
from skdl.data.table import Table
from skdl.estimators.core.inputs import refuse_no_table
from skdl.estimators.core.user_warnings import warn_user

FROM_DTYPE = "from_dtype"
# Rows that tell whether text spells numbers, and how many different ones are too many
# for names of categories.
_LOOKED_AT, _MANY = 1000, 20
# Types that are kept: a category is compared at the width it comes in.
_FLOATS = (np.float64, np.float32, np.float16)


@dataclass(frozen=True)
class Schema:
    """What was learned of the columns.

    Attributes
    ----------
    names : list
        Of all columns.
    categorical : ndarray of bool, shape (n_features,)
        Which are categorical.
    empty : frozenset
        Names of the others that `fit` saw nothing of but missing values.
    """

    names: list[Any]
    categorical: np.ndarray
    empty: frozenset = frozenset()

    @property
    def categorical_names(self) -> list[Any]:
        """Names of the categorical columns."""
        return [n for n, c in zip(self.names, self.categorical, strict=True) if c]

    @property
    def numeric_names(self) -> list[Any]:
        """Names of the other columns."""
        return [n for n, c in zip(self.names, self.categorical, strict=True) if not c]


def as_frame(X: Any, estimator: Any, *, reset: bool) -> pd.DataFrame:
    """Return X as a pandas frame, its columns checked against those of `fit`.

    Parameters
    ----------
    X : DataFrame of any library, or array-like of shape (n_samples, n_features)
        The columns of an array are named by their numbers.
    estimator : estimator
        Gets, or is asked for, `n_features_in_`, `feature_names_in_` and the names that
        are not text.
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
    check_collected(X)
    if not is_frame(X):
        return _frame_of_array(X, estimator, reset=reset)
    frame = as_pandas(X)
    if reset or not has_names(frame, vars(estimator).get("feature_names_in_")):
        validate_data(estimator, frame, reset=reset, skip_check_array=True)
    check_names(estimator, list(frame.columns), reset=reset)
    check_not_empty(frame, estimator)
    return frame


def has_names(frame: pd.DataFrame, names: np.ndarray | None) -> bool:
    """Tell whether columns have the names of `fit`, all of them text, in their order.

    Then scikit-learn has nothing to object to, which it takes a tenth of the time of
    predicting a row to say.
    """
    if names is None:
        return False
    columns = list(frame.columns)
    return set(map(type, columns)) == {str} and columns == names.tolist()


def check_names(estimator: Any, names: list[Any] | None, *, reset: bool) -> None:
    """Compare names of columns that are no text, which scikit-learn does not.

    Parameters
    ----------
    estimator : estimator
        Gets the names, or is asked for them.
    names : list or None
        Of the columns; None for an array.
    reset : bool
        Whether this is `fit`.

    Raises
    ------
    ValueError
        If there are such names now and there were in `fit`, and they differ.
    """
    others = names if names and not isinstance(names[0], str) else None
    if reset:
        estimator._other_names = others
        return
    fitted = getattr(estimator, "_other_names", None)
    if others is None or fitted is None or others == fitted:
        return
    absent = [name for name in fitted if name not in others]
    found = "the same ones in another order" if set(others) == set(fitted) else others
    use = f"There is no {absent}: name it as in fit" if absent else f"Use X[{fitted}]"
    raise ValueError(
        "The feature names should match those that were passed during fit, in the same "
        f"order. {type(estimator).__name__} was fitted on the columns {fitted}, and "
        f"gets {found}. {use}."
    )


def _frame_of_array(X: Any, estimator: Any, *, reset: bool) -> pd.DataFrame:
    check_names(estimator, None, reset=reset)
    array = as_array(X)
    refuse_dates(array)
    if array.dtype.kind in "OUST" and array.ndim == 2:
        validate_data(estimator, array, reset=reset, skip_check_array=True)
        check_not_empty(array, estimator)
        return pd.DataFrame(array.astype(object))
    # Integers stay what they are: as floats those beyond 2**53 would be rounded.
    kept = "numeric" if array.dtype.kind in "iu" else _FLOATS
    array = validate_data(
        estimator, array, reset=reset, dtype=kept, ensure_all_finite="allow-nan"
    )
    return pd.DataFrame(array)


def check_not_empty(X: Any, estimator: Any) -> None:
    """Refuse what has no rows or no columns."""
    if _num_samples(X) == 0 or X.shape[1] == 0:
        raise ValueError(
            f"Found array with {X.shape[0]} sample(s) and {X.shape[1]} feature(s) "
            f"(shape={tuple(X.shape)}) while a minimum of 1 is required by "
            f"{type(estimator).__name__}."
        )


def learn_schema(frame: pd.DataFrame, categorical_features: Any) -> Schema:
    """Decide which columns are categorical.

    Parameters
    ----------
    frame : DataFrame
        What `fit` gets.
    categorical_features : "from_dtype", array-like or None
        Names and indices are added to the columns that hold text, categories or
        booleans; a mask says it of all columns; None is no column.
    """
    names = list(frame.columns)
    kinds = [kind_of(column) for _, column in frame.items()]
    found = np.array([kind == CATEGORIES for kind in kinds], dtype=bool)
    if categorical_features is None:
        mask = np.zeros(len(names), dtype=bool)
    elif isinstance(categorical_features, str):
        if categorical_features != FROM_DTYPE:
            raise ValueError(
                f"categorical_features must be {FROM_DTYPE!r}, None, or names, indices "
                f"or a mask of columns, got {categorical_features!r}. For one column "
                f"write [{categorical_features!r}]."
            )
        mask = found
    else:
        mask = _mask_of(names, list(categorical_features), found)
    if categorical_features is None or isinstance(categorical_features, str):
        warn_of_numbers({names[j]: frame.iloc[:, j] for j in np.flatnonzero(mask)})
    warn_of_rounding({names[j]: frame.iloc[:, j] for j in np.flatnonzero(~mask)})
    empty = []
    for j in np.flatnonzero(~mask):
        column = frame.iloc[:, j]
        if column.iloc[:1].isna().all() and column.isna().all():
            empty.append(names[j])
        elif found[j]:
            _check_no_text(column, names[j])
    return Schema(names, mask, frozenset(empty))


def warn_of_rounding(columns: dict[Any, Any]) -> None:
    """Say which columns hold integers that networks cannot tell apart."""
    _warn_of(
        [name for name, column in columns.items() if loses_integers(column)],
        "integers beyond 2**53, several of which are one number in float64, as which "
        "they are read: they are not told apart. If they are identifiers, they are "
        "categories: name them in categorical_features of an EntityEmbedding "
        "estimator.",
    )


def warn_of_numbers(columns: dict[Any, Any]) -> None:
    """Say which columns of text spell numbers with decimals, which are no names."""
    _warn_of(
        [name for name, column in columns.items() if _spells_numbers(column)],
        "numbers as text, so that each of them is a category that knows nothing of the "
        "next. Make them numbers (pd.to_numeric; an array of text and numbers is all "
        "text), or name them in categorical_features.",
    )


def _warn_of(names: list[Any], what: str) -> None:
    if names:
        warn_user(f"The columns {names} hold {what}", UserWarning)


def _spells_numbers(column: pd.Series) -> bool:
    text = column.iloc[:_LOOKED_AT].dropna()
    if len(text) <= _MANY or isinstance(text.dtype, pd.CategoricalDtype):
        return False
    if not all(isinstance(value, str) for value in text):
        return False
    values = set(text)
    has_decimals = len(values) > _MANY and any("." in value for value in values)
    return has_decimals and all(map(_is_number, values))


def _is_number(text: str) -> bool:
    try:
        return np.isfinite(float(text))
    except ValueError:
        return False


def _mask_of(names: Sequence[Any], chosen: list[Any], found: np.ndarray) -> np.ndarray:
    """Return a mask of the columns chosen by mask, or by name or number in addition."""
    n = len(names)
    if chosen and all(isinstance(c, bool | np.bool_) for c in chosen):
        if len(chosen) != n:
            raise ValueError(
                f"categorical_features is a mask of {len(chosen)} columns, but X has "
                f"{n}."
            )
        return np.array(chosen, dtype=bool)
    mask = found.copy()
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


def _check_no_text(column: pd.Series, name: Any) -> None:
    """Refuse text where a user says that there are no categories; booleans are 0, 1."""
    kind = column.dtype
    if pd.api.types.is_bool_dtype(kind) or isinstance(kind, pd.CategoricalDtype):
        return
    if pd.api.types.infer_dtype(column, skipna=True) == "boolean":
        return
    example = column.dropna().iloc[0]
    raise ValueError(
        f"Column {name!r} holds text ({example!r} ...) but is not among "
        "categorical_features. None and a mask say of every column whether it is "
        "categorical; names are added to the columns of text."
    )


def named(frame: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Return a frame with the names of `fit`, which an array does not have."""
    return frame.set_axis(schema.names, axis=1)


def make_table(frame: pd.DataFrame, schema: Schema) -> Table:
    """Return categories as factors and all else as one matrix of floats."""
    columns = [column for _, column in frame.items()]
    pairs = list(zip(schema.names, columns, schema.categorical, strict=True))
    factors = [as_factors(column, name) for name, column, wanted in pairs if wanted]
    numbers = [
        as_numbers(column, name, empty=name in schema.empty)
        for name, column, wanted in pairs
        if not wanted
    ]
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
