"""Which rows say something of a row: those of the same values, or of values near by."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy.spatial import cKDTree

from skdl.estimators.tables.corrections.columns import Column
from skdl.networks.corrections import CorrectionTable

# Places that a neighborhood has, and what a place counts by its distance, in parts of
# that of the last of them: a normal distribution that is cut at three deviations.
_NEAREST, _CUT = 30, 3.0
# Values along a side of a table, at most, half of them as rows have them and half at
# the same distances.
_NODES = 256


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
        shape = tuple(len(column.values) for column in columns)
        cell = np.ravel_multi_index(tuple(column.at for column in columns), shape)
        places, self._place = np.unique(cell, return_inverse=True)
        scaled = [column.coordinates() for column in columns]
        at = np.unravel_index(places, shape)
        self._points = np.stack([s[i] for s, i in zip(scaled, at, strict=True)], 1)
        self._tree = cKDTree(self._points)
        self._known: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def sums(self, values: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        """Return the sums around rows."""
        totals = self._totals(values)
        if rows is None:
            nearest, share = self._weights(self._points)
            return _weighted(totals, nearest, share)[self._place]
        if 0 not in self._known:
            self._known[0] = self._weights(self._points[self._place[rows]])
        return _weighted(totals, *self._known[0])

    def table(self, numerator: np.ndarray, denominator: np.ndarray) -> CorrectionTable:
        """Return the ratios on a grid."""
        nodes = [_nodes(column) for column in self.columns]
        grid: Any = np.meshgrid(*nodes, indexing="ij")
        deviations = [_unit(column) for column in self.columns]
        points = np.stack(
            [g.ravel() / u for g, u in zip(grid, deviations, strict=True)], 1
        )
        nearest, share = self._weights(points)
        ratios = _weighted(self._totals(numerator), nearest, share) / (
            _weighted(self._totals(denominator[:-1]), nearest, share) + denominator[-1]
        )
        pairs = zip(self.columns, nodes, strict=True)
        axes = [column.axis(values) for column, values in pairs]
        return _table(axes, ratios, tuple(map(len, nodes)))

    def _totals(self, values: np.ndarray) -> np.ndarray:
        n_places = len(self._points)
        totals = [np.bincount(self._place, v, n_places) for v in values.T]
        return np.stack(totals, axis=1)

    def _weights(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the nearest places and by how much each counts."""
        n_nearest = min(_NEAREST, len(self._points))
        distances, nearest = self._tree.query(points, n_nearest)
        farthest = np.maximum(distances[:, -1:], np.finfo(np.float64).tiny)
        return nearest, np.exp(-0.5 * (_CUT * distances / farthest) ** 2)


def _weighted(totals: np.ndarray, nearest: np.ndarray, share: np.ndarray) -> np.ndarray:
    return np.stack([(share * t[nearest]).sum(1) for t in totals.T], axis=1)


def _unit(column: Column) -> float:
    """Return what a column's values are divided by."""
    return float(column.values[column.at].astype(np.float64).std()) or 1.0


def _nodes(column: Column) -> np.ndarray:
    """Return the values along a side of a grid, as a network is given them."""
    values = column.values
    if len(values) <= _NODES:
        return values
    drawn = np.quantile(values[column.at], np.linspace(0, 1, _NODES // 2))
    even = np.linspace(values[0], values[-1], _NODES // 2)
    return np.unique(np.concatenate([drawn, even]).astype(np.float32))


def _table(axes: list[Any], ratios: np.ndarray, shape: tuple) -> CorrectionTable:
    values = torch.from_numpy(ratios.astype(np.float32))
    return CorrectionTable(axes, values.view(*shape, -1))
