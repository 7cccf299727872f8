"""The one training loop.

`Trainer` takes optimization steps; `train` runs epochs of them and decides when to
stop and which weights to keep. Neither knows what the network is or where the
batches come from, so tables, images, text and the learning-rate range test all use
both.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from skdl.training.averaging import WeightAverage
from skdl.training.freezing import Freezing
from skdl.training.objectives import Objective
from skdl.training.runtime import Runtime
from skdl.training.schedules import Schedule
from skdl.training.snapshot import Snapshot
from skdl.training.stopping import EarlyStopping

Batch = tuple[tuple[Tensor, ...], Tensor, Tensor | None]


class BatchSource(Protocol):
    """Gives the batches of one epoch each time it is iterated.

    Attributes
    ----------
    lr_factor : float
        What the learning rate is multiplied by in the step on the batch just given.
    """

    lr_factor: float

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""

    def __iter__(self) -> Iterator[Batch]:
        """Yield `(inputs, target, weight)`, already on the network's device."""


class Trainer:
    """Takes optimization steps.

    Parameters
    ----------
    network : nn.Module
        On the runtime's device.
    objective : Objective
        Gives the loss.
    optimizer : torch.optim.Optimizer
        Over the network's parameters.
    lr : float
        The rate that the schedule multiplies.
    schedule : Schedule
        Learning rate and momentum by progress.
    runtime : Runtime
        Gives the precision.
    clip_grad_norm : float or None, default=None
        Largest Euclidean norm of the gradient of all parameters together.
    average : WeightAverage or None, default=None
        Updated after every step; validated and kept in place of the last weights.
    freezing : Freezing or None, default=None
        Layers that are not trained, by epoch.
    """

    def __init__(
        self,
        network: nn.Module,
        objective: Objective,
        optimizer: torch.optim.Optimizer,
        *,
        lr: float,
        schedule: Schedule,
        runtime: Runtime,
        clip_grad_norm: float | None = None,
        average: WeightAverage | None = None,
        freezing: Freezing | None = None,
    ) -> None:
        self.network = network
        self.objective = objective
        self.optimizer = optimizer
        self.lr = lr
        self.schedule = schedule
        self.runtime = runtime
        self.clip_grad_norm = clip_grad_norm
        self.average = average
        self.freezing = freezing
        self._epochs = 0
        self._lr = lr
        self._groups = optimizer.param_groups
        for group in self._groups:
            group.setdefault("lr_factor", 1.0)
        self._parameters = [p for group in self._groups for p in group["params"]]
        self._momenta = [_momentum_of(group) for group in self._groups]

    @property
    def current_lr(self) -> float:
        """The rate of the last step, as scheduled."""
        return self._lr

    def set_lr(self, lr: float) -> None:
        """Set the rate of the next steps; layers may have a fraction of it."""
        self._lr = lr
        for group in self._groups:
            group["lr"] = lr * group["lr_factor"]

    def set_progress(self, progress: float, lr_factor: float = 1.0) -> None:
        """Set rate and momentum to where the schedule has them at `progress`."""
        scheduled = self.lr * self.schedule.lr(progress)
        self.set_lr(scheduled * lr_factor)
        self._lr = scheduled  # what is told does not swing with the batches
        if self.schedule.momentum is not None:
            self._set_momentum(self.schedule.momentum(progress))

    def _set_momentum(self, offset: float) -> None:
        for group, momentum in zip(self._groups, self._momenta, strict=True):
            if not momentum:
                continue
            cycled = min(max(momentum + offset, 0.0), 0.99)
            if "betas" in group:
                group["betas"] = (cycled, group["betas"][1])
            else:
                group["momentum"] = cycled

    def step(self, batch: Batch) -> Tensor:
        """Take one step and return the batch's mean loss, on the device."""
        inputs, target, weight = batch
        for parameter in self._parameters:
            parameter.grad = None
        with self.runtime.autocast():
            loss = self.objective.loss(self.network(*inputs), target, weight)
        loss.backward()
        if self.clip_grad_norm is not None:
            nn.utils.clip_grad_norm_(self._parameters, self.clip_grad_norm)
        self.optimizer.step()
        if self.average is not None:
            self.average.update()
        return loss.detach()

    def begin_epoch(self) -> None:
        """Put the network into training mode, but for what is frozen."""
        self._epochs += 1
        self.network.train()
        if self.freezing is not None:
            self.freezing.begin_epoch(self._epochs)

    def run_epoch(self, batches: BatchSource, start: float, end: float) -> float:
        """Take a step on every batch while progress goes from `start` to `end`.

        Losses are summed on the device and read once, at the end.

        Returns
        -------
        float
            The mean loss over the batches, each at its own step.
        """
        self.begin_epoch()
        n_steps = len(batches)
        total = torch.zeros((), device=self.runtime.device)
        for i, batch in enumerate(batches):
            self.set_progress(start + (end - start) * i / n_steps, batches.lr_factor)
            total += self.step(batch)
        return total.item() / n_steps


def _momentum_of(group: dict) -> float:
    return float(group["betas"][0] if "betas" in group else group.get("momentum", 0.0))


@dataclass
class EpochRecord:
    """One row of a training history."""

    epoch: int
    loss: float
    lr: float
    seconds: float
    training_seconds: float | None = None
    validation_loss: float | None = None
    validation_score: float | None = None

    def as_row(self) -> dict[str, float]:
        """Return the fields that have a value."""
        return {name: v for name, v in asdict(self).items() if v is not None}


Reason = Literal["finished", "early_stopping", "callback", "diverged", "interrupted"]


@dataclass
class Outcome:
    """How a training went.

    Attributes
    ----------
    records : list of EpochRecord
        One an epoch, the last of them perhaps of an epoch that was undone.
    reason : str
        Why it ended.
    kept_epoch : int
        The epoch whose weights the network has; 0 for those it began with.
    """

    records: list[EpochRecord]
    reason: Reason
    kept_epoch: int


def train(
    trainer: Trainer,
    batches: BatchSource,
    *,
    max_epochs: int,
    validate: Callable[[], tuple[float, float]] | None = None,
    stopping: EarlyStopping | None = None,
    on_epoch_begin: Callable[[], None] | None = None,
    on_epoch_end: Callable[[EpochRecord], bool] | None = None,
) -> Outcome:
    """Train for some epochs and leave the best or the last finite weights.

    Parameters
    ----------
    trainer : Trainer
        Takes the steps.
    batches : BatchSource
        The training data.
    max_epochs : int
        Epochs to run if nothing stops them.
    validate : callable, optional
        Returns the loss and the score on held-out data.
    stopping : EarlyStopping, optional
        Needs `validate`; the weights of its best epoch are restored at the end.
    on_epoch_begin : callable, optional
        Called before each epoch.
    on_epoch_end : callable, optional
        Takes the record of each finite epoch; training stops when it returns True.

    Returns
    -------
    Outcome

    Raises
    ------
    KeyboardInterrupt
        If interrupted before the first epoch is done; after that the epochs done are
        kept and the outcome's reason is "interrupted".
    """
    if stopping is not None and validate is None:
        raise ValueError("Early stopping needs validation data.")
    run = _Run(trainer, validate, stopping)
    reason: Reason = "finished"
    for epoch in range(1, max_epochs + 1):
        if on_epoch_begin is not None:
            on_epoch_begin()
        try:
            record = run.epoch(epoch, batches, max_epochs)
        except KeyboardInterrupt:
            if run.last_epoch == 0:
                raise
            reason = "interrupted"
            break
        if run.last_epoch < epoch:
            reason = "diverged"
            break
        if on_epoch_end is not None and on_epoch_end(record):
            reason = "callback"
            break
        if stopping is not None and stopping.should_stop:
            reason = "early_stopping"
            break
    return run.finish(reason)


class _Run:
    """The state of one training: its records and the weights to go back to."""

    def __init__(
        self,
        trainer: Trainer,
        validate: Callable[[], tuple[float, float]] | None,
        stopping: EarlyStopping | None,
    ) -> None:
        self.trainer = trainer
        self.validate = validate
        self.stopping = stopping
        self.records: list[EpochRecord] = []
        self.last_epoch = 0  # the last one that ended with finite numbers
        self._last = Snapshot(trainer.network)
        self._best = Snapshot(trainer.network) if stopping is not None else None

    def epoch(self, epoch: int, batches: BatchSource, max_epochs: int) -> EpochRecord:
        started = time.perf_counter()
        loss = self.trainer.run_epoch(
            batches, (epoch - 1) / max_epochs, epoch / max_epochs
        )
        record = EpochRecord(epoch, loss, self.trainer.current_lr, 0.0)
        if loss - loss == 0 and self._last.live_is_finite():
            if self.validate is not None:
                record.training_seconds = time.perf_counter() - started
            with self._averaged():
                self._keep(record)
            self.last_epoch = epoch
            if self.trainer.average is not None and record.validation_loss is not None:
                self.trainer.average.observe(record.validation_loss)
        record.seconds = time.perf_counter() - started
        self.records.append(record)
        return record

    def _averaged(self) -> AbstractContextManager:
        average = self.trainer.average
        return nullcontext() if average is None else average.applied()

    def _keep(self, record: EpochRecord) -> None:
        self._last.save()
        if self.validate is None:
            return
        record.validation_loss, record.validation_score = self.validate()
        if self._best is None or self.stopping is None:
            return
        if self.stopping.is_best(record.epoch, record.validation_loss):
            self._best.save()

    def finish(self, reason: Reason) -> Outcome:
        kept = self.last_epoch
        if self._best is not None and self.stopping is not None:
            self._best.restore()
            kept = self.stopping.best_epoch
        elif reason in ("diverged", "interrupted") or self.trainer.average is not None:
            self._last.restore()
        self.trainer.network.eval()
        if self.trainer.freezing is not None:
            self.trainer.freezing.release()
        return Outcome(self.records, reason, kept)
