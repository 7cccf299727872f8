"""Fits of single networks that are trained as one, each as if it were alone."""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from skdl.data.side_by_side import BatchesSideBySide
from skdl.estimators.tables.prepared import Member
from skdl.networks.side_by_side import (
    give_back,
    side_by_side,
)
from skdl.randomness import Randomness, drawing_side_by_side
from skdl.training.loop import EpochRecord, Outcome, train
from skdl.training.optimization.schedules import late_rate, resolve_schedule
from skdl.training.side_by_side import (
    MemberGuard,
    OwnRowsMean,
    Slices,
    optimizer_of,
)
from skdl.training.surroundings import own_settings
from skdl.training.trainer import Trainer

# Values of all members' activations in a layer up to which a pack is not cut, so that
# what a step needs is some hundred megabytes at most.
_MOST_VALUES = 1 << 22


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
        own = outcome
        if member.held_out is not None:
            parts.network.load_state_dict(member.held_out.best)
            kept = member.held_out.stopping.best_epoch
            own = Outcome(member.held_out.records, outcome.reason, kept)
        parts.network.eval()
        estimator._finish(parts)
        fitted = estimator._fitted(parts, member.runtime)
        estimator._keep(fitted, _rows_of(own, parts.lr), own, extend=False)
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
                on_epoch_end=_looks(members, pack),
            )
        if outcome.failure is not None:
            raise outcome.failure
    if first.held_out is None:
        give_back(pack, networks)
    finite = [
        all(t.isfinite().all() for t in n.state_dict().values()) for n in networks
    ]
    lost = [
        is_lost or not is_finite or (m.held_out is not None and not m.held_out.best)
        for m, is_lost, is_finite in zip(
            members, guard.lost.tolist(), finite, strict=True
        )
    ]
    return outcome, lost, schedule


def _looks(members: Sequence[Member], pack: Any) -> Callable[..., bool] | None:
    """Return what looks at held-out rows after each epoch, if there are any."""
    if members[0].held_out is None:
        return None
    networks = [member.parts.network for member in members]

    def look(record: EpochRecord, _: Any) -> bool:
        pack.eval()  # new masks, as after the validation of one network
        give_back(pack, networks)
        found = [member.held_out for member in members if member.held_out]
        for held_out, network in zip(found, networks, strict=True):
            held_out.look(record, network)
        return all(held_out.stopping.should_stop for held_out in found)

    return look


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
