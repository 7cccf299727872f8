"""Categorical columns to codes.

Values are compared by a normalised text, so that a category is the same whether it
comes as text, as an integer, as a float without a fraction or from an Arrow column.
"""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

# Codes that every vocabulary has: of values never seen, of missing ones, and from FIRST
# on of categories.
UNKNOWN, MISSING = 0, 1
FIRST = 2
# Of a vocabulary that is full, the share of codes that rarer values are hashed to.
_HASHED_SHARE = 4


@dataclass(frozen=True)
class Factors:
    """A column as numbers of its distinct values.

    Attributes
    ----------
    codes : ndarray of int, shape (n_samples,)
        Positions in `values`; -1 is missing.
    values : ndarray of object, shape (n_values,)
        Distinct values, some of which may have no row.
    """

    codes: np.ndarray
    values: np.ndarray

    def take(self, rows: Any) -> "Factors":
        """Return some of the rows."""
        return Factors(self.codes[rows], self.values)

    def counts(self) -> np.ndarray:
        """Return the rows of each value."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.values))


def factorize(column: Any) -> Factors:
    """Find the distinct values of a column.

    Parameters
    ----------
    column : pandas.Series or ndarray of shape (n_samples,)
        Of any type whose values can be hashed.

    Returns
    -------
    Factors
    """
    if isinstance(getattr(column, "dtype", None), pd.CategoricalDtype):
        codes, values = column.cat.codes.to_numpy(), column.cat.categories
    else:
        codes, values = pd.factorize(column, use_na_sentinel=True)
    return Factors(codes, np.asarray(values, dtype=object))


def normalized(value: Any) -> str:
    """Return the text by which a value is compared.

    Examples
    --------
    >>> normalized(3), normalized(3.0), normalized("3"), normalized(3.5)
    ('3', '3', '3', '3.5')
    """
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)


def _sort_key(value: Any) -> tuple:
    """Order numbers by size and all else, after them, by its text."""
    if isinstance(value, int | float | np.number):
        return (0, float(value), "")
    return (1, 0.0, str(value))


class Vocabulary:
    """The categories of a column, or of several columns that share them.

    Parameters
    ----------
    max_categories : int or None, default=None
        Codes at most. Where there are more categories, three quarters of the codes go
        to the most frequent ones, and all others are hashed to the last quarter.

    Attributes
    ----------
    categories : list
        Values by code, of the codes from 2 on; hashed codes have none.
    counts : ndarray of int
        Rows by code, when it was fitted.
    n_hashed : int
        Codes that rarer values share.
    n_before : int
        Codes that it had before it was extended, 0 if it was not.
    """

    def __init__(self, max_categories: int | None = None) -> None:
        self.max_categories = max_categories
        self.categories: list[Any] = []
        self.n_hashed = 0
        self.n_before = 0
        self.counts = np.zeros(FIRST, dtype=np.int64)
        self._codes: dict[str, int] = {}

    def __len__(self) -> int:
        return FIRST + len(self.categories) + self.n_hashed

    def fit(self, columns: Sequence[Factors]):
        """Learn the categories that have rows.

        Parameters
        ----------
        columns : sequence of Factors
            Columns that share this vocabulary.

        Returns
        -------
        self
        """
        found: dict[str, list] = {}
        for column in columns:
            for value, count in zip(column.values, column.counts(), strict=True):
                if count:
                    entry = found.setdefault(normalized(value), [value, 0])
                    entry[1] += int(count)
        kept = list(found.values())
        room = self.max_categories
        if room is not None and len(kept) > room:
            self.n_hashed = max(1, room // _HASHED_SHARE)
            kept = sorted(kept, key=lambda entry: -entry[1])[: room - self.n_hashed]
        self.categories = sorted((value for value, _ in kept), key=_sort_key)
        self._number()
        self.counts = self._counts_of(columns)
        return self

    def extended(self, columns: Sequence[Factors]) -> "Vocabulary":
        """Return a vocabulary with the new categories of more rows at its end.

        Codes stay what they were and never become more than `max_categories`: where
        there is not room for all new categories, the most frequent of them get the
        room but for a quarter of all codes, or what is left of it, to which the others
        and all that come later are hashed. In a vocabulary that is full to the last
        code they are unknown.
        """
        result = Vocabulary(self.max_categories)
        result.n_hashed, result.n_before = self.n_hashed, len(self)
        result.categories = list(self.categories)
        if not self.n_hashed:
            fresh = Vocabulary().fit(columns)
            new = [
                (value, count)
                for value, count in zip(
                    fresh.categories, fresh.counts[FIRST:], strict=True
                )
                if normalized(value) not in self._codes
            ]
            result._add(new)
        result._number()
        result.counts = np.zeros(len(result), dtype=np.int64)
        result.counts[: len(self)] = self.counts
        result.counts += result._counts_of(columns)
        return result

    def _add(self, new: list[tuple[Any, int]]) -> None:
        """Append categories, as far as there is room."""
        if self.max_categories is not None:
            room = max(0, self.max_categories - len(self.categories))
            if len(new) > room:
                self.n_hashed = min(room, max(1, self.max_categories // _HASHED_SHARE))
                frequent = sorted(new, key=lambda entry: -entry[1])
                kept = {id(entry) for entry in frequent[: room - self.n_hashed]}
                new = [entry for entry in new if id(entry) in kept]
        self.categories += [value for value, _ in new]

    def _number(self) -> None:
        keys = map(normalized, self.categories)
        self._codes = {key: FIRST + i for i, key in enumerate(keys)}

    def _counts_of(self, columns: Iterable[Factors]) -> np.ndarray:
        counts = np.zeros(len(self), dtype=np.int64)
        for column in columns:
            counts += np.bincount(self.encode(column), minlength=len(self))
        return counts

    @property
    def values(self) -> np.ndarray:
        """Values by code: None for unknown and for hashed ones, NaN for missing."""
        result = np.full(len(self), None, dtype=object)
        result[MISSING] = np.nan
        result[FIRST : FIRST + len(self.categories)] = self.categories
        return result

    @property
    def knows_missing(self) -> bool:
        """Whether there were missing values to learn from."""
        return bool(self.counts[MISSING])

    def code(self, value: Any) -> int:
        """Return the code of a value."""
        key = normalized(value)
        code = self._codes.get(key)
        if code is not None:
            return code
        if self.n_hashed:
            bucket = zlib.crc32(key.encode()) % self.n_hashed
            return FIRST + len(self.categories) + bucket
        return UNKNOWN

    def encode(self, column: Factors) -> np.ndarray:
        """Return the code of each row.

        Parameters
        ----------
        column : Factors
            Any values; those never seen are unknown.

        Returns
        -------
        ndarray of int64, shape (n_samples,)
        """
        table = np.empty(len(column.values) + 1, dtype=np.int64)
        table[:-1] = [self.code(value) for value in column.values]
        table[-1] = MISSING  # code -1
        return table[column.codes]
