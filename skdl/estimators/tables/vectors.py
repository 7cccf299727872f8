"""The vectors of categories, taken out of a network: tables, neighbours, features."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import TransformerMixin
from sklearn.utils import gen_batches
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from skdl.data.categories import FIRST, Vocabulary
from skdl.data.columns import as_factors
from skdl.data.containers import as_pandas
from skdl.data.table import Table, TableEncoder
from skdl.estimators.core.wrong_names import close_to
from skdl.estimators.tables.frames import Schema

# Rows written at a time: their vectors stay in the cache.
_CHUNK_ROWS = 4096


@dataclass(frozen=True)
class ColumnVectors:
    """The vectors of one column.

    Attributes
    ----------
    vectors : ndarray of shape (n_codes, dim)
        float32, by code: unknown, missing, categories, hashed ones.
    vocabulary : Vocabulary
        Its codes.
    """

    vectors: np.ndarray
    vocabulary: Vocabulary

    @property
    def categories(self) -> np.ndarray:
        """Categories in the order of their codes."""
        values = self.vocabulary.categories
        result = np.empty(len(values), dtype=object)
        result[:] = values
        return result

    def of_categories(self) -> np.ndarray:
        """Return the vectors of the categories alone."""
        return self.vectors[FIRST : FIRST + len(self.vocabulary.categories)]

    def frame(self) -> pd.DataFrame:
        """Return one row a category."""
        index = pd.Index(self.vocabulary.categories, name="category")
        return pd.DataFrame(self.of_categories(), index=index)

    def counts(self) -> pd.Series:
        """Return the training rows of each category."""
        index = pd.Index(self.vocabulary.categories, name="category")
        counts = self.vocabulary.counts[FIRST : FIRST + len(index)]
        return pd.Series(counts, index=index, name="count")


@dataclass(frozen=True)
class Vectors:
    """The vectors of all columns, and where they stand in the output.

    Attributes
    ----------
    by_column : dict
        Vectors of each categorical column.
    offsets : list of int
        Of each categorical column in the numbering of `TableEncoder.indices`.
    schema : Schema
        The columns.
    keep_rest : bool
        Whether the other columns are kept.
    """

    by_column: dict[Any, ColumnVectors]
    offsets: list[int]
    schema: Schema
    keep_rest: bool = True

    def __getitem__(self, column: Any) -> ColumnVectors:
        if column not in self.by_column:
            raise ValueError(
                f"{column!r} is not a categorical column: {list(self.by_column)}."
            )
        return self.by_column[column]

    def nearest(self, column: Any, category: Any, k: int) -> pd.Series:
        """Return the nearest categories and their distances."""
        chosen = self[column]
        position = chosen.vocabulary.code(category) - FIRST
        if not 0 <= position < len(chosen.vocabulary.categories):
            close = close_to(category, chosen.categories)
            raise ValueError(f"{category!r} is not a category of {column!r}{close}.")
        vectors = chosen.of_categories()
        distances = np.linalg.norm(vectors - vectors[position], axis=1)
        order = np.argsort(distances, kind="stable")
        order = order[order != position][:k]
        index = pd.Index(chosen.categories[order], name="category")
        return pd.Series(distances[order], index=index, name="distance")

    def transform(self, table: Table, indices: np.ndarray) -> np.ndarray:
        """Return vectors in place of categories, (n_samples, n_features_out)."""
        kept = table.numeric if self.keep_rest else table.numeric[:, :0]
        kind = np.float32 if kept.shape[1] == 0 else np.result_type(kept, np.float32)
        result = np.empty((len(table), self.width), dtype=kind)
        for rows in gen_batches(len(table), _CHUNK_ROWS):
            self._write(result[rows], kept[rows], indices[rows])
        return result

    def _write(self, out: np.ndarray, kept: np.ndarray, indices: np.ndarray) -> None:
        """Write a few rows of the output."""
        start, categorical, numeric = 0, 0, 0
        columns = list(self.by_column.values())
        for is_category in self.schema.categorical:
            if is_category:
                vectors = columns[categorical].vectors
                codes = indices[:, categorical] - self.offsets[categorical]
                end = start + vectors.shape[1]
                out[:, start:end] = vectors.take(codes, axis=0, mode="clip")
                categorical += 1
            elif self.keep_rest:
                end = start + 1
                out[:, start] = kept[:, numeric]
                numeric += 1
            else:
                continue
            start = end

    @property
    def width(self) -> int:
        """Columns of the output."""
        width = sum(v.vectors.shape[1] for v in self.by_column.values())
        rest = len(self.schema.numeric_names) if self.keep_rest else 0
        return width + rest

    def feature_names(self, estimator: Any, input_features: Any) -> np.ndarray:
        """Return the names of the output's columns."""
        names = _check_feature_names_in(estimator, input_features)
        rest = zip(names, self.schema.categorical, strict=True)
        taken = {str(name) for name, c in rest if self.keep_rest and not c}
        columns = iter(self.by_column.values())
        result: list[str] = []
        for name, is_category in zip(names, self.schema.categorical, strict=True):
            if is_category:
                dim = next(columns).vectors.shape[1]
                found = _numbered(str(name), dim, taken)
                taken.update(found)
                result += found
            elif self.keep_rest:
                result.append(str(name))
        return np.array(result, dtype=object)

    def inverse_transform(self, X: np.ndarray) -> pd.DataFrame:
        """Return the nearest category for each vector, and the rest as it is."""
        result: dict[Any, Any] = {}
        columns = iter(self.by_column.values())
        start = 0
        for name, is_category in zip(
            self.schema.names, self.schema.categorical, strict=True
        ):
            if is_category:
                chosen = next(columns)
                end = start + chosen.vectors.shape[1]
                result[name] = _nearest_category(chosen, X[:, start:end])
            elif self.keep_rest:
                end = start + 1
                result[name] = X[:, start]
            else:
                continue
            start = end
        return pd.DataFrame(result)


def _numbered(name: str, dim: int, taken: set[str]) -> list[str]:
    """Return a name for each entry of a column's vectors, none of which is taken."""
    separator = "_"
    while taken & {f"{name}{separator}{k}" for k in range(dim)}:
        separator += "_"
    return [f"{name}{separator}{k}" for k in range(dim)]


def _nearest_category(column: ColumnVectors, X: np.ndarray) -> np.ndarray:
    """Return the category nearest to each row; NaN and None for the special ones."""
    n_named = FIRST + len(column.vocabulary.categories)
    vectors = column.vectors[:n_named].astype(np.float64)
    squares = (vectors**2).sum(1)
    nearest = np.empty(len(X), dtype=np.int64)
    rows = max(1, (1 << 22) // len(vectors))
    for start in range(0, len(X), rows):
        part = X[start : start + rows].astype(np.float64)
        nearest[start : start + rows] = (squares - 2 * part @ vectors.T).argmin(1)
    return column.vocabulary.values[nearest]


class VectorsMixin(TransformerMixin, ABC):
    """What every estimator that has vectors shows of them.

    Attributes
    ----------
    categories_ : dict of ndarray
        Categories of each categorical column.
    embeddings_ : dict of pandas.DataFrame
        Vectors of each categorical column, one row a category. With several networks,
        those of the first.
    """

    @abstractmethod
    def _vectors(self) -> Vectors:
        """Return the vectors, or raise AttributeError where there are none yet."""

    @property
    def categories_(self) -> dict[Any, np.ndarray]:
        """Categories of each categorical column."""
        return {name: v.categories for name, v in self._vectors().by_column.items()}

    @property
    def embeddings_(self) -> dict[Any, pd.DataFrame]:
        """Vectors of each categorical column, one row a category."""
        return {name: v.frame() for name, v in self._vectors().by_column.items()}

    @property
    def category_counts_(self) -> dict[Any, pd.Series]:
        """Training rows of each category, by column."""
        return {name: v.counts() for name, v in self._vectors().by_column.items()}

    def _positions(self, X: Any, column: Any) -> np.ndarray:
        """Return the row of `embeddings_[column]` for each row of a frame, -1 for none.

        Displays ask for it: only the vocabulary knows which values are the same.
        """
        vocabulary = self._vectors()[column].vocabulary
        codes = vocabulary.encode(as_factors(as_pandas(X)[column], column)) - FIRST
        return np.where(codes < len(vocabulary.categories), codes, -1).clip(-1)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return names of the columns that `transform` makes.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the input columns, where it was fitted on an array.

        Returns
        -------
        ndarray of str
            The column's name with "_0", "_1", ... for a categorical one, and with
            more underscores where a column that is kept is called so.
        """
        check_is_fitted(self)
        return self._vectors().feature_names(self, input_features)


def vectors_of(
    tables: list[np.ndarray], dims: list[int], encoder: TableEncoder, schema: Schema
) -> Vectors:
    """Cut a network's table of vectors into columns."""
    numbers = encoder.vocabulary_of_column
    by_column = {
        name: ColumnVectors(tables[n][:, : dims[n]], encoder.vocabularies[n])
        for name, n in zip(schema.categorical_names, numbers, strict=True)
    }
    return Vectors(by_column, [int(encoder.offsets[n]) for n in numbers], schema)
