"""Fitting a pack whose members are each blind to another part of the rows."""

from dataclasses import dataclass, replace
from functools import partial
from numbers import Integral
from typing import Any

import numpy as np

from skdl.data.folds import folds_of
from skdl.estimators.core.callbacks import EpochReporter
from skdl.estimators.core.fit_identity import match_ranks
from skdl.estimators.core.fitting import FittedParts
from skdl.estimators.core.rows import Rows, weighing
from skdl.estimators.core.state import draw_seed, seed_source
from skdl.estimators.tables.pack_run import PackRun
from skdl.estimators.tables.recipe import Recipe
from skdl.estimators.tables.settings_run import (
    SettingsRun,
    check_settings,
    whole_settings,
)
from skdl.estimators.tables.validation import (
    blind_to_others,
    check_groups,
    draw_blind_rows,
    folds_by_rows,
)
from skdl.training.loop import Outcome

# What a cross-fitted estimator has beside the others.
ATTRIBUTES = (
    "oof_prediction_",
    "oof_score_",
    "temperature_",
    "feature_importances_",
    "feature_importances_std_",
    "_conformal",
    "_settings",
    "_corrections",
)


@dataclass
class CrossFit:
    """What came of it.

    Attributes
    ----------
    outcome : Outcome
        How training went; its epochs are looks.
    parts : FittedParts
        Encoder, target, objective and network.
    history : list of dict
        One row a look.
    attributes : dict
        Values of `ATTRIBUTES`, and in epochs what training counts in looks.
    recipe : Recipe
        How it was trained.
    reporter : EpochReporter
        Still to be told that the fit is done.
    harmful : tuple of int
        Columns of categories that the networks are not shown.
    """

    outcome: Outcome
    parts: FittedParts
    history: list[dict[str, float]]
    attributes: dict[str, Any]
    recipe: Recipe
    reporter: EpochReporter
    harmful: tuple[int, ...]


def cross_fit(
    estimator: Any,
    rows: Rows,
    validation: Any,
    groups: Any,
    watch: tuple[Any, dict],
    *,
    held_out: Rows | None = None,
    drop_harmful: bool = True,
    with_whole: bool = False,
) -> CrossFit:
    """Train a pack.

    Parameters
    ----------
    estimator : DenseEstimator
        Its parameters say how.
    rows : Rows
        All rows, validated.
    validation : int, "last" or splitter
        Which rows are held out; with `held_out` how many networks there are.
    groups : array-like or None
        Which rows belong together.
    watch : tuple
        The context of callbacks, and what they are shown.
    held_out : Rows, optional
        Rows that no network learns from, to look at the networks with.
    drop_harmful : bool, default=True
        Whether columns of categories that make the networks worse on rows that they
        have not seen lose their vectors.
    with_whole : bool, default=False
        Whether there is one more network, the first, that is blind to no row. All then
        begin alike, so that their vectors can be turned to each other.

    Returns
    -------
    CrossFit
    """
    runtime = estimator._runtime()
    match_ranks(estimator, runtime, rows=rows, held_out=held_out, groups=groups)
    rng = seed_source(estimator.random_state)
    target = estimator._new_target(rows, None)
    n_rows = len(rows)
    known = rows.without_zero_weights()
    target.fit(known.y, known.weight)
    rows = estimator._weigh(rows, target)
    groups = check_groups(groups, rows.X)
    at_random = held_out is None and groups is None and isinstance(validation, Integral)
    if held_out is None:
        if not with_whole:
            validation = folds_by_rows(estimator, len(known)) or validation
        kept, blind = draw_blind_rows(
            estimator, rows, validation, groups, rng, watch[1]["X"]
        )
    else:
        held_out = weighing(estimator._weigh(held_out, target), "held-out rows")
        kept, blind = blind_to_others(estimator, rows, validation)
    if not isinstance(kept, slice):
        rows = rows.take(kept)
    if with_whole:
        blind = np.insert(blind, 0, False, axis=1)
    kind: Any = PackRun
    if estimator.diversity == "settings":
        check_settings(estimator, with_whole=with_whole)
        n_folds = validation if held_out is not None else folds_of(blind)
        blind = whole_settings(blind, n_folds)
        kind = partial(SettingsRun, seed=draw_seed(rng), n_folds=n_folds)
    with runtime.seeded(draw_seed(rng)):
        given = (estimator, rows, target, blind, runtime, rng)
        new_run = partial(
            kind,
            *given,
            held_out=held_out,
            for_vectors=with_whole,
            folds_at_random=at_random,
        )
        run = new_run(())
        reporter = EpochReporter(
            estimator,
            *watch,
            run.snapshot,
            len(run.steps),
            unit="look",
            share=lambda look: run.steps[look - 1] / run.steps[-1],
        )
        reporter.fit_begin()
        outcome = run.train(reporter, drops=drop_harmful)
        while run.found_harmful:
            other = new_run((*run.harmful, *run.found_harmful))
            found = _trained_instead(other, outcome, reporter)
            if found is None or found.failure is not None:
                outcome = replace(outcome, failure=found and found.failure)
                break
            run, outcome = other, found
        with run.threads():
            run.conclude()
        attributes = run.attributes(kept, n_rows)
    attributes |= run.told_in_epochs(outcome)
    history = run.history(outcome)
    return CrossFit(
        outcome, run.parts, history, attributes, run.recipe, reporter, run.harmful
    )


def _trained_instead(
    other: PackRun, outcome: Outcome, reporter: EpochReporter
) -> Outcome | None:
    """Train anew without columns, since what there is was learned beside them.

    Return None if what there is has the lower loss, and its outcome with the failure if
    there is one: then what there is stays, too.
    """
    reporter.begin_again(other.snapshot, len(other.steps))
    try:
        found = other.train(reporter, drops=True)
    except FloatingPointError:
        return None
    is_better = found.best_loss <= outcome.best_loss
    return found if is_better or found.failure is not None else None
