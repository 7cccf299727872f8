"""EmbeddingTransformer: learned vectors for models that take numbers."""

from dataclasses import replace
from functools import partial
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_y, check_is_fitted

from skdl.data.containers import without_gradient
from skdl.data.table import Table
from skdl.estimators.core.rows import check_weight
from skdl.estimators.core.state import all_or_nothing
from skdl.estimators.tables.alignment import align, as_used, principal_axes
from skdl.estimators.tables.cross_fitting import (
    Fold,
    Split,
    blanked,
    check_partition,
    fit_networks,
    split_rows,
    tell_of_harmful,
)
from skdl.estimators.tables.embedding import EntityEmbeddingEstimator
from skdl.estimators.tables.entity_embedding_classifier import (
    EntityEmbeddingClassifier,
)
from skdl.estimators.tables.entity_embedding_regressor import EntityEmbeddingRegressor
from skdl.estimators.tables.frames import as_frame, make_table, named
from skdl.estimators.tables.target_type import (
    TARGET_TYPES,
    as_plain_target,
    resolve_target_type,
)
from skdl.estimators.tables.transformer_state import TransformerState
from skdl.estimators.tables.vectors import Vectors, VectorsMixin


class EmbeddingTransformer(TransformerState, VectorsMixin, BaseEstimator):
    """Replace categories by vectors that a network has learned for the target.

    Random forests, boosted trees and nearest neighbours become nearly as good with
    these vectors as the network itself (Guo & Berkhahn 2016, arXiv 1604.06737).

    Parameters
    ----------
    estimator : estimator or None, default=None
        Learns the vectors: an `EntityEmbeddingClassifier` or
        `EntityEmbeddingRegressor`, or a fitted one in a ``FrozenEstimator``. None takes
        the one that fits the target, with `categorical_features` and `random_state`.
    categorical_features : "from_dtype", array-like or None, default="from_dtype"
        Which columns hold categories, where `estimator` is None; see
        `EntityEmbeddingClassifier`.
    target_type : {"auto", "binary", "multiclass", "continuous"}, default="auto"
        What the target is, where `estimator` is None. "auto" takes text, booleans and
        integers for classes, and numbers with a fraction for continuous, as
        scikit-learn's ``TargetEncoder`` does; but integers of more than 50 distinct
        values are continuous: counts, amounts, scores of 0 to 100. How many rows there
        are does not matter.
    remainder : {"passthrough", "drop"}, default="passthrough"
        What happens to the other columns. They pass as they are: trees do not mind,
        for nearest neighbours and linear models put a ``StandardScaler`` between.
    scale : bool, default=False
        Whether to stretch vectors to the distances that the network's first layer
        gives them, within a column and between columns. It helps nearest neighbours
        where vectors are long, and not where `embedding_dim` is small (Rossmann: error
        .123 to .100 with "auto", .094 to .107 with 2 to 10 entries). With a network of
        your own that does not begin with a linear layer it changes nothing.
    rotate : bool, default=True
        Whether to turn each column's vectors to their principal axes, weighted by the
        frequency of the categories, so that the first entries vary most and trees can
        split on them. Euclidean distances stay as they are, Manhattan distances do
        not: nearest neighbours with ``p=1`` do better without (Rossmann: error .099
        to .094).
    cv : int, splitter, iterable or None, default=None
        Folds of `fit_transform`: the vectors of a row come from networks that have not
        seen the row, turned to the axes of the network that has learned from all rows.
        None uses that one for all rows, which is better once harmful columns are gone
        (``benchmarks/leakage.py``). Packs (see `validation` of the estimator) are
        trained all at once, each network blind to a fold and one to none; other
        estimators, and folds that do not train on all other rows, take a fit each.
    drop_harmful : bool, default=True
        Whether to drop categorical columns that make networks worse on rows they have
        not seen, with a warning: an identifier, noise. A pack is judged while it is
        trained (docs/tables.md), and the columns have no vectors. In separate fits it
        is two standard errors, with five folds where `cv` gives none, and the columns
        have one vector. Tables of fewer than 50 rows are not judged.
    random_state : int, RandomState instance or None, default=None
        For the default estimator and the shuffling of folds.
    verbose : int, default=0
        1 shows a progress bar of the training, 2 a line for every look at it.

    Attributes
    ----------
    estimator_ : estimator
        The one trained on all rows; of a pack its first network is.
    harmful_features_ : list
        Names of the columns that are dropped, see `drop_harmful`.
    categories_ : dict of ndarray
        Categories of each categorical column.
    embeddings_ : dict of pandas.DataFrame
        Vectors of each categorical column, one row a category.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : ndarray of str
        Names of the columns, where X has string names for all of them.

    See Also
    --------
    EntityEmbeddingRegressor : The network by itself.
    sklearn.preprocessing.TargetEncoder : One number for each category.

    Notes
    -----
    With `cv`, ``fit(X, y).transform(X)`` is not ``fit_transform(X, y)``, as for
    scikit-learn's ``TargetEncoder``; a Pipeline calls the latter for training rows.

    Examples
    --------
    >>> from sklearn.neighbors import KNeighborsRegressor
    >>> from sklearn.pipeline import make_pipeline
    >>> from skdl import EmbeddingTransformer, EntityEmbeddingRegressor
    >>> from skdl.datasets import make_store_sales
    >>> X, y = make_store_sales(1000, n_stores=20, random_state=0, return_X_y=True)
    >>> network = EntityEmbeddingRegressor(
    ...     categorical_features=["Store", "DayOfWeek", "State"],
    ...     max_epochs=3,
    ...     random_state=0,
    ... )
    >>> vectors = EmbeddingTransformer(network, cv=2)
    >>> model = make_pipeline(vectors, KNeighborsRegressor())
    >>> model.fit(X, y).predict(X[:2]).shape
    (2,)
    """

    _parameter_constraints = {
        "estimator": [
            None,
            EntityEmbeddingClassifier,
            EntityEmbeddingRegressor,
            FrozenEstimator,
        ],
        "categorical_features": ["array-like", str, None],
        "target_type": [StrOptions(set(TARGET_TYPES))],
        "remainder": [StrOptions({"passthrough", "drop"})],
        "scale": ["boolean"],
        "rotate": ["boolean"],
        "cv": [Interval(Integral, 2, None, closed="left"), "cv_object", None],
        "drop_harmful": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        estimator: Any = None,
        *,
        categorical_features: Any = "from_dtype",
        target_type: str = "auto",
        remainder: str = "passthrough",
        scale: bool = False,
        rotate: bool = True,
        cv: Any = None,
        drop_harmful: bool = True,
        random_state: int | np.random.RandomState | None = None,
        verbose: int | bool = 0,
    ) -> None:
        self.estimator = estimator
        self.categorical_features = categorical_features
        self.target_type = target_type
        self.remainder = remainder
        self.scale = scale
        self.rotate = rotate
        self.cv = cv
        self.drop_harmful = drop_harmful
        self.random_state = random_state
        self.verbose = verbose

    # Fitting.

    def fit(self, X: Any, y: Any, sample_weight: Any = None):
        """Learn the vectors on all rows.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Inputs.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            What the vectors are learned for.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        self : EmbeddingTransformer
            The fitted transformer.
        """
        self._validate_params()
        with all_or_nothing(self):
            self._fit(X, y, sample_weight)
        return self

    def fit_transform(self, X: Any, y: Any, sample_weight: Any = None) -> np.ndarray:
        """Learn the vectors and return the training rows, cross-fitted with `cv`.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Inputs.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            What the vectors are learned for.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out)
            Each row with the vectors of networks that have not seen it.
        """
        self._validate_params()
        with all_or_nothing(self):
            frame, folds = self._fit(X, y, sample_weight, keep_folds=True)
            table = make_table(frame, self.estimator_._schema)
            return self._cross_fitted(folds, table) if folds else self._transform(table)

    def _fit(
        self, X: Any, y: Any, sample_weight: Any, *, keep_folds: bool = False
    ) -> tuple[pd.DataFrame, list[Fold]]:
        """Learn the vectors; return the frame they were learned from, and the folds."""
        if y is None:
            raise ValueError(
                "EmbeddingTransformer requires y to be passed, but the target y is "
                "None."
            )
        frame = as_frame(X, self, reset=True)
        with np.errstate(over="ignore", invalid="ignore"):  # in sums of huge values
            y = _check_y(without_gradient(y), multi_output=True, estimator=self)
        y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
        y = as_plain_target(y) if self.estimator is None else y
        folds: list[Fold] = []
        self.harmful_features_: list[Any] = []
        if isinstance(self.estimator, FrozenEstimator):
            fitted = self.estimator.estimator
            _check_family(fitted)
            check_is_fitted(fitted)
            self.harmful_features_ = getattr(fitted, "harmful_features_", [])
            frame = named(as_frame(X, fitted, reset=False), fitted._schema)
        else:
            weight = check_weight(sample_weight, frame)
            keep_folds = keep_folds and self.cv is not None
            splits = [] if self.cv is None else self._splits(frame, y)
            if keep_folds:
                check_partition(splits, len(y))
            found = fit_networks(
                partial(self._new_estimator, y),
                frame,
                y,
                weight,
                splits,
                default_splits=partial(self._splits, frame, y),
                keep_folds=keep_folds,
                drop_harmful=self.drop_harmful,
            )
            frame, fitted, folds = found.frame, found.estimator, found.folds
            self.harmful_features_ = found.harmful
            tell_of_harmful(self.harmful_features_)
        self.estimator_ = fitted
        vectors = self._vectors_of(fitted)
        vectors = replace(vectors, keep_rest=self.remainder == "passthrough")
        self._fitted_vectors = principal_axes(vectors) if self.rotate else vectors
        return frame, folds

    def _splits(self, frame: pd.DataFrame, y: np.ndarray) -> list[Split]:
        return split_rows(
            self.cv,
            frame,
            y,
            classifier=isinstance(self._new_estimator(y), EntityEmbeddingClassifier),
            seed=_fold_seed(self.random_state),
        )

    def _vectors_of(self, fitted: EntityEmbeddingEstimator, member: int = 0) -> Vectors:
        """Return a network's vectors, stretched where that is asked for."""
        vectors = fitted._vectors(member)
        weights = None
        if self.scale and vectors.by_column:
            weights = fitted._first_layer(member)
        return vectors if weights is None else as_used(vectors, weights)

    def _new_estimator(self, y: np.ndarray) -> EntityEmbeddingEstimator:
        if self.estimator is not None:
            _check_family(self.estimator)
            estimator = clone(self.estimator)
            return estimator.set_params(verbose=self.verbose or estimator.verbose)
        continuous = resolve_target_type(y, self.target_type) == "continuous"
        kind = EntityEmbeddingRegressor if continuous else EntityEmbeddingClassifier
        return kind(
            categorical_features=self.categorical_features,
            random_state=self.random_state,
            verbose=self.verbose,
        )

    def _cross_fitted(self, folds: list[Fold], table: Table) -> np.ndarray:
        """Return each row with the vectors of a network that has not seen it."""
        result: np.ndarray | None = None
        for fold in folds:
            model = fold.model
            vectors = self._vectors_of(model, fold.member)
            vectors = align(vectors, self._fitted_vectors)
            encoded = vectors.transform(fold.table, model._encoder.indices(fold.table))
            if result is None:
                result = np.full((len(table), encoded.shape[1]), np.nan, encoded.dtype)
            result[fold.held_out] = encoded
        return result

    # Transforming.

    def transform(self, X: Any) -> np.ndarray:
        """Replace each categorical column by its vectors.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Inputs; an unknown category gets the unknown category's vector.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out)
            In the order of the columns; float32 where only vectors are kept.
        """
        check_is_fitted(self)
        schema = self.estimator_._schema
        frame = named(as_frame(X, self, reset=False), schema)
        return self._transform(
            make_table(blanked(frame, self.harmful_features_), schema)
        )

    def _transform(self, table: Table) -> np.ndarray:
        self.estimator_._warn_of_unknown(table)
        return self._fitted_vectors.transform(
            table, self.estimator_._encoder.indices(table)
        )

    def inverse_transform(self, X: Any) -> pd.DataFrame:
        """Return for each vector the category that is nearest to it.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_out)
            As `transform` returns it.

        Returns
        -------
        DataFrame of shape (n_samples, n_features)
            None stands for an unknown category, and for those of a column that was
            dropped.
        """
        check_is_fitted(self)
        X = np.asarray(X)
        width = self._fitted_vectors.width
        if X.ndim != 2 or X.shape[1] != width:
            raise ValueError(
                f"X must have the {width} columns that transform makes, "
                f"got shape {X.shape}."
            )
        return self._fitted_vectors.inverse_transform(X)

    def _vectors(self) -> Vectors:
        if not hasattr(self, "estimator_"):
            raise AttributeError("This EmbeddingTransformer is not fitted yet.")
        return self._fitted_vectors

    def __sklearn_is_fitted__(self) -> bool:
        """Tell whether there are vectors."""
        return hasattr(self, "estimator_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags


def _check_family(estimator: Any) -> None:
    if not isinstance(estimator, EntityEmbeddingEstimator):
        raise TypeError(
            "estimator must be an EntityEmbeddingClassifier or "
            f"EntityEmbeddingRegressor, got {type(estimator).__name__}."
        )


def _fold_seed(random_state: Any) -> int:
    """Return a seed for the folds that leaves a shared generator as it is."""
    return random_state if isinstance(random_state, Integral) else 0
