"""Fits of single networks that are trained as one, each as if it were alone."""

import math
import pickle
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from skdl.data.side_by_side import BatchesSideBySide
from skdl.estimators.core.fitting import (
    FittedParts,
    resolve_batch_size,
    training_batches,
)
from skdl.estimators.core.parts import training_parts
from skdl.estimators.core.state import draw_seed, seed_source
from skdl.estimators.tables.dense import DenseEstimator
from skdl.estimators.tables.validation import folds_for
from skdl.networks.side_by_side import (
    give_back,
    rates_of,
    shape_of,
    side_by_side,
)
from skdl.randomness import Randomness, drawing_from, drawing_side_by_side
from skdl.training.loop import Outcome, train
from skdl.training.optimization.optimizers import OptimizerSettings
from skdl.training.optimization.schedules import late_rate, resolve_schedule
from skdl.training.runtime import Runtime
from skdl.training.side_by_side import (
    ELEMENTWISE,
    MemberGuard,
    OwnRowsMean,
    Slices,
    optimizer_of,
)
from skdl.training.surroundings import own_settings
from skdl.training.trainer import Trainer

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
# Values of all members' activations in a layer up to which a pack is not cut, so that
# what a step needs is some hundred megabytes at most.
_MOST_VALUES = 1 << 22


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
    """

    number: int
    estimator: Any
    parts: FittedParts
    runtime: Runtime
    randomness: Randomness
    tensors: list[Tensor]
    work: float

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
        "early_stopping": estimator.early_stopping,
        "validation": estimator._stops_early,
        "warm_start": estimator.warm_start,
        "fine_tuning": estimator.fine_tuning is not None,
        "checkpoint": estimator.checkpoint is not None,
        "random_effects": bool(_size(getattr(estimator, "random_effects", None))),
    }
    for name, is_given in given.items():
        if is_given:
            return f"{name}={getattr(estimator, name)!r} is for a fit of its own"
    if folds_for(estimator, {}) is not None:
        return (
            f"with validation={estimator.validation!r} and max_epochs="
            f"{estimator.max_epochs!r} each fit finds out by folds how long to train: "
            "set max_epochs to a number"
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
        randomness = Randomness(draw_seed(rng), runtime.device)
        with drawing_from(randomness):
            rows, parts = training_parts(estimator, rows, target, runtime, rng)
            batches, work = training_batches(estimator, parts, rows, runtime)
    parts.lr = float(estimator._setting("lr"))
    tensors = batches.tensors()
    return Member(number, estimator, parts, runtime, randomness, tensors, work)


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


def packs_of(members: Sequence[Member]) -> list[list[Member]]:
    """Return members in groups that are trained as one each."""
    by_kind: dict[tuple, list[Member]] = defaultdict(list)
    for member in members:
        by_kind[member.kind()].append(member)
    found = []
    for same in by_kind.values():
        # Members of the same settings stand beside each other.
        same.sort(key=lambda m: (repr(m.settings()), m.number))
        size = _members_at_once(same[0])
        n_packs = math.ceil(len(same) / size)
        found += [same[i::n_packs] for i in range(n_packs)]
    return found


def _dense_parameters(network: Any) -> list[Tensor]:
    """Return the parameters of the layers that all rows go through."""
    return list(getattr(network, "head", network).parameters())


def _members_at_once(member: Member) -> int:
    """Return how many members are trained as one."""
    widest = max(p.shape[0] for p in _dense_parameters(member.parts.network))
    return max(8, _MOST_VALUES // (widest * member.batch_size))


def train_side_by_side(members: Sequence[Member]) -> list[Member]:
    """Train networks as one, and fit their estimators.

    Parameters
    ----------
    members : sequence of Member
        A pack of `packs_of`.

    Returns
    -------
    list of Member
        Those whose training went well; the others have to be fitted alone, where
        something can be done about it.
    """
    with own_settings():
        outcome, lost, schedule = _train(members)
    well = [m for m, is_lost in zip(members, lost, strict=True) if not is_lost]
    for member in well:
        parts, estimator = member.parts, member.estimator
        parts.pace = late_rate(schedule)
        parts.network.eval()
        estimator._finish(parts)
        estimator._keep(
            estimator._fitted(parts, member.runtime),
            _rows_of(outcome, parts.lr),
            outcome,
            extend=False,
        )
    return well


def _train(members: Sequence[Member]) -> tuple[Outcome, list[bool], Any]:
    first = members[0]
    estimator, runtime = first.estimator, first.runtime
    numbers, streams = _streams(members)
    with drawing_side_by_side(streams):
        networks = [m.parts.network for m in members]
        pack = side_by_side(networks, numbers).to(runtime.device)
        slices = Slices(pack, [m.settings() for m in members])
        guard = MemberGuard(slices, runtime.device)
        schedule = resolve_schedule(estimator.schedule)
        # Stacks of small products: several threads would wait for each other more than
        # they compute. Packs in threads of Python's own are the better use of cores.
        with runtime.threads(0.0):
            trainer = Trainer(
                pack,
                OwnRowsMean(first.parts.objective, len(members)),
                optimizer_of(slices, estimator.optimizer),
                lr=1.0,
                schedule=schedule,
                runtime=runtime,
                guard=guard,
            )
            outcome = train(
                trainer,
                _batches(members, numbers),
                max_epochs=estimator._setting("max_epochs"),
            )
        if outcome.failure is not None:
            raise outcome.failure
        give_back(pack, networks)
    finite = [
        all(t.isfinite().all() for t in n.state_dict().values()) for n in networks
    ]
    lost = [
        bool(is_lost) or not is_finite
        for is_lost, is_finite in zip(guard.lost.tolist(), finite, strict=True)
    ]
    return outcome, lost, schedule


def _streams(members: Sequence[Member]) -> tuple[list[int], list[Randomness]]:
    """Return the stream of each member, and what each stream draws from."""
    known: dict[tuple, int] = {}
    streams, numbers = [], []
    for member in members:
        key = member.stream()
        if key not in known:
            known[key] = len(streams)
            streams.append(member.randomness)
        numbers.append(known[key])
    return numbers, streams


def _batches(members: Sequence[Member], streams: Sequence[int]) -> BatchesSideBySide:
    first = members[0]
    data: list[list[Tensor]] = []
    places: dict[int, int] = {}
    for member in members:
        if id(member.tensors) not in places:
            places[id(member.tensors)] = len(data)
            data.append(member.tensors)
    n_weights = len(first.tensors) - _n_inputs(first) - 1
    assert n_weights in (0, 1)
    return BatchesSideBySide(
        data,
        [places[id(m.tensors)] for m in members],
        streams,
        n_inputs=_n_inputs(first),
        batch_size=first.batch_size,
    )


def _n_inputs(member: Member) -> int:
    return 2 if hasattr(member.parts.encoder, "vocabularies") else 1


def _rows_of(outcome: Outcome, lr: float) -> list[dict[str, Any]]:
    """Return a history; the loss is the mean of all members'."""
    return [row | {"lr": row["lr"] * lr} for row in outcome.rows()]


def _hashable(value: Any) -> Any:
    try:
        hash(value)
    except TypeError:
        return pickle.dumps(value)
    return value
