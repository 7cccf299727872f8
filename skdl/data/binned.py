"""Tables to tensors for packs, which take positions in bins beside the numbers."""

from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from skdl.data.bins import BinEncoder, learning_rows
from skdl.data.categories import MISSING
from skdl.data.integers import IntegerEncoder
from skdl.data.numeric import Rescaling
from skdl.data.streamed import StreamedTable
from skdl.data.table import Table, TableEncoder

# Bytes of a processor's cache, and rows for which a call is worth its time.
_CACHE, _FEWEST_ROWS = 1 << 21, 256


class BinnedTableEncoder(TableEncoder):
    """A table's codes and numbers, and the positions of the numbers in bins.

    Parameters
    ----------
    bins : BinEncoder
        Not fitted yet.
    names_things : bool, default=False
        Whether columns of integers that name things have codes, after the categories'.
    vocabulary_of_column, scale, max_categories, columns_of_groups
        As `TableEncoder` takes them.

    Attributes
    ----------
    integers : IntegerEncoder
        The columns of integers that have codes.

    Notes
    -----
    A plain array of numbers is taken as a table without categories.
    """

    integers = IntegerEncoder()  # of encoders from before there were such codes

    def __init__(
        self,
        bins: BinEncoder,
        vocabulary_of_column: Any = (),
        *,
        names_things: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(vocabulary_of_column, **options)
        self.bins = bins
        self.names_things = names_things

    @property
    def inference_rows(self) -> int:  # type: ignore[override]
        """Rows at a time: so many that what they are within all bins stays in a cache.

        Four networks predict thousands of rows in four fifths of the time so.
        """
        places, most = self.bins.n_places, super().inference_rows  # of float32
        return min(most, max(_FEWEST_ROWS, _CACHE // (4 * places))) if places else most

    @property
    def sizes(self) -> tuple[list[int], list[int]]:
        """Codes of each vocabulary, then of each column of integers; and groups."""
        codes, groups = super().sizes
        return [*codes, *self.integers.sizes], groups

    @property
    def table_of_column(self) -> list[int]:
        """The number of the vectors that each column of codes uses."""
        n_tables, n_own = len(self.vocabularies), len(self.integers.columns)
        return [*self.vocabulary_of_column, *range(n_tables, n_tables + n_own)]

    @property
    def n_bins(self) -> list[int]:
        """Bins of each column that has any."""
        return self.bins.n_bins

    @property
    def varied(self) -> list[int]:
        """Numbers with at least three values; all of them where none has bins."""
        if not self.bins.n_quantiles:
            return list(range(self.numeric.n_outputs - len(self.missing)))
        found = zip(self.bins.columns.tolist(), self.n_bins, strict=True)
        return [column for column, bins in found if bins > 1]

    def fit_with_target(
        self,
        X: Table | np.ndarray,
        y: np.ndarray,
        rng: np.random.RandomState,
        blind: Any = None,
    ):
        """Learn categories, scales and bins.

        Parameters
        ----------
        X : Table, StreamedTable or ndarray of shape (n_samples, n_features)
            The training rows.
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
            Integers are classes, floats are real targets.
        rng : numpy.random.RandomState
            Draws the rows to learn from where there are many.
        blind : ndarray of bool or FoldNumbers, shape (n_samples, n_folds), optional
            Rows that are held out in other ways than at random; see `IntegerEncoder`.

        Returns
        -------
        self
        """
        if isinstance(X, StreamedTable):
            stream: Any = _Drawn(X, rng)
            self._fit_stream(stream, rng)
            if self.bins.n_quantiles:
                self._learn_numbers(stream.drawn(), y, blind)
            return self
        table = _as_table(X)
        super().fit(table, rng)
        if self.bins.n_quantiles:
            chosen = learning_rows(len(table), rng)
            self._learn_numbers((table.numeric[chosen], chosen), y, blind)
        return self

    def _learn_numbers(
        self, drawn: tuple[np.ndarray, Any], y: np.ndarray, blind: Any
    ) -> None:
        """Learn bins, and which integers name things, of rows that were drawn.

        Of these `drawn` has the numbers, and which they are.
        """
        numbers, chosen = drawn
        self.bins.fit(numbers, y[chosen])
        if self.names_things:
            blind = None if blind is None else blind[chosen]
            given = numbers, y[chosen], self.bins, len(y), blind
            self.integers = IntegerEncoder().fit(*given)

    def extended(
        self, table: Table | np.ndarray
    ) -> tuple["BinnedTableEncoder", Rescaling | None]:
        """Return an encoder that has learned from more rows; the bins stay."""
        result, rescaling = super().extended(_as_table(table))
        return cast(BinnedTableEncoder, result), rescaling

    def transform(self, X: Table | np.ndarray) -> tuple[Tensor, ...]:
        """Encode all rows at once.

        Returns
        -------
        indices, numbers : Tensor
            As `TableEncoder` gives them; indices of integers' vectors come last.
        positions : Tensor of shape (n_samples, len(n_bins))
            float32; only where there are bins.
        groups : Tensor
            As `TableEncoder` gives them; only where there are groupings.
        """
        table = _as_table(X)
        indices, numbers, *groups = super().transform(table)
        return indices, numbers, *self._positions(table), *groups

    def _codes(self, table: Table) -> tuple[Tensor, ...]:
        indices, *groups = super()._codes(table)
        if self.integers.columns:
            first = self.offsets[len(self.vocabularies) :].astype(np.int32)
            own = torch.from_numpy(self.integers.transform(table.numeric) + first)
            indices = torch.cat([indices, own], dim=1)
        return indices, *groups

    def chunks(self, X: Table | np.ndarray, rows: int) -> Iterator[tuple[Tensor, ...]]:
        """Encode `rows` rows at a time."""
        return super().chunks(_as_table(X), rows)

    def _parts(self, table: Table, rows: int) -> Iterator[tuple[Tensor, ...]]:
        start = 0
        for indices, numbers, *groups in super()._parts(table, rows):
            part = table[start : start + len(numbers)]
            yield indices, numbers, *self._positions(part), *groups
            start += len(numbers)

    def of_all(self, X: Table | StreamedTable | np.ndarray) -> tuple[Tensor, ...]:
        """Encode all rows, also of a stream, whose rows are read."""
        if not isinstance(X, StreamedTable):
            return self.transform(X)
        parts = [self.transform(part) for _, part in X.chunks()]
        return tuple(torch.cat(same) for same in zip(*parts, strict=True))

    def _positions(self, table: Table) -> tuple[Tensor, ...]:
        return (self.bins.transform(table.numeric),) if self.bins.n_places else ()


class _Drawn:
    """A stream of tables that keeps the numbers of rows that bins are learned from.

    They are drawn after those that quartiles are learned from, as of rows in memory.
    """

    def __init__(self, rows: StreamedTable, rng: np.random.RandomState) -> None:
        self._rows, self._rng, self.shape = rows, rng, rows.shape
        self._kept: list[np.ndarray] = []
        self._chosen: np.ndarray | slice = slice(None)

    def chunks(self) -> Iterator[tuple[int, Table]]:
        self._chosen = learning_rows(self.shape[0], self._rng)
        for first, part in self._rows.chunks():
            table = _as_table(part)
            self._kept.append(table.numeric[within(self._chosen, first, len(table))])
            yield first, table

    def drawn(self) -> tuple[np.ndarray, Any]:
        """Return the numbers of the rows, and which these are."""
        return np.concatenate(self._kept), self._chosen


def within(chosen: np.ndarray | slice, first: int, n_rows: int) -> Any:
    """Return which of some rows, of which one is the first, are chosen."""
    if isinstance(chosen, slice):  # of all rows
        return chosen
    start, end = np.searchsorted(chosen, [first, first + n_rows])
    return chosen[start:end] - first


def count_codes(indices: Tensor, encoder: TableEncoder) -> np.ndarray:
    """Return the rows of each code, of all columns together."""
    sizes, _ = encoder.sizes
    return np.bincount(indices.numpy().ravel(), minlength=sum(sizes))


def without_rare(counts: np.ndarray, encoder: TableEncoder, most: int) -> np.ndarray:
    """Return what each code becomes where categories of few rows are unknown.

    Parameters
    ----------
    counts : ndarray of int
        Training rows of each code.
    encoder : TableEncoder
        Made the codes.
    most : int
        Rows that a category has at most for it to be replaced.

    Returns
    -------
    ndarray of int32
    """
    sizes, _ = encoder.sizes
    offsets = encoder.offsets
    rare = counts <= most if most else np.zeros(len(counts), dtype=bool)
    rare[offsets + MISSING] = False
    known = np.arange(sum(sizes))
    return np.where(rare, np.repeat(offsets, sizes), known).astype(np.int32)


def rows_of_a_category(indices: Tensor) -> np.ndarray:
    """Return how many rows a category of each column has in the mean."""
    values = [len(np.unique(column)) for column in indices.numpy().T]
    return len(indices) / np.maximum(values, 1)


def untrained_rows(
    seen: Sequence[np.ndarray], encoder: TableEncoder
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the rows of a table of vectors that a member never learns from.

    Parameters
    ----------
    seen : sequence of ndarray of int
        Of each member, how many of the rows that it learns from have each code.
    encoder : TableEncoder
        Made the indices.

    Returns
    -------
    members, rows, unknown : Tensor of int64
        For each such row its member, its number, and the number of the row of its
        vocabulary's unknown category, which is trained on what is hidden.
    """
    sizes, _ = encoder.sizes
    unknown = np.repeat(encoder.offsets, sizes)
    found = []
    for member, counts in enumerate(seen):
        rows = np.flatnonzero((counts == 0) & (np.arange(len(unknown)) != unknown))
        found.append(np.stack([np.full(len(rows), member), rows, unknown[rows]]))
    members, rows, known = torch.from_numpy(np.concatenate(found, axis=1))
    return members, rows, known


def _as_table(X: Table | np.ndarray) -> Table:
    return X if isinstance(X, Table) else Table([], X)
