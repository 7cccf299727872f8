"""EntityEmbeddingClassifier and EntityEmbeddingRegressor: tables with categories."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import (
    _check_y,
    check_consistent_length,
    check_is_fitted,
)
from torch import nn

from skdl.data.containers import without_gradient
from skdl.data.table import Table, TableEncoder
from skdl.estimators.core.docs import fill_docstring
from skdl.estimators.core.fitting import FittedParts
from skdl.estimators.core.tasks import ClassifierTask, RegressorTask
from skdl.estimators.tables.dense import DenseEstimator
from skdl.estimators.tables.frames import as_frame, learn_schema, make_table
from skdl.estimators.tables.random_effects import (
    check_optimizer,
    columns_of_groups,
    effects_by_group,
    vocabularies_without_vectors,
)
from skdl.estimators.tables.sharing import joined
from skdl.estimators.tables.shrinkage import shrink
from skdl.estimators.tables.unknown import warn_of_unknown
from skdl.estimators.tables.vectors import (
    Vectors,
    VectorsMixin,
    embedding_dims,
    vectors_of,
)
from skdl.networks.embedding import EmbeddingNetwork, EntityEmbedding
from skdl.networks.ensemble import Ensemble
from skdl.networks.random_effects import RandomEffects


@dataclass(kw_only=True, eq=False, repr=False)
class EntityEmbeddingEstimator(VectorsMixin, DenseEstimator):
    """The family that takes tables and learns a vector for every category."""

    categorical_features: Any = "from_dtype"
    embedding_dim: str | int | Mapping | Callable[[int], int] = "auto"
    embedding_dropout: float = 0.0
    shared_embeddings: Sequence[Sequence[Any]] | None = None
    random_effects: Sequence[Any] | None = None
    unknown_rate: float = 0.01
    handle_unknown: str = "ignore"
    shrinkage: float = 1.0
    max_categories: int | None = 50_000

    _parameter_constraints = {
        **DenseEstimator._parameter_constraints,
        "categorical_features": ["array-like", str, None],
        "embedding_dim": [
            StrOptions({"auto"}),
            Interval(Integral, 1, None, closed="left"),
            dict,
            callable,
        ],
        "embedding_dropout": [Interval(Real, 0, 1, closed="left")],
        "shared_embeddings": ["array-like", None],
        "random_effects": ["array-like", None],
        "handle_unknown": [StrOptions({"ignore", "warn"})],
        "unknown_rate": [Interval(Real, 0, 1, closed="left")],
        "shrinkage": [Interval(Real, 0, None, closed="left")],
        "max_categories": [Interval(Integral, 4, None, closed="left"), None],
    }

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.random_effects is not None and len(self.random_effects):
            check_optimizer(self.optimizer)

    # What a family gives.

    def _check_inputs(self, X: Any, *, reset: bool) -> Table:
        frame = as_frame(X, self, reset=reset)
        if reset:
            self._schema = learn_schema(frame, self.categorical_features)
        return make_table(frame, self._schema)

    def _check_new_inputs(self, X: Any) -> Table:
        table = self._check_inputs(X, reset=False)
        self._warn_of_unknown(table)
        return table

    def _warn_of_unknown(self, table: Table) -> None:
        """Say which columns hold categories that were not fitted."""
        names = self._schema.categorical_names
        encoder = self._encoder
        alone = vocabularies_without_vectors(
            encoder.columns_of_groups, encoder.vocabulary_of_column, names
        )
        count = self.handle_unknown == "warn"
        warn_of_unknown(table, encoder, names, count=count, exempt=alone, stacklevel=6)

    def _check_inputs_and_target(self, X: Any, y: Any, *, reset: bool) -> tuple:
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is "
                "None."
            )
        table = self._check_inputs(X, reset=reset)
        y = _check_y(without_gradient(y), multi_output=True, estimator=self)
        check_consistent_length(table, y)
        return table, self._check_target(y)

    def _new_encoder(self, X: Table, rng: np.random.RandomState) -> TableEncoder:
        return TableEncoder(
            self._vocabulary_of_column(),
            scale=self.scale_inputs,
            max_categories=self.max_categories,
            columns_of_groups=columns_of_groups(
                self.random_effects, self._schema.categorical_names
            ),
        ).fit(X, rng)

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

    def _embedding_dims(self, encoder: TableEncoder) -> list[int]:
        """Return the entries of each vocabulary's vectors; 0 where it has none."""
        numbers, names = encoder.vocabulary_of_column, self._schema.categorical_names
        columns = dict(zip(reversed(numbers), reversed(names), strict=True))
        alone = vocabularies_without_vectors(encoder.columns_of_groups, numbers, names)
        embedded = [i for i in range(len(encoder.vocabularies)) if i not in alone]
        dims = embedding_dims(
            self.embedding_dim, {columns[i]: encoder.vocabularies[i] for i in embedded}
        )
        found = dict(zip(embedded, dims, strict=True))
        return [found.get(i, 0) for i in range(len(encoder.vocabularies))]

    def _new_network(self, encoder: TableEncoder, n_outputs: int) -> nn.Module:
        n_codes, n_groups = encoder.sizes
        embedding = EntityEmbedding(
            n_codes,
            self._embedding_dims(encoder),
            encoder.vocabulary_of_column,
            dropout=self.embedding_dropout,
            unknown_rate=self.unknown_rate,
        )
        head = self._new_head(
            embedding.n_outputs + encoder.numeric.n_outputs, n_outputs
        )
        effects = RandomEffects(n_groups, n_outputs) if n_groups else None
        return EmbeddingNetwork(embedding, head, effects)

    def _grown(self, X: Table) -> tuple[Any, nn.Module, dict | None]:
        encoder = self._encoder.extended(X)
        network = copy.deepcopy(self.network_)
        if encoder.sizes == self._encoder.sizes:
            return encoder, network, copy.deepcopy(self._optimizer_state)
        for member in members_of(network):
            member.grow(*encoder.sizes)
        return encoder, network, None  # the optimizer's state has the old sizes

    def _finish(self, parts: FittedParts) -> None:
        """Draw the vectors of rare categories toward their column's mean.

        Once for each category: those of an earlier fit have been drawn already.
        """
        if self.shrinkage == 0:
            return
        for embedding in embeddings_of(parts.network):
            for vectors, vocabulary in zip(
                embedding.parts(), parts.encoder.vocabularies, strict=True
            ):
                shrink(vectors, vocabulary, self.shrinkage)

    # What is learned of the categories.

    def _vectors(self) -> Vectors:
        if not hasattr(self, "network_"):
            raise AttributeError(
                f"This {type(self).__name__} is not fitted yet; call fit first."
            )
        embedding = embeddings_of(self.network_)[0]
        return vectors_of(
            [part.cpu().numpy() for part in embedding.parts()],
            embedding.dims,
            self._encoder,
            self._schema,
        )

    def _first_layer(self) -> list[np.ndarray] | None:
        """Return what the first layer multiplies each column's vectors with.

        None where the user's network does not begin with a linear layer.
        """
        member = members_of(self.network_)[0]
        first = next((m for m in member.head.modules() if not list(m.children())), None)
        embedding = member.embedding
        n_inputs = embedding.n_outputs + self._encoder.numeric.n_outputs
        if not isinstance(first, nn.Linear) or first.in_features != n_inputs:
            return None
        weight = first.weight.detach().cpu().numpy()
        dims = [embedding.dims[v] for v in embedding.vocabulary_of_column]
        return np.split(weight[:, : sum(dims)], np.cumsum(dims)[:-1], axis=1)

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
        table = self._check_new_inputs(X)
        return self._vectors().transform(table, self._encoder.indices(table))

    @property
    def random_effects_(self) -> dict[Any, pd.DataFrame]:
        """Intercepts of the groups of each grouping, one row a group."""
        check_is_fitted(self)
        tables = [
            member.effects.table.detach().cpu().numpy()
            for member in members_of(self.network_)
            if member.effects is not None
        ]
        names = self._schema.categorical_names
        scale = getattr(self._target, "raw_scale", 1.0)
        return effects_by_group(tables, self._encoder, names, scale)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags


def members_of(network: Any) -> list[EmbeddingNetwork]:
    """Return the networks whose mean a network is."""
    return list(network.members) if isinstance(network, Ensemble) else [network]


def embeddings_of(network: nn.Module) -> list[EntityEmbedding]:
    """Return the embedding of each member of a network."""
    return [member.embedding for member in members_of(network)]


@fill_docstring
@dataclass(kw_only=True, eq=False, repr=False)
class EntityEmbeddingClassifier(ClassifierTask, EntityEmbeddingEstimator):
    """Classifier for tables: a trained vector for every category, and a network.

    A DataFrame goes in as it is: text, category, boolean, object and Arrow columns are
    embedded, numeric ones scaled, and missing values of both kinds are understood.

    Parameters
    ----------
    {embedding}
    {dense}
    {classifier}
    {training}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted; for label indicators the numbers of the columns.
    {embedding_fitted}
    {fitted}

    See Also
    --------
    EmbeddingTransformer : Hands the vectors to other models.
    EntityEmbeddingRegressor : The same for real targets.

    References
    ----------
    Guo & Berkhahn 2016, "Entity embeddings of categorical variables", arXiv 1604.06737.

    Examples
    --------
    >>> from skdl import EntityEmbeddingClassifier
    >>> from skdl.datasets import make_store_sales
    >>> X, y = make_store_sales(2000, random_state=0, return_X_y=True)
    >>> model = EntityEmbeddingClassifier(max_epochs=2, random_state=0)
    >>> model.fit(X, y > y.median()).predict_proba(X[:2]).shape
    (2, 2)
    """

    _parameter_constraints = {
        **EntityEmbeddingEstimator._parameter_constraints,
        **ClassifierTask._task_constraints,
    }


@fill_docstring
@dataclass(kw_only=True, eq=False, repr=False)
class EntityEmbeddingRegressor(RegressorTask, EntityEmbeddingEstimator):
    """Regressor for tables: a trained vector for every category, and a network.

    A DataFrame goes in as it is: text, category, boolean, object and Arrow columns are
    embedded, numeric ones scaled, and missing values of both kinds are understood.

    Parameters
    ----------
    {embedding}
    {dense}
    {regressor}
    {training}

    Attributes
    ----------
    {embedding_fitted}
    {fitted}

    See Also
    --------
    EmbeddingTransformer : Hands the vectors to other models.
    EntityEmbeddingClassifier : The same for classes.

    References
    ----------
    Guo & Berkhahn 2016, "Entity embeddings of categorical variables", arXiv 1604.06737.

    Examples
    --------
    >>> from skdl import EntityEmbeddingRegressor
    >>> from skdl.datasets import make_store_sales
    >>> X, y = make_store_sales(2000, random_state=0, return_X_y=True)
    >>> model = EntityEmbeddingRegressor(
    ...     categorical_features=["Store", "DayOfWeek", "State"],
    ...     max_epochs=5,
    ...     random_state=0,
    ... ).fit(X, y)
    >>> model.embeddings_["DayOfWeek"].shape
    (7, 5)
    >>> model.nearest("State", "BY", k=2).index.size
    2
    """

    _parameter_constraints = {
        **EntityEmbeddingEstimator._parameter_constraints,
        **RegressorTask._task_constraints,
    }
