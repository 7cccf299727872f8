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
    """

    def __init__(
        self,
        max_epochs: int,
        *,
        every_epoch: bool = False,
        details: Callable[[EpochRecord], list[str]] | None = None,
        unit: str = "epoch",
    ) -> None:
        self.max_epochs = max_epochs
        self.every_epoch = every_epoch
        self.details = details
        self.unit = unit
        self._seconds = 0.0

    def show(self, record: EpochRecord) -> None:
        """Show the epoch just done."""
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
        done = round(width * record.epoch / self.max_epochs)
        bar = "" if self.every_epoch else f" |{'#' * done}{'-' * (width - done)}|"
        digits = len(str(self.max_epochs))
        parts = [
            f"{self.unit} {record.epoch:{digits}d}/{self.max_epochs}{bar}",
            f"loss {record.loss:.4f}",
        ]
        if record.validation_loss is not None:
            parts.append(f"validation loss {record.validation_loss:.4f}")
        if record.validation_score is not None:
            parts.append(f"score {record.validation_score:.4f}")
        if self.details is not None:
            parts += self.details(record)
        parts.append(f"{self._seconds:.1f} s")
        return "  ".join(parts)
