"""The search for what is left over in some places, judged without each row itself."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

import numpy as np

from skdl.estimators.tables.corrections.columns import Column
from skdl.estimators.tables.corrections.neighborhoods import (
    MOST_CELLS,
    NearValues,
    NearWithinSame,
    Neighborhood,
    SameValues,
)
from skdl.estimators.tables.corrections.remainder import Remainder
from skdl.networks.corrections import CorrectionTable

# Rows that a correction of nothing counts as: the more, the smaller corrections are.
_PRIORS = (1.0, 3.0, 10.0, 30.0, 100.0)
# Corrections at most; columns whose values, and whose distances, are looked at.
_MOST, _COLUMNS, _NEAR_COLUMNS = 4, 16, 8
# Cells of a table for each row, at most, and nodes at which a number is looked at
# within each value of another column, at least.
_CELLS_OF_A_ROW, _FEWEST_NODES = 8, 8
# Rows that neighborhoods are first looked at with, and how many of the best are looked
# at with all rows.
_ROWS, _BEST = 2048, 4
# A correction counts where the loss is lower by so many standard errors, and by this
# share of it.
_ERRORS, _SHARE = 4.0, 0.005


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
        The share of the loss that it takes away.
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
        scores = [search.promise(c, some) for c in candidates]
        order = np.argsort(scores)[::-1][:_BEST]
        trials = [search.trial(candidates[i]) for i in order]
        best = max(trials, key=lambda trial: trial.gain)
        if not best.counts:
            break
        found.append(best.correction(search))
        remainder.add(best.added)
    return found


def _candidates(columns: Sequence[Column], n_outputs: int) -> Iterator[Neighborhood]:
    chosen = columns[:_COLUMNS]
    near = [column for column in chosen if column.has_distances][:_NEAR_COLUMNS]
    same = [column for column in chosen if column.has_repeats]
    most = MOST_CELLS // n_outputs
    for column in same:
        yield SameValues([column])
    for pair in combinations(chosen, 2):
        n_cells = len(pair[0].values) * len(pair[1].values)
        if n_cells <= min(most, _CELLS_OF_A_ROW * len(pair[0].at)):
            yield SameValues(pair)
    for column in near:
        yield NearValues([column])
    for pair in combinations(near, 2):
        yield NearValues(pair)
    for first, second in product(same[:_NEAR_COLUMNS], near):
        if first is not second and len(first.values) * _FEWEST_NODES <= most:
            yield NearWithinSame([first, second])


@dataclass
class _Trial:
    neighborhood: Neighborhood
    prior: float
    added: np.ndarray
    gain: float
    counts: bool

    def correction(self, search: "_Search") -> Correction:
        return Correction(
            search.table(self.neighborhood, self.prior),
            tuple(column.number for column in self.neighborhood.columns),
            self.neighborhood.kind,
            self.gain,
        )


class _Search:
    """Tries corrections of what is left over."""

    def __init__(self, remainder: Remainder, weight: np.ndarray) -> None:
        self._remainder = remainder
        self._weight = weight / weight.mean()
        self._gradient = remainder.gradient * self._weight[:, None]
        self._hessian = remainder.hessian * self._weight[:, None]
        self._unit = self._hessian.mean(axis=0)
        self._loss = float((remainder.losses() * self._weight).mean())

    def promise(self, candidate: Neighborhood, some: np.ndarray) -> float:
        """Return by how much the loss of some rows would be lower, about."""
        rows = None if isinstance(candidate, SameValues) else some
        found = self._without_itself(candidate, rows)
        chosen = slice(None) if rows is None else rows
        gradient, hessian = self._gradient[chosen], self._hessian[chosen]
        best = 0.0
        for prior in _PRIORS:
            added = self._added(*found, prior)
            gains = (gradient - hessian * added / 2) * added
            best = max(best, float(gains.mean()))
        return best

    def trial(self, candidate: Neighborhood) -> _Trial:
        """Return what a correction does, by the prior that suits it."""
        found = self._without_itself(candidate, None)
        tried = []
        for prior in _PRIORS:
            added = self._added(*found, prior)
            gains = self._remainder.gain(added) * self._weight
            tried.append((float(gains.mean()), prior, added, gains))
        gain, prior, added, gains = max(tried, key=lambda t: t[0])
        error = float(gains.std()) / np.sqrt(len(gains))
        counts = gain > max(_ERRORS * error, _SHARE * self._loss)
        return _Trial(candidate, prior, added, gain / self._loss, counts)

    def table(self, candidate: Neighborhood, prior: float) -> CorrectionTable:
        """Return a correction for rows that there are not yet."""
        denominator = np.concatenate([self._hessian, prior * self._unit[None]])
        return candidate.table(self._gradient, denominator)

    def _without_itself(
        self, candidate: Neighborhood, rows: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return sums of gradients and hessians of the others around rows."""
        chosen = slice(None) if rows is None else rows
        return (
            candidate.sums(self._gradient, rows) - self._gradient[chosen],
            candidate.sums(self._hessian, rows) - self._hessian[chosen],
        )

    def _added(
        self, gradients: np.ndarray, hessians: np.ndarray, prior: float
    ) -> np.ndarray:
        """Return one step of Newton's method toward what is left over around rows."""
        return gradients / (np.maximum(hessians, 0.0) + prior * self._unit)
