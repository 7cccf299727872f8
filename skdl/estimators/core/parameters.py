"""The parameters that say how a network is trained, and where."""

import os
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from sklearn.utils._param_validation import Interval, StrOptions

from skdl.estimators.core.checks import MOST, STEEPEST
from skdl.estimators.core.constructor import parameters
from skdl.estimators.core.fine_tuning import FineTuning
from skdl.training.optimization.optimizers import OPTIMIZERS
from skdl.training.optimization.schedules import SCHEDULES
from skdl.training.runtime import PRECISIONS


@parameters
class TrainingParameters:
    """How every network is trained.

    Parameters
    ----------
    max_epochs : int
        Passes over the training data.
    batch_size : int or "auto"
        Samples in a step; "auto" takes a power of two near a 50th of the training
        samples, from 32 to 256.
    lr : float or "auto"
        Learning rate, where `schedule` is 1. "auto" finds one on the training data with
        a range test of at most 100 steps (see `lr_find`).
    optimizer : str or callable
        "adamw" (decoupled weight decay, arXiv 1711.05101), "adam" (decay as an L2 term
        of the gradient), "sgd" (Nesterov momentum), "muon" (orthogonal steps of hidden
        matrices, arXiv 2502.16982; the rest by AdamW), or a ``torch.optim.Optimizer``
        class or a ``functools.partial`` of one.
    schedule : str or callable
        "one_cycle" (rise for a quarter of training, then fall; momentum moves the other
        way by +-.05; arXiv 1803.09820), "cosine", "warm_restarts" (three cosine falls,
        each twice as long as the last; arXiv 1608.03983), "flat_cosine", "constant", or
        a function that takes progress in [0, 1] and returns the factor of `lr`.
    weight_decay : float
        Decay of weights; biases, normalisation layers and embeddings are not decayed.
    betas : tuple of two floats
        Memory of the gradient, which is the momentum of "sgd", and of its square, for
        Adam and AdamW; in [0, 1).
    clip_grad_norm : float
        Largest norm of the gradient of all weights together; longer ones are shortened.
    weight_averaging : {"ema", "nt_asgd"} or None
        "ema" keeps an exponential moving average of the weights over about the last
        tenth of training in place of the last weights. It helps with a schedule that
        does not fall to zero, such as "constant". "nt_asgd" keeps the plain mean from
        where the validation loss stops falling on (arXiv 1708.02182, section 4); it
        needs held-out data and a constant rate.
    early_stopping : bool
        Whether to hold out data, stop when its loss has not fallen for
        `n_iter_no_change` epochs, and go back to the weights of the best epoch.
    validation : float
        Share of the training samples that early stopping holds out, stratified for
        classes, unless `fit` is given `X_val` and `y_val`.
    n_iter_no_change : int
        Epochs without a new lowest validation loss before early stopping.
    warm_start : bool
        Whether `fit` goes on from the last fit: its weights, and scales and categories
        that go on being learned.
    """

    max_epochs: int | None = 20
    batch_size: int | str = "auto"
    lr: float | str | None = 1e-2
    optimizer: str | Callable[..., torch.optim.Optimizer] = "adamw"
    schedule: str | Callable[[float], float] = "one_cycle"
    weight_decay: float | None = 0.1
    betas: tuple[float, float] | None = (0.9, 0.99)
    clip_grad_norm: float | None = None
    weight_averaging: str | None = None
    early_stopping: bool = False
    validation: Any = 0.1
    n_iter_no_change: int = 10
    warm_start: bool = False

    _constraints = {
        "max_epochs": [Interval(Integral, 1, MOST, closed="both")],
        "batch_size": [
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"auto"}),
        ],
        "lr": [Interval(Real, 0, STEEPEST, closed="right"), StrOptions({"auto"})],
        "optimizer": [StrOptions(set(OPTIMIZERS)), callable],
        "schedule": [StrOptions(set(SCHEDULES)), callable],
        "weight_decay": [Interval(Real, 0, STEEPEST, closed="both")],
        "betas": ["array-like"],
        "clip_grad_norm": [Interval(Real, 0, None, closed="neither"), None],
        "weight_averaging": [StrOptions({"ema", "nt_asgd"}), None],
        "early_stopping": ["boolean"],
        "validation": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
    }


@parameters
class RunningParameters:
    """Where a fit runs and what it leaves on the way.

    Parameters
    ----------
    checkpoint : str, os.PathLike or tuple of a path and an int
        File that the state of training is written to after every epoch, or with a tuple
        after so many. If `fit` is cut off, the same `fit` with the same file goes on
        after the last epoch written; on a CPU its result is the same, bit for bit, as
        if it had never been cut off. The file is removed once `fit` is done. One path a
        fit: searches over parameters cannot share one.
    device : str or torch.device
        "auto" takes a CUDA GPU where there is one; otherwise "cpu", "cuda", "cuda:1",
        ... A list, such as ["cuda:0", "cuda:1"] or ["cpu", "cpu"], trains with a
        process on each, and predicts on the first; not for text (docs/scaling.md).
    precision : str
        Arithmetic in training: "float32" or "bfloat16" (with float32 weights); "auto"
        is "float32". Predictions are always made in float32. On CPUs without units for
        it, "bfloat16" is several times slower.
    random_state : int, RandomState instance or None
        Governs initial weights, order of the samples, dropout and validation split; an
        int gives the same weights, bit for bit, on the same machine. None takes fresh
        entropy. Neither NumPy's nor torch's global random state is touched.
    verbose : int
        1 shows a progress bar, 2 a line for every epoch.
    """

    checkpoint: str | os.PathLike | tuple[str | os.PathLike, int] | None = None
    device: str | torch.device | list[str] = "auto"
    precision: str = "auto"
    random_state: int | np.random.RandomState | None = None
    verbose: int | bool = 0

    _constraints = {
        "checkpoint": [str, os.PathLike, tuple, None],
        "device": [str, torch.device, list, tuple],
        "precision": [StrOptions(set(PRECISIONS))],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }


@parameters
class FineTuningParameter:
    """For networks that may begin with trained weights.

    Parameters
    ----------
    fine_tuning : FineTuning or None
        What of the network is frozen, when it thaws, and how much more slowly early
        layers learn, when going on from trained weights.
    """

    fine_tuning: FineTuning | None = None

    _constraints = {"fine_tuning": [FineTuning, None]}
