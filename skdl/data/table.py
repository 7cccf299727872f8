"""Tables of categorical and numeric columns to tensors."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skdl.data.categories import FIRST, MISSING, UNKNOWN, Vocabulary
from skdl.data.factors import Factors, Tally
from skdl.data.groups import NEW, Groups
from skdl.data.numeric import NumericEncoder, Rescaling
from skdl.data.streamed import StreamedTable


@dataclass(frozen=True)
class Table:
    """Validated rows.

    Attributes
    ----------
    factors : list of Factors
        The categorical columns.
    numeric : ndarray of shape (n_samples, n_numeric)
        The others; NaN is missing.
    """

    factors: list[Factors]
    numeric: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        n_rows, n_numeric = self.numeric.shape
        return n_rows, n_numeric + len(self.factors)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> "Table":
        """Return some of the rows."""
        return Table([f.take(rows) for f in self.factors], self.numeric[rows])


@dataclass(frozen=True)
class Unseen:
    """What a vocabulary does not know of a column.

    Attributes
    ----------
    rows : int
        Rows of categories never seen; missing ones do not count.
    values : int
        Categories never seen.
    column : Factors
        The column.
    vocabulary : Vocabulary
        The vocabulary.
    example : object
        The most frequent of the categories never seen; None if there is none.
    """

    rows: int
    values: int
    column: Factors
    vocabulary: Vocabulary
    example: Any

    @property
    def is_most(self) -> bool:
        """Whether most rows are unknown, where categories are known.

        Of a single row nobody can tell: a new category looks like a changed form.
        """
        if self.rows < 2 or not self.vocabulary.categories:
            return False
        return 2 * self.rows > self.column.counts().sum()

    @property
    def known(self) -> Any:
        """The most frequent of the categories that are known."""
        counts = self.vocabulary.counts[FIRST:][: len(self.vocabulary.categories)]
        return self.vocabulary.categories[int(counts.argmax())]


class TableEncoder:
    """Codes of categories, and scaled numbers.

    All vocabularies together number the rows of one table of vectors: a category's
    index is the code in its vocabulary plus that vocabulary's offset.

    Parameters
    ----------
    vocabulary_of_column : sequence of int
        For each categorical column, which vocabulary it uses.
    scale : bool, default=True
        Whether numbers are scaled.
    max_categories : int or None, default=None
        Codes of a vocabulary, and groups of a grouping, at most.
    columns_of_groups : sequence of sequences of int, default=()
        The categorical columns whose combinations are the groups of each grouping.
    """

    inference_rows = NumericEncoder.inference_rows

    def __init__(
        self,
        vocabulary_of_column: Sequence[int],
        *,
        scale: bool = True,
        max_categories: int | None = None,
        columns_of_groups: Sequence[Sequence[int]] = (),
    ) -> None:
        self.vocabulary_of_column = list(vocabulary_of_column)
        self.numeric = NumericEncoder(scale=scale)
        self.max_categories = max_categories
        self.columns_of_groups = [list(columns) for columns in columns_of_groups]
        self.vocabularies: list[Vocabulary] = []
        self.groupings: list[Groups] = []

    def fit(self, table: Table, rng: np.random.RandomState):
        """Learn categories, medians and ranges.

        Parameters
        ----------
        table : Table or StreamedTable
            The training rows.
        rng : numpy.random.RandomState
            For the sample that quartiles are computed from.

        Returns
        -------
        self
        """
        if isinstance(table, StreamedTable):
            return self._fit_stream(table, rng)
        self._fit_vocabularies(table)
        self.numeric.fit(table.numeric, rng)
        new = [Groups(self.max_categories) for _ in self.columns_of_groups]
        self.groupings = self._learned(new, table)
        return self

    def _fit_vocabularies(self, table: Table) -> None:
        self.vocabularies = [
            Vocabulary(self.max_categories).fit(columns)
            for columns in self._by_vocabulary(table)
        ]

    def _fit_stream(self, table: StreamedTable, rng: np.random.RandomState):
        """Learn the same of rows that are read once, piece by piece."""
        if self.columns_of_groups:
            raise ValueError(
                "random_effects cannot be learned of rows that are read piece by "
                "piece: give a frame, or leave random_effects out."
            )
        n_categorical = len(self.vocabulary_of_column)
        tallies = [Tally() for _ in range(n_categorical)]

        def numbers() -> Iterator[np.ndarray]:
            for _, part in table.chunks():
                for tally, column in zip(tallies, part.factors, strict=True):
                    tally.add(column)
                yield part.numeric

        n_rows, n_features = table.shape
        self.numeric.fit_chunks(numbers(), n_rows, n_features - n_categorical, rng)
        counted: list[Factors] = [tally.factors() for tally in tallies]
        self._fit_vocabularies(Table(counted, np.empty((0, 0))))
        return self

    def extended(self, table: Table) -> tuple["TableEncoder", Rescaling | None]:
        """Return an encoder that has learned from more rows, and what has changed.

        Returns
        -------
        encoder : TableEncoder
            New categories and groups have codes after the old ones.
        rescaling : Rescaling or None
            Of the numbers.
        """
        result = copy.copy(self)
        result.numeric, rescaling = self.numeric.extended(table.numeric)
        result.vocabularies = [
            vocabulary.extended(columns)
            for vocabulary, columns in zip(
                self.vocabularies, self._by_vocabulary(table), strict=True
            )
        ]
        result.groupings = result._learned(self.groupings, table)
        return result, rescaling

    def compensated(self, rescaling: Rescaling) -> "TableEncoder":
        """Return an encoder whose numbers are what they were before a rescaling."""
        result = copy.copy(self)
        result.numeric = self.numeric.compensated(rescaling)
        return result

    @property
    def missing(self) -> np.ndarray:
        """The numeric columns that have an indicator."""
        return self.numeric.missing

    def _by_vocabulary(self, table: Table) -> list[list[Factors]]:
        groups: list[list[Factors]] = [
            [] for _ in range(max(self.vocabulary_of_column, default=-1) + 1)
        ]
        for factors, number in zip(
            table.factors, self.vocabulary_of_column, strict=True
        ):
            groups[number].append(factors)
        return groups

    @property
    def sizes(self) -> tuple[list[int], list[int]]:
        """Codes of each vocabulary, and groups of each grouping."""
        return [len(v) for v in self.vocabularies], [len(g) for g in self.groupings]

    @property
    def offsets(self) -> np.ndarray:
        """Index of the first row of each vocabulary in the table of vectors."""
        sizes, _ = self.sizes
        return np.cumsum([0, *sizes[:-1]]) if sizes else np.zeros(0, dtype=np.int64)

    def unseen(self, table: Table) -> list[Unseen]:
        """Return for each categorical column what its vocabulary does not know."""
        found = []
        for factors, number in zip(
            table.factors, self.vocabulary_of_column, strict=True
        ):
            vocabulary = self.vocabularies[number]
            unknown = np.flatnonzero(vocabulary.lookup(factors)[:-1] == UNKNOWN)
            rows = factors.counts()[unknown] if len(unknown) else np.zeros(1, int)
            example = factors.values[unknown[rows.argmax()]] if rows.any() else None
            n_values = int((rows > 0).sum())
            total = int(rows.sum())
            found.append(Unseen(total, n_values, factors, vocabulary, example))
        return found

    def indices(self, table: Table) -> np.ndarray:
        """Return the index of each value in the table of vectors.

        A missing value in a column that had none when the encoder was fitted is
        unknown: its own vector has not been trained.

        Returns
        -------
        ndarray of int32, shape (n_samples, n_categorical)
        """
        result = np.empty((len(table), len(table.factors)), dtype=np.int32)
        if not table.factors:
            return result
        offsets = self.offsets
        for j, (factors, number) in enumerate(
            zip(table.factors, self.vocabulary_of_column, strict=True)
        ):
            vocabulary = self.vocabularies[number]
            codes = vocabulary.encode(factors)
            if not vocabulary.knows_missing:
                codes[codes == MISSING] = UNKNOWN
            np.add(codes, offsets[number], out=result[:, j], casting="same_kind")
        return result

    def _learned(self, groupings: list[Groups], table: Table) -> list[Groups]:
        """Return groupings that also know the groups of these rows."""
        if not groupings:
            return []
        codes = self._codes_of_groups(self.indices(table))
        return [g.extended(c) for g, c in zip(groupings, codes, strict=True)]

    def _codes_of_groups(self, indices: np.ndarray) -> Iterator[np.ndarray]:
        """Give for each grouping the codes of its columns."""
        offsets = self.offsets[self.vocabulary_of_column]
        for columns in self.columns_of_groups:
            yield indices[:, columns] - offsets[columns]

    def groups(self, indices: np.ndarray) -> np.ndarray:
        """Return each row's groups, numbered over all groupings.

        Parameters
        ----------
        indices : ndarray of int, shape (n_samples, n_categorical)
            Of the rows, as `indices` returns them.

        Returns
        -------
        ndarray of int32, shape (n_samples, n_groupings)
            0 is a group never seen, of any grouping.
        """
        result = np.empty((len(indices), len(self.groupings)), dtype=np.int32)
        start = 0
        for j, codes in enumerate(self._codes_of_groups(indices)):
            numbers = self.groupings[j].encode(codes)
            result[:, j] = np.where(numbers == NEW, NEW, numbers + start)
            start += len(self.groupings[j])
        return result

    def _codes(self, table: Table) -> tuple[Tensor, ...]:
        """Return the indices and, where there are groupings, the groups."""
        indices = self.indices(table)
        if not self.groupings:
            return (torch.from_numpy(indices),)
        return torch.from_numpy(indices), torch.from_numpy(self.groups(indices))

    def transform(self, table: Table) -> tuple[Tensor, ...]:
        """Encode all rows at once.

        Returns
        -------
        indices : Tensor of shape (n_samples, n_categorical)
            int32.
        numbers : Tensor of shape (n_samples, n_encoded)
            float32.
        groups : Tensor of shape (n_samples, n_groupings)
            int32; only where there are groupings.
        """
        indices, *groups = self._codes(table)
        (numbers,) = self.numeric.transform(table.numeric)
        return indices, numbers, *groups

    def chunks(self, table: Table, rows: int) -> Iterator[tuple[Tensor, ...]]:
        """Encode `rows` rows at a time."""
        if 0 < len(table) <= rows:
            yield self.transform(table)
        else:
            yield from self._parts(table, rows)

    def _parts(self, table: Table, rows: int) -> Iterator[tuple[Tensor, ...]]:
        codes = zip(*(t.split(rows) for t in self._codes(table)), strict=True)
        numbers = self.numeric.chunks(table.numeric, rows)
        for (indices, *groups), (encoded,) in zip(codes, numbers, strict=True):
            yield indices, encoded, *groups
