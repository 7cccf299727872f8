"""The picture of a training: losses, score and learning rate."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from skdl.display.base import last_step, new_axes


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
            As for `plot`.

        Returns
        -------
        TrainingDisplay
        """
        estimator = last_step(estimator)
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
            axes = new_axes(
                self, 2, 1, figsize=(6.4, 5.2), sharex=True, height_ratios=(3, 1)
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
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.set_ylim(bottom=0)
