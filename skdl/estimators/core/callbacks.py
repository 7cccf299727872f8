"""Between the training loop and those who watch it: callbacks and `verbose`."""

from collections.abc import Callable
from typing import Any

from skdl.estimators.core.ranks import ranks_of_fit
from skdl.training.loop import EpochRecord, Outcome, SoFar
from skdl.training.progress import ProgressLine


class EpochReporter:
    """Tells scikit-learn's callbacks and the progress line about every epoch.

    Parameters
    ----------
    estimator : estimator
        The one being fitted.
    context : CallbackContext or None
        The root context of the fit; None where there is none (`partial_fit`).
    data : dict
        X, y and metadata, as the callbacks' hooks take them.
    snapshot : callable
        Takes outcome and state of the network as they would be if training ended now,
        and returns the fitted attributes; called only if a callback asks.
    max_epochs : int
        Epochs of a full progress bar.
    details : callable, optional
        What else the progress line shows of an epoch.
    unit : str, default="epoch"
        What the progress line calls an epoch.
    share : callable, optional
        Takes an epoch and returns the share of all work that is done at its end, where
        epochs are not alike. Training then may end before the last.
    """

    def __init__(
        self,
        estimator: Any,
        context: Any,
        data: dict[str, Any],
        snapshot: Callable[[Outcome, dict[str, Any]], dict[str, Any]],
        max_epochs: int,
        details: Callable[[EpochRecord], list[str]] | None = None,
        unit: str = "epoch",
        share: Callable[[int], float] | None = None,
    ) -> None:
        ranks = ranks_of_fit()
        self._is_first = ranks is None or ranks.is_first
        self._estimator = estimator
        self._context = context if self._is_first else None
        self._data = data
        self._epoch_context: Any = None
        self._line: ProgressLine | None = None
        self._details, self._unit, self._share = details, unit, share
        self.begin_again(snapshot, max_epochs)

    def begin_again(
        self,
        snapshot: Callable[[Outcome, dict[str, Any]], dict[str, Any]],
        max_epochs: int,
    ) -> None:
        """Go on with another training in the same fit; see `__init__`."""
        self._snapshot = snapshot
        if self._line is not None:
            self._line.close()
        if self._estimator.verbose and self._is_first:
            every_epoch = int(self._estimator.verbose) > 1
            self._line = ProgressLine(
                max_epochs,
                every_epoch=every_epoch,
                details=self._details,
                unit=self._unit,
                score_name=self._estimator._score_name,
                share=self._share,
                may_stop=self._share is not None or self._estimator._stops_early,
            )

    def fit_begin(self) -> None:
        """Tell that the fit begins."""
        if self._context is not None:
            self._context.call_on_fit_task_begin(
                estimator=self._estimator, **self._data
            )

    def epoch_begin(self) -> None:
        """Tell that an epoch begins."""
        if self._context is not None:
            self._epoch_context = self._context.subcontext(task_name="epoch")
            self._epoch_context.call_on_fit_task_begin(
                estimator=self._estimator, **self._data
            )

    def epoch_end(self, record: EpochRecord, so_far: SoFar) -> bool:
        """Tell that an epoch is done; return True to stop the training."""
        if self._line is not None:
            self._line.show(record)
        if self._context is None:
            return False
        return self._end(self._epoch_context, lambda: self._snapshot(*so_far()))

    def fit_end(self) -> None:
        """Tell that the fit is done."""
        if self._line is not None:
            self._line.close()
        if self._context is not None:
            self._end(self._context, dict)  # the estimator has its attributes

    def _end(self, context: Any, fitted: Callable[[], dict[str, Any]]) -> bool:
        return context.call_on_fit_task_end(
            estimator=self._estimator, reconstruction_attributes=fitted, **self._data
        )
