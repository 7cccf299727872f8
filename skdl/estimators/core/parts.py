"""What a fit trains: encoder, target, objective and network, new or gone on with."""

import copy
from typing import Any

import numpy as np

from skdl.data.streamed import StreamedTable
from skdl.estimators.core.fitting import FittedParts
from skdl.estimators.core.learning_on import TRIAL_ROWS, with_new_target
from skdl.estimators.core.rows import (
    Rows,
    weighing,
)
from skdl.estimators.core.user_network import warn_of_equal_members
from skdl.networks.ensemble import Ensemble
from skdl.training.objectives import MemberMean, Objective
from skdl.training.runtime import Runtime


def training_parts(
    settings: Any,
    rows: Rows,
    target: Any,
    runtime: Runtime,
    rng: np.random.RandomState,
    *,
    continued: bool = False,
) -> tuple[Rows, FittedParts]:
    """Return the rows to train on, weighted, and what is trained.

    Without a `target` that is what there is, extended by these rows.
    """
    rows = rows.without_zero_weights()
    if target is None:
        parts = _extended_parts(settings, rows, runtime, continued=continued)
    else:
        target.fit(rows.y, rows.weight)
        parts = _new_parts(settings, rows, target, runtime, rng)
    return weighing(settings._weigh(rows, parts.target), "rows to train on"), parts


def _extended_parts(
    settings: Any, rows: Rows, runtime: Runtime, *, continued: bool
) -> FittedParts:
    if isinstance(rows.X, StreamedTable):
        raise ValueError(
            "Rows that are read piece by piece are not gone on with: fit anew, or give "
            "partial_fit one frame after the other."
        )
    encoder, network = settings._grown(rows.X)
    target, change = settings._target.extended(rows.y, rows.weight)
    if change is not None:
        trial = encoder.transform(rows.X[:TRIAL_ROWS])
        changed = with_new_target(change, network, trial)
        if changed is None:
            target = target.in_units_of(settings._target)
        network = changed or network
    state = work = None  # the optimizer's is of other sizes or units
    if network is settings.network_:
        state, work = settings._optimizer_state, settings._work
        moves = str(runtime.device) != settings.device_
        if moves or not continued or settings.network is not None:
            network, state = copy.deepcopy((network, state))
    return FittedParts(
        encoder,
        target,
        settings._objective_going_on(target),
        network.to(runtime.device),
        state,
        settings.lr_,
        settings._pace,
        work,
    )


def _new_parts(
    settings: Any, rows: Rows, target: Any, runtime: Runtime, rng: np.random.RandomState
) -> FittedParts:
    encoder = settings._new_encoder(rows.X, rng)
    members = [
        settings._new_network(encoder, target.n_outputs)
        for _ in range(settings.n_estimators)
    ]
    warn_of_equal_members(members)
    network = members[0]
    objective = objective_of(settings._new_objective(target), len(members))
    if len(members) > 1:
        network = Ensemble(members)
    return FittedParts(encoder, target, objective, network.to(runtime.device))


def objective_of(member: Objective, n_members: int) -> Objective:
    """Return the objective of one network, or of several whose mean is used."""
    return member if n_members == 1 else MemberMean(member, n_members)
