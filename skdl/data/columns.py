"""What a column holds, found by looking: its type is evidence, not the answer."""

import warnings
from typing import Any

import numpy as np
import pandas as pd

from skdl.data.containers import as_pandas, is_frame
from skdl.data.factors import Factors, factorize
from skdl.data.values import are_numbers, has_dates, is_complex, misfit

# What a column may hold.
NUMBERS, CATEGORIES, DATES, COMPLEX = "numbers", "categories", "dates", "complex"

# Integers up to it are exact in float64.
_EXACT = 2**53

# By what pandas infers of objects; of mixed ones the types decide.
_INFERRED = {
    **dict.fromkeys(["integer", "floating", "mixed-integer-float"], NUMBERS),
    "decimal": NUMBERS,
    **dict.fromkeys(["boolean", "string", "bytes", "interval", "empty"], CATEGORIES),
    "complex": COMPLEX,
}


def is_plain(dtype: Any) -> bool:
    """Tell whether a type is NumPy's of real numbers or booleans."""
    return isinstance(dtype, np.dtype) and dtype.kind in "fiub"


def kind_of(column: pd.Series) -> str:
    """Return what a column holds, one of the names above.

    Objects are looked at one by one: Decimals and numbers with ``pd.NA`` among them are
    numbers, dates are dates. Numbers with booleans among them are numbers, booleans
    alone are categories, and so is what is missing throughout without being of a
    numeric type.
    """
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        inner = kind_of(pd.Series(dtype.categories))
        return inner if inner in (DATES, COMPLEX) else CATEGORIES
    if isinstance(dtype, pd.ArrowDtype) and "dictionary" in str(dtype):
        return kind_of(column.astype(object).astype("category"))
    if dtype == np.dtype(object):
        return _kind_of_objects(column)
    return _kind_of_type(dtype)


def _kind_of_type(dtype: Any) -> str:
    if isinstance(dtype, pd.PeriodDtype) or has_dates({dtype.type}):
        return DATES
    if pd.api.types.is_bool_dtype(dtype):
        return CATEGORIES
    if pd.api.types.is_complex_dtype(dtype):
        return COMPLEX
    return NUMBERS if pd.api.types.is_numeric_dtype(dtype) else CATEGORIES


def _kind_of_objects(column: pd.Series) -> str:
    known = _INFERRED.get(pd.api.types.infer_dtype(column, skipna=True))
    if known is not None:
        return known
    kinds = set(map(type, column[column.notna().to_numpy()]))
    if has_dates(kinds):
        return DATES
    if is_complex(kinds):
        return COMPLEX
    return NUMBERS if kinds and are_numbers(kinds) else CATEGORIES


def loses_integers(column: Any) -> bool:
    """Tell whether several integers of a column are one number in float64.

    Parameters
    ----------
    column : Series or ndarray of shape (n_samples,)
        Numbers. One without large integers is not looked at one by one.

    Examples
    --------
    >>> loses_integers(np.array([2**60, 2**60 + 1])), loses_integers(np.array([1, 2]))
    (True, False)
    """
    dtype = column.dtype
    if dtype != np.dtype(object):
        is_narrow = getattr(dtype, "itemsize", 8) < 8
        if is_narrow or not pd.api.types.is_integer_dtype(dtype):
            return False
        column = column[~pd.isna(column)]
        if not len(column) or -_EXACT <= column.min() <= column.max() <= _EXACT:
            return False
    whole = (v for v in column if isinstance(v, int | np.integer))
    # NumPy takes differences of times for integers.
    exact = (int(v) for v in whole if not isinstance(v, np.timedelta64))
    large = {value for value in exact if abs(value) > _EXACT}
    try:
        return len(set(map(float, large))) < len(large)
    except OverflowError:  # is refused elsewhere
        return False


def check_kind(kind: str, name: Any, dtype: Any) -> None:
    """Refuse what is neither a category nor a number.

    Parameters
    ----------
    kind : str
        What a column holds.
    name : object
        The column's; None for a whole array.
    dtype : object
        For the message.

    Raises
    ------
    ValueError
        If it holds dates, times or complex numbers.
    """
    what = "X" if name is None else f"Column {name!r}"
    if kind == DATES:
        column = "pd.DataFrame(X)[0]" if name is None else f"X[{name!r}]"
        matters = (
            f"{column}.dt.total_seconds()"
            if "timedelta" in str(dtype) or "duration" in str(dtype)
            else f"{column}.dt.year, .dt.month and .dt.dayofweek; pd.to_datetime gives "
            "a column of objects its .dt"
        )
        raise ValueError(
            f"{what} holds dates or times ({dtype}), which are neither categories nor "
            f"numbers. Expand it to what matters, such as {matters}."
        )
    if kind == COMPLEX:
        raise ValueError(f"Complex data not supported: {what} holds complex numbers.")


def refuse_dates(X: Any) -> None:
    """Refuse dates and times where numbers are wanted: they would be nanoseconds.

    Parameters
    ----------
    X : array-like or DataFrame of any library
        What holds neither is not looked at.

    Raises
    ------
    ValueError
        As `check_kind` does.
    """
    if not is_frame(X):
        dtype = getattr(X, "dtype", None)
        if getattr(dtype, "kind", "") in ("M", "m"):
            check_kind(DATES, None, dtype)
        return
    for name, column in as_pandas(X).items():
        if not is_plain(column.dtype):
            check_kind(kind_of(column), name, column.dtype)


def as_factors(column: pd.Series, name: Any) -> Factors:
    """Return a column of categories as factors.

    Raises
    ------
    TypeError
        If it holds what cannot be compared.
    ValueError
        If it holds dates or complex numbers.
    """
    dtype = column.dtype
    if isinstance(dtype, pd.StringDtype) or is_plain(dtype):
        return factorize(column)
    if dtype != np.dtype(object):
        check_kind(kind_of(column), name, dtype)
    try:
        factors = factorize(column)
    except (TypeError, ValueError, NotImplementedError) as error:
        check_kind(kind_of(column), name, dtype)
        raise _misfit(name, str(error)) from error
    kinds = set(map(type, factors.values))
    if has_dates(kinds):
        check_kind(DATES, name, dtype)
    if is_complex(kinds):
        check_kind(COMPLEX, name, dtype)
    bad = misfit(kinds)
    if bad is not None:
        raise _misfit(name, f"of type {bad.__name__!r}")
    return factors


def _misfit(name: Any, what: str) -> TypeError:
    return TypeError(
        f"Column {name!r} holds values that cannot be compared ({what}); categories "
        "must be text, numbers or booleans. Join what belongs together to one text, or "
        "make it columns of its own."
    )


def as_numbers(column: pd.Series, name: Any, *, empty: bool = False) -> np.ndarray:
    """Return a column as float32 if it is that, else as float64; NaN is missing.

    Parameters
    ----------
    column : Series
        Numbers.
    name : object
        For messages.
    empty : bool, default=False
        Whether `fit` saw nothing but missing values: what is no number is missing, too.

    Raises
    ------
    ValueError
        If it holds anything else.
    """
    dtype = column.dtype
    kind = np.float32 if dtype == np.float32 else np.float64
    if is_plain(dtype):  # has no missing ones but NaN
        return column.to_numpy(dtype=kind)
    check_kind(kind_of(column), name, dtype)
    try:
        return column.to_numpy(dtype=kind, na_value=np.nan)
    except OverflowError as error:
        raise ValueError(
            f"Column {name!r} holds integers that are too large for float64 ({error}). "
            "If they are identifiers, name it in categorical_features."
        ) from error
    except (ValueError, TypeError) as error:
        if empty:
            warnings.warn(
                f"Column {name!r} was all missing in fit, so that nothing is known of "
                f"what it holds now ({error}); it is not used.",
                UserWarning,
                stacklevel=2,
            )
            return np.full(len(column), np.nan)
        raise ValueError(
            f"Column {name!r} should hold numbers, but could not convert string to "
            f"float ({error}). If it holds categories, name it in "
            "categorical_features."
        ) from error
