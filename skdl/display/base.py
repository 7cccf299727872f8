"""What displays share: axes to draw on, and the step of a Pipeline that is drawn."""

from abc import ABC, abstractmethod
from typing import Any, Self


class AxesDisplay(ABC):
    """A picture on one axes; its subclasses say what is drawn there.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Where it is drawn.
    figure_ : matplotlib.figure.Figure
        Its figure.
    """

    ax_: Any
    figure_: Any

    def plot(self, ax: Any = None) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; a new figure if None.

        Returns
        -------
        self
            With attributes `ax_`, the axes, and `figure_`, its figure.
        """
        if ax is None:
            ax = new_axes(self, figsize=(6.4, 4.0))
        self._draw(ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    @abstractmethod
    def _draw(self, ax: Any) -> None:
        """Draw on `ax`."""


def new_axes(display: Any, *shape: int, **options: Any) -> Any:
    """Return the axes of a new figure, in rows and columns of `shape`.

    matplotlib is imported when a picture is drawn and not before: skdl works without.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{type(display).__name__} draws with matplotlib, which is not installed: "
            'pip install "skdl[plot]".'
        ) from error
    return plt.subplots(*shape, layout="constrained", **options)[1]


def last_step(estimator: Any) -> Any:
    """Return the last step of a Pipeline, or the estimator."""
    return estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
