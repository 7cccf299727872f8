"""Estimators that may train packs of networks that are blind to other rows."""

from abc import abstractmethod
from typing import Any

import numpy as np
from sklearn.callback import with_callbacks
from torch import nn

from skdl.data.binned import BinnedTableEncoder
from skdl.data.bins import BinEncoder
from skdl.estimators.core.base import NeuralEstimator
from skdl.estimators.core.continuing import goes_on
from skdl.estimators.core.state import all_or_nothing
from skdl.estimators.core.wrong_names import answers_names
from skdl.estimators.tables.cross_fit import ATTRIBUTES, cross_fit
from skdl.estimators.tables.packs import new_pack
from skdl.estimators.tables.recipe import Recipe
from skdl.estimators.tables.validation import (
    CHOICES,
    check_compatible,
    is_cross_fitted,
    refuse,
)
from skdl.networks.packed_embedding import PackedEmbedding


class CrossFittedEstimator(NeuralEstimator):
    """What the families of tables share.

    Parameters
    ----------
    validation : float, int, "last" or splitter
        A share: what early stopping holds out, stratified for classes, unless `fit` is
        given `X_val` and `y_val`. Otherwise several networks are trained side by side,
        each blind to another part of the rows, so that every row is predicted by a
        network that has not seen it (`oof_prediction_`); their out-of-fold loss decides
        when to stop and makes the probabilities as certain as they are right, and all
        networks together predict. An int is a number of folds, drawn by class and,
        where `fit` is given `groups`, so that groups stay together; "last" is the last
        fifth of the rows, for tables in order of time; or a splitter of scikit-learn.
        There are as many networks as folds, or `n_estimators` if that is more.
        Parameters that are left at their defaults then have values that go by the table
        (see docs/tables.md): rate, batch, decay, dropout, layers and vectors;
        `max_epochs` limits training only if it is given. Not with a `network` of your
        own, `early_stopping`, `X_val`, a `schedule`, `weight_averaging`, ``lr="auto"``,
        `warm_start`, `fine_tuning` or a `checkpoint`; `partial_fit` trains one network
        as ever, but does not go on from several.

    Attributes
    ----------
    oof_prediction_ : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        With folds as `validation`: probabilities or targets of the rows that `fit` was
        given, by networks that have not learned from them. NaN of rows that no fold
        holds out, or whose weight is zero.
    oof_score_ : float
        With folds as `validation`: accuracy or R^2 of these predictions.
    temperature_ : float
        With folds as `validation`, of classifiers: what raw outputs are divided by, so
        that the probabilities are as certain as they are right.
    """

    _constraints = {"validation": CHOICES}

    hidden_layer_sizes: Any
    activation: str
    dropout: float
    batch_norm: bool
    scale_inputs: bool

    # Fitting.

    @answers_names
    @with_callbacks
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        groups: Any = None,
    ):
        """Train the network, or with folds as `validation` a pack of them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training inputs.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Training targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples; those of weight zero are left out.
        X_val, y_val : array-like, default=None
            Held-out data whose loss and score are recorded after every epoch and,
            with ``early_stopping=True``, decide when to stop. Nothing is learned from
            them.
        sample_weight_val : array-like of shape (n_validation_samples,), default=None
            Weights of the held-out samples.
        groups : array-like of shape (n_samples,), default=None
            With folds as `validation`, which samples belong together: a network that is
            blind to one is blind to all of them.

        Returns
        -------
        self : estimator
            The fitted estimator.

        Raises
        ------
        ValueError
            If data or parameters are not as described; the estimator stays as it was.
        FloatingPointError
            If training diverges and going back to the last good epoch with a lower
            rate does not help. The model of that epoch is kept; if there is none, the
            estimator stays as it was.
        KeyboardInterrupt
            If interrupted (Ctrl-C). The epochs done are kept; before the first one is
            done, the estimator stays as it was.

        Warns
        -----
        RuntimeWarning
            If memory runs out and batches are worked through in parts.
        """
        if is_cross_fitted(self.validation):
            held_out = {"X_val": X_val, "y_val": y_val}
            held_out["sample_weight_val"] = sample_weight_val
            return self._cross_fit(X, y, sample_weight, groups, held_out)
        if groups is not None:
            raise ValueError(
                "groups say which rows are held out together, which needs validation: "
                "set validation=4, or a splitter of scikit-learn, or leave groups out."
            )
        if hasattr(self, "oof_prediction_") and self.warm_start:
            self._refuse_to_go_on("warm_start=True")
        return self._fit_all(X, y, sample_weight, X_val, y_val, sample_weight_val)

    def _cross_fit(
        self, X: Any, y: Any, sample_weight: Any, groups: Any, held_out: dict[str, Any]
    ):
        """Train a pack of networks, each blind to other rows."""
        self._check_parameters()
        check_compatible(self)
        for name, value in held_out.items():
            if value is not None:
                refuse(self, name, "folds of X are held out")
        context = self._init_callback_context(max_subtasks=None)
        given = {"sample_weight": sample_weight, "groups": groups}
        metadata = {name: value for name, value in given.items() if value is not None}
        watch = context, {"X": X, "y": y, "metadata": metadata}
        with all_or_nothing(self):
            goes_on(self, is_warm=False)
            rows = self._rows(X, y, sample_weight, reset=True)
            run = cross_fit(self, rows, groups, watch)
            fitted = self._fitted(run.parts, self._runtime())
            self._keep(fitted, run.history, run.outcome, extend=False)
            for name, value in run.attributes.items():
                setattr(self, name, value)
            run.reporter.fit_end()
        self._conclude(run.outcome)
        return self

    def _keep(self, *kept: Any, **options: Any) -> None:
        for name in ATTRIBUTES:
            vars(self).pop(name, None)
        super()._keep(*kept, **options)

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any, classes: Any = None):
        self._refuse_to_go_on("partial_fit")
        return super()._partial_fit(X, y, sample_weight, classes)

    def _refuse_to_go_on(self, how: str) -> None:
        """Refuse to go on from a pack, which cannot be extended."""
        if hasattr(self, "oof_prediction_"):
            raise ValueError(
                f"{how} would go on from a fitted pack of networks, which does not go "
                "on. Fit it anew, or a clone."
            )

    def _sweep_lr(
        self, X: Any, y: Any, sample_weight: Any, **how: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        if is_cross_fitted(self.validation):
            refuse(self, "lr_find", "it has a rate that goes with its training")
        return super()._sweep_lr(X, y, sample_weight, **how)

    # Packs.

    @abstractmethod
    def _numbers_of(self, X: Any) -> np.ndarray:
        """Return the columns of numbers in validated inputs."""

    def _encoder_options(self) -> dict[str, Any]:
        """Return what an encoder of tables takes."""
        return {"scale": self.scale_inputs}

    def _new_pack_encoder(
        self, X: Any, y: np.ndarray, recipe: Recipe, rng: np.random.RandomState
    ) -> BinnedTableEncoder:
        """Return an encoder fitted on the training rows and their encoded targets."""
        bins = BinEncoder(recipe.n_quantiles, recipe.n_leaves)
        encoder = BinnedTableEncoder(bins, **self._encoder_options())
        return encoder.fit_with_target(X, y, rng)

    def _new_packed_embedding(
        self, encoder: BinnedTableEncoder, n_members: int, recipe: Recipe
    ) -> PackedEmbedding | None:
        """Return what embeds the categories of a table."""
        return None

    def _new_pack(
        self,
        encoder: BinnedTableEncoder,
        n_outputs: int,
        n_members: int,
        recipe: Recipe,
    ) -> nn.Module:
        """Return networks side by side that take what the encoder gives."""
        return new_pack(
            encoder,
            n_members,
            n_outputs,
            embedding=self._new_packed_embedding(encoder, n_members, recipe),
            entries=recipe.entries,
            hidden_layer_sizes=np.atleast_1d(recipe.hidden_layer_sizes).tolist(),
            activation=self.activation,
            dropout=recipe.dropout,
            batch_norm=self.batch_norm,
        )
