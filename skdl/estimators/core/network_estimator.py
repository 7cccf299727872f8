"""What has a network that is trained: settings, device, pickling."""

import copy
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin

from skdl.estimators.core.checks import check_betas
from skdl.estimators.core.documentation_link import DocumentationLink
from skdl.estimators.core.fine_tuning import FineTuning
from skdl.estimators.core.fit_identity import (
    checkpoint_file,
    fit_seeds,
    open_checkpoint,
)
from skdl.estimators.core.history import History
from skdl.estimators.core.parameters import RunningParameters, TrainingParameters
from skdl.estimators.core.plain_state import PlainState
from skdl.estimators.core.ranks import in_ranks, ranks_of_fit
from skdl.estimators.core.wrong_names import unexpected
from skdl.training.loop import Outcome
from skdl.training.optimization.schedules import check_schedule
from skdl.training.range_test import Curve
from skdl.training.runtime import Runtime, resolve_runtime, runtime_after_loading
from skdl.training.survival.checkpoint import Checkpoint, remove_checkpoint


def told_of(history: History, outcome: Outcome) -> dict[str, Any]:
    """Return the attributes that tell how a training went."""
    return {
        "_history": history,
        "n_iter_": len(history),
        "best_epoch_": outcome.kept_epoch,
    }


# Parameters of estimators that were found to be of the right type and range: to look
# again takes a tenth of the time of a `partial_fit` with one row.
_CHECKED: WeakKeyDictionary[Any, dict[str, Any]] = WeakKeyDictionary()


class NetworkEstimator(
    PlainState,
    DocumentationLink,
    CallbackSupportMixin,
    BaseEstimator,
    RunningParameters,
    TrainingParameters,
):
    """What every estimator that trains a network has.

    Attributes
    ----------
    network_ : torch.nn.Module
        The trained network, in evaluation mode.
    history_ : pandas.DataFrame
        One row an epoch: `epoch`, `loss`, `lr` (at its end), `seconds`, and with
        held-out data `training_seconds` (`seconds` without the validation),
        `validation_loss` and `validation_score` (accuracy or R^2). Where it happened:
        `skipped_steps` (loss or gradient was not finite), `restorations` (how often
        training went back to the last good epoch, with half the rate) and
        `rows_at_once` (rows that fit into memory).
    n_iter_ : int
        Epochs run.
    best_epoch_ : int
        The epoch whose weights are kept: the last one, or the best with early stopping.
    lr_ : float
        The learning rate where `schedule` is 1; halved by every restoration. What
        `partial_fit` went on at is in `history_`.
    device_ : str
        Where the network is. A pickle holds no device: it loads where there is no GPU.
    """

    # Whether the time goes into large products, or into convolutions, which bfloat16
    # makes faster.
    _prefers_bfloat16 = False
    _convolves = False
    # What `validation_score` is called where it is shown; None where it is not shown,
    # since the loss says the same.
    _score_name: ClassVar[str | None] = "score"

    # Whether a fit can be shared out to several devices and processes.
    _takes_several_devices: ClassVar[bool] = True

    @abstractmethod
    def _sweep_lr(self, X: Any, y: Any, sample_weight: Any, **how: Any) -> Curve:
        """Run the learning-rate range test as `fit` would begin; see `lr_find`."""

    def _setting(self, name: str) -> Any:
        """Return the value that a parameter stands for."""
        return getattr(self, name)

    @property
    def _stops_early(self) -> bool:
        """Whether held-out data decides when training ends."""
        return self.early_stopping

    @property
    def _fine_tuning(self) -> FineTuning | None:
        """How training goes on from trained weights, where that makes sense."""
        return getattr(self, "fine_tuning", None)

    def _runtime(self) -> Runtime:
        """Return where and how to train, and with which other processes."""
        runtime = resolve_runtime(
            self.device,
            self.precision,
            prefer_bfloat16=self._prefers_bfloat16,
            convolves=self._convolves,
        )
        return in_ranks(runtime) if self._takes_several_devices else runtime

    def set_params(self, **params: Any):
        """Set parameters, also nested ones (``name__option``).

        Parameters
        ----------
        **params : dict
            Names and values.

        Returns
        -------
        self : estimator

        Raises
        ------
        ValueError
            If there is no such parameter; the right name is told where it is known.
        """
        given = [name.partition("__")[0] for name in params]
        wrong = unexpected(type(self).__name__, given, self._get_param_names())
        if wrong:
            raise ValueError(wrong)
        return super().set_params(**params)

    def _check_parameters(self) -> None:
        self._validate_params()
        checkpoint_file(self.checkpoint)
        if self._fine_tuning is not None:
            self._fine_tuning.check()
        check_betas(self._setting("betas"))
        check_schedule(self.schedule)
        resolve_runtime(self.device, self.precision)
        if isinstance(self.device, list | tuple) and not self._takes_several_devices:
            raise ValueError(
                f"{type(self).__name__} is trained on one device: device is "
                f"{self.device!r}, but must be one name, such as 'auto'."
            )

    def _validate_params(self) -> None:
        """Check each parameter by itself, but for those that were checked already."""
        given = self.get_params(deep=False)
        known = _CHECKED.get(self, {})
        if not all(name in known and known[name] is v for name, v in given.items()):
            super()._validate_params()
            _CHECKED[self] = given

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
            ranks = ranks_of_fit()
            if ranks is None or ranks.is_first:  # which may still be writing it
                remove_checkpoint(checkpoint_file(self.checkpoint)[0])
            if isinstance(self.random_state, np.random.RandomState):
                self.random_state.random_sample()  # the next fit is another one

    def _keep(
        self,
        fitted: dict[str, Any],
        rows: Sequence[dict[str, Any]],
        outcome: Outcome,
        *,
        extend: bool,
    ) -> None:
        """Set the fitted attributes; with `extend` the history goes on."""
        for name, value in fitted.items():
            setattr(self, name, value)
        history = self._history.extended(rows) if extend else History(rows)
        for name, value in told_of(history, outcome).items():
            setattr(self, name, value)

    @property
    def history_(self) -> pd.DataFrame:
        """What was recorded of the training."""
        if "_history" not in vars(self):
            raise AttributeError(f"{type(self).__name__} has no history_ before fit.")
        return self._history.frame

    def __sklearn_is_fitted__(self) -> bool:
        """Tell whether there is a trained network."""
        return hasattr(self, "network_")

    # Pickling: a pickle holds no device, and nothing but what predicts.

    def _state(self) -> dict[str, Any]:
        state = super()._state()
        if "network_" in state:
            state["_optimizer_state"] = None  # twice the weights
        if "device_" in state:
            state["device_"] = "cpu"  # where arrays are
        return state

    def __deepcopy__(self, memo: dict[int, Any]) -> "NetworkEstimator":
        """Return a copy that goes on as this estimator would: nothing is left out."""
        copied = type(self).__new__(type(self))
        memo[id(self)] = copied
        vars(copied).update(copy.deepcopy(vars(self), memo))
        return copied

    def _take_state(self, state: dict[str, Any]) -> None:
        """Take the state and go where `device` says, if this machine has it."""
        super()._take_state(state)
        if state.get("network_") is not None:
            device = runtime_after_loading(self.device).device
            self.network_.to(device)
            self.device_ = str(device)
