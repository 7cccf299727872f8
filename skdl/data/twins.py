"""Rows that are there twice, of which one would be corrected by the other."""

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from skdl.data.keys import GOLDEN, mixed

# Rows that have the value of a row, in the mean, below which that is no chance; so many
# such columns that agree make twins.
_ROWS_OF_A_VALUE, _FEWEST = 8, 2


def without_twins(
    columns: Sequence[np.ndarray], fewest: int = _FEWEST
) -> tuple[np.ndarray, np.ndarray]:
    """Return the first of rows that are the same, and which of these each row is.

    They have the same in all columns of few values, and in all but one of those of
    many, such as a row's number or a measurement that was taken again. Rows that have
    nothing but columns of few values are the same by chance.

    Parameters
    ----------
    columns : sequence of ndarray of shape (n_rows,)
        What is known of rows.
    fewest : int, default=2
        Columns of many values that make twins.

    Returns
    -------
    first : ndarray of int, shape (n_different,)
        Positions of rows that are kept.
    twin_of : ndarray of int, shape (n_rows,)
        Which of these a row is.
    """
    n_rows = len(columns[0])
    few, many = np.zeros(n_rows, dtype=np.uint64), []
    for j, column in enumerate(columns):
        key = _hashed(column, j)
        counts = np.unique(key, return_counts=True)[1].astype(np.float64)
        if counts @ counts <= _ROWS_OF_A_VALUE * n_rows:  # those that a row shares
            many.append(key)
        else:
            few += key
    if len(many) < fewest:
        return np.arange(n_rows), np.arange(n_rows)
    groups = [np.unique(key, return_inverse=True)[1] for key in _keys(few, many)]
    # A graph of rows and groups: twins hang together.
    starts = np.cumsum([n_rows, *(1 + g.max() for g in groups)])
    ends = np.concatenate([g + s for g, s in zip(groups, starts, strict=False)])
    rows = np.tile(np.arange(n_rows), len(groups))
    edges = coo_matrix(
        (np.ones(len(rows), dtype=bool), (rows, ends)), (starts[-1],) * 2
    )
    _, part = connected_components(edges, directed=False)
    _, first, twin_of = np.unique(part[:n_rows], return_index=True, return_inverse=True)
    return first, twin_of


def _keys(few: np.ndarray, many: list[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield keys of rows by all columns, and by all but each one of many values."""
    every = few + np.sum(many, axis=0, dtype=np.uint64)
    yield every
    if len(many) > _FEWEST:
        for key in many:
            yield every - key


def _hashed(column: np.ndarray, number: int) -> np.ndarray:
    """Return a key of each value; sums of keys are keys, too."""
    bits = (column.astype(np.float64) + 0.0).view(np.uint64)  # one zero
    return mixed(bits + np.array([1 + number], dtype=np.uint64) * GOLDEN)
