"""Which rows say something of a row: those of the same values, or of values near by."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial import cKDTree

from skdl.estimators.tables.corrections.columns import Column
from skdl.networks.corrections import Axis, CorrectionTable, corners_of

# Places that a neighborhood has, and what a place counts by its distance, in parts of
# that of the last of them: a normal distribution that is cut at three deviations.
_NEAREST, _CUT = 30, 3.0
# Values along a side of a grid, at most, half of them as rows have them and half at
# the same distances; cells of a table, times outputs.
_NODES, MOST_CELLS = 256, 1 << 18
# Cells of a table for each row, at most, and nodes at which a number is looked at
# within each value of another column, at least.
CELLS_OF_A_ROW, FEWEST_NODES = 8, 8


@dataclass(frozen=True)
class Corner:
    """One of the nodes of a table that rows are between.

    Attributes
    ----------
    node : ndarray of int, shape (n_rows,)
        Of each row.
    weight : ndarray of shape (n_rows,)
        By how much the node counts for the row.
    own : ndarray of shape (n_rows,)
        By how much the row counts for the node.
    """

    node: np.ndarray
    weight: np.ndarray
    own: np.ndarray


class Neighborhood(ABC):
    """Which rows count for a row, and how much; a row itself counts as one.

    Attributes
    ----------
    columns : tuple of Column
        One or two.
    is_known : ndarray of bool, shape (n_rows,)
        Whether a row has values in them.
    """

    kind: str

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = tuple(columns)
        self.is_known = np.logical_and.reduce([c.is_known for c in columns])
        self._shape = tuple(len(column.values) for column in columns)
        at = tuple(column.at for column in columns)
        self._cell = np.ravel_multi_index(at, self._shape)

    @abstractmethod
    def sums(self, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return the sums of values (n_rows, K) around rows, always the same ones."""

    @abstractmethod
    def grid(self, n_outputs: int) -> "Grid":
        """Return the nodes of a table."""


class Grid(ABC):
    """The nodes of a table, and the rows around them.

    Attributes
    ----------
    axes : list of Axis
        Of the table.
    corners : list of Corner
        The nodes that each row is between.
    """

    axes: list[Axis]
    corners: list[Corner]

    @abstractmethod
    def sums(self, values: np.ndarray) -> np.ndarray:
        """Return the sums of values (n_rows, K) around nodes, (n_nodes, K)."""

    def table(self, values: np.ndarray) -> CorrectionTable:
        """Return a table of values at the nodes, (n_nodes, K)."""
        shape = [len(axis) for axis in self.axes]
        tensor = torch.from_numpy(values.astype(np.float32))
        return CorrectionTable(self.axes, tensor.view(*shape, -1))


class SameValues(Neighborhood, Grid):
    """Rows that have the same values."""

    kind = "same"

    def __init__(self, columns: Sequence[Column]) -> None:
        super().__init__(columns)
        self.axes = [column.axis() for column in columns]
        known = self.is_known.astype(np.float64)
        self.corners = [Corner(self._cell, known, known)]

    def grid(self, n_outputs: int) -> Grid:
        """Return itself: all cells are nodes."""
        return self

    def sums(self, values: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        """Return the sums of all cells, or of those of some rows."""
        n_cells = int(np.prod(self._shape))
        totals = _totals(self._cell, values * self.is_known[:, None], n_cells)
        return totals if rows is None else totals[self._cell[rows]]


class NearValues(Neighborhood):
    """Rows at the nearest places, which count the less the farther they are.

    How far that is follows from how many there are (Loader 1999, Local Regression and
    Likelihood, section 2.2.1). What is found is kept at the nodes of a grid, between
    which a table interpolates.
    """

    kind = "near"

    def __init__(self, columns: Sequence[Column]) -> None:
        super().__init__(columns)
        known = self._cell[self.is_known]
        self._cells, place = np.unique(known, return_inverse=True)
        self._place = np.zeros(len(self._cell), dtype=np.int32)
        self._place[self.is_known] = place
        del self._cell
        self._of_some: tuple[np.ndarray, np.ndarray] | None = None

    def sums(self, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return the sums around rows."""
        if self._of_some is None:
            points = self._points()
            self._of_some = self.nearest(points[self._place[rows]], points)
        found = _weighted(self.totals(values), *self._of_some)
        return np.where(self.is_known[rows, np.newaxis], found, values[rows])

    def grid(self, n_outputs: int) -> Grid:
        """Return nodes of which there are not too many."""
        axes, at = self._sides(MOST_CELLS // n_outputs)
        nodes = [g.ravel() for g in np.meshgrid(*at, indexing="ij")]
        found = self.nearest(self._stacked(nodes), self._points())
        return _NearGrid(self, axes, *found)

    def totals(self, values: np.ndarray) -> np.ndarray:
        """Return the sums of values at each place."""
        known = values * self.is_known[:, np.newaxis]
        return _totals(self._place, known, len(self._cells))

    def at_nodes(
        self, axes: list[Axis], nearest: np.ndarray, share: np.ndarray
    ) -> list[Corner]:
        """Return the nodes around each row."""
        at = np.unravel_index(self._cells, self._shape)
        sides = [
            axis.locate(torch.from_numpy(column.values[i]).float())
            for axis, column, i in zip(axes, self.columns, at, strict=True)
        ]
        found = []
        places = np.arange(len(self._cells))[:, np.newaxis]
        for node, weight in corners_of(sides, [len(axis) for axis in axes]):
            nodes = node.numpy()
            own = (share[nodes] * (nearest[nodes] == places)).sum(1)
            weights = weight.numpy().astype(np.float64)[self._place] * self.is_known
            found.append(Corner(nodes[self._place], weights, own[self._place]))
        return found

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

    def _sides(self, most: int) -> tuple[list[Axis], list[np.ndarray]]:
        """Return axes of a table of at most so many cells, and where its nodes are."""
        side = int(most ** (1 / len(self.columns)))
        nodes = [_nodes(column, side) for column in self.columns]
        pairs = list(zip(self.columns, nodes, strict=True))
        return [c.axis(n) for c, n in pairs], [n / c.deviation for c, n in pairs]

    def nearest(
        self, points: np.ndarray, places: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the nearest places to points, and by how much each counts."""
        n_nearest = [*range(1, 1 + min(_NEAREST, len(places)))]
        distances, nearest = cKDTree(places).query(points, n_nearest)
        counts = self._counts(distances)
        distances = np.where(counts, distances, 0.0)
        farthest = distances.max(axis=1, keepdims=True)
        farthest[farthest == 0] = 1.0
        share = np.exp(-0.5 * (_CUT * distances / farthest) ** 2)
        return nearest.astype(np.int32), np.where(counts, share, 0.0)

    def _counts(self, distances: np.ndarray) -> np.ndarray:
        """Tell which distances are none between what has nothing in common."""
        return np.isfinite(distances)


class _NearGrid(Grid):
    """The nodes of a grid, with the places that are nearest to each."""

    def __init__(
        self, of: NearValues, axes: list[Axis], nearest: np.ndarray, share: np.ndarray
    ) -> None:
        self._of, self.axes = of, axes
        self._nearest, self._share = nearest, share
        self.corners = of.at_nodes(axes, nearest, share)

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Return the sums around nodes."""
        return _weighted(self._of.totals(values), self._nearest, self._share)


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

    def _sides(self, most: int) -> tuple[list[Axis], list[np.ndarray]]:
        same, near = self.columns
        by_rows = CELLS_OF_A_ROW * len(self._place) // self._shape[0]
        n_nodes = min(most // self._shape[0], max(by_rows, FEWEST_NODES))
        nodes = _nodes(near, n_nodes)
        at = [self._coordinates()[0], nodes / near.deviation]
        return [same.axis(), near.axis(nodes)], at

    def _counts(self, distances: np.ndarray) -> np.ndarray:
        return distances < self._far() / 2


def _totals(where: np.ndarray, values: np.ndarray, n: int) -> np.ndarray:
    return np.stack([np.bincount(where, v, n) for v in values.T], axis=1)


def _weighted(totals: np.ndarray, nearest: np.ndarray, share: np.ndarray) -> np.ndarray:
    return np.stack([(share * t[nearest]).sum(1) for t in totals.T], axis=1)


def _nodes(column: Column, most: int) -> np.ndarray:
    """Return values of a column, so many at most, between which to interpolate."""
    values, most = column.values, min(most, _NODES)
    if len(values) <= most:
        return values
    known = values[column.at[column.is_known]]
    drawn = np.quantile(known, np.linspace(0, 1, most // 2))
    even = np.linspace(values[0], values[-1], most // 2)
    return np.unique(np.concatenate([drawn, even]).astype(np.float32))
