"""Columns as numbers of their distinct values."""

from dataclasses import dataclass, field
from numbers import Number
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Factors:
    """A column as numbers of its distinct values.

    Attributes
    ----------
    codes : ndarray of int, shape (n_samples,)
        Positions in `values`; -1 is missing.
    values : ndarray of object, shape (n_values,)
        Distinct values, some of which may have no row.
    looked_up : list
        The last vocabulary that looked the values up, and what it found.
    """

    codes: np.ndarray
    values: np.ndarray
    looked_up: list = field(default_factory=list, repr=False, compare=False)

    def take(self, rows: Any) -> "Factors":
        """Return some of the rows."""
        return Factors(self.codes[rows], self.values, self.looked_up)

    def counts(self) -> np.ndarray:
        """Return the rows of each value."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.values))


class Tally:
    """How many rows each value has, of a column whose rows come in parts."""

    def __init__(self) -> None:
        self._rows: dict[tuple[type, Any], int] = {}
        self.n_missing = 0

    def add(self, column: Factors) -> None:
        """Count some rows."""
        rows = column.counts()
        self.n_missing += len(column.codes) - int(rows.sum())
        present = np.flatnonzero(rows)
        for value, count in zip(
            column.values[present].tolist(), rows[present].tolist(), strict=True
        ):
            key = type(value), value
            self._rows[key] = self._rows.get(key, 0) + count

    def factors(self) -> "Counted":
        """Return the column as what a vocabulary learns from."""
        values = np.empty(len(self._rows), dtype=object)
        values[:] = [value for _, value in self._rows]
        rows = np.array(list(self._rows.values()), dtype=np.int64)
        return Counted(np.empty(0, dtype=np.int64), values, [], rows, self.n_missing)


@dataclass(frozen=True)
class Counted(Factors):
    """A column of which only the rows of each value are known.

    Attributes
    ----------
    rows : ndarray of int64, shape (n_values,)
        Rows of each value.
    n_missing : int
        Rows without one.
    """

    rows: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    n_missing: int = 0

    def counts(self) -> np.ndarray:
        """Return the rows of each value."""
        return self.rows


def factorize(column: Any) -> Factors:
    """Find the distinct values of a column.

    Parameters
    ----------
    column : pandas.Series or ndarray of shape (n_samples,)
        Of any type whose values can be hashed.

    Returns
    -------
    Factors
        Two values are distinct if they are not equal or one of them is a boolean; those
        of a floating type narrower than float64 keep it.
    """
    kind = getattr(column, "dtype", None)
    if isinstance(kind, pd.CategoricalDtype):
        return Factors(column.cat.codes.to_numpy(), _objects(column.cat.categories))
    text = _one_text(column)
    if text is not None:
        return Factors(np.zeros(1, dtype=np.int64), _objects_of([text]))
    if not isinstance(kind, np.dtype):
        codes, values = pd.factorize(column, use_na_sentinel=True)
        return Factors(codes, _objects(values))
    array = np.asarray(column)
    if not kind.isnative:
        array = array.astype(kind.newbyteorder("="))
    codes, values = pd.factorize(array, use_na_sentinel=True)
    if kind == np.dtype(object):
        return _booleans_apart(array, codes, _objects(values))
    return Factors(codes, _objects(values))


def _one_text(column: Any) -> str | None:
    """Return the text of a column of one, which pandas takes long to number."""
    if len(column) == 1 and isinstance(column, pd.Series):
        value = column.array[0]
        return value if type(value) is str else None
    return None


def _objects(values: Any) -> np.ndarray:
    """Return an array of Python's objects; floats narrower than Python's stay so."""
    kind = getattr(values.dtype, "numpy_dtype", values.dtype)
    is_plain = isinstance(kind, np.dtype) and kind.kind in "iufb"
    if is_plain and (kind.kind != "f" or kind.itemsize == 8):
        return np.asarray(values, dtype=object)
    return _objects_of(list(np.asarray(values, dtype=kind) if is_plain else values))


def _objects_of(items: list[Any]) -> np.ndarray:
    result = np.empty(len(items), dtype=object)
    result[:] = items
    return result


def _booleans_apart(
    column: np.ndarray, codes: np.ndarray, values: np.ndarray
) -> Factors:
    """Tell True from 1, and False from 0: Python's hashes do not."""
    for i, value in enumerate(values.tolist()):
        if not isinstance(value, Number | np.bool_) or value not in (0, 1):
            continue
        rows = np.flatnonzero(codes == i)
        is_truth = np.array([isinstance(v, bool | np.bool_) for v in column[rows]])
        if is_truth.any() and not is_truth.all():
            codes = codes.copy()
            codes[rows[is_truth]] = len(values)
            values[i] = column[rows[~is_truth][0]]
            values = np.append(values, np.array([bool(value)], dtype=object))
    return Factors(codes, values)
