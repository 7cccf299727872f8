"""The values of columns, as the networks of a pack are given them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from skdl.networks.corrections import Axis

# Columns that are looked at.
MOST_COLUMNS = 16
# Values from which on rows may be near each other; rows of a value, in the mean, from
# which on it can have something of its own.
_FEWEST_VALUES, _ROWS_OF_A_VALUE = 20, 3
# Numbers that differ by so much of the largest are the same, but for rounding; so many
# at most are told from each other by that.
_ROUNDING, _MOST_ALIKE = 1e-6, 4


@dataclass(frozen=True)
class Column:
    """The values of a column.

    Attributes
    ----------
    number : int
        Of the column in the table.
    place : int
        Among the codes of categories, or among the numbers.
    is_code : bool
        Among which of them.
    values : ndarray of shape (n_values,)
        Different ones, ascending.
    at : ndarray of int, shape (n_rows,)
        Which of them a row has.
    is_known : ndarray of bool, shape (n_rows,)
        Whether a row has a value; a missing category may be one, an unknown one is not.
    indicator : int or None
        Where among the numbers missing values of the column are told.
    """

    number: int
    place: int
    is_code: bool
    values: np.ndarray
    at: np.ndarray
    is_known: np.ndarray
    indicator: int | None = None

    @property
    def has_distances(self) -> bool:
        """Whether rows of other values may say something of a row."""
        return not self.is_code and len(self.values) >= _FEWEST_VALUES

    @property
    def has_repeats(self) -> bool:
        """Whether other rows of the same value may say something of a row."""
        return 1 < len(self.values) * _ROWS_OF_A_VALUE <= self.is_known.sum()

    @cached_property
    def deviation(self) -> float:
        """Standard deviation of the rows' values; 1 where it is zero."""
        known = self.values[self.at[self.is_known]].astype(np.float64)
        return float(known.std()) or 1.0

    def axis(self, values: np.ndarray | None = None) -> Axis:
        """Return an axis of its values, or one between others."""
        chosen = self.values if values is None else values
        return Axis(
            torch.from_numpy(np.asarray(chosen, dtype=np.float32)),
            self.place,
            is_code=self.is_code,
            is_between=values is not None,
            indicator=self.indicator,
        )


@dataclass(frozen=True)
class Layout:
    """Where the columns of a table are among what networks are given.

    Attributes
    ----------
    is_category : sequence of bool
        Of all columns of the table.
    unknown : sequence of int
        The code of unknown categories, by column of codes.
    indicators : mapping of int to int
        Of columns of numbers that may be missing, by their places, where among the
        numbers that is told.
    """

    is_category: Sequence[bool]
    unknown: Sequence[int]
    indicators: Mapping[int, int]

    def place(self, number: int) -> int:
        """Return where a column is among the codes, or among the numbers."""
        own = bool(self.is_category[number])
        return sum(bool(other) == own for other in self.is_category[:number])

    def of(self, number: int, indices: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Return the values of a column, (n_rows,)."""
        given = indices if self.is_category[number] else numbers
        return given[:, self.place(number)]


def columns_of(
    indices: np.ndarray, numbers: np.ndarray, chosen: Sequence[int], layout: Layout
) -> list[Column]:
    """Return columns of a table that have several values, so many at most.

    Parameters
    ----------
    indices : ndarray of int, shape (n_rows, n_categorical)
        Codes of categories.
    numbers : ndarray of shape (n_rows, n_numbers)
        Beginning with the columns of numbers, in the table's order.
    chosen : sequence of int
        Which columns.
    layout : Layout
        Where these are.
    """
    found: list[Column] = []
    for number in chosen:
        if len(found) == MOST_COLUMNS:
            break
        place, of_code = layout.place(number), bool(layout.is_category[number])
        given = layout.of(number, indices, numbers)
        indicator = None if of_code else layout.indicators.get(place)
        if of_code:  # what is rare is unknown here, and has a code of its own later
            is_known = given != layout.unknown[place]
        elif indicator is None:
            is_known = np.ones(len(given), dtype=bool)
        else:
            is_known = numbers[:, indicator] < 0.5
        values, at = _values(given, is_known, is_exact=of_code)
        if len(values) > 1:
            about = number, place, of_code, values, at, is_known, indicator
            found.append(Column(*about))
    return found


def _values(
    given: np.ndarray, is_known: np.ndarray, *, is_exact: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return the values of known rows, and which of them each row has."""
    values, own = np.unique(given[is_known], return_inverse=True)
    at = np.zeros(len(given), dtype=np.int64)
    if not is_exact and len(values) > 1:
        least = _ROUNDING * float(np.abs(values).max())
        first = np.diff(values, prepend=-np.inf) > least
        group = np.cumsum(first) - 1
        if np.bincount(group).max() <= _MOST_ALIKE:
            values, own = values[first], group[own]
    at[is_known] = own
    return values, at
