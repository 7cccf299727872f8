"""The family of estimators that takes tables with categories."""

import copy
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import estimator_html_repr
from sklearn.utils.validation import (
    _check_y,
    check_consistent_length,
    check_is_fitted,
)
from torch import nn

from skdl.data.binned import BinnedTableEncoder
from skdl.data.table import Table, TableEncoder
from skdl.estimators.core.checks import check_flat, check_groups, is_count
from skdl.estimators.core.fitting import FittedParts
from skdl.estimators.core.learning_on import with_new_scales
from skdl.estimators.tables.column_table import column_table
from skdl.estimators.tables.dense import DenseEstimator, are_few_numbers
from skdl.estimators.tables.embedding_sizes import (
    check_embedding_dim,
    embedding_dims,
    rows_of_each,
)
from skdl.estimators.tables.frames import as_frame, learn_schema, make_table
from skdl.estimators.tables.members import (
    effects_of,
    embeddings_of,
    first_weight_of,
    members_of,
)
from skdl.estimators.tables.packs import UNKNOWN_RATE, packed_embedding, with_range
from skdl.estimators.tables.random_effects import (
    check_one_quantile,
    check_optimizer,
    columns_of_groups,
    effects_by_group,
    vocabularies_without_vectors,
)
from skdl.estimators.tables.recipe import Recipe
from skdl.estimators.tables.sharing import joined
from skdl.estimators.tables.shrinkage import shrink
from skdl.estimators.tables.unknown import warn_of_unknown
from skdl.estimators.tables.vectors import (
    Vectors,
    VectorsMixin,
    vectors_of,
)
from skdl.networks.embedding import EmbeddingNetwork, EntityEmbedding
from skdl.networks.packed_embedding import PackedEmbedding
from skdl.networks.random_effects import RandomEffects
from skdl.training.loop import Outcome

# After training, the vector of a category with so many rows is drawn half way to the
# mean of its column, with more rows less.
SHRINKAGE = 1.0


class EntityEmbeddingEstimator(VectorsMixin, DenseEstimator):
    """The family that takes tables and learns a vector for every category.

    Attributes
    ----------
    columns_ : DataFrame
        How each column is treated, a row a column: its `kind`, "category" or "number";
        the `categories` that have a vector of their own, since with folds those of few
        rows count as unknown, also of a number whose integers name things; the `bins`
        of a number and the `entries` of a value's vectors, 0 where there are none;
        whether there were `missing` values.
    harmful_features_ : list
        With folds as `validation`: columns of categories that have no vectors, since
        with them rows that a network had not seen were predicted worse, by three
        standard errors: an identifier, a surname.
    random_effects_ : dict of pandas.DataFrame
        Intercepts by name or tuple of names in `random_effects`, one row a group, one
        column a raw output ("effect", or a class): in the units of y for regressors
        (logarithms with ``loss="poisson"``), log odds for classifiers. With several
        networks, their means.
    """

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_flat("categorical_features", self.categorical_features)
        check_flat("random_effects", self.random_effects)
        if self.random_effects is not None and len(self.random_effects):
            check_optimizer(self.optimizer)
            check_one_quantile(getattr(self, "_quantiles", None))
        check_embedding_dim(self.embedding_dim)
        check_groups("shared_embeddings", self.shared_embeddings)

    # What a family gives.

    def _check_inputs(self, X: Any, *, reset: bool) -> Table:
        frame = as_frame(X, self, reset=reset)
        if reset:
            self._schema = learn_schema(frame, self.categorical_features)
        return make_table(frame, self._schema)

    def _few_as_fitted(self, X: Any) -> Table | None:
        if "feature_names_in_" in vars(self) or self._schema.categorical.any():
            return None
        return Table([], X) if are_few_numbers(X, (self.n_features_in_,)) else None

    def _check_new_inputs(self, X: Any) -> Table:
        table = self._check_inputs(X, reset=False)
        self._warn_of_unknown(table)
        return table

    def _warn_of_unknown(self, table: Table) -> None:
        """Say which columns hold categories that were not fitted."""
        names = self._schema.categorical_names
        encoder = self._encoder
        dims = embeddings_of(self.network_)[0].dims
        alone = {i for i, dim in enumerate(dims) if dim == 0}
        count = self.handle_unknown == "warn"
        warn_of_unknown(table, encoder, names, count=count, exempt=alone)

    def _check_inputs_and_target(self, X: Any, y: Any, *, reset: bool) -> tuple:
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is "
                "None."
            )
        table = self._check_inputs(X, reset=reset)
        y = _check_y(y, multi_output=True, estimator=self)
        check_consistent_length(table, y)
        return table, self._check_target(y)

    def _new_encoder(self, X: Table, rng: np.random.RandomState) -> TableEncoder:
        return TableEncoder(**self._encoder_options()).fit(X, rng)

    def _encoder_options(self) -> dict[str, Any]:
        names = self._schema.categorical_names
        return {
            **super()._encoder_options(),
            "vocabulary_of_column": self._vocabulary_of_column(),
            "max_categories": self.max_categories,
            "columns_of_groups": columns_of_groups(self.random_effects, names),
        }

    def _vocabulary_of_column(self) -> list[int]:
        """Return the number of each column's vocabulary; columns may share one."""
        names = self._schema.categorical_names
        for group in self.shared_embeddings or ():
            absent = [name for name in group if name not in names]
            if absent:
                raise ValueError(
                    f"shared_embeddings names {absent}, which are not categorical "
                    f"columns of X: {names}."
                )
        return joined(names, self.shared_embeddings or ())

    def _embedding_dims(self, encoder: TableEncoder, *at_most: float) -> list[int]:
        """Return the entries of each vocabulary's vectors; 0 where it has none.

        `at_most` are as `embedding_dims` takes them.
        """
        numbers, names = encoder.vocabulary_of_column, self._schema.categorical_names
        columns = dict(zip(reversed(numbers), reversed(names), strict=True))
        alone = vocabularies_without_vectors(encoder.columns_of_groups, numbers, names)
        embedded = [i for i in range(len(encoder.vocabularies)) if i not in alone]
        dims = embedding_dims(
            self.embedding_dim,
            {columns[i]: encoder.vocabularies[i] for i in embedded},
            *at_most,
        )
        found = dict(zip(embedded, dims, strict=True))
        return [found.get(i, 0) for i in range(len(encoder.vocabularies))]

    def _new_network(self, encoder: TableEncoder, n_outputs: int) -> nn.Module:
        n_codes, n_groups = encoder.sizes
        embedding = EntityEmbedding(
            n_codes,
            self._embedding_dims(encoder),
            encoder.vocabulary_of_column,
            dropout=self._setting("embedding_dropout"),
            unknown_rate=UNKNOWN_RATE,
        )
        head = self._new_head(
            embedding.n_outputs + encoder.numeric.n_outputs, n_outputs
        )
        effects = RandomEffects(n_groups, n_outputs) if n_groups else None
        return EmbeddingNetwork(embedding, head, effects)

    def _tell_of_harmful(self, columns: Sequence[int]) -> None:
        names = [self._schema.names[j] for j in columns]
        self.harmful_features_ = names
        if names and self.verbose:
            print(f"Left out, since rows not seen are predicted better so: {names}")

    def _fit(self, *data: Any, warm: bool, **how: Any) -> Outcome:
        if not warm:
            vars(self).pop("harmful_features_", None)
        return super()._fit(*data, warm=warm, **how)

    def _grown(self, X: Table) -> tuple[TableEncoder, nn.Module]:
        encoder, rescaling = self._encoder.extended(X)
        network = self.network_
        if encoder.sizes != self._encoder.sizes:
            network = copy.deepcopy(network)
            for member in members_of(network):
                member.grow(*encoder.sizes)
        names = self._schema.numeric_names
        return with_range(*with_new_scales(encoder, rescaling, network, names))

    @property
    def _is_categorical(self) -> np.ndarray:
        return self._schema.categorical

    def _numbers_of(self, X: Table) -> np.ndarray:
        return X.numeric

    def _new_packed_embedding(
        self,
        encoder: BinnedTableEncoder,
        n_members: int,
        recipe: Recipe,
        harmful: Sequence[int],
    ) -> PackedEmbedding:
        at_most = recipe.most_entries, recipe.rows_of_an_entry
        dims = self._embedding_dims(encoder, *at_most)
        categorical = np.flatnonzero(self._is_categorical)
        numbers = np.array(encoder.vocabulary_of_column)
        shown = numbers[~np.isin(categorical, harmful)]
        dims = [dim if i in shown else 0 for i, dim in enumerate(dims)]
        rows = [rows_of_each(vocabulary) for vocabulary in encoder.vocabularies]
        return packed_embedding(encoder, n_members, recipe, dims, rows)

    def _finish(self, parts: FittedParts) -> None:
        """Draw the vectors of rare categories toward their column's mean.

        Once for each category: those of an earlier fit have been drawn already.
        """
        for embedding in embeddings_of(parts.network):
            for vectors, vocabulary in zip(
                embedding.parts(), parts.encoder.vocabularies, strict=False
            ):  # after these come the vectors of integers
                shrink(vectors, vocabulary, SHRINKAGE)

    # What is learned of the categories.

    def _vectors(self, member: int = 0) -> Vectors:
        if not hasattr(self, "network_"):
            raise AttributeError(
                f"This {type(self).__name__} is not fitted yet; call fit first."
            )
        embedding = embeddings_of(self.network_)[member]
        return vectors_of(
            [part.cpu().numpy() for part in embedding.parts()],
            embedding.dims,
            self._encoder,
            self._schema,
        )

    def _first_layer(self, member: int = 0) -> list[np.ndarray] | None:
        """Return what a first layer multiplies each column's vectors with.

        None where the user's network does not begin with a linear layer.
        """
        dims = embeddings_of(self.network_)[0].dims
        used = [dims[v] for v in self._encoder.vocabulary_of_column]
        n_inputs = sum(used) + self._encoder.numeric.n_outputs
        weight = first_weight_of(self.network_, n_inputs, member)
        if weight is None:
            return None
        return np.split(weight[:, : sum(used)], np.cumsum(used)[:-1], axis=1)

    def nearest(self, column: Any, category: Any, k: int = 5) -> pd.Series:
        """Return the categories whose vectors are nearest to a category's.

        Parameters
        ----------
        column : str or int
            A categorical column.
        category : object
            One of its categories.
        k : int, default=5
            Neighbours.

        Returns
        -------
        Series of shape (k,)
            Euclidean distances, the index their categories; nearest first.

        Raises
        ------
        ValueError
            If there is no such column or category.
        """
        check_is_fitted(self)
        if not is_count(k):
            raise ValueError(f"k must be a positive integer, got {k!r}.")
        if not isinstance(column, Hashable):
            raise ValueError(f"column must be the name of one column, got {column!r}.")
        return self._vectors().nearest(column, category, k)

    def transform(self, X: Any) -> np.ndarray:
        """Replace each categorical column by its vectors and keep the rest.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Inputs; an unknown category gets the unknown category's vector.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out)
            In the order of the columns; with several networks, the first one's vectors.
        """
        check_is_fitted(self)
        table = self._new_inputs(X)
        return self._vectors().transform(table, self._encoder.indices(table))

    @property
    def columns_(self) -> pd.DataFrame:
        """How each column is treated."""
        check_is_fitted(self)
        return column_table(self._schema, self._encoder, self.network_)

    @property
    def random_effects_(self) -> dict[Any, pd.DataFrame]:
        """Intercepts of the groups of each grouping, one row a group."""
        check_is_fitted(self)
        tables = effects_of(self.network_)
        names = self._schema.categorical_names
        scale = getattr(self._target, "raw_scale", 1.0)
        outputs = self._output_names(tables[0].shape[1]) if tables else []
        return effects_by_group(tables, self._encoder, names, scale, outputs)

    def _output_names(self, n_outputs: int) -> list[Any]:
        """Return names of the raw outputs: classes, or "effect" of a target."""
        classes = getattr(self, "classes_", None)
        if classes is None:
            several = [f"effect_{i}" for i in range(n_outputs)]
            return several if n_outputs > 1 else ["effect"]
        return list(classes[-n_outputs:])  # of two classes the second

    def _html_repr(self) -> str:
        """Return the HTML of notebooks, without the names that `transform` gives.

        They would stand there as those of a transformer do; this is none first of all.
        """
        shown = object.__new__(type(self))
        vars(shown).update(vars(self), get_feature_names_out=None)
        return estimator_html_repr(shown)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        tags.input_tags.three_d_array = False
        return tags
