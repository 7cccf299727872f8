"""The picture of learning-rate schedules."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from skdl.display.base import AxesDisplay, inside
from skdl.training.optimization.schedules import resolve_schedule


class ScheduleDisplay(AxesDisplay):
    """Learning-rate schedules by training progress.

    Parameters
    ----------
    schedules : dict of str to callable
        Functions of progress in [0, 1] that return the factor of the learning rate.

    Examples
    --------
    >>> from skdl import NeuralClassifier, ScheduleDisplay
    >>> display = ScheduleDisplay.from_estimator(NeuralClassifier(schedule="cosine"))
    >>> display.ax_.get_title()
    'Learning-rate schedule'
    """

    def __init__(self, schedules: dict[str, Callable[[float], float]]) -> None:
        self.schedules = schedules

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None) -> "ScheduleDisplay":
        """Draw the schedule of an estimator, or of the one in a Pipeline or search.

        Parameters
        ----------
        estimator : estimator, or a Pipeline, search and the like that holds one
            Fitted or not.
        ax : matplotlib.axes.Axes, default=None
            As for `plot`.

        Returns
        -------
        ScheduleDisplay
        """
        return cls.from_schedules([inside(estimator).schedule]).plot(ax=ax)

    @classmethod
    def from_schedules(
        cls, schedules: Sequence[str | Callable[[float], float]]
    ) -> "ScheduleDisplay":
        """Take names of schedules, or functions of progress, without drawing.

        Parameters
        ----------
        schedules : sequence of str or callable
            As for an estimator's `schedule`.

        Returns
        -------
        ScheduleDisplay
        """
        return cls(
            {
                s if isinstance(s, str) else _name(s): resolve_schedule(s).lr
                for s in schedules
            }
        )

    def _draw(self, ax: Any) -> None:
        progress = np.linspace(0, 1, 501)
        for name, factor in self.schedules.items():
            ax.plot(progress, [factor(float(p)) for p in progress], label=name)
        ax.set(
            xlabel="progress of training",
            ylabel="share of the learning rate",
            title="Learning-rate schedule",
        )
        if len(self.schedules) > 1:  # beside the lines, which fill the axes
            ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
        else:
            ax.legend(loc="best")


def _name(function: Callable) -> str:
    return getattr(function, "__name__", type(function).__name__)
