"""From encoded rows to a trained network: the engine put together for one fit."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import nn

from skdl.estimators.core.auto_lr import AUTO_RANGE, find_auto_lr
from skdl.estimators.core.batches import make_batches
from skdl.estimators.core.continuing import lr_is_new, tell_of_new_state
from skdl.estimators.core.fit_identity import match_training
from skdl.estimators.core.inputs import about_held_out
from skdl.estimators.core.rows import Rows
from skdl.estimators.core.user_network import check_output
from skdl.training.inference import evaluate
from skdl.training.loop import Outcome, train
from skdl.training.objectives import Objective
from skdl.training.optimization.averaging import TriggeredAverage, WeightAverage
from skdl.training.optimization.freezing import Freezing
from skdl.training.optimization.optimizers import OptimizerSettings, build_optimizer
from skdl.training.optimization.resuming import saved_state, take_over
from skdl.training.optimization.schedules import late_rate, resolve_schedule
from skdl.training.range_test import Curve, sweep
from skdl.training.rank_trainer import new_trainer
from skdl.training.runtime import Runtime
from skdl.training.stopping import EarlyStopping
from skdl.training.survival.checkpoint import Checkpoint
from skdl.training.trainer import BatchSource, Trainer

_SMALLEST_BATCH, _LARGEST_BATCH = 32, 256


@dataclass
class FittedParts:
    """What a fit makes and predict needs.

    `pace` is the share of `lr` at which `partial_fit` goes on, `work` the network's
    multiplications by row, None if it has not been tried yet.
    """

    encoder: Any
    target: Any
    objective: Objective
    network: nn.Module
    optimizer_state: dict | None = None
    lr: float | None = None
    pace: float = 1.0
    work: float | None = None

    def copied(self, state: dict[str, Any]) -> "FittedParts":
        """Return a copy whose network has a state that it had or will have."""
        result = copy.deepcopy(self)
        result.network.load_state_dict(state)
        return result


def resolve_batch_size(batch_size: int | str, n_rows: int) -> int:
    """Return rows per batch; "auto" is the power of two next below a 50th of the rows.

    Between 32 and 256: small data needs many steps, large data fast ones.
    """
    if batch_size != "auto":
        return int(batch_size)
    size = 1 << max(0, (n_rows // 50).bit_length() - 1)
    return min(max(size, _SMALLEST_BATCH), _LARGEST_BATCH)


def pace_of_few_rows(n_rows: int, batch_size: int) -> float:
    """Return the factor of the rate for a call with fewer rows than a batch.

    The noise of a gradient grows as rows become fewer; with the root of their share as
    the rate's factor, steps of Adam wander no further (Malladi et al. 2022, arXiv
    2205.10287, the square root scaling rule).

    Examples
    --------
    >>> pace_of_few_rows(8, 32), pace_of_few_rows(100, 32)
    (0.5, 1.0)
    """
    return min(1.0, (n_rows / batch_size) ** 0.5)


def fit_parts(
    settings: Any,
    parts: FittedParts,
    rows: Rows,
    held_out: Rows | None,
    runtime: Runtime,
    *,
    continued: bool = False,
    reporter: Any = None,
    checkpoint: Checkpoint | None = None,
) -> Outcome:
    """Train the network of `parts` in place.

    Parameters
    ----------
    settings : estimator
        Its parameters say how.
    parts : FittedParts
        Encoder, target and network; the network ends with the weights to keep.
    rows, held_out : Rows
        Training and, if there are any, validation rows, without zero weights.
    runtime : Runtime
        Where to train.
    continued : bool, default=False
        Whether this is one epoch at a constant rate that goes on with the optimizer's
        state (`partial_fit`).
    reporter : EpochReporter, optional
        Told about every epoch.
    checkpoint : Checkpoint, optional
        Where training is saved and goes on from.

    Returns
    -------
    Outcome
    """
    batches, work = training_batches(
        settings, parts, rows, runtime, normalize=not continued
    )
    validate = None
    if held_out is not None:
        with about_held_out():
            validate = validation_of(parts, held_out, runtime)
    with _about_batches_of_one_row():
        return train_parts(
            settings,
            parts,
            batches,
            runtime,
            work=work,
            validate=validate,
            continued=continued,
            few_rows=pace_of_few_rows(
                len(rows), resolve_batch_size(settings.batch_size, len(rows))
            ),
            reporter=reporter,
            checkpoint=checkpoint,
        )


@contextmanager
def _about_batches_of_one_row() -> Iterator[None]:
    """Say what torch means where batch norm gets one row."""
    try:
        yield
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise ValueError(
            "Batch norm takes mean and spread of a batch, which needs 2 rows at least; "
            f"here one has a single row ({error}). Give more rows, a larger batch_size "
            "or a network without batch norm (batch_norm=False)."
        ) from error


def train_parts(
    settings: Any,
    parts: FittedParts,
    batches: BatchSource,
    runtime: Runtime,
    *,
    work: float,
    validate: Callable[[], tuple[float, float]] | None = None,
    continued: bool = False,
    few_rows: float = 1.0,
    reporter: Any = None,
    checkpoint: Checkpoint | None = None,
) -> Outcome:
    """Train the network of `parts` on batches; see `fit_parts`.

    Parameters
    ----------
    settings, parts, runtime, continued, reporter, checkpoint
        As in `fit_parts`.
    batches : BatchSource
        What to train on.
    work : float
        Multiplications of a step.
    validate : callable, optional
        Returns loss and score on held-out data.
    few_rows : float, default=1.0
        What the rate is multiplied by where `continued`; see `pace_of_few_rows`.

    Returns
    -------
    Outcome
        With what is to be raised, once the model is kept, if training diverged or was
        interrupted.

    Raises
    ------
    FloatingPointError
        If training diverged and no epoch ended well.
    """
    stopping = EarlyStopping(settings.n_iter_no_change)
    epochs = 1 if continued else settings._setting("max_epochs")
    if settings.weight_averaging == "nt_asgd" and not (continued or validate):
        raise ValueError(
            "weight_averaging='nt_asgd' begins where the validation loss stops "
            "falling: give X_val, or set early_stopping=True to hold data out."
        )
    with runtime.threads(work):
        notes: dict[str, Any] = {}
        if checkpoint is not None:
            match_training(checkpoint, parts.network, batches, validate, runtime.device)
            notes = checkpoint.notes
        lr = settings._setting("lr")
        if lr != "auto":
            parts.lr = float(lr)
        elif "lr" in notes:
            parts.lr = notes["lr"]
        elif parts.lr is None or not continued or lr_is_new(settings):
            parts.lr = find_auto_lr(
                trainer_of_copy(settings, parts, runtime, AUTO_RANGE["min_lr"]), batches
            )
        notes["lr"] = parts.lr
        if lr_is_new(settings):
            parts.pace = 1.0  # what is set after a fit is meant as it is
        pace = parts.pace * few_rows if continued else 1.0
        trainer = _build_trainer(
            settings,
            replace(parts, lr=parts.lr * pace),
            runtime,
            continued,
            n_steps=epochs * len(batches),
        )
        outcome = train(
            trainer,
            batches,
            max_epochs=epochs,
            validate=validate,
            stopping=stopping if settings._stops_early and validate else None,
            on_epoch_begin=reporter and reporter.epoch_begin,
            on_epoch_end=reporter and reporter.epoch_end,
            checkpoint=checkpoint,
        )
    if outcome.failure is not None and outcome.kept_epoch == 0:
        raise outcome.failure
    parts.lr = trainer.lr / pace  # lower than it was if training went back
    if not continued:
        parts.pace = late_rate(trainer.schedule)
    # A whole fit ends at a low rate and leaves nothing to go on with.
    parts.optimizer_state = (
        saved_state(trainer.optimizer, parts.network) if continued else None
    )
    return outcome


def training_batches(
    settings: Any,
    parts: FittedParts,
    rows: Rows,
    runtime: Runtime,
    *,
    normalize: bool = True,
) -> tuple[BatchSource, float]:
    """Return the training batches and the multiplications of a step.

    With `normalize` the weights of the rows get a mean of one.
    """
    batch_size = resolve_batch_size(settings.batch_size, len(rows))
    scale = 1.0
    if normalize and rows.weight is not None:
        scale = 1.0 / rows.weight.mean()
    batches = make_batches(rows, parts, runtime, batch_size, weight_scale=scale)
    if parts.work is None:
        some = rows.X[:2]
        probe = tuple(t.to(runtime.device) for t in parts.encoder.transform(some))
        parts.work = check_output(parts.network, probe, parts.objective)
    return settings._augmented(batches, parts), 3 * parts.work * batch_size


def trainer_of_copy(
    settings: Any, parts: FittedParts, runtime: Runtime, lr: float
) -> Trainer:
    """Return what trains a copy of the network at a constant rate."""
    copied = replace(
        parts,
        network=copy.deepcopy(parts.network),
        optimizer_state=copy.deepcopy(parts.optimizer_state),  # steps write into it
        lr=lr,
    )
    return _build_trainer(settings, copied, runtime, continued=True)


def sweep_lr(
    settings: Any,
    parts: FittedParts,
    batches: BatchSource,
    runtime: Runtime,
    *,
    min_lr: float,
    max_lr: float,
    num_iter: int,
) -> Curve:
    """Run the range test on a copy of the network; return its curve."""
    trainer = trainer_of_copy(settings, parts, runtime, min_lr)
    with _about_batches_of_one_row():
        return sweep(trainer, batches, min_lr=min_lr, max_lr=max_lr, num_iter=num_iter)


def _build_trainer(
    settings: Any,
    parts: FittedParts,
    runtime: Runtime,
    continued: bool,
    n_steps: int = 0,
) -> Trainer:
    """Build the trainer of a fit, or with `continued` one at a constant rate."""
    tuning = settings._fine_tuning
    betas = settings._setting("betas")
    optimizer = build_optimizer(
        settings.optimizer,
        parts.network,
        OptimizerSettings(
            lr=parts.lr,
            weight_decay=float(settings._setting("weight_decay")),
            betas=(float(betas[0]), float(betas[1])),
            momentum=float(betas[0]),
            layer_lr_decay=1.0 if tuning is None else tuning.layer_lr_decay,
        ),
    )
    if continued and parts.optimizer_state is not None:
        tell_of_new_state(take_over(optimizer, parts.network, parts.optimizer_state))
    freezing = None
    if tuning is not None and tuning.freeze is not None:
        freezing = Freezing(parts.network, tuning.freeze, tuning.thaw)
    average: WeightAverage | None = None
    if settings.weight_averaging == "ema" and not continued:
        average = WeightAverage(parts.network, n_steps)
    elif settings.weight_averaging == "nt_asgd" and not continued:
        average = TriggeredAverage(parts.network)
    return new_trainer(
        parts.network,
        parts.objective,
        optimizer,
        lr=parts.lr,
        schedule=resolve_schedule("constant" if continued else settings.schedule),
        runtime=runtime,
        clip_grad_norm=settings.clip_grad_norm and float(settings.clip_grad_norm),
        average=average,
        freezing=freezing,
    )


def validation_of(
    parts: FittedParts, held_out: Rows, runtime: Runtime
) -> Callable[[], tuple[float, float]]:
    """Return what gives loss and score of the network on held-out rows."""
    scale = 1.0 if held_out.weight is None else 1.0 / held_out.weight.mean()
    size = parts.encoder.inference_rows
    batches = make_batches(
        held_out, parts, runtime, size, weight_scale=scale, shuffle=False
    )
    weight = None
    if held_out.score_weight is not None:
        weight = torch.from_numpy(held_out.score_weight).to(runtime.device)
    score = partial(parts.target.score, weight=weight)

    def validate() -> tuple[float, float]:
        return evaluate(parts.network, batches, parts.objective, score)

    return validate
