"""Fits on several devices: a process for each, of which one network comes back."""

import functools
import os
import time
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from sklearn.base import clone

from skdl.data.handed_over import Packed, folder_for, taken_over
from skdl.estimators.core.ranks import is_launched, is_worker, refusing_aloud
from skdl.estimators.core.user_warnings import warn_user
from skdl.training.ranks import LostRankError

_Method = TypeVar("_Method", bound=Callable[..., Any])

# How often processes are started again to go on from a checkpoint.
_MOST_STARTS = 4
# Seconds after an error in which the first process can write what it keeps.
_PATIENCE = 2.0
_OF_CALLBACKS = ("_skl_callbacks", "_parent_callback_ctx")


def on_several_devices(fit: _Method) -> _Method:
    """Let a method that fits train with a process for each device of a list."""

    @functools.wraps(fit)
    def shared_out(self: Any, *args: Any, **given: Any) -> Any:
        if not isinstance(self.device, list | tuple):
            told = refusing_aloud if self._takes_several_devices else nullcontext
            with told():
                return fit(self, *args, **given)
        self._check_parameters()
        _refuse_nesting(self.device)
        return _fit_in_processes(self, fit.__name__, args, given)

    return shared_out  # type: ignore[return-value]


def _refuse_nesting(devices: Any) -> None:
    if is_worker():
        raise RuntimeError(
            f"device={devices!r} starts a process for each device, but this fit is in "
            "a worker of joblib, one of several. Give the search n_jobs=1, or its "
            "estimator one device, such as 'auto'."
        )
    if is_launched():
        raise RuntimeError(
            f"device={devices!r} starts a process for each device, but torchrun has "
            f"started {os.environ['WORLD_SIZE']} already: give device='auto', or start "
            "the script without torchrun."
        )


def _fit_in_processes(estimator: Any, method: str, args: Any, given: Any) -> Any:
    devices = [str(device) for device in estimator.device]
    task = (_to_send(estimator), devices, method, args, given, torch.get_num_threads())
    try:
        packed = Packed(task)
    except Exception as error:
        raise TypeError(
            f"What {method} is given cannot be handed to other processes ({error}). "
            "Give arrays, frames or files, or one device."
        ) from error
    with folder_for(packed.n_bytes) as folder:
        packed.write(folder, "task")
        del packed
        try:
            _run(folder, len(devices), estimator.checkpoint)
        finally:  # an error may have left epochs that are kept
            if (folder / "fitted").exists():
                _take(estimator, *taken_over(folder, "fitted"))
    return estimator


def _to_send(estimator: Any) -> Any:
    """Return the estimator, or if nothing of an earlier fit matters a clone."""
    kept = [name for name in _OF_CALLBACKS if name in vars(estimator)]
    if "_skl_callbacks" in kept:
        warn_user(
            "Callbacks are not told of fits on several devices, which are in other "
            "processes: history_ has what was recorded.",
            UserWarning,
        )
    if not estimator.warm_start:
        return clone(estimator)
    sent = type(estimator).__new__(type(estimator))
    state = vars(estimator)
    vars(sent).update({name: state[name] for name in state if name not in kept})
    return sent


def _run(folder: Path, n_devices: int, checkpoint: Any) -> None:
    """Start the processes; again if one has died and there is a checkpoint."""
    from skdl.training.launch import DeadProcessError, launch  # takes long to import

    for start in range(1, _MOST_STARTS + 1):
        try:
            return launch(n_devices, __name__, str(folder))
        except DeadProcessError as death:
            _raise_error_of(folder, n_devices)
            if checkpoint is None or start == _MOST_STARTS:
                advice = "With a checkpoint it would go on. " * (checkpoint is None)
                raise RuntimeError(
                    f"The fit has ended, since {death}, and nothing of it is kept. "
                    f"{advice}If memory is short, give less of batch_size."
                ) from None
            warn_user(
                f"In the fit {death}: all are started again, and go on after the last "
                "epoch of the checkpoint.",
                RuntimeWarning,
            )


def _raise_error_of(folder: Path, n_devices: int) -> None:
    """Raise what a process has raised, if one has; of several what came first."""
    names = [f"error-{rank}" for rank in range(n_devices)]
    errors = [taken_over(folder, n) for n in names if (folder / n).exists()]
    own = [error for error in errors if not isinstance(error, LostRankError)]
    if own:
        raise own[0]


def _take(estimator: Any, fitted: Any, told: list[tuple[str, Any]]) -> None:
    """Give an estimator what another has learned, and its warnings."""
    for message, category in told:
        warn_user(message, category)
    parameters = estimator._get_param_names()
    learned = {k: v for k, v in vars(fitted).items() if k not in parameters}
    rest = {*parameters, *_OF_CALLBACKS}
    for name in [name for name in vars(estimator) if name not in rest]:
        delattr(estimator, name)
    vars(estimator).update(learned)
    if isinstance(estimator.random_state, np.random.RandomState):
        estimator.random_state.set_state(fitted.random_state.get_state())


# In each of the processes.


def main(folder: str) -> None:
    """Take a share in a fit; the first process writes what has been learned."""
    from skdl.training.launch import end_with_the_starter

    end_with_the_starter()
    rank, place = int(os.environ["RANK"]), Path(folder)
    estimator, devices, method, args, given, threads = taken_over(
        place, "task", shared=True
    )
    if devices[rank].startswith("cpu"):
        torch.set_num_threads(max(1, threads // len(devices)))
    estimator.device = devices[rank]
    failure: BaseException | None = None
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            getattr(estimator, method)(*args, **given)
        except (Exception, KeyboardInterrupt) as error:  # some epochs may be kept
            failure = error
    if rank == 0 and estimator.__sklearn_is_fitted__():
        said = [(str(warning.message), warning.category) for warning in told]
        Packed((estimator, said)).write(place, "fitted")
    if failure is not None:
        Packed(failure).write(place, f"error-{rank}")
        # The first to end ends the others: the first process may still be writing.
        time.sleep(_PATIENCE if rank else 0)
        raise SystemExit(1)
