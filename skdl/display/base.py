"""What displays share: axes to draw on, and the estimator of skdl inside of others."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Self

from skdl.estimators.core.network_estimator import NetworkEstimator


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


# Where estimators of scikit-learn hold the one that they have fitted, or will fit: a
# search, a TransformedTargetRegressor, a FrozenEstimator, a threshold classifier; and
# where those of skdl hold the one with the network.
_INSIDE = (
    "best_estimator_",
    "regressor_",
    "estimator_",
    "language_model_",
    "estimator",
    "regressor",
)


def inside(estimator: Any) -> Any:
    """Return the estimator of skdl inside of Pipelines, searches and the like.

    Looks into the last step of a Pipeline, the best estimator of a search, the
    regressor of a TransformedTargetRegressor and what else holds one estimator.
    """
    return _path(estimator)[-1]


def seen_inside(estimator: Any, X: Any) -> Any:
    """Return X as the estimator that `inside` finds gets it."""
    for outer in _path(estimator)[:-1]:
        if hasattr(outer, "steps"):
            X = outer[:-1].transform(X)
    return X


def each_step(estimator: Any, X: Any = None) -> Iterator[tuple[Any, Any]]:
    """Yield the steps of Pipelines inside, each with X as it gets it."""
    outer = _path(estimator, pipelines=False)[-1]
    if not hasattr(outer, "steps"):
        yield outer, X
        return
    for i, (_, step) in enumerate(outer.steps):
        seen = outer[:i].transform(X) if i and X is not None else X
        yield from each_step(step, seen)


def _path(estimator: Any, *, pipelines: bool = True) -> list[Any]:
    """Return the estimator, what is inside of it, and so on to what has none."""
    path = [estimator]
    while (inner := _inner(path[-1], pipelines)) is not None:
        path.append(inner)
    return path


def _inner(estimator: Any, pipelines: bool) -> Any:
    if isinstance(estimator, NetworkEstimator):
        return None
    if not pipelines and hasattr(estimator, "embeddings_"):
        return None
    if hasattr(estimator, "steps"):
        return estimator.steps[-1][1] if pipelines else None
    held = (getattr(estimator, name, None) for name in _INSIDE)
    return next((e for e in held if hasattr(e, "get_params")), None)
