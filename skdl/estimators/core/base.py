"""The base of all estimators: parameters, fit, prediction and pickling.

An estimator is a family (what goes in and which network takes it) and a task (what
comes out). A family gives `_check_inputs`, `_new_encoder` and `_new_network`; a task
gives `_check_target`, `_new_target` and `_new_objective`.
"""

import copy
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.callback import with_callbacks
from sklearn.utils.validation import check_is_fitted
from torch import nn

from skdl.estimators.core.callbacks import EpochReporter
from skdl.estimators.core.continuing import goes_on
from skdl.estimators.core.fitting import (
    FittedParts,
    fit_parts,
    sweep_lr,
    training_batches,
)
from skdl.estimators.core.names import answers_names
from skdl.estimators.core.network import NetworkEstimator
from skdl.estimators.core.rows import (
    Rows,
    check_held_out,
    check_weight,
    split_validation,
)
from skdl.estimators.core.state import all_or_nothing, draw_seed, seed_source
from skdl.estimators.core.user_network import NetworkOptions, warn_of_equal_members
from skdl.networks.ensemble import Ensemble
from skdl.training.inference import infer
from skdl.training.loop import Outcome
from skdl.training.objectives import MemberMean
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

    n_estimators: int

    # What a family and a task give.

    @abstractmethod
    def _check_inputs(self, X: Any, *, reset: bool) -> Any:
        """Validate X; with `reset`, remember its columns."""

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
    def _new_target(self, rows: Rows, classes: Any) -> Any:
        """Return a target coder; `classes` is None or all labels there are."""

    @abstractmethod
    def _new_objective(self, target: Any) -> Any:
        """Return the objective for a target."""

    def _weigh(self, rows: Rows, target: Any) -> Rows:
        """Return the rows with the weights that the task adds."""
        return rows

    def _grown(self, X: Any) -> tuple[Any, nn.Module, dict | None]:
        """Return encoder, network and optimizer state to go on from with these rows."""
        return (
            self._encoder,
            copy.deepcopy(self.network_),
            copy.deepcopy(self._optimizer_state),
        )

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
        return self._fit_all(X, y, sample_weight, X_val, y_val, sample_weight_val)

    def _fit_all(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        X_val: Any,
        y_val: Any,
        sample_weight_val: Any,
    ):
        self._check_parameters()
        context = self._init_callback_context(max_subtasks=self.max_epochs)
        metadata = {} if sample_weight is None else {"sample_weight": sample_weight}
        seen = {"X": X, "y": y, "metadata": metadata}
        with all_or_nothing(self):
            check_held_out(X_val, y_val, sample_weight_val)
            warm = goes_on(self, is_warm=self.warm_start)
            rows = self._check_rows(X, y, sample_weight, reset=not warm)
            held_out = None
            if X_val is not None:
                held_out = self._check_rows(
                    X_val, y_val, sample_weight_val, reset=False
                )
            outcome = self._fit(rows, held_out, warm=warm, watch=(context, seen))
        self._conclude(outcome)
        return self

    def _goes_on_in_parts(self) -> bool:
        """Tell whether there may be a `partial_fit`, or raise why not."""
        return True

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any, classes: Any = None):
        with all_or_nothing(self):
            warm = goes_on(self, is_warm=True)
            rows = self._check_rows(X, y, sample_weight, reset=not warm)
            outcome = self._fit(rows, None, warm=warm, continued=True, classes=classes)
        self._conclude(outcome, continued=True)
        return self  # of a single epoch nothing is kept that ended badly

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
        checkpoint, rng = self._begin(warm=warm, continued=continued)
        runtime = self._runtime()
        target = self._target if warm else self._new_target(rows, classes)
        if held_out is None and self.early_stopping and not continued:
            rows, held_out = split_validation(
                rows, self.validation_fraction, self._strata(rows.y), draw_seed(rng)
            )
        if held_out is not None:
            held_out = self._weigh(held_out, target).without_zero_weights()
        with runtime.seeded(draw_seed(rng)):
            rows, parts = self._parts(rows, target, runtime, rng, warm=warm)
            reporter = EpochReporter(
                self,
                *(watch or (None, {})),
                lambda: self._fitted(copy.deepcopy(parts), runtime),
                1 if continued else self.max_epochs,
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
        history = pd.DataFrame([record.as_row() for record in outcome.records])
        self._keep(
            self._fitted(parts, runtime), history, outcome, extend=continued and warm
        )
        reporter.fit_end()
        return outcome

    def _parts(
        self,
        rows: Rows,
        target: Any,
        runtime: Runtime,
        rng: np.random.RandomState,
        *,
        warm: bool,
    ) -> tuple[Rows, FittedParts]:
        """Return the rows to train on, weighted, and what is trained."""
        rows = self._weigh(rows, target).without_zero_weights()
        if warm:
            encoder, network, state = self._grown(rows.X)
            network = network.to(runtime.device)
            objective = self._objective_of(target)
            return rows, FittedParts(
                encoder, target, objective, network, state, self.lr_
            )
        target.fit(rows.y, rows.weight)
        encoder = self._new_encoder(rows.X, rng)
        members = [
            self._new_network(encoder, target.n_outputs)
            for _ in range(self.n_estimators)
        ]
        warn_of_equal_members(members)
        network, objective = members[0], self._objective_of(target)
        if len(members) > 1:
            network = Ensemble(members)
        return rows, FittedParts(encoder, target, objective, network.to(runtime.device))

    def _objective_of(self, target: Any) -> Any:
        """Return the objective of one network, or of several whose mean is used."""
        objective = self._new_objective(target)
        if self.n_estimators == 1:
            return objective
        return MemberMean(objective, self.n_estimators)

    def _sweep_lr(
        self, X: Any, y: Any, sample_weight: Any, **how: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        """Run the learning-rate range test as `fit` would begin; see `lr_find`."""
        self._check_parameters()
        with all_or_nothing(self):
            warm = goes_on(self, is_warm=self.warm_start)
            rows = self._check_rows(X, y, sample_weight, reset=not warm)
            rng = seed_source(self.random_state)
            runtime = self._runtime()
            target = self._target if warm else self._new_target(rows, None)
            with runtime.seeded(draw_seed(rng)):
                rows, parts = self._parts(rows, target, runtime, rng, warm=warm)
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
            **self._task_attributes(parts.target),
        }

    # Predicting.

    def _predict_output(self, X: Any) -> np.ndarray:
        """Return what the objective's inverse link makes of the raw outputs."""
        check_is_fitted(self)
        X = self._check_new_inputs(X)
        network, link = self._predictor()
        return infer(
            network,
            self._encoder.chunks(X, self._encoder.inference_rows),
            X.shape[0],
            device=torch.device(self.device_),
            link=link,
        ).numpy()

    def _predictor(self) -> tuple[nn.Module, Callable]:
        """Return what predicts, and what to apply to its output."""
        return self.network_, self._objective.inverse_link
