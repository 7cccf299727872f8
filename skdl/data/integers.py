"""Integers that name things: the number of a shop, of a school, of a profession.

They look like amounts, but next to a number stands that of something else. A vector for
each of them knows what no function of the number can.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from skdl.data.bins import BinEncoder
from skdl.data.categories import FIRST, MISSING, UNKNOWN
from skdl.data.twins import without_twins

# Rows that tell, and rows of a value in the mean, at least: of all rows, and of those
# that are learned from. Values of fewer rows than the last count as unknown.
_FEWEST_ROWS, _ROWS_OF_A_VALUE, _DRAWN_OF_A_VALUE, _RARE = 1000, 20, 5, 4
# By what share of the target's variance, and by how many standard deviations of what
# would be chance, values must differ from their neighbours.
_SHARE, _DEVIATIONS = 0.01, 6.0
# Likewise, how surely rows that are held out must differ as those do that are not.
_SURELY = 3.0
# Columns at most, those that tell most; and columns by which rows are told apart.
_MOST_COLUMNS, _MOST_KNOWN = 8, 16
# Targets beyond these quantiles count as these.
_ENDS = (0.01, 0.99)
_TINY = np.finfo(np.float64).tiny


class IntegerEncoder:
    """Codes of the values of columns of integers that name things.

    In such a column the mean targets of values differ from those of their neighbours by
    more than chance, so that no piecewise-linear function over its bins can follow,
    which is a test of lack of fit (Fisher 1922). Columns with a bin for every value
    need no codes.

    Attributes
    ----------
    columns : list of int
        Which columns of numbers name things.
    values : list of ndarray
        Of each, those known, increasing.
    rows_of_each : list of float
        Of each, how many rows a value has in the mean.

    Examples
    --------
    >>> import numpy as np
    >>> from skdl.data.bins import BinEncoder
    >>> rng = np.random.RandomState(0)
    >>> shop, age = rng.randint(100, size=(2, 5000))
    >>> y = rng.normal(size=100)[shop] + age / 50
    >>> X = np.stack([shop, age], axis=1).astype(float)
    >>> IntegerEncoder().fit(X, y, BinEncoder().fit(X, y)).columns
    [0]
    """

    def __init__(self) -> None:
        self.columns: list[int] = []
        self.values: list[np.ndarray] = []
        self.rows_of_each: list[float] = []

    @property
    def sizes(self) -> list[int]:
        """Codes of each column: unknown, missing, and one for each value."""
        return [FIRST + len(values) for values in self.values]

    def fit(
        self,
        X: np.ndarray,
        y: np.ndarray,
        bins: BinEncoder,
        n_rows: int | None = None,
        blind: np.ndarray | None = None,
    ):
        """Find the columns and their values.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Rows to learn from, floating point; NaN is missing.
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
            Integers are classes or indicators, floats are real targets.
        bins : BinEncoder
            Of the same columns.
        n_rows : int, optional
            Of all rows, from which these were drawn.
        blind : ndarray of bool, shape (n_samples, n_folds), optional
            Rows that are held out in other ways than at random: what a value tells must
            hold for these, too.

        Returns
        -------
        self
        """
        n_drawn = len(X)
        drawn = n_drawn / (n_rows or n_drawn or 1)
        edges = dict(zip(bins.columns.tolist(), bins.edges, strict=True))
        rows = _Rows(X, _standardised(y), blind, drawn)
        found = rows.that_name_things(edges)
        if found:  # rows that are there twice would tell as much as two
            edges = {names.column: edges[names.column] for names in found}
            found = rows.without_twins(list(edges), y).that_name_things(edges)
        found.sort(key=lambda names: -names.share)
        for names in sorted(found[:_MOST_COLUMNS], key=lambda names: names.column):
            self.columns.append(names.column)
            self.values.append(names.values)
            self.rows_of_each.append(float(names.counts.mean()) / drawn)
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Return the codes.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            As `fit` takes them. A fraction, as a grid over a column has it,
            counts as the nearest integer.

        Returns
        -------
        ndarray of int32, shape (n_samples, len(columns))
            From `FIRST` on values, in their order; before it unknown and missing ones.
        """
        result = np.empty((len(X), len(self.columns)), dtype=np.int32)
        for i, values in enumerate(self.values):
            x = np.floor(X[:, self.columns[i]].astype(np.float64) + 0.5)
            at = np.minimum(np.searchsorted(values, x), len(values) - 1)
            code = np.where(values[at] == x, at + FIRST, UNKNOWN)
            result[:, i] = np.where(np.isnan(x), MISSING, code)
        return result


@dataclass(frozen=True)
class _Names:
    """Known values of a column that names things, and how much they tell."""

    column: int
    values: np.ndarray
    counts: np.ndarray
    share: float


@dataclass(frozen=True)
class _Rows:
    """Rows to learn from, and which share of all rows they are."""

    X: np.ndarray
    target: np.ndarray
    blind: np.ndarray | None
    drawn: float

    def without_twins(self, chosen: Sequence[int], y: np.ndarray) -> "_Rows":
        """Return the first of rows that are the same, which other columns tell, too."""
        others = [j for j in range(self.X.shape[1]) if j not in chosen]
        known = [self.X[:, j] for j in [*chosen, *others][:_MOST_KNOWN]]
        targets = y.reshape(len(self.X), -1).T
        first = np.sort(without_twins([*known, *targets], fewest=1)[0])
        blind = None if self.blind is None else self.blind[first]
        return _Rows(self.X[first], self.target[first], blind, self.drawn)

    def that_name_things(self, edges: dict[int, np.ndarray]) -> list[_Names]:
        """Return columns that name things, of those with edges of bins."""
        found = [self._names(column, own) for column, own in edges.items()]
        return [names for names in found if names is not None]

    def _names(self, column: int, edges: np.ndarray) -> _Names | None:
        """Return the values of a column if they name things."""
        x = self.X[:, column].astype(np.float64)
        rows = np.flatnonzero(~np.isnan(x))
        x = x[rows]
        if len(x) < _FEWEST_ROWS or (x != np.floor(x)).any():
            return None
        values, at, counts = np.unique(x, return_inverse=True, return_counts=True)
        rows_of_a_value = len(x) / len(values)
        if len(values) == len(edges) or rows_of_a_value < max(
            _ROWS_OF_A_VALUE * self.drawn, _DRAWN_OF_A_VALUE
        ):
            return None
        is_known = counts >= max(2, round(_RARE * self.drawn))
        rows, at = rows[is_known[at]], (np.cumsum(is_known) - 1)[at[is_known[at]]]
        values, counts = values[is_known], counts[is_known]
        told = _Told(at, counts, self.target[rows])
        fit, degrees = told.piecewise_linear(values, edges)
        share = told.lack_of_fit(fit, degrees)
        if share > 0 and self.blind is not None:
            share = min(share, told.holds_elsewhere(fit, self.blind[rows]))
        return _Names(column, values, counts, share) if share > 0 else None


class _Told:
    """What values tell of a target.

    Parameters
    ----------
    at : ndarray of int, shape (n_rows,)
        Which value each row has.
    counts : ndarray of shape (n_values,)
        How many rows have each.
    target : ndarray of shape (n_rows,) or (n_rows, n_columns)
        Classes, or columns that count by their variance.
    """

    def __init__(self, at: np.ndarray, counts: np.ndarray, target: np.ndarray) -> None:
        self._at, self._counts, self._target = at, counts, target
        self._n_classes = int(target.max(initial=0)) + 1 if target.ndim == 1 else 0
        self._sums = self._sums_of(at, target)
        self._means = self._sums / counts[:, np.newaxis]
        squares = counts
        if not self._n_classes:
            squares = np.bincount(at, (target**2).sum(axis=1), len(counts))
        self._squares: Any = squares
        sums = self._sums.sum(axis=0)
        self._total = max(float(squares.sum() - (sums**2).sum() / len(at)), _TINY)

    def _sums_of(self, at: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Return the sum of some rows' targets by value, (n_values, n_columns)."""
        n_values = len(self._counts)
        if not self._n_classes:
            return np.stack([np.bincount(at, t, n_values) for t in target.T], axis=1)
        shape = n_values, self._n_classes  # of a row one of many columns is 1
        counts = np.bincount(at * shape[1] + target, minlength=shape[0] * shape[1])
        return counts.reshape(shape).astype(np.float64)

    def piecewise_linear(
        self, values: np.ndarray, edges: np.ndarray
    ) -> tuple[np.ndarray, float]:
        """Return the best fit with bends at some edges, and what values have beside it.

        Returns
        -------
        fit : ndarray of shape (n_values, n_columns)
        degrees : float
            Share of the values that may differ from it.
        """
        filled = np.clip((values[:, np.newaxis] - edges[:-1]) / np.diff(edges), 0, 1)
        design = np.concatenate([np.ones((len(values), 1)), filled], axis=1)
        root = np.sqrt(self._counts)[:, np.newaxis]
        best, _, rank, _ = np.linalg.lstsq(design * root, self._means * root)
        return design @ best, 1 - rank / len(values)

    def lack_of_fit(self, fit: np.ndarray, degrees: float) -> float:
        """Return the share of the target that values tell beside a fit.

        It is 0 where that is little, or may be chance.
        """
        if degrees <= 0:
            return 0.0
        left_over = (self._counts @ (self._means - fit) ** 2).sum()
        # Values of few rows often are those whose targets vary most.
        within = self._squares - (self._sums * self._means).sum(axis=1)
        noise = within / (self._counts - 1)
        by_chance = degrees * noise.sum()
        deviation = np.sqrt(2 * degrees * (noise**2).sum())
        is_clear = left_over > by_chance + _DEVIATIONS * deviation
        share = float((left_over - by_chance) / self._total)
        return share if is_clear and share > _SHARE else 0.0

    def holds_elsewhere(self, fit: np.ndarray, blind: np.ndarray) -> float:
        """Return the share that values tell of rows that are held out.

        It is 0 where these do not surely differ as other rows of their values do.

        Parameters
        ----------
        fit : ndarray of shape (n_values, n_columns)
            What is told anyway.
        blind : ndarray of bool, shape (n_rows, n_folds)
            Which rows are held out.
        """
        n_values, told, n_held_out = len(self._counts), np.zeros(len(self._counts)), 0
        for held_out in blind.T:
            at = self._at[held_out]
            n_own = np.bincount(at, minlength=n_values)
            n_rest = self._counts - n_own
            sums = self._sums_of(at, self._target[held_out])
            own = sums - n_own[:, np.newaxis] * fit
            rest = (self._sums - sums - n_rest[:, np.newaxis] * fit) / np.maximum(
                n_rest, 1
            )[:, np.newaxis]
            told += (own * rest).sum(axis=1)
            n_held_out += len(at)
        if told.sum() <= _SURELY * np.sqrt((told**2).sum()):
            return 0.0
        share = told.sum() / n_held_out * len(self._at) / self._total
        return float(share) if share > _SHARE else 0.0


def _standardised(y: np.ndarray) -> np.ndarray:
    """Return real targets as columns of variance one; classes as they are."""
    if np.issubdtype(y.dtype, np.integer) and y.ndim == 1:
        return y
    columns = y.reshape(len(y), -1).astype(np.float64)
    if np.issubdtype(y.dtype, np.integer) or not len(y):
        return columns
    clipped = np.clip(columns, *np.quantile(columns, _ENDS, axis=0))
    # What is nearly always the same is told by the rest.
    columns = np.where(np.ptp(clipped, axis=0) > 0, clipped, columns)
    columns = columns - columns.mean(axis=0)
    spread = np.abs(columns).max(axis=0)
    columns /= np.where(spread > 0, spread, 1.0)
    deviation = columns.std(axis=0)
    return columns / np.where(deviation > 0, deviation, 1.0)
