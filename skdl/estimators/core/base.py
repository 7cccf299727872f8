"""The base of all estimators: parameters, fit, prediction and pickling.

An estimator is a family (what goes in and which network takes it) and a task (what
comes out). A family gives `_check_inputs`, `_new_encoder` and `_new_network`; a task
gives `_check_target`, `_new_target` and `_new_objective`.
"""

from abc import abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from sklearn.callback import with_callbacks
from sklearn.utils.validation import check_is_fitted
from torch import nn

from skdl.estimators.core.callbacks import EpochReporter
from skdl.estimators.core.checks import finite_array
from skdl.estimators.core.continuing import goes_on
from skdl.estimators.core.fit_identity import match_ranks
from skdl.estimators.core.fitting import (
    FittedParts,
    fit_parts,
    sweep_lr,
    training_batches,
)
from skdl.estimators.core.held_out import check_held_out, split_validation
from skdl.estimators.core.history import History
from skdl.estimators.core.inputs import about_held_out, plain
from skdl.estimators.core.labels import labels_as_given
from skdl.estimators.core.network_estimator import NetworkEstimator, told_of
from skdl.estimators.core.parts import objective_of, training_parts
from skdl.estimators.core.rows import Rows, check_weight, weighing
from skdl.estimators.core.several_devices import on_several_devices
from skdl.estimators.core.state import (
    all_or_nothing,
    draw_seed,
    same_weights,
    seed_source,
)
from skdl.estimators.core.user_network import NetworkOptions
from skdl.estimators.core.wrong_names import answers_names
from skdl.training.inference import infer
from skdl.training.loop import Outcome
from skdl.training.objectives import Objective
from skdl.training.range_test import Curve
from skdl.training.runtime import Runtime


class NeuralEstimator(NetworkOptions, NetworkEstimator):
    """What all families and tasks share.

    Attributes
    ----------
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : ndarray of str
        Names of the columns, where X has string names for all of them.
    """

    network: Any
    n_estimators: int

    # What a family and a task give.

    @abstractmethod
    def _check_inputs(self, X: Any, *, reset: bool) -> Any:
        """Validate X; with `reset`, remember its columns."""

    def _new_inputs(self, X: Any) -> Any:
        """Validate X to predict for, in whatever it comes."""
        with np.errstate(over="ignore", invalid="ignore"):  # in sums of huge values
            return self._check_new_inputs(plain(X))

    def _check_new_inputs(self, X: Any) -> Any:
        """Validate X to predict for."""
        return self._check_inputs(X, reset=False)

    @abstractmethod
    def _new_encoder(self, X: Any, rng: np.random.RandomState) -> Any:
        """Return an encoder fitted on the training rows."""

    @abstractmethod
    def _new_network(self, encoder: Any, n_outputs: int) -> nn.Module:
        """Return a network that takes what the encoder gives."""

    @abstractmethod
    def _check_target(self, y: Any) -> np.ndarray:
        """Validate y."""

    @abstractmethod
    def _new_target(
        self, rows: Rows, classes: Any, *, more_to_come: bool = False
    ) -> Any:
        """Return a target coder; `classes` is None or all labels there are."""

    @abstractmethod
    def _new_objective(self, target: Any) -> Any:
        """Return the objective for a target."""

    def _weigh(self, rows: Rows, target: Any) -> Rows:
        """Return the rows with the weights that the task adds."""
        return rows

    @abstractmethod
    def _grown(self, X: Any) -> tuple[Any, nn.Module]:
        """Return encoder and network that have learned of these rows too.

        The network is `network_` itself where nothing in it has to change, else a
        changed copy.
        """

    def _objective_going_on(self, target: Any) -> Objective:
        """Return the objective of a network that is gone on with."""
        return objective_of(self._new_objective(target), self.n_estimators)

    def _augmented(self, batches: Any, parts: FittedParts) -> Any:
        """Return the batches to train on, changed at random where that helps."""
        return batches

    def _finish(self, parts: FittedParts) -> None:
        """Change the trained network before it is used."""

    def _strata(self, y: np.ndarray) -> np.ndarray | None:
        """Return what a validation split is stratified by."""
        return None

    def _task_attributes(self, target: Any) -> dict[str, Any]:
        """Return the fitted attributes that the task adds."""
        return {}

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
    ):
        """Train the network.

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
        return self._fit_all(X, y, sample_weight, X_val, y_val, sample_weight_val)

    def _fit_all(self, X: Any, y: Any, sample_weight: Any, *held_out: Any):
        context = self._init_callback_context(max_subtasks=self._setting("max_epochs"))
        metadata = {} if sample_weight is None else {"sample_weight": sample_weight}
        seen = {"X": X, "y": y, "metadata": metadata}
        with all_or_nothing(self):
            check_held_out(*held_out)
            warm = goes_on(self, is_warm=self.warm_start)
            rows = self._rows(X, y, sample_weight, reset=not warm)
            others = self._held_out_rows(*held_out)
            outcome = self._fit(rows, others, warm=warm, watch=(context, seen))
        self._conclude(outcome)
        return self

    def _held_out_rows(self, X: Any, y: Any, sample_weight: Any) -> Rows | None:
        """Validate held-out data, if there are any."""
        if X is None:
            return None
        with about_held_out():
            return self._rows(X, y, sample_weight, reset=False)

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any, classes: Any = None):
        with all_or_nothing(self):
            warm = goes_on(self, is_warm=True)
            rows = self._rows(X, y, sample_weight, reset=not warm)
            with self._trained_in_place(warm):
                outcome = self._fit(
                    rows, None, warm=warm, continued=True, classes=classes
                )
        self._conclude(outcome, continued=True)
        return self  # of a single epoch nothing is kept that ended badly

    def _trained_in_place(self, warm: bool) -> AbstractContextManager:
        """Keep the weights in case that a call fails.

        To train a copy, as `fit` does, takes longer than to train on a row. A network
        of the user's may have a state that is not in its tensors: it is copied.
        """
        if not warm or self.network is not None:
            return nullcontext()
        return same_weights(self.network_, self._optimizer_state)

    def _rows(self, X: Any, y: Any, sample_weight: Any, *, reset: bool) -> Rows:
        """Validate X, y and weights in whatever they come."""
        with np.errstate(over="ignore", invalid="ignore"):  # in sums of huge values
            return self._check_rows(
                plain(X), labels_as_given(plain(y)), plain(sample_weight), reset=reset
            )

    @abstractmethod
    def _check_rows(self, X: Any, y: Any, sample_weight: Any, *, reset: bool) -> Rows:
        """Validate X, y and weights together; with `reset`, remember the columns."""

    def _weighted_rows(self, X: Any, y: np.ndarray, sample_weight: Any) -> Rows:
        weight = check_weight(sample_weight, X)
        return Rows(X, y, weight, score_weight=weight)

    def _fit(
        self,
        rows: Rows,
        held_out: Rows | None,
        *,
        warm: bool,
        continued: bool = False,
        classes: Any = None,
        watch: tuple[Any, dict] | None = None,
    ) -> Outcome:
        runtime = self._runtime()
        match_ranks(self, runtime, rows=rows, held_out=held_out)
        checkpoint, rng = self._begin(warm=warm, continued=continued)
        target = None
        if not warm:
            target = self._new_target(rows, classes, more_to_come=continued)
        rows = rows.without_zero_weights()
        if held_out is None and self._stops_early and not continued:
            rows, held_out = split_validation(
                rows, self._setting("validation"), self._strata(rows.y), draw_seed(rng)
            )
        # With a seed every call would else drop the same units.
        seed = draw_seed(rng) + (self.n_iter_ if warm and continued else 0)
        with runtime.seeded(seed):
            rows, parts = training_parts(
                self, rows, target, runtime, rng, continued=continued
            )
            if held_out is not None:
                held_out = weighing(
                    self._weigh(held_out, parts.target), "held-out rows"
                )
            reporter = EpochReporter(
                self,
                *(watch or (None, {})),
                lambda outcome, state: self._as_if_ended(
                    parts, runtime, outcome, state
                ),
                1 if continued else self._setting("max_epochs"),
            )
            reporter.fit_begin()
            outcome = fit_parts(
                self,
                parts,
                rows,
                held_out,
                runtime,
                continued=continued,
                reporter=reporter,
                checkpoint=checkpoint,
            )
            self._finish(parts)
        self._keep(
            self._fitted(parts, runtime),
            outcome.rows(),
            outcome,
            extend=continued and warm,
        )
        reporter.fit_end()
        return outcome

    def _as_if_ended(
        self,
        parts: FittedParts,
        runtime: Runtime,
        outcome: Outcome,
        state: dict[str, Any],
    ) -> dict[str, Any]:
        """Return the attributes that the estimator would have if training ended now."""
        ended = parts.copied(state)
        self._finish(ended)
        return {
            **self._fitted(ended, runtime),
            **told_of(History(outcome.rows()), outcome),
        }

    def _sweep_lr(self, X: Any, y: Any, sample_weight: Any, **how: Any) -> Curve:
        """Run the learning-rate range test as `fit` would begin; see `lr_find`."""
        self._check_parameters()
        with all_or_nothing(self):
            warm = goes_on(self, is_warm=self.warm_start)
            rows = self._rows(X, y, sample_weight, reset=not warm)
            rng = seed_source(self.random_state)
            runtime = self._runtime()
            target = None if warm else self._new_target(rows, None)
            with runtime.seeded(draw_seed(rng)):
                rows, parts = training_parts(self, rows, target, runtime, rng)
                batches, work = training_batches(self, parts, rows, runtime)
                with runtime.threads(work):
                    return sweep_lr(self, parts, batches, runtime, **how)

    def _fitted(self, parts: FittedParts, runtime: Runtime) -> dict[str, Any]:
        """Return all that predict needs, as attributes."""
        parts.network.eval()
        return {
            "network_": parts.network,
            "lr_": parts.lr,
            "device_": str(runtime.device),
            "_encoder": parts.encoder,
            "_target": parts.target,
            "_objective": parts.objective,
            "_optimizer_state": parts.optimizer_state,
            "_pace": parts.pace,
            "_work": parts.work,
            **self._task_attributes(parts.target),
        }

    # Predicting.

    def encode(self, X: Any) -> tuple[np.ndarray, ...]:
        """Return what `network_` is given for these rows: scaled, filled, numbered.

        For tools that look into a network, such as SHAP and captum, and for exports.
        ``network_(*map(torch.from_numpy, encode(X)))`` are the raw outputs from which
        `predict` makes its predictions; with ``n_estimators`` networks those of all of
        them beside each other.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs, in any form that `predict` takes.

        Returns
        -------
        tuple of ndarray, each with n_samples rows
            For columns of numbers one float32 array, its columns those of X and then an
            indicator for each column with missing values. For tables with categories
            two: int32 rows in the table of vectors, one column for each categorical
            column, and the numbers as float32; with `random_effects` a third, int32
            numbers of the groups. For pictures one, (n_samples, channels, height,
            width), uint8 or float32, which the network standardises itself.
        """
        check_is_fitted(self)
        X = self._new_inputs(X)
        return tuple(t.clone().numpy() for t in self._encoder.transform(X))

    def _predict_output(self, X: Any, link: Callable | None = None) -> np.ndarray:
        """Return what a link, else the objective's, makes of the raw outputs."""
        if not self.__sklearn_is_fitted__():  # the check itself takes long for one row
            check_is_fitted(self)
        X = self._new_inputs(X)
        network, usual = self._predictor()
        output = infer(
            network,
            self._encoder.chunks(X, self._encoder.inference_rows),
            X.shape[0],
            device=torch.device(self.device_),
            link=link or usual,
        )
        return finite_array(output)

    def _predictor(self) -> tuple[nn.Module, Callable]:
        """Return what predicts, and what to apply to its output."""
        return self.network_, self._objective.inverse_link
