"""The search for what is left over in some places, judged without each row itself."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

import numpy as np

from skdl.estimators.tables.corrections.columns import Column
from skdl.estimators.tables.corrections.neighborhoods import (
    CELLS_OF_A_ROW,
    FEWEST_NODES,
    MOST_CELLS,
    Grid,
    NearValues,
    NearWithinSame,
    Neighborhood,
    SameValues,
)
from skdl.estimators.tables.corrections.remainder import Remainder
from skdl.networks.corrections import CorrectionTable

# Rows that a correction of nothing counts as: the more, the smaller corrections are.
_PRIORS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
# Corrections at most; columns whose distances are looked at.
_MOST, _NEAR_COLUMNS = 4, 8
# Rows that have both values, at least.
_FEWEST_KNOWN = 100
# Rows that neighborhoods are first looked at with, and how many of the best are looked
# at with all rows.
_ROWS, _BEST = 2048, 4
# A correction counts where the loss is lower by so many standard errors, and by this
# share of it, and not by a few rows alone.
_ERRORS, _SHARE, _FEW = 4.0, 0.005, 10
# What promises less than this part of either is not tried.
_HOPE = 0.5


@dataclass(frozen=True)
class Correction:
    """A correction that was found.

    Attributes
    ----------
    table : CorrectionTable
        What is added to raw outputs.
    columns : tuple of int
        Of the table of data.
    kind : str
        "same" values, "near" ones, or "same, near": those of the first column the same
        and of the second near.
    gain : float
        The share that it takes away of the loss that those before it have left.
    """

    table: CorrectionTable
    columns: tuple[int, ...]
    kind: str
    gain: float

    def told(self) -> dict[str, Any]:
        """Return what an estimator says of it."""
        return {"columns": self.columns, "values": self.kind, "gain": self.gain}


def find_corrections(
    remainder: Remainder,
    columns: Sequence[Column],
    weight: np.ndarray,
) -> list[Correction]:
    """Find corrections one after the other, and add them to the outputs.

    Each row is corrected by the others alone, so that what is noise is seen to be.

    Parameters
    ----------
    remainder : Remainder
        Of rows that networks have not learned from; is changed.
    columns : sequence of Column
        The most important first.
    weight : ndarray of shape (n_rows,)
        Of the rows.
    """
    candidates = list(_candidates(columns, remainder.gradient.shape[1]))
    n_rows = len(weight)
    some = np.sort(np.random.RandomState(0).permutation(n_rows)[:_ROWS])
    found: list[Correction] = []
    while candidates and len(found) < _MOST:
        search = _Search(remainder, weight)
        scores = np.array([search.promise(c, some) for c in candidates])
        order = np.argsort(scores)[::-1][:_BEST]
        trials = [search.trial(candidates[i]) for i in order if scores[i] > 0]
        best = max(trials, key=lambda trial: trial.gain, default=None)
        if best is None or not best.gain:
            break
        found.append(best.correction())
        remainder.add(best.added)
    return found


def _candidates(columns: Sequence[Column], n_outputs: int) -> Iterator[Neighborhood]:
    near = [column for column in columns if column.has_distances][:_NEAR_COLUMNS]
    same = [column for column in columns if column.has_repeats]
    most = MOST_CELLS // n_outputs
    for column in same:
        yield SameValues([column])
    for pair in combinations(columns, 2):
        n_cells = len(pair[0].values) * len(pair[1].values)
        n_rows = _known_in_both(*pair)
        if n_rows and n_cells <= min(most, CELLS_OF_A_ROW * n_rows):
            yield SameValues(pair)
    for column in near:
        yield NearValues([column])
    for pair in combinations(near, 2):
        if _known_in_both(*pair):
            yield NearValues(pair)
    for first, second in product(same[:_NEAR_COLUMNS], near):
        fits = len(first.values) * FEWEST_NODES <= most
        if first is not second and fits and _known_in_both(first, second):
            yield NearWithinSame([first, second])


def _known_in_both(first: Column, second: Column) -> int:
    """Return how many rows have a value in both columns; 0 for too few."""
    n_rows = int((first.is_known & second.is_known).sum())
    return n_rows if n_rows >= _FEWEST_KNOWN else 0


@dataclass(frozen=True)
class _Trial:
    """What a correction does.

    Attributes
    ----------
    neighborhood : Neighborhood
    values : ndarray of shape (n_nodes, K)
        What it adds at the nodes of a table.
    grid : Grid
        These nodes.
    added : ndarray of shape (n_rows, K)
        What it adds to rows, from the others.
    gain : float
        The share of the loss that it takes away; 0 where that may be chance.
    """

    neighborhood: Neighborhood
    values: np.ndarray
    grid: Grid
    added: np.ndarray
    gain: float

    def correction(self) -> Correction:
        columns = tuple(column.number for column in self.neighborhood.columns)
        table = self.grid.table(self.values)
        return Correction(table, columns, self.neighborhood.kind, self.gain)


class _Search:
    """Tries corrections of what is left over."""

    def __init__(self, remainder: Remainder, weight: np.ndarray) -> None:
        self._remainder = remainder
        self._weight = (weight / weight.mean())[:, np.newaxis]
        self._gradient = remainder.gradient * self._weight
        self._hessian = remainder.hessian * self._weight
        self._units = remainder.units()
        self._losses = (remainder.losses * self._weight).mean(0)  # (J,)

    def promise(self, candidate: Neighborhood, rows: np.ndarray) -> float:
        """Return by how much the loss of some rows would be lower, about.

        It is 0 where there is no hope that this would count.
        """
        gradient, hessian = self._gradient[rows], self._hessian[rows]
        gradients = candidate.sums(self._gradient, rows) - gradient
        hessians = candidate.sums(self._hessian, rows) - hessian
        told = []
        for prior in _PRIORS:
            added = self._step(gradients, hessians, prior)
            gains = (gradient - hessian * added / 2) * added
            if len(self._losses) == 1:
                gains = gains.sum(axis=1, keepdims=True)
            told.append((gains.mean(axis=0), gains.std(axis=0)))
        means, deviations = map(np.stack, zip(*told, strict=True))  # (n_priors, J)
        best = means.argmax(axis=0), np.arange(means.shape[1])
        mean, error = means[best], deviations[best] / np.sqrt(len(self._weight))
        least = np.maximum(_ERRORS * error, _SHARE * self._losses)
        return float(mean[mean > _HOPE * least].sum())

    def trial(self, candidate: Neighborhood) -> _Trial:
        """Return what a correction does, by the priors that suit it."""
        grid = candidate.grid(len(self._units))
        sums = grid.sums(self._gradient), grid.sums(self._hessian)
        tried = [self._added(grid, *sums, prior) for prior in _PRIORS]
        told = zip(*(self._gains(added) for added in tried), strict=True)
        gains, counts = map(np.stack, told)  # (n_priors, J)
        best = gains.argmax(axis=0), np.arange(gains.shape[1])
        gain, counts = gains[best], counts[best]
        of_output = np.broadcast_to(best[0], self._units.shape)
        values = self._step(*sums, np.array(_PRIORS)[of_output])
        added = np.stack([tried[p][:, k] for k, p in enumerate(of_output)], axis=1)
        values, added = (np.where(counts, v, 0.0) for v in (values, added))
        share = float(gain[counts].sum() / self._losses.sum())
        return _Trial(candidate, values, grid, added, share)

    def _added(
        self, grid: Grid, gradients: np.ndarray, hessians: np.ndarray, prior: Any
    ) -> np.ndarray:
        """Return what a table would add to each row if that were not in it."""
        total = np.zeros_like(self._gradient)
        for corner in grid.corners:
            own = corner.own[:, np.newaxis]
            total += corner.weight[:, np.newaxis] * self._step(
                gradients[corner.node] - own * self._gradient,
                hessians[corner.node] - own * self._hessian,
                prior,
            )
        return total

    def _step(self, gradients: np.ndarray, hessians: np.ndarray, prior: Any) -> Any:
        """Return one step of Newton's method toward what is left over."""
        step = gradients / (np.maximum(hessians, 0.0) + prior * self._units)
        return np.clip(step, -self._remainder.farthest, self._remainder.farthest)

    def _gains(self, added: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean gains, by parts of the loss, and whether they are sure."""
        gains = self._remainder.gain(added) * self._weight
        mean = gains.mean(axis=0)
        error = gains.std(axis=0) / np.sqrt(len(gains))
        most = np.partition(gains, len(gains) - _FEW, axis=0)[-_FEW:]
        without = gains.sum(axis=0) - most.sum(axis=0)
        least = np.maximum(_ERRORS * error, _SHARE * self._losses)
        return mean, (mean > least) & (without > 0)
