"""What is known of columns whose rows come in chunks, the same however they are cut.

The sample of the rows is drawn by their number: each has a key that looks random but is
always the same, and the rows with the smallest keys are kept. So a sample of a million
rows is the same whether they came at once or one by one, and every row has had the same
chance.
"""

import numpy as np

from skdl.data.keys import GOLDEN, mixed

# Rows that are kept, and values of all columns together above which there are fewer: a
# sample is small beside the weights of a network that takes such rows.
_MOST_ROWS, _FEWEST_ROWS = 128, 32
_MOST_VALUES = 1 << 12
_LARGEST = np.finfo(np.float32).max / 4


class ColumnStatistics:
    """Range, missing values and a sample of the rows seen so far.

    Parameters
    ----------
    n_features : int
        Columns.

    Attributes
    ----------
    n_rows : int
        Rows seen.
    low, high : ndarray of shape (n_features,)
        Smallest and largest value of each column; NaN where there was none.
    has_missing : ndarray of bool, shape (n_features,)
        Whether a value was missing.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.arange(10.0).reshape(10, 1)
    >>> seen = ColumnStatistics(1).extended(X[:3]).extended(X[3:])
    >>> seen.n_rows, seen.low, seen.high, np.median(seen.present(0))
    (10, array([0.]), array([9.]), np.float64(4.5))
    """

    def __init__(self, n_features: int) -> None:
        self.n_rows = 0
        self.low = np.full(n_features, np.nan)
        self.high = np.full(n_features, np.nan)
        self.has_missing = np.zeros(n_features, dtype=bool)
        self.capacity = min(
            _MOST_ROWS, max(_FEWEST_ROWS, _MOST_VALUES // max(1, n_features))
        )
        # Near a value of the column float32 has digits enough, and half the size.
        self._origin = np.full(n_features, np.nan)
        self._sample = np.empty((0, n_features), dtype=np.float32)
        self._keys = np.empty(0, dtype=np.uint64)

    def extended(self, X: np.ndarray) -> "ColumnStatistics":
        """Return the statistics of these rows too.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Floating point; NaN is missing.
        """
        result = object.__new__(ColumnStatistics)
        result.capacity = self.capacity
        result.n_rows = self.n_rows + len(X)
        result.low = np.fmin(self.low, np.fmin.reduce(X, axis=0, initial=np.nan))
        result.high = np.fmax(self.high, np.fmax.reduce(X, axis=0, initial=np.nan))
        result.has_missing = self.has_missing | _has_missing(X)
        result._origin, result._sample = self._origin, self._sample
        result._keys = self._keys
        if X.shape[1]:
            result._draw(X, self.n_rows)
        return result

    def _draw(self, X: np.ndarray, first: int) -> None:
        """Take rows that belong into the sample; the first of them has that number."""
        keys = _keys_of(first, len(X))
        if len(self._keys) == self.capacity:
            chosen = np.flatnonzero(keys < self._keys[-1])
        elif len(keys) > self.capacity:
            chosen = np.argpartition(keys, self.capacity)[: self.capacity]
        else:
            chosen = np.arange(len(keys))
        if not len(chosen):
            return
        rows = X[chosen].astype(np.float64)
        self._set_origin(rows)
        near = np.clip(rows - self._origin, -_LARGEST, _LARGEST).astype(np.float32)
        keys = np.concatenate([self._keys, keys[chosen]])
        order = np.argsort(keys)[: self.capacity]
        self._keys = keys[order]
        self._sample = np.concatenate([self._sample, near])[order]

    def _set_origin(self, rows: np.ndarray) -> None:
        """Choose a value near which the sample is kept, in columns without one."""
        new = np.flatnonzero(np.isnan(self._origin))
        if not len(new):
            return
        self._origin = self._origin.copy()
        for j in new:
            present = rows[~np.isnan(rows[:, j]), j]
            if len(present):
                self._origin[j] = np.median(present)

    @property
    def varies(self) -> np.ndarray:
        """Whether each column has had more than one value."""
        return self.high > self.low

    def present(self, column: int) -> np.ndarray:
        """Return the sample of a column, without missing values."""
        values = self._sample[:, column]
        return values[~np.isnan(values)] + self._origin[column]


def _has_missing(X: np.ndarray) -> np.ndarray:
    """Return which columns have missing values, without an array of X's size."""
    with np.errstate(over="ignore", invalid="ignore"):
        doubtful = np.flatnonzero(np.isnan(X.sum(axis=0)))
    result = np.zeros(X.shape[1], dtype=bool)
    for j in doubtful:
        result[j] = np.isnan(X[:, j]).any()
    return result


def _keys_of(first: int, n: int) -> np.ndarray:
    """Return the keys of rows by their number."""
    return mixed(np.arange(first + 1, first + n + 1, dtype=np.uint64) * GOLDEN)
