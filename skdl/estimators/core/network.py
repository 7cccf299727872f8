"""What has a network that is trained: settings, device, pickling."""

import copy
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin

from skdl.estimators.core.checkpoint import fit_seeds, open_checkpoint
from skdl.estimators.core.parameters import TrainingParameters
from skdl.training.loop import Outcome
from skdl.training.runtime import Runtime, resolve_runtime, runtime_after_loading
from skdl.training.survival.checkpoint import Checkpoint, remove_checkpoint


@dataclass(kw_only=True, eq=False, repr=False)
class NetworkEstimator(CallbackSupportMixin, TrainingParameters, BaseEstimator):
    """Parameters and methods of whatever trains a network."""

    @abstractmethod
    def _sweep_lr(
        self, X: Any, y: Any, sample_weight: Any, **how: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        """Run the learning-rate range test as `fit` would begin; see `lr_find`."""

    def _runtime(self) -> Runtime:
        """Return where and how to train."""
        return resolve_runtime(self.device, self.precision)

    def _check_parameters(self) -> None:
        self._validate_params()
        betas = np.asarray(self.betas, dtype=float)
        if betas.shape != (2,) or not ((betas >= 0) & (betas < 1)).all():
            raise ValueError(
                f"betas must be two numbers in [0, 1), got {self.betas!r}."
            )
        resolve_runtime(self.device, self.precision)

    def _begin(
        self, *, warm: bool, continued: bool
    ) -> tuple[Checkpoint | None, np.random.RandomState]:
        """Return the checkpoint of a fit, if any, and the source of its seeds."""
        checkpoint = None if continued else open_checkpoint(self, warm=warm)
        return checkpoint, fit_seeds(self.random_state, checkpoint)

    def _conclude(self, outcome: Outcome, *, continued: bool = False) -> None:
        """Raise what ended a training whose model is kept, or clear up after it."""
        if outcome.failure is not None:
            raise outcome.failure
        if self.checkpoint is not None and not continued:
            remove_checkpoint(self.checkpoint)
            if isinstance(self.random_state, np.random.RandomState):
                self.random_state.random_sample()  # the next fit is another one

    def _keep(
        self,
        fitted: dict[str, Any],
        history: pd.DataFrame,
        outcome: Outcome,
        *,
        extend: bool,
    ) -> None:
        """Set the fitted attributes; with `extend` the history goes on."""
        if extend:
            history = history.assign(epoch=history["epoch"] + len(self.history_))
            history = pd.concat([self.history_, history], ignore_index=True)
        for name, value in fitted.items():
            setattr(self, name, value)
        self.history_ = history
        self.n_iter_ = len(history)
        self.best_epoch_ = outcome.kept_epoch

    def __sklearn_is_fitted__(self) -> bool:
        """Tell whether there is a trained network."""
        return hasattr(self, "network_")

    # Pickling: a pickle holds no device, and nothing but what predicts.

    def __getstate__(self) -> dict[str, Any]:
        """Return the state with every tensor on the CPU, without the optimizer's."""
        state = dict(super().__getstate__())
        if "network_" in state:
            state["_optimizer_state"] = None  # twice the weights
        if torch.device(state.get("device_", "cpu")).type != "cpu":
            state["network_"] = copy.deepcopy(state["network_"]).to("cpu")
            state["device_"] = "cpu"
        return state

    def __deepcopy__(self, memo: dict[int, Any]) -> "NetworkEstimator":
        """Return a copy that goes on as this estimator would: nothing is left out."""
        copied = type(self).__new__(type(self))
        memo[id(self)] = copied
        vars(copied).update(copy.deepcopy(vars(self), memo))
        return copied

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take the state and go where `device` says, if this machine has it."""
        super().__setstate__(state)
        if "network_" in state:
            device = runtime_after_loading(self.device).device
            self.network_.to(device)
            self.device_ = str(device)
