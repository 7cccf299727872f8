"""Fits that have done all but their training, and what keeps fits from being such."""

import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from skdl.estimators.core.fitting import (
    FittedParts,
    resolve_batch_size,
    training_batches,
    validation_of,
)
from skdl.estimators.core.held_out import split_validation
from skdl.estimators.core.parts import training_parts
from skdl.estimators.core.rows import weighing
from skdl.estimators.core.state import draw_seed, seed_source
from skdl.estimators.tables.dense import DenseEstimator
from skdl.estimators.tables.validation import folds_for, is_auto, said
from skdl.networks.side_by_side import (
    rates_of,
    shape_of,
)
from skdl.randomness import Randomness, drawing_from
from skdl.training.loop import EpochRecord
from skdl.training.optimization.optimizers import OptimizerSettings
from skdl.training.runtime import Runtime
from skdl.training.side_by_side import (
    ELEMENTWISE,
)
from skdl.training.stopping import EarlyStopping
from skdl.training.surroundings import own_settings
from skdl.training.survival.snapshot import copied

# What members of a pack may have each for itself.
OF_ITS_OWN = (
    "lr",
    "weight_decay",
    "betas",
    "dropout",
    "embedding_dropout",
    "class_weight",
    "random_state",
)


@dataclass
class HeldOut:
    """Rows that a member is stopped early by.

    Attributes
    ----------
    validate : callable
        Returns loss and score of the member's network.
    stopping : EarlyStopping
        Tells when it has learned enough.
    records : list of EpochRecord
        Its epochs.
    best : dict
        The state of its network after the best of them.
    """

    validate: Callable[[], tuple[float, float]]
    stopping: EarlyStopping
    records: list[EpochRecord] = field(default_factory=list)
    best: dict[str, Any] = field(default_factory=dict)

    def look(self, record: EpochRecord, network: Any) -> None:
        """Take an epoch in, unless training has ended before."""
        if self.stopping.should_stop:
            return
        loss, score = self.validate()
        self.records.append(
            replace(record, validation_loss=loss, validation_score=score)
        )
        if self.stopping.is_best(record.epoch, loss):
            self.best = copied(network.state_dict())


@dataclass
class Member:
    """A fit that is ready to be trained.

    Attributes
    ----------
    number : int
        Which of the fits it is.
    estimator : DenseEstimator
        Not fitted yet but for what its checks have found.
    parts : FittedParts
        Encoder, target, objective and a network that has not learned yet.
    runtime : Runtime
        Where to train.
    randomness : Randomness
        What the fit draws from.
    tensors : list of Tensor
        Inputs, target and, where there are any, weights of the training rows.
    work : float
        Multiplications of a step.
    held_out : HeldOut or None
        What decides when its training ends, where that is not the last epoch.
    """

    number: int
    estimator: Any
    parts: FittedParts
    runtime: Runtime
    randomness: Randomness
    tensors: list[Tensor]
    work: float
    held_out: "HeldOut | None" = None

    @property
    def batch_size(self) -> int:
        """Rows in a step."""
        return resolve_batch_size(self.estimator.batch_size, len(self.tensors[0]))

    def stream(self) -> tuple:
        """Return what members have in common that will draw the same numbers."""
        states = [g.get_state().numpy().tobytes() for g in self.randomness.generators()]
        return (*states, *rates_of(self.parts.network))

    def kind(self) -> tuple:
        """Return what members must have in common to be trained as one."""
        given = self.estimator.get_params(deep=False)
        same = [(k, _hashable(v)) for k, v in given.items() if k not in OF_ITS_OWN]
        tensors = [(tuple(t.shape), t.dtype) for t in self.tensors]
        shape = shape_of(self.parts.network)
        return type(self.estimator), *same, shape, *tensors

    def settings(self) -> OptimizerSettings:
        """Return what its optimizer is told."""
        setting = self.estimator._setting
        first, second = (float(beta) for beta in setting("betas"))
        return OptimizerSettings(
            lr=float(setting("lr")),
            weight_decay=float(setting("weight_decay")),
            betas=(first, second),
            momentum=first,
        )


def reason_to_fit_alone(estimator: Any) -> str | None:
    """Return why an estimator cannot be trained beside others; None if it can.

    Parameters
    ----------
    estimator : estimator
        Its parameters say.
    """
    if not isinstance(estimator, DenseEstimator):
        return f"{type(estimator).__name__} is none of skdl's estimators for tables"
    given = {
        "network": estimator.network is not None,
        "n_estimators": estimator.n_estimators != 1,
        "optimizer": estimator.optimizer not in ELEMENTWISE,
        "lr": isinstance(estimator.lr, str),
        "clip_grad_norm": estimator.clip_grad_norm is not None,
        "weight_averaging": estimator.weight_averaging is not None,
        "warm_start": estimator.warm_start,
        "fine_tuning": estimator.fine_tuning is not None,
        "checkpoint": estimator.checkpoint is not None,
        "device": isinstance(estimator.device, list | tuple),
        "random_effects": bool(_size(getattr(estimator, "random_effects", None))),
    }
    for name, is_given in given.items():
        if is_given:
            return f"{name}={getattr(estimator, name)!r} is for a fit of its own"
    validation = estimator.validation
    if folds_for(estimator, {}) is not None:
        way_out = "max_epochs to a number" if is_auto(validation) else "validation=None"
        return (
            f"with validation={said(validation)} and max_epochs="
            f"{estimator.max_epochs!r} each fit finds out by folds how long to train: "
            f"set {way_out}"
        )
    return None


def _size(value: Any) -> int:
    """Return how many entries something has that may be None."""
    return 0 if value is None else len(value)


def prepare(
    number: int, estimator: Any, X: Any, y: Any, sample_weight: Any = None
) -> Member:
    """Do all that a fit does before it trains.

    Parameters
    ----------
    number : int
        Which of the fits it is.
    estimator : DenseEstimator
        One that there is no reason to fit alone.
    X, y, sample_weight
        As its `fit` takes them.

    Returns
    -------
    Member
    """
    estimator._check_parameters()
    with own_settings():
        rows = estimator._rows(X, y, sample_weight, reset=True)
        rng = seed_source(estimator.random_state)
        runtime = estimator._runtime()
        target = estimator._new_target(rows, None)
        rows = rows.without_zero_weights()
        held_out = None
        if estimator._stops_early:
            share, strata = estimator._setting("validation"), estimator._strata(rows.y)
            rows, held_out = split_validation(rows, share, strata, draw_seed(rng))
        randomness = Randomness(draw_seed(rng), runtime.device)
        with drawing_from(randomness):
            rows, parts = training_parts(estimator, rows, target, runtime, rng)
            batches, work = training_batches(estimator, parts, rows, runtime)
    parts.lr = float(estimator._setting("lr"))
    tensors = batches.tensors()
    member = Member(number, estimator, parts, runtime, randomness, tensors, work)
    if held_out is not None:
        held_out = weighing(estimator._weigh(held_out, parts.target), "held-out rows")
        stopping = EarlyStopping(estimator.n_iter_no_change)
        member.held_out = HeldOut(validation_of(parts, held_out, runtime), stopping)
    return member


def share_equal_rows(members: Sequence[Member]) -> None:
    """Let members have the same tensors where these are equal."""
    known: list[list[Tensor]] = []
    for member in members:
        for tensors in known:
            if _are_equal(tensors, member.tensors):
                member.tensors = tensors
                break
        else:
            known.append(member.tensors)


def _are_equal(these: Sequence[Tensor], those: Sequence[Tensor]) -> bool:
    return len(these) == len(those) and all(
        a.dtype == b.dtype and torch.equal(a, b)
        for a, b in zip(these, those, strict=True)
    )


def _hashable(value: Any) -> Any:
    try:
        hash(value)
    except TypeError:
        return pickle.dumps(value)
    return value
