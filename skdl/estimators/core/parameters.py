"""The parameters that say how a network is trained; `_docs.TRAINING` describes them."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.utils._param_validation import Interval, StrOptions

from skdl.training.optimization.optimizers import OPTIMIZERS
from skdl.training.optimization.schedules import SCHEDULES
from skdl.training.runtime import PRECISIONS


@dataclass(kw_only=True, eq=False, repr=False)
class TrainingParameters:
    """What every estimator that trains a network can be told about it."""

    optimizer: str | Callable[..., torch.optim.Optimizer] = "adamw"
    lr: float | str = 1e-2
    weight_decay: float = 0.1
    betas: tuple[float, float] = (0.9, 0.99)
    momentum: float = 0.9
    layer_lr_decay: float = 1.0
    freeze: str | Sequence[str] | None = None
    thaw: int | str | None = None
    schedule: str | Callable[[float], float] = "one_cycle"
    max_epochs: int = 20
    batch_size: int | str = "auto"
    clip_grad_norm: float | None = None
    weight_averaging: str | None = None
    early_stopping: bool = False
    validation_fraction: float = 0.1
    n_iter_no_change: int = 10
    checkpoint: str | os.PathLike | None = None
    checkpoint_every: int = 1
    warm_start: bool = False
    device: str | torch.device = "auto"
    precision: str = "auto"
    random_state: int | np.random.RandomState | None = None
    verbose: int | bool = 0

    _parameter_constraints = {
        "optimizer": [StrOptions(set(OPTIMIZERS)), callable],
        "lr": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "betas": ["array-like"],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "layer_lr_decay": [Interval(Real, 0, 1, closed="right")],
        "freeze": [str, "array-like", None],
        "thaw": [
            Interval(Integral, 0, None, closed="left"),
            StrOptions({"gradual"}),
            None,
        ],
        "schedule": [StrOptions(set(SCHEDULES)), callable],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"auto"}),
        ],
        "clip_grad_norm": [Interval(Real, 0, None, closed="neither"), None],
        "weight_averaging": [StrOptions({"ema", "nt_asgd"}), None],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "checkpoint": [str, os.PathLike, None],
        "checkpoint_every": [Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
        "device": [str, torch.device],
        "precision": [StrOptions(set(PRECISIONS))],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }
