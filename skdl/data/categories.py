"""Categorical columns to codes.

Values are compared by their canonical text (`values.py`), so that a category is the
same whatever holds it. What a text or a number means in a column is
decided by the values it was fitted on (`reading.py`).
"""

import zlib
from collections.abc import Iterable, Sequence
from numbers import Number
from typing import Any

import numpy as np

from skdl.data.factors import Counted, Factors
from skdl.data.reading import Distinct, Reading
from skdl.data.values import (
    blurred_width,
    is_float32,
    plain,
    rounded,
    sort_key,
    spelled,
)

# Codes that every vocabulary has: of values never seen, of missing ones, and from FIRST
# on of categories.
UNKNOWN, MISSING = 0, 1
FIRST = 2
_ABSENT = -1  # no code
# Of a vocabulary that is full, the share of codes that rarer values are hashed to.
_HASHED_SHARE = 4


# Attributes of a vocabulary that follow from the others.
_FOLLOWS = ("_by_width", "_codes")


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
    reading : Reading
        What texts and numbers mean here.
    """

    def __init__(self, max_categories: int | None = None) -> None:
        self.max_categories = max_categories
        self.categories: list[Any] = []
        self.n_hashed = 0
        self.n_before = 0
        self.counts = np.zeros(FIRST, dtype=np.int64)
        self.reading = Reading()
        self._codes: dict[str, int] = {}
        self._by_width: dict[Any, dict[float, int]] = {}

    def __len__(self) -> int:
        return FIRST + len(self.categories) + self.n_hashed

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without what follows from it."""
        return {k: v for k, v in vars(self).items() if k not in _FOLLOWS}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take the state."""
        vars(self).update(state)
        self._by_width = {}
        self._number()

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
        found = _with_rows(columns)
        self.reading = Reading.of(found)
        self.categories = _in_order(self._with_room(*self._merged(found)))
        self._number()
        self.counts = self._counts_of(columns)
        return self

    def extended(self, columns: Sequence[Factors]) -> "Vocabulary":
        """Return a vocabulary with the new categories of more rows at its end.

        Codes stay what they were and never become more than `max_categories`: where
        there is not room for all new categories, the most frequent of them get the
        room but for a quarter of all codes, or what is left of it, to which the others
        and all that come later are hashed. In a vocabulary that is full to the last
        code they are unknown. What texts and numbers mean
        stays as it was fitted.
        """
        result = Vocabulary(self.max_categories)
        result.n_hashed, result.n_before = self.n_hashed, len(self)
        result.categories = list(self.categories)
        result.reading = self.reading
        if not self.n_hashed:
            found = _with_rows(columns)
            codes = [self.code(value) for value in found.values]
            new = found.take([i for i, c in enumerate(codes) if c == UNKNOWN])
            result.reading = self.reading.extended(self.categories, new)
            kept = result._with_room(*result._merged(new))
            result.categories += _in_order(list(map(result.reading.number_in, kept)))
        result._number()
        result.counts = np.zeros(len(result), dtype=np.int64)
        result.counts[: len(self)] = self.counts
        result.counts += result._counts_of(columns)
        return result

    def _with_room(
        self, keys: list[str], values: list[Any], rows: list[int]
    ) -> list[Any]:
        """Return the values that there is room for; make codes for the others."""
        if self.max_categories is None:
            return values
        room = max(0, self.max_categories - len(self.categories))
        if len(values) <= room:
            return values
        self.n_hashed = min(room, max(1, self.max_categories // _HASHED_SHARE))
        order = sorted(range(len(keys)), key=keys.__getitem__)
        order.sort(key=rows.__getitem__, reverse=True)  # stable, also in reverse
        return [values[i] for i in order[: room - self.n_hashed]]

    def _merged(self, found: Distinct) -> tuple[list[str], list[Any], list[int]]:
        """Return keys, the value that stands for all that have a key, and the rows.

        Numbers come before truth values and these before texts, so that which one
        stands for all does not depend on the order of the rows.
        """
        keys = self.reading.keys(found)
        if len(set(keys)) == len(keys):
            is_plain = set(map(type, found.values)) <= {int, float, str}
            values = found.values if is_plain else list(map(plain, found.values))
            return keys, values, found.rows
        merged: dict[str, tuple[Any, int]] = {}
        for key, value, rows in zip(keys, found.values, found.rows, strict=True):
            if key in merged:
                other, before = merged[key]
                value, rows = min(value, other, key=_rank), rows + before
            merged[key] = value, rows
        values = [plain(value) for value, _ in merged.values()]
        return list(merged), values, [rows for _, rows in merged.values()]

    def _number(self) -> None:
        keys = self.reading.keys(Distinct.of(self.categories))
        self._codes = {key: FIRST + i for i, key in enumerate(keys)}

    def _counts_of(self, columns: Iterable[Factors]) -> np.ndarray:
        counts = np.zeros(len(self), dtype=np.int64)
        for column in columns:
            if isinstance(column, Counted):
                codes = self.lookup(column)
                np.add.at(counts, codes[:-1], column.rows)
                counts[codes[-1]] += column.n_missing
            else:
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
        width = blurred_width(value)
        code = None if width is None else self._nearby(value, width)
        if code is not None:
            return code
        key = self.reading.key(*spelled(value))
        code = self._codes.get(key)
        if code is None:
            number = self.reading.number_in(value)
            width = np.float32 if is_float32(number) else self.reading.width
            code = None if width is None else self._nearby(number, width)
        return self._code_of_unseen(key) if code is None else code

    def _code_of_unseen(self, key: str) -> int:
        """Return the code of a value that is none of the categories."""
        if not self.n_hashed:
            return UNKNOWN
        bucket = zlib.crc32(key.encode(errors="surrogatepass")) % self.n_hashed
        return FIRST + len(self.categories) + bucket

    def _nearby(self, value: Any, width: Any) -> int | None:
        """Return the code of the category that is the same number at some width.

        Where several are, the value may be any of them: it is unknown.
        """
        if width not in self._by_width:
            table: dict[float, int] = {}
            for i, category in enumerate(self.categories):
                number = rounded(category, width)
                if number is not None:
                    table[number] = UNKNOWN if number in table else FIRST + i
            self._by_width[width] = table
        number = rounded(value, width)
        return None if number is None else self._by_width[width].get(number)

    def lookup(self, column: Factors) -> np.ndarray:
        """Return the code of each distinct value and, as the last, of missing ones.

        Parameters
        ----------
        column : Factors
            Any values; those never seen are unknown.

        Returns
        -------
        ndarray of int64, shape (n_values + 1,)
        """
        known = column.looked_up[:]
        if known and known[0][0] is self:
            return known[0][1]
        values = column.values.tolist()
        types = set(map(type, values))
        if types <= {int, str}:
            codes = self._codes_of_plain(values, types)
        else:
            codes = [self.code(value) for value in values]
        table = np.array([*codes, MISSING], dtype=np.int64)
        column.looked_up[:] = [(self, table)]
        return table

    def _codes_of_plain(self, values: list[Any], types: set[type]) -> list[int]:
        """Return the codes of integers and texts, those that are known all at once."""
        keys = self.reading.keys(Distinct.of(values))
        # Nothing was rounded, in the column or here: what has another key is another.
        exact = self.reading.width is None and (
            types <= {int} or not self.reading.numeric
        )
        codes = [self._codes.get(key, _ABSENT) for key in keys]
        if _ABSENT in codes:
            for i, value in enumerate(values):
                if codes[i] == _ABSENT and exact:
                    codes[i] = self._code_of_unseen(keys[i])
                elif codes[i] == _ABSENT:
                    codes[i] = self.code(value)
        return codes

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
        return self.lookup(column)[column.codes]


def _with_rows(columns: Sequence[Factors]) -> Distinct:
    """Return the distinct values of some columns that have rows."""
    found = Distinct([], [], [], [])
    for column in columns:
        counts = column.counts()
        present = np.flatnonzero(counts)
        found += Distinct.of(column.values[present].tolist(), counts[present].tolist())
    return found


def _in_order(values: list[Any]) -> list[Any]:
    """Return categories in order: numbers by size, then texts."""
    if set(map(type, values)) in ({int}, {str}):
        return sorted(values)
    return sorted(values, key=sort_key)


def _rank(value: Any) -> tuple:
    """Order values that are the same by which of them shall stand for all."""
    kinds = (int, float, Number, str)
    is_truth = isinstance(value, bool | np.bool_)
    place = next((i for i, kind in enumerate(kinds) if isinstance(value, kind)), 4)
    return (2.5 if is_truth else place, str(value))
