"""Pictures, in the style of scikit-learn's displays.

Each display holds what it draws, `plot` draws it and sets `ax_` (or `axes_`) and
`figure_`. matplotlib is imported when a picture is drawn and not before.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd


def _pyplot(caller: str) -> Any:
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{caller} draws with matplotlib, which is not installed: "
            'pip install "skdl[plot]".'
        ) from error
    return plt


def _axes(ax: Any, caller: str) -> Any:
    """Return `ax`, or the axes of a new figure."""
    if ax is not None:
        return ax
    plt = _pyplot(caller)
    return plt.subplots(figsize=(6.4, 4.0), layout="constrained")[1]


class LRFindDisplay:
    """The curve of a learning-rate range test, with the suggested rate marked.

    Parameters
    ----------
    lrs, losses, smoothed_losses : ndarray of shape (n_steps,)
        Rates and losses of the steps.
    suggestion : float
        The rate to mark.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Where it is drawn.
    figure_ : matplotlib.figure.Figure
        Its figure.

    See Also
    --------
    skdl.lr_find : Makes the curve.

    Examples
    --------
    >>> import numpy as np
    >>> from skdl import LRFindDisplay
    >>> lrs = np.geomspace(1e-5, 1, 50)
    >>> losses = 1 + (np.log10(lrs) + 1) ** 2
    >>> display = LRFindDisplay(lrs, losses, losses, suggestion=1e-2).plot()
    >>> display.ax_.get_xscale()
    'log'
    """

    def __init__(
        self,
        lrs: np.ndarray,
        losses: np.ndarray,
        smoothed_losses: np.ndarray,
        suggestion: float,
    ) -> None:
        self.lrs = lrs
        self.losses = losses
        self.smoothed_losses = smoothed_losses
        self.suggestion = suggestion

    @classmethod
    def from_result(cls, result: Any) -> "LRFindDisplay":
        """Take an `LRFindResult`, without drawing."""
        return cls(result.lrs, result.losses, result.smoothed_losses, result.suggestion)

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any = None, *, ax: Any = None, **options: Any
    ) -> "LRFindDisplay":
        """Run `lr_find` and draw what it finds.

        Parameters
        ----------
        estimator, X, y
            As for `lr_find`.
        ax : matplotlib.axes.Axes, default=None
            Where to draw; a new figure if None.
        **options
            Passed to `lr_find`.

        Returns
        -------
        LRFindDisplay
        """
        from skdl.lr_find import lr_find  # lr_find draws with this module

        return cls.from_result(lr_find(estimator, X, y, **options)).plot(ax=ax)

    def plot(self, ax: Any = None) -> "LRFindDisplay":
        """Draw the curve on a logarithmic axis.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; a new figure if None.

        Returns
        -------
        LRFindDisplay
        """
        ax = _axes(ax, "LRFindDisplay")
        ax.plot(self.lrs, self.losses, color="C0", alpha=0.3, label="loss of a step")
        ax.plot(self.lrs, self.smoothed_losses, color="C0", label="smoothed")
        height = np.interp(
            np.log(self.suggestion), np.log(self.lrs), self.smoothed_losses
        )
        ax.axvline(self.suggestion, color="C1", linestyle="--", linewidth=1)
        ax.plot(
            self.suggestion,
            height,
            "o",
            color="C1",
            label=f"suggestion: {self.suggestion:.1e}",
        )
        ax.set_xscale("log")
        ax.set_ylim(*_readable_range(self.losses, self.smoothed_losses))
        ax.set(
            xlabel="learning rate",
            ylabel="training loss",
            title="Learning-rate range test",
        )
        ax.legend(loc="best")
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _readable_range(losses: np.ndarray, smoothed: np.ndarray) -> tuple[float, float]:
    """Return limits that show the fall, not the explosion after it."""
    low = min(losses.min(), smoothed.min())
    high = smoothed[: smoothed.argmin() + 1].max()
    span = max(high - low, 1e-12)
    return low - 0.1 * span, high + 0.5 * span


class TrainingDisplay:
    """Losses, score and learning rate by epoch.

    Parameters
    ----------
    history : DataFrame
        An estimator's `history_`.
    best_epoch : int or None, default=None
        The epoch whose weights were kept; marked where it is not the last.

    Attributes
    ----------
    axes_ : ndarray of matplotlib.axes.Axes
        Losses (with the score on a second scale) above, learning rate below.
    ax_ : matplotlib.axes.Axes
        The upper one.
    figure_ : matplotlib.figure.Figure
        Their figure.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skdl import NeuralClassifier, TrainingDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> model = NeuralClassifier(early_stopping=True, random_state=0).fit(X, y)
    >>> display = TrainingDisplay.from_estimator(model)
    >>> display.ax_.get_ylabel()
    'loss'
    """

    def __init__(self, history: pd.DataFrame, best_epoch: int | None = None) -> None:
        self.history = history
        self.best_epoch = best_epoch

    @classmethod
    def from_estimator(cls, estimator: Any, *, axes: Any = None) -> "TrainingDisplay":
        """Draw the training of a fitted estimator, or of a Pipeline's last step.

        Parameters
        ----------
        estimator : estimator or Pipeline
            Fitted.
        axes : sequence of two matplotlib.axes.Axes, default=None
            Where to draw; a new figure if None.

        Returns
        -------
        TrainingDisplay
        """
        if hasattr(estimator, "steps"):
            estimator = estimator.steps[-1][1]
        if not hasattr(estimator, "history_"):
            raise TypeError(
                f"{type(estimator).__name__} has no training history; give a fitted "
                "estimator of skdl, or a Pipeline that ends in one."
            )
        return cls(estimator.history_, estimator.best_epoch_).plot(axes=axes)

    def plot(self, axes: Sequence[Any] | None = None) -> "TrainingDisplay":
        """Draw.

        Parameters
        ----------
        axes : sequence of two matplotlib.axes.Axes, default=None
            For losses and for the learning rate; a new figure if None.

        Returns
        -------
        TrainingDisplay
        """
        if axes is None:
            _, axes = _pyplot("TrainingDisplay").subplots(
                2,
                1,
                figsize=(6.4, 5.2),
                sharex=True,
                height_ratios=(3, 1),
                layout="constrained",
            )
        upper, lower = axes
        self._draw_losses(upper)
        self._draw_lr(lower)
        self.axes_, self.ax_ = np.array([upper, lower]), upper
        self.figure_ = upper.figure
        return self

    def _draw_losses(self, ax: Any) -> None:
        history = self.history
        ax.plot(history["epoch"], history["loss"], color="C0", label="training loss")
        if "validation_loss" in history:
            ax.plot(
                history["epoch"],
                history["validation_loss"],
                color="C1",
                label="validation loss",
            )
        if self.best_epoch and self.best_epoch < history["epoch"].iloc[-1]:
            ax.axvline(
                self.best_epoch,
                color="C3",
                linestyle="--",
                linewidth=1,
                label=f"kept: epoch {self.best_epoch}",
            )
        lines = ax.get_legend_handles_labels()
        if "validation_score" in history:
            right = ax.twinx()
            right.plot(
                history["epoch"],
                history["validation_score"],
                color="C2",
                linestyle=":",
                label="validation score",
            )
            right.set_ylabel("validation score")
            lines = tuple(
                a + b
                for a, b in zip(lines, right.get_legend_handles_labels(), strict=True)
            )
        ax.set(title="Training", ylabel="loss")
        ax.legend(*lines, loc="center right")

    def _draw_lr(self, ax: Any) -> None:
        ax.plot(self.history["epoch"], self.history["lr"], color="C4")
        ax.set(xlabel="epoch", ylabel="learning rate")
        ax.set_ylim(bottom=0)


class ScheduleDisplay:
    """Learning-rate schedules by training progress.

    Parameters
    ----------
    schedules : dict of str to callable
        Functions of progress in [0, 1] that return the factor of the learning rate.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Where it is drawn.
    figure_ : matplotlib.figure.Figure
        Its figure.

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
        """Draw the schedule of an estimator or of a Pipeline's last step.

        Parameters
        ----------
        estimator : estimator or Pipeline
            Fitted or not.
        ax : matplotlib.axes.Axes, default=None
            Where to draw; a new figure if None.

        Returns
        -------
        ScheduleDisplay
        """
        if hasattr(estimator, "steps"):
            estimator = estimator.steps[-1][1]
        return cls.from_schedules([estimator.schedule]).plot(ax=ax)

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
        from skdl.training.schedules import resolve_schedule

        return cls(
            {
                s if isinstance(s, str) else _name(s): resolve_schedule(s).lr
                for s in schedules
            }
        )

    def plot(self, ax: Any = None) -> "ScheduleDisplay":
        """Draw.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; a new figure if None.

        Returns
        -------
        ScheduleDisplay
        """
        ax = _axes(ax, "ScheduleDisplay")
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
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _name(function: Callable) -> str:
    return getattr(function, "__name__", type(function).__name__)
