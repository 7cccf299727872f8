"""Integers that name things: the number of a shop, of a school, of a profession.

They look like amounts, but next to a number stands that of something else. A vector for
each of them knows what no function of the number can.
"""

from dataclasses import dataclass

import numpy as np

from skdl.data.bins import BinEncoder
from skdl.data.categories import FIRST, MISSING, UNKNOWN
from skdl.data.twins import without_twins

# Rows that tell, and rows of a value in the mean, at least; values of fewer rows, of
# those that are learned from, count as unknown.
_FEWEST_ROWS, _ROWS_OF_A_VALUE, _RARE = 1000, 20, 4
# By what share of the target's variance, and by how many standard deviations of what
# would be chance, values must differ from their neighbours.
_SHARE, _DEVIATIONS = 0.01, 6.0
# Columns at most, those that tell most.
_MOST_COLUMNS = 8
# Columns by which rows are told apart.
_MOST_KNOWN = 16
# Targets beyond these quantiles count as these.
_ENDS = (0.01, 0.99)


@dataclass(frozen=True)
class _Names:
    """Known values of a column that names things, and how much they tell."""

    column: int
    values: np.ndarray
    counts: np.ndarray
    share: float


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
    >>> IntegerEncoder().fit_drawn(X, y, BinEncoder().fit(X, y, rng), 5000).columns
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

    def fit_drawn(self, X: np.ndarray, y: np.ndarray, bins: BinEncoder, n_rows: int):
        """Find the columns and their values.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Rows to learn from, floating point; NaN is missing.
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
            Integers are classes or indicators, floats are real targets.
        bins : BinEncoder
            Of the same columns.
        n_rows : int
            Of all rows, from which these were drawn.

        Returns
        -------
        self
        """
        edges = dict(zip(bins.columns.tolist(), bins.edges, strict=True))
        n_drawn, target = len(X), _standardised(y)
        found = _those_that_name_things(X, edges, target)
        if found:  # rows that are there twice would tell as much as two
            first = _first_of_twins(X, [names.column for names in found], target)
            X, target = X[first], target[first]
            edges = {names.column: edges[names.column] for names in found}
            found = _those_that_name_things(X, edges, target)
        found.sort(key=lambda names: -names.share)
        for names in sorted(found[:_MOST_COLUMNS], key=lambda names: names.column):
            self.columns.append(names.column)
            self.values.append(names.values)
            n_own = float(names.counts.mean())
            self.rows_of_each.append(n_own * n_rows / n_drawn)
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Return the codes.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            As `fit_drawn` takes them.

        Returns
        -------
        ndarray of int32, shape (n_samples, len(columns))
            From `FIRST` on values, in their order; before it unknown and missing ones.
        """
        result = np.empty((len(X), len(self.columns)), dtype=np.int32)
        for i, (column, values) in enumerate(
            zip(self.columns, self.values, strict=True)
        ):
            x = X[:, column].astype(np.float64, copy=False)
            at = np.minimum(np.searchsorted(values, x), len(values) - 1)
            code = np.where(values[at] == x, at + FIRST, UNKNOWN)
            result[:, i] = np.where(np.isnan(x), MISSING, code)
        return result


def _standardised(y: np.ndarray) -> np.ndarray:
    """Return real targets as columns of variance one; classes as they are."""
    if np.issubdtype(y.dtype, np.integer) and y.ndim == 1:
        return y
    columns = y.reshape(len(y), -1).astype(np.float64)
    if len(y) and np.issubdtype(y.dtype, np.floating):
        columns = np.clip(columns, *np.quantile(columns, _ENDS, axis=0))
        columns /= np.maximum(columns.std(axis=0), np.finfo(np.float64).tiny)
    return columns


def _first_of_twins(X: np.ndarray, chosen: list[int], target: np.ndarray) -> np.ndarray:
    """Return the first of rows that are the same, which other columns tell, too."""
    others = [j for j in range(X.shape[1]) if j not in chosen]
    known = [X[:, j] for j in [*chosen, *others][:_MOST_KNOWN]]
    first, _ = without_twins([*known, *target.reshape(len(X), -1).T])
    return np.sort(first)


def _those_that_name_things(
    X: np.ndarray, edges: dict[int, np.ndarray], target: np.ndarray
) -> list[_Names]:
    """Return columns that name things, of those with edges of bins."""
    found = [_names(j, X[:, j], own, target) for j, own in edges.items()]
    return [names for names in found if names is not None]


def _names(
    number: int, column: np.ndarray, edges: np.ndarray, target: np.ndarray
) -> _Names | None:
    """Return the values of a column if they name things."""
    present = ~np.isnan(column)
    x = column[present].astype(np.float64)
    if len(x) < _FEWEST_ROWS or (x != np.floor(x)).any():
        return None
    values, at, counts = np.unique(x, return_inverse=True, return_counts=True)
    if len(values) == len(edges) or len(values) * _ROWS_OF_A_VALUE > len(x):
        return None
    kept = counts >= _RARE
    known, target = kept[at], target[present]
    at = (np.cumsum(kept) - 1)[at[known]]
    values, counts = values[kept], counts[kept]
    share = _lack_of_fit(values, at, counts, edges, target[known])
    return _Names(number, values, counts, share) if share > 0 else None


def _lack_of_fit(
    values: np.ndarray,
    at: np.ndarray,
    counts: np.ndarray,
    edges: np.ndarray,
    target: np.ndarray,
) -> float:
    """Return the share of a target that values tell beside a piecewise-linear fit.

    It is 0 where that is little, or may be chance.

    Parameters
    ----------
    values, counts : ndarray of shape (n_values,)
        And how many rows have them.
    at : ndarray of int, shape (n_rows,)
        Which of them each row has.
    edges : ndarray
        Of the bins.
    target : ndarray of shape (n_rows,) or (n_rows, n_columns)
        Classes, or columns that count by their variance.
    """
    sums, squares = _sums(target, at, len(values))
    means, root = sums / counts[:, np.newaxis], np.sqrt(counts)[:, np.newaxis]
    total = squares.sum() - (sums.sum(axis=0) ** 2).sum() / counts.sum()
    filled = np.clip((values[:, np.newaxis] - edges[:-1]) / np.diff(edges), 0, 1)
    design = np.concatenate([np.ones((len(values), 1)), filled], axis=1)
    fit, _, rank, _ = np.linalg.lstsq(design * root, means * root, rcond=None)
    left_over = (((means - design @ fit) * root) ** 2).sum()
    # Values of few rows often are those whose targets vary most.
    noise = (squares - (sums * means).sum(axis=1)) / (counts - 1)
    degrees = 1 - rank / len(values)
    if degrees <= 0 or not total > 0:
        return 0.0
    by_chance = degrees * noise.sum()
    deviation = np.sqrt(2 * degrees * (noise**2).sum())
    share = float((left_over - by_chance) / total)
    is_clear = left_over > by_chance + _DEVIATIONS * deviation
    return share if is_clear and share > _SHARE else 0.0


def _sums(
    target: np.ndarray, at: np.ndarray, n_values: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the sums of the targets by value, and those of all their squares."""
    if target.ndim == 1:  # classes: of each row one of many columns is 1
        n_classes = int(target.max(initial=0)) + 1
        counts = np.bincount(at * n_classes + target, minlength=n_values * n_classes)
        sums = counts.reshape(n_values, n_classes).astype(np.float64)
        return sums, sums.sum(axis=1)
    sums = np.stack([np.bincount(at, t, n_values) for t in target.T], axis=1)
    return sums, np.bincount(at, (target**2).sum(axis=1), n_values)
