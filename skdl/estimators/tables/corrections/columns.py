"""The values of columns, as the networks of a pack are given them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from skdl.networks.corrections import Axis

# Values from which on rows may be near each other; rows of a value, in the mean, from
# which on it can have something of its own.
_FEWEST_VALUES, _ROWS_OF_A_VALUE = 20, 2


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
    """

    number: int
    place: int
    is_code: bool
    values: np.ndarray
    at: np.ndarray

    @property
    def has_distances(self) -> bool:
        """Whether rows of other values may say something of a row."""
        return not self.is_code and len(self.values) >= _FEWEST_VALUES

    @property
    def has_repeats(self) -> bool:
        """Whether other rows of the same value may say something of a row."""
        return 1 < len(self.values) * _ROWS_OF_A_VALUE <= len(self.at)

    @property
    def deviation(self) -> float:
        """Standard deviation of the rows' values; 1 where it is zero."""
        return float(self.values[self.at].astype(np.float64).std()) or 1.0

    def axis(self, values: np.ndarray | None = None) -> Axis:
        """Return an axis of its values, or one between others."""
        chosen = self.values if values is None else values
        return Axis(
            torch.from_numpy(np.asarray(chosen, dtype=np.float32)),
            self.place,
            is_code=self.is_code,
            is_between=values is not None,
        )


def columns_of(
    indices: np.ndarray,
    numbers: np.ndarray,
    chosen: Sequence[int],
    is_category: Sequence[bool],
) -> list[Column]:
    """Return columns of a table that have several values.

    Parameters
    ----------
    indices : ndarray of int, shape (n_rows, n_categorical)
        Codes of categories.
    numbers : ndarray of shape (n_rows, n_numbers)
        Beginning with the columns of numbers, in the table's order.
    chosen : sequence of int
        Which columns.
    is_category : sequence of bool
        Of all columns of the table.
    """
    is_code = np.asarray(is_category, dtype=bool)
    places = np.where(is_code, np.cumsum(is_code), np.cumsum(~is_code)) - 1
    found = []
    for number in chosen:
        place = int(places[number])
        given = (indices if is_code[number] else numbers)[:, place]
        values, at = np.unique(given, return_inverse=True)
        if len(values) > 1:
            found.append(Column(number, place, bool(is_code[number]), values, at))
    return found
