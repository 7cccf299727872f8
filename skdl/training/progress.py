"""A line of text that shows how a training goes."""

import sys
from collections.abc import Callable

from skdl.training.loop import EpochRecord


class ProgressLine:
    """Prints a progress bar, or one line an epoch.

    Parameters
    ----------
    max_epochs : int
        Epochs of a full bar.
    every_epoch : bool, default=False
        Keep the line of every epoch instead of writing over it.
    details : callable, optional
        Takes the record of an epoch and returns what else to show.
    unit : str, default="epoch"
        What is counted.
    score_name : str or None, default="score"
        What the validation score is; it is not shown if None.
    share : callable, optional
        Takes an epoch and returns the share of all work that is done at its end; all
        epochs are alike without it.
    may_stop : bool, default=False
        Whether training may end before the last epoch.

    Examples
    --------
    >>> line = ProgressLine(4, every_epoch=True, score_name="accuracy")
    >>> line.show(EpochRecord(1, 0.7, 0.01, 2.0, 2.0, 0.6, 0.8))
    epoch 1/4  loss 0.7000  validation loss 0.6000  accuracy 0.8000  2.0 s, 6 s left
    """

    def __init__(
        self,
        max_epochs: int,
        *,
        every_epoch: bool = False,
        details: Callable[[EpochRecord], list[str]] | None = None,
        unit: str = "epoch",
        score_name: str | None = "score",
        share: Callable[[int], float] | None = None,
        may_stop: bool = False,
    ) -> None:
        self.max_epochs = max_epochs
        self.every_epoch = every_epoch
        self.details = details
        self.unit = unit
        self.score_name = score_name
        self.share = share or (lambda epoch: epoch / max_epochs)
        self.may_stop = may_stop
        self._seconds = 0.0
        self._begun = 0.0
        self._length = 0

    def show(self, record: EpochRecord) -> None:
        """Show the epoch just done."""
        if not self._seconds and record.epoch > 1:  # goes on from a checkpoint
            self._begun = self.share(record.epoch - 1)
        self._seconds += record.seconds
        end = "\n" if self.every_epoch else ""
        start = "" if self.every_epoch else "\r"
        print(f"{start}{self._text(record)}", end=end, file=sys.stdout, flush=True)

    def close(self) -> None:
        """End the line."""
        if self._seconds and not self.every_epoch:
            print(file=sys.stdout, flush=True)

    def _text(self, record: EpochRecord) -> str:
        width = 24
        share = self.share(record.epoch)
        done = round(width * share)
        bar = "" if self.every_epoch else f" |{'#' * done}{'-' * (width - done)}|"
        digits = len(str(self.max_epochs))
        parts = [
            f"{self.unit} {record.epoch:{digits}d}/{self.max_epochs}{bar}",
            f"loss {record.loss:.4f}",
        ]
        if record.validation_loss is not None:
            parts.append(f"validation loss {record.validation_loss:.4f}")
        if record.validation_score is not None and self.score_name:
            parts.append(f"{self.score_name} {record.validation_score:.4f}")
        if self.details is not None:
            parts += self.details(record)
        parts.append(f"{self._seconds:.1f} s{self._left(share)}")
        text = "  ".join(parts)
        # What stood there before may have been longer.
        padding = " " * max(0, self._length - len(text))
        self._length = len(text)
        return text if self.every_epoch else text + padding

    def _left(self, share: float) -> str:
        """Return how long it will take to the last epoch, at the pace so far."""
        if not self._begun < share < 1:
            return ""
        seconds = self._seconds * (1 - share) / (share - self._begun)
        return f", {'at most ' if self.may_stop else ''}{_duration(seconds)} left"


def _duration(seconds: float) -> str:
    """Return seconds as people say them.

    Examples
    --------
    >>> _duration(7.2), _duration(75), _duration(7300)
    ('7 s', '1 min 15 s', '2 h 1 min')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = int(seconds // 60)
    if minutes < 60:
        return f"{minutes} min {int(seconds) % 60} s"
    return f"{minutes // 60} h {minutes % 60} min"
