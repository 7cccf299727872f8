"""When to stop before the last epoch."""

import math
from typing import Any


class EarlyStopping:
    """Stop when the validation loss has not fallen for a number of epochs.

    Parameters
    ----------
    patience : int
        Epochs without a new lowest validation loss after which training stops.
    tolerance : float, default=0.0
        By what share of itself the loss has to be lower for patience to begin anew; or
        of what has been learned, where that is less. The best epoch is the best one
        however little better it is.
    if_rising : int, optional
        Epochs since the lowest loss after which training stops where it rises faster
        and faster: by more in the last of them than in all before. None by default.
    uninformed : float, default=inf
        The loss of having learned nothing.

    Attributes
    ----------
    best_epoch : int
        The epoch (from 1) of the lowest loss, the last among ties; 0 before any.
    """

    def __init__(
        self,
        patience: int,
        tolerance: float = 0.0,
        if_rising: int | None = None,
        uninformed: float = math.inf,
    ) -> None:
        self.patience = patience
        self.tolerance = tolerance
        self.uninformed = uninformed
        self.if_rising = math.inf if if_rising is None else if_rising
        self.best_epoch = 0
        self._best = self._bar = self._last = math.inf
        self._since = self._behind = 0
        self._rises = False

    def is_best(self, epoch: int, loss: float) -> bool:
        """Take the loss of an epoch and tell whether it is the lowest so far."""
        self._since += 1
        self._rises = loss - self._last > self._last - self._best
        self._last = loss
        if loss < self._bar:
            self._since = 0
            learned = max(0.0, self.uninformed - loss)
            self._bar = loss - self.tolerance * min(abs(loss), learned)
        if not loss <= self._best:  # also when the loss is NaN
            self._behind += 1
            return False
        self._best, self.best_epoch, self._behind = loss, epoch, 0
        return True

    def state_dict(self) -> dict[str, Any]:
        """Return what has been seen so far."""
        return {
            "best": self._best,
            "bar": self._bar,
            "epoch": self.best_epoch,
            "since": self._since,
            "behind": self._behind,
            "last": self._last,
            "rises": self._rises,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what has been seen."""
        self._best, self.best_epoch = state["best"], state["epoch"]
        self._bar = state["bar"]
        self._since = state["since"]
        # Files from before there were any have none of these.
        self._behind = state.get("behind", 0)
        self._last, self._rises = state.get("last", math.inf), state.get("rises", False)

    @property
    def should_stop(self) -> bool:
        """Whether patience has run out."""
        is_rising = self._rises and self._behind >= self.if_rising
        return is_rising or self._since >= self.patience
