"""The picture of a learning-rate range test."""

from typing import Any

import numpy as np

from skdl.display._common import axes_or_new


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
        ax = axes_or_new(ax, "LRFindDisplay")
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
