"""Numbers to positions in bins, which piecewise-linear embeddings begin with.

A position is the number of bins below a value and the fraction of its own bin below
it. It is one number a column, in float32, however many bins there are; where the edges
are is known here alone.
"""

from typing import Any

import numpy as np
import torch
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from torch import Tensor

# Comparisons that take less time than to go through the columns one by one.
_FEW = 1 << 13
# Attributes that follow from the edges.
_FOLLOWS = ("_low", "_inner", "_slopes", "_starts")
# Rows that edges are learned from at most.
_LEARNING_ROWS = 50_000
# A leaf of a column's tree, and a bin of quantiles, has at least this many rows.
_LEAF_ROWS, _BIN_ROWS = 16, 16


def learning_rows(n_rows: int, rng: np.random.RandomState) -> np.ndarray | slice:
    """Return the positions of rows to learn from, in order, or a slice of all."""
    if n_rows <= _LEARNING_ROWS:
        return slice(None)
    return np.sort(rng.choice(n_rows, _LEARNING_ROWS, replace=False))


class BinEncoder:
    """Positions of numbers in the bins of their columns.

    Edges are quantiles of a column together with the thresholds of a shallow tree of
    the column alone on the target: quantiles tell apart where the rows are, thresholds
    where the target changes, as in the tail of a column that is mostly zeros
    (Gorishniy et al. 2022, arXiv 2203.05556, sections 3.1.1 and 3.1.2). A column with
    no more values than that gets an edge at each of them, so that integers with few
    values are told apart as categories are. Outside its edges a value counts as the
    nearest; a missing value has the position of the median.

    Parameters
    ----------
    n_quantiles : int, default=32
        Bins from quantiles at most; fewer where bins would have too few rows.
    n_leaves : int, default=32
        Leaves of a column's tree at most; 1 for no tree.

    Attributes
    ----------
    edges : list of ndarray
        Of each column that has bins, increasing.
    columns : ndarray of int
        The columns that have bins: those with at least two values.
    """

    def __init__(self, n_quantiles: int = 32, n_leaves: int = 32) -> None:
        self.n_quantiles = n_quantiles
        self.n_leaves = n_leaves
        self.edges: list[np.ndarray] = []
        self.columns = np.zeros(0, dtype=np.int64)
        self._fill = np.zeros(0)
        self._tabulate()

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without what follows from it."""
        return {k: v for k, v in vars(self).items() if k not in _FOLLOWS}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take the state."""
        vars(self).update(state)
        self._tabulate()

    @property
    def n_bins(self) -> list[int]:
        """Bins of each column that has any."""
        return [len(edges) - 1 for edges in self.edges]

    @property
    def n_places(self) -> int:
        """Columns that have bins, times the bins of the one with most."""
        return self._slopes.size

    def fit(self, X: np.ndarray, y: np.ndarray):
        """Learn the edges.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Rows to learn from, see `learning_rows`. Floating point; NaN is missing.
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
            Integers are classes or indicators, floats are real targets.

        Returns
        -------
        self
        """
        found = [self._edges(X[:, j], y) for j in range(X.shape[1])]
        binned = [j for j, edges in enumerate(found) if len(edges) > 1]
        self.columns = np.array(binned, dtype=np.int64)
        self.edges = [found[j] for j in binned]
        self._fill = np.array([np.nanmedian(X[:, j]) for j in binned])
        self._tabulate()
        return self

    def _tabulate(self) -> None:
        """Put what is known of all columns' bins into arrays (n_columns, most bins).

        Where bins begin, and all of a column but its first; slopes, one over a bin's
        width. Columns with fewer bins are filled up: none begins before infinity.
        """
        shape = len(self.edges), max(self.n_bins, default=0)
        self._low, self._inner, widths = (np.full(shape, np.inf) for _ in range(3))
        for i, edges in enumerate(self.edges):
            n_bins = len(edges) - 1
            self._low[i, :n_bins] = edges[:-1]
            self._inner[i, : n_bins - 1] = edges[1:-1]
            widths[i, :n_bins] = np.diff(edges)
        with np.errstate(over="ignore"):  # of widths that are next to nothing
            self._slopes = np.minimum(1 / widths, np.finfo(np.float64).max)
        self._starts = np.arange(shape[0]) * shape[1]

    def ramps(self) -> tuple[np.ndarray, np.ndarray]:
        """Return where bins begin and one over their widths, (n_columns, most bins).

        A position is the sum of ``(x - low) * slope`` over a column's bins, each cut to
        [0, 1]; columns with fewer bins have slopes of zero.
        """
        low = self._low
        return np.where(np.isfinite(low), low, 0.0), self._slopes

    def _edges(self, column: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return the edges of a column; fewer than two if it has no bins."""
        present = ~np.isnan(column)
        column, y = column[present].astype(np.float64), y[present]
        values = np.unique(column)
        if len(values) < 3:
            return values
        bins = min(self.n_quantiles, max(1, len(column) // _BIN_ROWS))
        edges = np.quantile(column, np.linspace(0, 1, bins + 1), method="nearest")
        edges = np.union1d(edges, self._thresholds(column, values, y))
        return values if len(values) <= len(edges) else edges

    def _thresholds(
        self, column: np.ndarray, values: np.ndarray, y: np.ndarray
    ) -> np.ndarray:
        """Return where a tree of the column on the target splits."""
        leaves = min(self.n_leaves, len(column) // _LEAF_ROWS)
        if leaves < 2:
            return np.zeros(0)
        classes = np.issubdtype(y.dtype, np.integer)
        kind = DecisionTreeClassifier if classes else DecisionTreeRegressor
        tree = kind(max_leaf_nodes=leaves, min_samples_leaf=_LEAF_ROWS, random_state=0)
        # On ranks, which float32, in which trees compare, tells apart.
        tree.fit(np.searchsorted(values, column).reshape(-1, 1), y)
        below = tree.tree_.threshold[tree.tree_.feature >= 0].astype(np.int64)
        return values[below] / 2 + values[below + 1] / 2

    def transform(self, X: np.ndarray) -> Tensor:
        """Return positions.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            As `fit` takes them.

        Returns
        -------
        Tensor of shape (n_samples, len(columns))
            float32, on the CPU; from 0 to the column's bins.
        """
        if len(X) * self.n_places <= _FEW:
            return torch.from_numpy(self._of_few_rows(X).astype(np.float32))
        result = np.empty((len(X), len(self.columns)), dtype=np.float32)
        for i, edges in enumerate(self.edges):
            column = X[:, self.columns[i]].astype(np.float64)
            column[np.isnan(column)] = self._fill[i]
            bins = np.searchsorted(edges[1:-1], column, side="right")
            low, slope = edges[bins], self._slopes[i, bins]
            result[:, i] = _position(column, bins, low, slope)
        return torch.from_numpy(result)

    def _of_few_rows(self, X: np.ndarray) -> np.ndarray:
        """Return positions, to the bit those of many rows, without a loop."""
        if X.shape[1] > len(self.columns):
            X = X[:, self.columns]
        X = X.astype(np.float64, copy=False)
        missing = np.isnan(X)
        if missing.any():
            X = np.where(missing, self._fill, X)
        bins = (self._inner <= X[:, :, None]).sum(2)
        places = self._starts + bins
        return _position(X, bins, self._low.take(places), self._slopes.take(places))


def _position(
    x: np.ndarray, bins: np.ndarray, low: np.ndarray, slope: np.ndarray
) -> np.ndarray:
    """Return the bins below values, and the part of their own bin below them."""
    with np.errstate(over="ignore"):  # far beyond the edges
        return bins + np.minimum(np.maximum((x - low) * slope, 0.0), 1.0)
