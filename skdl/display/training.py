"""The picture of a training: losses, score and learning rate."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from skdl.display.base import inside, new_axes
from skdl.training.optimization.schedules import resolve_schedule

# How far a schedule may be from what was recorded, as a share of the highest rate, to
# be drawn in its place: an epoch's rate is that of its last step.
_CLOSE = 0.06
_POINTS = 1000


class TrainingDisplay:
    """Losses, score and learning rate by epoch.

    Parameters
    ----------
    history : DataFrame
        An estimator's `history_`.
    best_epoch : int or None, default=None
        The epoch whose weights were kept; marked where it is not the last.
    score_name : str, default="score"
        What `validation_score` is, such as "accuracy".
    held_out : str, default="validation"
        What the rows of `validation_loss` are called, such as "out-of-fold".
    lrs : array-like of shape (n_points, 2), default=None
        Epochs, with fractions, and the learning rate there. Without it the rate is
        drawn as `history` has it, at the end of each epoch.

    Attributes
    ----------
    axes_ : ndarray of matplotlib.axes.Axes
        Losses (with the score on a second scale) above, learning rate below. Of a
        language model the upper one shows perplexities instead.
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

    def __init__(
        self,
        history: pd.DataFrame,
        best_epoch: int | None = None,
        *,
        score_name: str = "score",
        held_out: str = "validation",
        lrs: Any = None,
    ) -> None:
        self.history = history
        self.best_epoch = best_epoch
        self.score_name = score_name
        self.held_out = held_out
        self.lrs = None if lrs is None else np.asarray(lrs)

    @classmethod
    def from_estimator(cls, estimator: Any, *, axes: Any = None) -> "TrainingDisplay":
        """Draw the training of a fitted estimator.

        Parameters
        ----------
        estimator : estimator, or a Pipeline, search and the like that holds one
            Fitted.
        axes : sequence of two matplotlib.axes.Axes, default=None
            As for `plot`.

        Returns
        -------
        TrainingDisplay
        """
        model = inside(estimator)
        if not len(getattr(model, "history_", ())):
            raise TypeError(
                f"{type(estimator).__name__} has no training history; give a fitted "
                "estimator of skdl, or a Pipeline, search or the like that holds one."
            )
        display = cls(
            model.history_,
            model.best_epoch_,
            score_name=model._score_name or "score",
            held_out="out-of-fold" if _is_out_of_fold(model) else "validation",
            lrs=_rates(model),
        )
        return display.plot(axes=axes)

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
                self, 2, 1, figsize=(7.6, 5.0), sharex=True, height_ratios=(3, 1)
            )
        upper, lower = axes
        self._draw_losses(upper)
        self._draw_lr(lower)
        self.axes_, self.ax_ = np.array([upper, lower]), upper
        self.figure_ = upper.figure
        return self

    def _draw_losses(self, ax: Any) -> None:
        history, quantity = self.history, "loss"
        if "perplexity" in history:
            quantity = "perplexity"
        held_out = self.held_out
        self._line(ax, quantity, f"training {quantity}", color="C0")
        self._line(ax, f"validation_{quantity}", f"{held_out} {quantity}", color="C1")
        self._draw_kept(ax)
        handles, labels = ax.get_legend_handles_labels()
        room = 8
        if "validation_score" in history and quantity == "loss":
            right = ax.twinx()
            name = f"{held_out} {self.score_name}"
            self._line(right, "validation_score", name, color="C2", linestyle=":")
            right.set_ylabel(name)
            more = right.get_legend_handles_labels()
            handles, labels = handles + more[0], labels + more[1]
            room = 60
        ax.set(title="Training", ylabel=quantity)
        # Beside the curves, and beside the scale of the score.
        beside = _beside(ax, points=room)
        ax.legend(
            handles,
            labels,
            loc="upper left",
            bbox_to_anchor=(1, 1),
            bbox_transform=beside,
            borderaxespad=0,
        )

    def _line(self, ax: Any, column: str, label: str, **options: Any) -> None:
        if column in self.history:
            mark = "o" if len(self.history) == 1 else None  # one point is no line
            x, y = self.history["epoch"], self.history[column]
            ax.plot(x, y, label=label, marker=mark, **options)

    def _draw_kept(self, ax: Any) -> None:
        epochs = self.history["epoch"]
        if not self.best_epoch or self.best_epoch >= np.ceil(epochs.iloc[-1]):
            return
        at = self.best_epoch
        if "step" in self.history:  # several looks may be in one epoch
            looks = self.history[np.ceil(epochs) == at]
            at = epochs[looks["validation_loss"].idxmin()]
        label = f"kept: epoch {self.best_epoch}"
        ax.axvline(at, color="C3", linestyle="--", linewidth=1, label=label)

    def _draw_lr(self, ax: Any) -> None:
        x, y = self.history["epoch"], self.history["lr"]
        if self.lrs is not None:
            x, y = self.lrs.T
        ax.plot(x, y, color="C4", marker="o" if len(x) == 1 else None)
        ax.set(xlabel="epoch", ylabel="learning rate")
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.set_ylim(bottom=0)


def _beside(ax: Any, points: float) -> Any:
    """Return the transform of a place so many points to the right of the axes."""
    from matplotlib.transforms import ScaledTranslation

    return ax.transAxes + ScaledTranslation(points / 72, 0, ax.figure.dpi_scale_trans)


def _is_out_of_fold(model: Any) -> bool:
    """Tell whether rows of X were held out, and not other rows given as X_val."""
    return hasattr(model, "oof_prediction_")


def _rates(model: Any) -> np.ndarray | None:
    """Return the rate all along a training, if it went by the schedule to the end."""
    history = model.history_
    end = history["epoch"].iloc[-1]
    if "step" in history:  # a pack: it rises half way to the first look, and stays
        rise = history["epoch"].iloc[0] / 2
        points = np.array([[0, 0], [rise, model.lr_], [end, model.lr_]])
    else:
        epochs = np.linspace(0, end, _POINTS)
        factor = resolve_schedule(model.schedule).lr
        whole = max(model._setting("max_epochs"), end)
        lrs = [model.lr_ * factor(float(epoch) / whole) for epoch in epochs]
        points = np.stack([epochs, lrs], axis=1)
    drawn = np.interp(history["epoch"], *points.T)
    near = np.abs(drawn - history["lr"]).max() <= _CLOSE * points[:, 1].max()
    return points if near else None
