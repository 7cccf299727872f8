"""Which rows say something of a row: those of the same values, or of values near by."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from scipy.spatial import cKDTree

from skdl.estimators.tables.corrections.columns import Column
from skdl.networks.corrections import Axis, CorrectionTable

# Places that a neighborhood has, and what a place counts by its distance, in parts of
# that of the last of them: a normal distribution that is cut at three deviations.
_NEAREST, _CUT = 30, 3.0
# Values along a side of a grid, at most, half of them as rows have them and half at
# the same distances; cells of a table, times outputs.
_NODES, MOST_CELLS = 256, 1 << 18


class Neighborhood(ABC):
    """Which rows count for a row, and how much; a row itself counts as one.

    Attributes
    ----------
    columns : tuple of Column
        One or two.
    """

    kind: str

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = tuple(columns)

    @abstractmethod
    def sums(self, values: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        """Return the sums of values (n_rows, K) around each row, or around some."""

    @abstractmethod
    def table(self, numerator: np.ndarray, denominator: np.ndarray) -> CorrectionTable:
        """Return the ratios of sums of two values of the rows, at the table's nodes.

        The denominator's last row is a constant that is added to its sums.
        """


class SameValues(Neighborhood):
    """Rows that have the same values."""

    kind = "same"

    def __init__(self, columns: Sequence[Column]) -> None:
        super().__init__(columns)
        self._shape = tuple(len(column.values) for column in columns)
        at = tuple(column.at for column in columns)
        self._cell = np.ravel_multi_index(at, self._shape)

    def sums(self, values: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        """Return the sums of the rows' cells."""
        cells = self._cell if rows is None else self._cell[rows]
        return self._totals(values)[cells]

    def table(self, numerator: np.ndarray, denominator: np.ndarray) -> CorrectionTable:
        """Return the ratios by cell."""
        ratios = self._totals(numerator) / (
            self._totals(denominator[:-1]) + denominator[-1]
        )
        axes = [column.axis() for column in self.columns]
        return _table(axes, ratios, self._shape)

    def _totals(self, values: np.ndarray) -> np.ndarray:
        n_cells = int(np.prod(self._shape))
        totals = [np.bincount(self._cell, v, n_cells) for v in values.T]
        return np.stack(totals, axis=1)


class NearValues(Neighborhood):
    """Rows at the nearest places, which count the less the farther they are.

    How far that is follows from how many there are (Loader 1999, Local Regression and
    Likelihood, section 2.2.1). What is found is kept at the nodes of a grid, between
    which a table interpolates.
    """

    kind = "near"

    def __init__(self, columns: Sequence[Column]) -> None:
        super().__init__(columns)
        self._shape = tuple(len(column.values) for column in columns)
        at = tuple(column.at for column in columns)
        cells, place = np.unique(
            np.ravel_multi_index(at, self._shape), return_inverse=True
        )
        self._cells, self._place = cells, place.astype(np.int32)
        self._of_some: tuple[np.ndarray, np.ndarray] | None = None

    def sums(self, values: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        """Return the sums around rows; they are the same ones whenever some are."""
        totals = self._totals(values)
        if rows is None:
            points = self._points()
            return _weighted(totals, *self._nearest(points, points))[self._place]
        if self._of_some is None:
            points = self._points()
            self._of_some = self._nearest(points[self._place[rows]], points)
        return _weighted(totals, *self._of_some)

    def table(self, numerator: np.ndarray, denominator: np.ndarray) -> CorrectionTable:
        """Return the ratios on a grid."""
        axes, at = self._grid(MOST_CELLS // numerator.shape[1])
        nodes = [g.ravel() for g in np.meshgrid(*at, indexing="ij")]
        nearest, share = self._nearest(self._stacked(nodes), self._points())
        ratios = _weighted(self._totals(numerator), nearest, share) / (
            _weighted(self._totals(denominator[:-1]), nearest, share) + denominator[-1]
        )
        return _table(axes, ratios, tuple(map(len, at)))

    def _totals(self, values: np.ndarray) -> np.ndarray:
        """Return the sums of values at each place."""
        n_places = len(self._cells)
        totals = [np.bincount(self._place, v, n_places) for v in values.T]
        return np.stack(totals, axis=1)

    def _points(self) -> np.ndarray:
        """Return where the places are."""
        at = np.unravel_index(self._cells, self._shape)
        pairs = zip(self._coordinates(), at, strict=True)
        return self._stacked([where[i] for where, i in pairs])

    def _coordinates(self) -> list[np.ndarray]:
        """Return where the values of each column are."""
        return [column.values / column.deviation for column in self.columns]

    def _stacked(self, coordinates: list[np.ndarray]) -> np.ndarray:
        """Return points of which these are the coordinates."""
        return np.stack(coordinates, axis=1)

    def _grid(self, most: int) -> tuple[list[Axis], list[np.ndarray]]:
        """Return axes of a table of at most so many cells, and where its nodes are."""
        side = int(most ** (1 / len(self.columns)))
        nodes = [_nodes(column, side) for column in self.columns]
        pairs = list(zip(self.columns, nodes, strict=True))
        return [c.axis(n) for c, n in pairs], [n / c.deviation for c, n in pairs]

    def _nearest(
        self, points: np.ndarray, places: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the nearest places to points, and by how much each counts."""
        distances, nearest = cKDTree(places).query(points, min(_NEAREST, len(places)))
        counts = self._counts(distances)
        distances = np.where(counts, distances, 0.0)
        farthest = distances.max(axis=1, keepdims=True)
        farthest[farthest == 0] = 1.0
        share = np.exp(-0.5 * (_CUT * distances / farthest) ** 2)
        return nearest.astype(np.int32), np.where(counts, share, 0.0)

    def _counts(self, distances: np.ndarray) -> np.ndarray:
        """Tell which distances are none between what has nothing in common."""
        return np.isfinite(distances)


class NearWithinSame(NearValues):
    """Rows of the same value of one column at the nearest values of another.

    Rows of other values are far away.
    """

    kind = "same, near"

    def _far(self) -> float:
        column = self.columns[1]
        return 4 * float(1 + np.ptp(column.values / column.deviation))

    def _coordinates(self) -> list[np.ndarray]:
        """Return where values are, those of the first column far from each other."""
        _, column = self.columns
        first = self._far() * np.arange(self._shape[0])
        return [first, column.values / column.deviation]

    def _stacked(self, coordinates: list[np.ndarray]) -> np.ndarray:
        return (coordinates[0] + coordinates[1])[:, np.newaxis]

    def _grid(self, most: int) -> tuple[list[Axis], list[np.ndarray]]:
        same, near = self.columns
        nodes = _nodes(near, most // self._shape[0])
        at = [self._coordinates()[0], nodes / near.deviation]
        return [same.axis(), near.axis(nodes)], at

    def _counts(self, distances: np.ndarray) -> np.ndarray:
        return distances < self._far() / 2


def _weighted(totals: np.ndarray, nearest: np.ndarray, share: np.ndarray) -> np.ndarray:
    return np.stack([(share * t[nearest]).sum(1) for t in totals.T], axis=1)


def _nodes(column: Column, most: int) -> np.ndarray:
    """Return values of a column, so many at most, between which to interpolate."""
    values, most = column.values, min(most, _NODES)
    if len(values) <= most:
        return values
    drawn = np.quantile(values[column.at], np.linspace(0, 1, most // 2))
    even = np.linspace(values[0], values[-1], most // 2)
    return np.unique(np.concatenate([drawn, even]).astype(np.float32))


def _table(axes: list[Axis], ratios: np.ndarray, shape: tuple) -> CorrectionTable:
    values = torch.from_numpy(ratios.astype(np.float32))
    return CorrectionTable(axes, values.view(*shape, -1))
