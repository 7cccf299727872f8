"""The picture of a learning-rate range test."""

from typing import Any

import numpy as np

from skdl.display.base import AxesDisplay
from skdl.estimators.core.lr_sweep import LRSweep, sweep_estimator


class LRFindDisplay(AxesDisplay):
    """The curve of a learning-rate range test, with the suggested rate marked.

    Parameters
    ----------
    lrs, losses, smoothed_losses : ndarray of shape (n_steps,)
        Rates and losses of the steps.
    suggestion : float
        The rate to mark.

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
    def from_result(cls, result: LRSweep) -> "LRFindDisplay":
        """Take an `LRFindResult`, without drawing.

        Parameters
        ----------
        result : LRFindResult
            What `lr_find` returned.

        Returns
        -------
        LRFindDisplay
        """
        return cls(result.lrs, result.losses, result.smoothed_losses, result.suggestion)

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any = None, *, ax: Any = None, **options: Any
    ) -> "LRFindDisplay":
        """Run the range test of `lr_find` and draw what it finds.

        Parameters
        ----------
        estimator, X, y
            As for `lr_find`.
        ax : matplotlib.axes.Axes, default=None
            As for `plot`.
        **options
            The other parameters of `lr_find`.

        Returns
        -------
        LRFindDisplay
        """
        return cls.from_result(sweep_estimator(estimator, X, y, **options)).plot(ax=ax)

    def _draw(self, ax: Any) -> None:
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


def _readable_range(losses: np.ndarray, smoothed: np.ndarray) -> tuple[float, float]:
    """Return limits that show the fall, not the explosion after it."""
    low = min(losses.min(), smoothed.min())
    high = smoothed[: smoothed.argmin() + 1].max()
    span = max(high - low, 1e-12)
    return low - 0.1 * span, high + 0.5 * span
