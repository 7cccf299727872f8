"""Checkpoints of a fit: what a fit is, and the seeds that it began with."""

import copy
import os
from collections.abc import Callable
from numbers import Integral
from typing import Any

import joblib
import numpy as np
import torch
from torch import nn

from skdl._version import __version__
from skdl.data.streamed import StreamedTable
from skdl.estimators.core.description import described
from skdl.estimators.core.rows import Rows
from skdl.estimators.core.state import seed_source
from skdl.training.runtime import Runtime
from skdl.training.survival.checkpoint import Checkpoint, digest, layers_of
from skdl.training.trainer import BatchSource

# Parameters that change nothing in what is learned; of the device its kind counts.
# Whether a fit goes on from an earlier one is told beside them.
_WITHOUT_EFFECT = ("checkpoint", "device", "verbose", "warm_start")
_WARM = "warm start"


def open_checkpoint(settings: Any, *, warm: bool) -> Checkpoint | None:
    """Return the checkpoint that an estimator's parameters name, if they name one.

    Raises
    ------
    ValueError
        If the file is of another estimator or of other parameters, or if a parameter
        cannot be told apart from others.
    """
    if settings.checkpoint is None:
        return None
    parameters = settings.get_params(deep=False)
    identity = {
        "estimator": type(settings).__name__,
        "skdl": __version__,
        _WARM: str(warm),
        **{
            name: _told_apart(name, value)
            for name, value in parameters.items()
            if name not in _WITHOUT_EFFECT
        },
    }
    path, every = checkpoint_file(settings.checkpoint)
    try:
        return Checkpoint(path, identity, every=every)
    except ValueError as error:
        if f"{_WARM} is False there" in str(error):
            error.add_note(
                "The file is of a fit that began anew, such as one that was "
                "interrupted. This fit would go on from what that one has left in the "
                "estimator. To go on with the file, "
                "fit with set_params(warm_start=False)."
            )
        raise


def checkpoint_file(checkpoint: Any) -> tuple[Any, int]:
    """Return the file that the parameter `checkpoint` names, and its epochs.

    Raises
    ------
    ValueError
        If it is a tuple, but not of a path and a positive number of epochs.
    """
    if not isinstance(checkpoint, tuple):
        return checkpoint, 1
    path, every = checkpoint if len(checkpoint) == 2 else (None, 0)
    is_count = isinstance(every, Integral) and every >= 1
    if not isinstance(path, str | os.PathLike) or not is_count:
        raise ValueError(
            "checkpoint must be a path, or a tuple of a path and after how many epochs "
            f"it is written, such as ('fit.pt', 5); got {checkpoint!r}."
        )
    return path, int(every)


def _told_apart(name: str, value: Any) -> str:
    try:
        return described(value)
    except ValueError as error:
        raise ValueError(
            f"checkpoint cannot tell whether a file is of this fit: {name} holds "
            f"{error}. Give {name} as a function, a class or a functools.partial with "
            "plain values, or leave checkpoint out."
        ) from error


def fit_seeds(
    random_state: Any, checkpoint: Checkpoint | None
) -> np.random.RandomState:
    """Return the source of a fit's seeds: the one it began with if it goes on.

    With a checkpoint it is a copy: a `random_state` that is a generator of the user's
    must stand where it stood when the fit goes on.
    """
    rng = seed_source(random_state)
    if checkpoint is None:
        return rng
    rng = copy.deepcopy(rng)
    if "seeds" in checkpoint.notes:
        name, keys, *rest = checkpoint.notes["seeds"]
        rng = np.random.RandomState()
        rng.set_state((name, np.array(keys, dtype=np.uint32), *rest))
    else:
        name, keys, *rest = rng.get_state(legacy=True)
        checkpoint.notes["seeds"] = [name, keys.tolist(), *rest]
    return rng


def match_ranks(settings: Any, runtime: Runtime, **data: Any) -> None:
    """Refuse a fit that several processes share if it is not the same in all of them.

    It is the first that they do together: who has ended before says so here.

    Parameters
    ----------
    settings : estimator
        Its parameters say how.
    runtime : Runtime
        May have ranks.
    **data : Rows, array-like or None
        What it learns from, by name.

    Raises
    ------
    ValueError
        In all processes.
    """
    if runtime.ranks is None:
        return
    parameters = settings.get_params(deep=False)
    given = {
        f"value of {name}": _as_told(value)
        for name, value in parameters.items()
        if name not in _WITHOUT_EFFECT
    }
    runtime.ranks.check_same(given | {k: _identity(v) for k, v in data.items()})


def _as_told(value: Any) -> str:
    if callable(value):  # it may well look at the rank, to write a log
        return getattr(value, "__qualname__", type(value).__name__)
    try:
        return described(value)
    except ValueError:  # there is no telling one from another
        return type(value).__name__


def _identity(data: Any) -> str:
    """Return a text that differs where data do; of streams where their sizes do."""
    if isinstance(data, Rows) and isinstance(data.X, StreamedTable):
        sizes = data.X.source.names, data.X.sizes
        return f"{len(data)} ({joblib.hash([sizes, data.y, data.weight])})"
    return f"{0 if data is None else len(data)} ({joblib.hash(data)})"


def match_training(
    checkpoint: Checkpoint,
    network: nn.Module,
    batches: BatchSource,
    validate: Callable | None,
    device: torch.device,
) -> None:
    """Refuse to go on with other data, or with a network that has other layers."""
    checkpoint.match(
        {
            "training data": digest(batches.tensors()),
            "held-out data": "none" if validate is None else "given",
            "size of the network": layers_of(network),
            "kind of device": device.type,
        }
    )
