"""The one training loop: epochs, when to stop, and which weights to keep."""

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import asdict, dataclass
from typing import Any, Literal

from skdl.training.optimization.resuming import made_of, misfit
from skdl.training.ranks import agreed
from skdl.training.stopping import EarlyStopping
from skdl.training.survival.checkpoint import Checkpoint, load_mask_states, mask_states
from skdl.training.survival.interrupts import interrupts_held
from skdl.training.survival.snapshot import copied
from skdl.training.trainer import BatchSource, Trainer

# How often a training that is lost goes back to its last good state with half the rate,
# and from which time on windows of text are halved too.
MAX_RESTORATIONS = 3
_SHORTER_FROM = 2


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
    skipped_steps: int | None = None
    restorations: int | None = None
    rows_at_once: int | None = None

    def as_row(self) -> dict[str, float]:
        """Return the fields that have a value."""
        return {name: v for name, v in asdict(self).items() if v is not None}


SoFar = Callable[[], "tuple[Outcome, dict[str, Any]]"]
Reason = Literal["finished", "early_stopping", "callback", "diverged", "interrupted"]


@dataclass
class Outcome:
    """How a training went.

    Attributes
    ----------
    records : list of EpochRecord
        One an epoch.
    reason : str
        Why it ended.
    kept_epoch : int
        The epoch whose weights the network has; 0 for those it began with.
    failure : FloatingPointError, KeyboardInterrupt or None
        What is to be raised, once the network is kept, where the reason is "diverged"
        or "interrupted".
    """

    records: list[EpochRecord]
    reason: Reason
    kept_epoch: int
    failure: FloatingPointError | KeyboardInterrupt | None = None

    @property
    def best_loss(self) -> float:
        """The lowest loss on held-out data; infinite where there is none."""
        losses = [record.validation_loss for record in self.records]
        return min((x for x in losses if x is not None), default=math.inf)

    def rows(self) -> list[dict[str, Any]]:
        """Return what was recorded, one row an epoch."""
        return [record.as_row() for record in self.records]


def train(
    trainer: Trainer,
    batches: BatchSource,
    *,
    max_epochs: int,
    validate: Callable[[], tuple[float, float]] | None = None,
    stopping: EarlyStopping | None = None,
    on_epoch_begin: Callable[[], None] | None = None,
    on_epoch_end: Callable[[EpochRecord, SoFar], bool] | None = None,
    checkpoint: Checkpoint | None = None,
) -> Outcome:
    """Train for some epochs and leave the best or the last good weights.

    Where three steps in a row had to be dropped since their loss or gradient was not
    finite, training goes back to the end of the last epoch, with half the learning
    rate; the second time with half the window of a text, too. After three times it
    ends.

    Parameters
    ----------
    trainer : Trainer
        Takes the steps.
    batches : BatchSource
        The training data; may have a method `shorten` that halves its windows.
    max_epochs : int
        Epochs to run if nothing stops them.
    validate : callable, optional
        Returns the loss and the score on held-out data.
    stopping : EarlyStopping, optional
        Needs `validate`; the weights of its best epoch are restored at the end.
    on_epoch_begin : callable, optional
        Called before each epoch.
    on_epoch_end : callable, optional
        Takes the record of each epoch, and a function that returns what the outcome and
        the state of the network would be if training ended there; training stops when
        it returns True.
    checkpoint : Checkpoint, optional
        Training goes on from its state if it has one, and is saved to it.

    Returns
    -------
    Outcome

    Raises
    ------
    KeyboardInterrupt
        If interrupted before the first epoch is done; after that the epochs done are
        kept, and it is the outcome's failure.
    """
    if stopping is not None and validate is None:
        raise ValueError("Early stopping needs validation data.")
    ranks = trainer.runtime.ranks
    validate, on_epoch_end = agreed(validate, ranks), agreed(on_epoch_end, ranks)
    run = _Run(trainer, batches, validate, stopping, saves=checkpoint is not None)
    if checkpoint is not None and checkpoint.state is not None:
        run.load_state_dict(checkpoint.state)
    reason: Reason | None = None
    while reason is None and run.last_epoch < max_epochs:
        try:
            if on_epoch_begin is not None:
                on_epoch_begin()
            reason = run.next(max_epochs, on_epoch_end)
            writes = checkpoint is not None and (ranks is None or ranks.is_first)
            if checkpoint is not None and writes and reason is None:
                last = run.last_epoch == max_epochs
                checkpoint.save(run.last_epoch, run.state_dict(), last=last)
        except KeyboardInterrupt:
            if run.last_epoch == 0:
                raise
            reason = "interrupted"
    return run.finish(reason or "finished", max_epochs)


class _Run:
    """The state of one training: its records and the weights to go back to."""

    def __init__(
        self,
        trainer: Trainer,
        batches: BatchSource,
        validate: Callable[[], tuple[float, float]] | None,
        stopping: EarlyStopping | None,
        *,
        saves: bool,
    ) -> None:
        self.trainer = trainer
        self.saves = saves
        self.batches = batches
        self.validate = validate
        self.stopping = stopping
        self.records: list[EpochRecord] = []
        self.last_epoch = 0  # the last one that ended well
        self.restorations = 0
        self._good = trainer.keep()
        self._best = self._good["network"]

    def next(
        self,
        max_epochs: int,
        on_epoch_end: Callable[[EpochRecord, SoFar], bool] | None,
    ) -> Reason | None:
        """Run an epoch; return why training ends, if it does."""
        record = self.epoch(self.last_epoch + 1, max_epochs)
        if record is None:
            return "diverged"
        if on_epoch_end is not None and on_epoch_end(record, self.so_far):
            return "callback"
        if self.stopping is not None and self.stopping.should_stop:
            return "early_stopping"
        return None

    def epoch(self, epoch: int, max_epochs: int) -> EpochRecord | None:
        """Run an epoch until it ends well; return None if it never does."""
        started, skipped, before = time.perf_counter(), 0, self.restorations
        while True:
            loss = self.trainer.run_epoch(
                self.batches, (epoch - 1) / max_epochs, epoch / max_epochs
            )
            skipped += self.trainer.guard.dropped
            if math.isfinite(loss):
                break
            if self.restorations == MAX_RESTORATIONS:
                return None
            self._go_back()
        record = EpochRecord(epoch, loss, self.trainer.current_lr, 0.0)
        record.skipped_steps = skipped or None
        record.restorations = self.restorations - before or None
        record.rows_at_once = self.trainer.runtime.memory.most_rows
        if self.validate is not None:
            record.training_seconds = time.perf_counter() - started
        self._keep(record, started, is_last=epoch == max_epochs)
        return record

    def _go_back(self) -> None:
        """Return to the last good state, to try again with a lower rate."""
        self.restorations += 1
        self.trainer.go_back()
        self.trainer.lr /= 2
        if self.restorations >= _SHORTER_FROM:
            self._shorten()

    def _shorten(self) -> None:
        if hasattr(self.batches, "shorten"):
            self.batches.shorten()

    def _averaged(self) -> AbstractContextManager:
        average = self.trainer.average
        return nullcontext() if average is None else average.applied()

    def _keep(self, record: EpochRecord, started: float, *, is_last: bool) -> None:
        """Validate, and take the epoch as done: wholly, or not if interrupted."""
        with ExitStack() as held:
            if self.validate is not None:
                with self._averaged():
                    record.validation_loss, record.validation_score = self.validate()
                    held.enter_context(interrupts_held())
                    loss, stopping = record.validation_loss, self.stopping
                    if stopping and stopping.is_best(record.epoch, loss):
                        self._best = copied(self.trainer.network.state_dict())
                if self.trainer.average is not None:
                    self.trainer.average.observe(loss)
            else:
                held.enter_context(interrupts_held())
            if is_last and not self.saves:
                self.trainer.forget()  # nothing comes that could be undone
            else:
                self._good = self.trainer.keep()
            record.seconds = time.perf_counter() - started
            self.records.append(record)
            self.last_epoch = record.epoch

    def state_dict(self) -> dict[str, Any]:
        """Return all that training goes on from after an epoch."""
        runtime, stopping = self.trainer.runtime, self.stopping
        return {
            "epoch": self.last_epoch,
            "records": copied([asdict(record) for record in self.records]),
            "good": self._good,
            "optimizer of": made_of(self.trainer.optimizer, self.trainer.network),
            "best": None if stopping is None else self._best,
            "stopping": None if stopping is None else copied(stopping.state_dict()),
            "restorations": self.restorations,
            "lr": self.trainer.lr,
            "most_rows": runtime.memory.most_rows,
            "generators": runtime.random_states(),
            "masks": mask_states(self.trainer.network),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from where a training was after an epoch."""
        self._check_optimizer(state["optimizer of"])
        runtime = self.trainer.runtime
        self.records = [EpochRecord(**record) for record in state["records"]]
        self.trainer.load_state_dict(state["good"])
        self._good, self.trainer.lr = self.trainer.keep(), state["lr"]
        if self.stopping is not None:
            self._best = state["best"]
            self.stopping.load_state_dict(state["stopping"])
        self.restorations = state["restorations"]
        for _ in range(_SHORTER_FROM, self.restorations + 1):
            self._shorten()
        runtime.memory.most_rows = state["most_rows"]
        self._check_held_out()
        load_mask_states(self.trainer.network, state["masks"])
        runtime.set_random_states(state["generators"])
        self.last_epoch = state["epoch"]

    def _check_optimizer(self, of: dict[str, Any]) -> None:
        """Refuse the state of another optimizer, which kernels would not notice."""
        reason = misfit(self.trainer.optimizer, self.trainer.network, of)
        if reason:
            raise ValueError(
                f"The checkpoint has the state of another optimizer: {reason}. To go "
                "on with it, fit as then; to begin anew, delete the file or give "
                "another path."
            )

    def _check_held_out(self) -> None:
        """Refuse to go on with other held-out data, on which losses do not compare."""
        if self.validate is None:
            return
        with self._averaged():
            loss, _ = self.validate()
        before = self.records[-1].validation_loss or 0.0
        if math.isfinite(before) and not math.isclose(loss, before, rel_tol=1e-3):
            raise ValueError(
                "The checkpoint is of a fit with other held-out data: the loss on them "
                f"was {before:g} after epoch {self.records[-1].epoch} and is {loss:g} "
                "here. To go on with it, give the same X_val; to begin anew, delete "
                "the file or give another path."
            )

    def so_far(self) -> tuple[Outcome, dict[str, Any]]:
        """Return the outcome if training ended now, and the network's state then."""
        kept, state = self.last_epoch, self._best
        if self.stopping is not None:
            kept = self.stopping.best_epoch
        else:
            with self._averaged():
                state = copied(self.trainer.network.state_dict())
        return Outcome(list(self.records), "callback", kept), state

    def finish(self, reason: Reason, max_epochs: int) -> Outcome:
        kept, average = self.last_epoch, self.trainer.average
        if self.stopping is not None:
            self.trainer.network.load_state_dict(self._best)
            kept = self.stopping.best_epoch
        else:
            if reason in ("diverged", "interrupted"):
                self.trainer.go_back()
            if average is not None:
                average.swap()
        self.trainer.network.eval()
        if self.trainer.freezing is not None:
            self.trainer.freezing.release()
        failure: FloatingPointError | KeyboardInterrupt | None = None
        if reason == "diverged":
            failure = self._divergence(kept)
        elif reason == "interrupted":
            failure = KeyboardInterrupt(
                f"Training was interrupted; the weights after epoch {kept} of "
                f"{max_epochs} are kept."
            )
        return Outcome(self.records, reason, kept, failure)

    def _divergence(self, kept_epoch: int) -> FloatingPointError:
        kept = "No epoch ended well, so nothing is kept."
        if kept_epoch:
            kept = f"The model of epoch {kept_epoch} is kept."
        return FloatingPointError(
            f"Training diverged in epoch {self.last_epoch + 1}: loss or gradient were "
            f"not finite up to step {self.trainer.steps}, at lr={self.trainer.lr:g}, "
            f"after going back {MAX_RESTORATIONS} times with half the rate each time. "
            f"{kept} Lower lr or set clip_grad_norm=1; if that does not help, look for "
            "NaN in the data and for what your network or loss divides by."
        )
