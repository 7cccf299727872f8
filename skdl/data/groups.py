"""Combinations of categories, such as the days that year, month and day make."""

import numpy as np
import pandas as pd

# The number of a combination never seen.
NEW = 0


class Groups:
    """The combinations of some columns' codes, numbered from 1 on.

    Parameters
    ----------
    max_groups : int or None, default=None
        Combinations at most; rarer ones count as never seen.

    Examples
    --------
    >>> import numpy as np
    >>> groups = Groups().extended(np.array([[2, 3], [2, 4], [2, 3]]))
    >>> groups.encode(np.array([[2, 4], [3, 3], [2, 3]]))
    array([2, 0, 1])
    """

    def __init__(self, max_groups: int | None = None) -> None:
        self.max_groups = max_groups
        self._numbers: dict[tuple[int, ...], int] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    def extended(self, codes: np.ndarray) -> "Groups":
        """Return groups that also know the combinations of more rows.

        Parameters
        ----------
        codes : ndarray of int, shape (n_samples, n_columns)
            Codes of the columns' categories.

        Returns
        -------
        Groups
            Combinations known already keep their numbers.
        """
        result = Groups(self.max_groups)
        result._numbers = dict(self._numbers)
        result._learn(codes)
        return result

    def encode(self, codes: np.ndarray) -> np.ndarray:
        """Return the number of each row's combination, 0 if it was never seen."""
        distinct, position = _distinct(codes)
        numbers = [self._numbers.get(key, NEW) for key in map(tuple, distinct.tolist())]
        return np.array(numbers, dtype=np.int64)[position]

    def combinations(self) -> np.ndarray:
        """Return the codes of the combinations by their numbers, from 1 on.

        Returns
        -------
        ndarray of int64, shape (n_groups, n_columns)
        """
        return np.array(list(self._numbers), dtype=np.int64)

    def _learn(self, codes: np.ndarray) -> None:
        distinct, position = _distinct(codes)
        order = np.arange(len(distinct))
        room = self.max_groups
        if room is not None and len(distinct) > room - len(self):
            order = np.argsort(-np.bincount(position), kind="stable")
        for key in map(tuple, distinct[order].tolist()):
            if room is None or len(self) < room:
                self._numbers.setdefault(key, len(self) + 1)


def _distinct(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct rows as they appear, and which of them each row is."""
    position = np.zeros(len(codes), dtype=np.int64)
    for column in codes.T:
        values = column.astype(np.int64)
        position, _ = pd.factorize(position * (values.max(initial=0) + 1) + values)
    first = np.empty(position.max(initial=-1) + 1, dtype=np.int64)
    first[position[::-1]] = np.arange(len(codes))[::-1]
    return codes[first], position
