"""Estimators that may train packs of networks that are blind to other rows."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.callback import with_callbacks
from sklearn.utils._param_validation import RealNotInt
from sklearn.utils.validation import check_is_fitted
from torch import nn

from skdl.data.binned import BinnedTableEncoder
from skdl.data.bins import BinEncoder
from skdl.data.open_rows import row_source
from skdl.estimators.core.base import NeuralEstimator
from skdl.estimators.core.continuing import goes_on
from skdl.estimators.core.held_out import check_held_out
from skdl.estimators.core.rows import Rows
from skdl.estimators.core.several_devices import on_several_devices
from skdl.estimators.core.state import all_or_nothing
from skdl.estimators.core.wrong_names import answers_names
from skdl.estimators.tables.cross_fit import ATTRIBUTES, cross_fit
from skdl.estimators.tables.cross_fitted_parameters import CrossFittedParameters
from skdl.estimators.tables.packs import new_pack, packed_embedding
from skdl.estimators.tables.recipe import ONE_NETWORK, Recipe
from skdl.estimators.tables.streaming import column_of, refuse_to_predict, streamed_rows
from skdl.estimators.tables.validation import (
    HELD_OUT,
    check_one_network,
    folds_for,
    is_for_one_network,
    refuse,
)
from skdl.networks.packed_embedding import PackedEmbedding
from skdl.training.blind import pack_objective
from skdl.training.loop import Outcome
from skdl.training.objectives import Objective
from skdl.training.range_test import Curve


class CrossFittedEstimator(CrossFittedParameters, NeuralEstimator):
    """What the families of tables share.

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
    feature_importances_ : ndarray of shape (n_features,)
        With folds as `validation`: how much the loss of rows that a network has not
        learned from rises where a column says nothing, which is where all rows have
        the mean of what the column gives the network. Below zero where the networks do
        better without. Of at most 16,384 rows, and without `corrections_`, which say
        for themselves what they are worth.
    feature_importances_std_ : ndarray of shape (n_features,)
        Standard errors of these, from 20 parts of the rows.
    corrections_ : DataFrame
        What is added to the networks' outputs for rows with some values, one row a
        correction: the `columns`; whether their `values` are the "same", "near", or, of
        the first the same and of the second near, "same, near"; the `gain`, which is
        the share that it takes away of the loss out of fold that those before it have
        left. Empty where nothing was left over, and where rows are held out in other
        ways than at random.
    settings_ : DataFrame
        With ``diversity="settings"``, one row a setting: what it is; its lowest
        `validation_loss` and the epoch of that; its `share` of the predictions.
    """

    hidden_layer_sizes: Any
    activation: str
    dropout: float | None
    batch_norm: bool
    diversity: str | None
    scale_inputs: bool
    numeric_embedding: str | None

    def _setting(self, name: str) -> Any:
        value = getattr(self, name)
        if name == "validation" and not isinstance(value, RealNotInt):
            value = None
        if value is not None:
            return value
        recipe = vars(self).get("_recipe")  # of a pack that is gone on with
        return getattr(recipe, name, ONE_NETWORK.get(name))

    @property
    def _stops_early(self) -> bool:
        return self.early_stopping or isinstance(self.validation, RealNotInt)

    # Fitting.

    @answers_names
    @on_several_devices
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
        """Train networks that are validated as `validation` says.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training inputs. Or rows that are read piece by piece: Parquet files (a
            path, a directory, a list of paths), a Dataset of PyArrow, a large memory
            map, a query of polars or DuckDB, or a list of frames or what else gives
            frames whenever it is iterated or called (see docs/scaling.md).
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Training targets; of rows read piece by piece also the name of a column.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples; those of weight zero are left out. Likewise.
        X_val, y_val : array-like, default=None
            Held-out data from which nothing is learned. With ``validation="auto"``
            they take the place of folds: four networks learn from all rows of X, and
            the loss of these decides when to stop. Where one network is trained, loss
            and score are recorded after every epoch and, with ``early_stopping=True``,
            decide when to stop.
        sample_weight_val : array-like of shape (n_validation_samples,), default=None
            Weights of the held-out samples.
        groups : array-like of shape (n_samples,), default=None
            With folds as `validation`, which samples belong together: a network that is
            blind to one is blind to all of them; not with ``validation="last"``. Of
            rows read piece by piece also the name of a column.

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
        self._check_parameters()
        held_out = (X_val, y_val, sample_weight_val)
        folds = folds_for(self, dict(zip(HELD_OUT, held_out, strict=True)))
        if groups is not None and X_val is not None:
            raise ValueError(
                "groups say which rows are held out together, but it is X_val that is "
                "held out. Leave one of the two out."
            )
        if groups is not None and isinstance(folds, str):
            raise ValueError(
                "groups say which rows are held out together, but "
                f"validation={folds!r} holds out the last rows, whatever their groups. "
                "Set validation=4, or a splitter of scikit-learn, or leave groups out."
            )
        if folds is not None:
            return self._cross_fit(X, y, sample_weight, groups, folds, held_out)
        if groups is not None:
            raise ValueError(
                "groups say which rows are held out together, which needs folds: set "
                "validation=4, or a splitter of scikit-learn, or leave groups out."
            )
        if "_recipe" in vars(self) and self.warm_start:
            raise ValueError(
                "warm_start=True would go on from a fitted pack of networks, for which "
                "there is partial_fit. Fit it anew, or a clone."
            )
        return self._fit_all(X, y, sample_weight, *held_out)

    def _rows(self, X: Any, y: Any, sample_weight: Any, *, reset: bool) -> Rows:
        source = row_source(X)
        if source is None:
            if isinstance(sample_weight, str):  # of y the check of targets tells
                column_of(X, "sample_weight", sample_weight)
            return super()._rows(X, y, sample_weight, reset=reset)
        return streamed_rows(self, source, y, sample_weight, reset=reset)

    def _new_inputs(self, X: Any) -> Any:
        refuse_to_predict(X)
        return super()._new_inputs(X)

    @on_several_devices
    @with_callbacks
    def _fit_for_vectors(
        self, X: Any, y: Any, sample_weight: Any, folds: Any, *, drop_harmful: bool
    ):
        """Train a pack whose first network learns from all rows."""
        self._check_parameters()
        how = {"drop_harmful": drop_harmful, "with_whole": True}
        return self._cross_fit(X, y, sample_weight, None, folds, **how)

    def _cross_fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        groups: Any,
        folds: Any,
        held_out: tuple[Any, ...] = (None, None, None),
        **how: Any,
    ):
        """Train a pack of networks, each blind to other rows; `how` as `cross_fit`."""
        context = self._init_callback_context(max_subtasks=None)
        given = {"sample_weight": sample_weight, "groups": groups}
        metadata = {name: value for name, value in given.items() if value is not None}
        watch = context, {"X": X, "y": y, "metadata": metadata}
        with all_or_nothing(self):
            check_held_out(*held_out)
            goes_on(self, is_warm=False)
            rows = self._rows(X, y, sample_weight, reset=True)
            others = self._held_out_rows(*held_out)
            if isinstance(groups, str):
                groups = column_of(X, "groups", groups)
            if self.validation == "auto" and is_for_one_network(rows, others):
                outcome = self._fit(rows, others, warm=False, watch=watch)
            else:
                how["held_out"] = others
                outcome = self._fit_pack(rows, folds, groups, watch, how)
        self._conclude(outcome)
        return self

    def _fit_pack(
        self,
        rows: Rows,
        folds: Any,
        groups: Any,
        watch: tuple[Any, dict],
        how: dict[str, Any],
    ) -> Outcome:
        run = cross_fit(self, rows, folds, groups, watch, **how)
        fitted = self._fitted(run.parts, self._runtime())
        self._keep(fitted, run.history, run.outcome, extend=False)
        for name, value in run.attributes.items():
            setattr(self, name, value)
        self._recipe = run.recipe
        self._tell_of_harmful(run.harmful)
        run.reporter.fit_end()
        return run.outcome

    def _tell_of_harmful(self, columns: Sequence[int]) -> None:
        """Keep the names of columns that the networks are not shown."""

    def _fit(self, *data: Any, warm: bool, **how: Any) -> Outcome:
        if not warm:
            check_one_network(self)
            vars(self).pop("_recipe", None)
        return super()._fit(*data, warm=warm, **how)

    def _objective_going_on(self, target: Any) -> Objective:
        if "_recipe" not in vars(self):
            return super()._objective_going_on(target)
        member = self._new_objective(target)
        temperature = getattr(self, "temperature_", None)
        shares = self._objective.shares
        return pack_objective(member, self.network_.n_members, temperature, shares)

    def _keep(self, *kept: Any, extend: bool) -> None:
        # What was found out of fold does not speak of rows that came later.
        for name in ATTRIBUTES:
            if not (extend and name in ("temperature_", "_corrections")):
                vars(self).pop(name, None)
        super()._keep(*kept, extend=extend)

    def _forget_scores(self) -> None:
        """Drop what was measured against targets that nobody has observed."""
        for name in ("oof_score_", "_conformal"):
            vars(self).pop(name, None)

    def _sweep_lr(self, X: Any, y: Any, sample_weight: Any, **how: Any) -> Curve:
        folds = None if self.validation == "auto" else folds_for(self, {})
        if folds is not None:
            refuse(self, "lr_find", "it has a rate that goes with its training")
        return super()._sweep_lr(X, y, sample_weight, **how)

    # Packs.

    @property
    def settings_(self) -> pd.DataFrame:
        """Settings in which the networks differ, and what came of them."""
        check_is_fitted(self)
        if "_settings" not in vars(self):
            raise AttributeError(
                f"This {type(self).__name__} has no settings_: fit it with "
                "diversity='settings'; partial_fit goes on with one setting."
            )
        return pd.DataFrame(self._settings).rename_axis("setting")

    @property
    def corrections_(self) -> pd.DataFrame:
        """What is added to the networks' outputs for rows with some values."""
        check_is_fitted(self)
        names: Any = getattr(self, "feature_names_in_", range(self.n_features_in_))
        told = vars(self).get("_corrections", [])
        rows = [
            {**row, "columns": tuple(names[j] for j in row["columns"])} for row in told
        ]
        return pd.DataFrame(rows, columns=["columns", "values", "gain"])

    @property
    def _is_categorical(self) -> np.ndarray:
        """Which columns of X hold categories."""
        return np.zeros(self.n_features_in_, dtype=bool)

    @abstractmethod
    def _numbers_of(self, X: Any) -> np.ndarray:
        """Return the columns of numbers in validated inputs."""

    def _encoder_options(self) -> dict[str, Any]:
        """Return what an encoder of tables takes."""
        return {"scale": self.scale_inputs}

    def _new_pack_encoder(
        self,
        X: Any,
        y: np.ndarray,
        recipe: Recipe,
        rng: np.random.RandomState,
        blind: Any = None,
    ) -> BinnedTableEncoder:
        """Return an encoder fitted on the training rows and their encoded targets.

        `blind` as `BinnedTableEncoder.fit_with_target` takes it.
        """
        has_bins = self.numeric_embedding in ("auto", "piecewise")
        bins = BinEncoder(recipe.n_quantiles if has_bins else 0, recipe.n_leaves)
        names_things = self.numeric_embedding == "auto" and recipe.names_things
        options = {**self._encoder_options(), "names_things": names_things}
        return BinnedTableEncoder(bins, **options).fit_with_target(X, y, rng, blind)

    def _new_packed_embedding(
        self,
        encoder: BinnedTableEncoder,
        n_members: int,
        recipe: Recipe,
        harmful: Sequence[int],
    ) -> PackedEmbedding | None:
        """Return what embeds the categories of a table; harmful ones have none.

        And integers that name things.
        """
        if not encoder.integers.columns:
            return None
        return packed_embedding(encoder, n_members, recipe, [], [])

    def _new_pack(
        self,
        encoder: BinnedTableEncoder,
        n_outputs: int,
        n_members: int,
        recipe: Recipe,
        harmful: Sequence[int] = (),
        n_beside: int = 0,
    ) -> nn.Module:
        """Return networks side by side that take what the encoder gives."""
        # Of numbers that are not scaled cosines would say nothing, or noise.
        by_itself = self.scale_inputs and recipe.n_quantiles > 0
        choice = self.numeric_embedding
        return new_pack(
            encoder,
            n_members,
            n_outputs,
            embedding=self._new_packed_embedding(encoder, n_members, recipe, harmful),
            cosine=choice == "cosine" or (choice == "auto" and by_itself),
            entries=recipe.entries,
            slope=recipe.slope,
            gate_pace=recipe.gate_pace,
            n_beside=n_beside,
            hidden_layer_sizes=np.atleast_1d(recipe.hidden_layer_sizes).tolist(),
            activation=self.activation,
            dropout=recipe.dropout,
            batch_norm=self.batch_norm,
        )
