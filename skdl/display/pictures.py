"""Pictures about pictures: mistakes, confused pairs, and what a network looks at."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from sklearn.utils import _safe_indexing

from skdl.display.base import inside, new_axes, seen_inside

_CELL = 1.45  # inches
_WIDEST = 16  # characters above a picture


class PredictedPictures(NamedTuple):
    """Pictures with their true and predicted labels.

    Attributes
    ----------
    pictures : ndarray of shape (n, height, width, channels)
        uint8 or float32.
    true, predicted : ndarray of shape (n,)
        Labels.
    confidence : ndarray of shape (n,)
        Probability of the predicted label.
    """

    pictures: np.ndarray
    true: np.ndarray
    predicted: np.ndarray
    confidence: np.ndarray


def _confidence(estimator: Any, X: Any, caller: str) -> tuple[Any, Any, np.ndarray]:
    """Return the model inside, X as it gets it, and its probabilities."""
    model = inside(estimator)
    if not hasattr(model, "to_pictures") or not hasattr(model, "predict_proba"):
        raise TypeError(
            f"{caller} needs an ImageClassifier that was fitted on pictures, got "
            f"{type(estimator).__name__}."
        )
    X = seen_inside(estimator, X)
    return model, X, model.predict_proba(X)


def _show(ax: Any, picture: np.ndarray) -> None:
    """Draw one picture in a frame without ticks."""
    ax.axis("on")
    if picture.shape[2] == 1:
        ax.imshow(picture[:, :, 0], cmap="gray")
    else:
        picture = picture[:, :, :3]
        if picture.dtype != np.uint8:
            low, high = picture.min(), picture.max()
            picture = (picture - low) / max(high - low, 1e-12)
        ax.imshow(picture)
    ax.set(xticks=[], yticks=[])


def _short(label: Any) -> str:
    """Return a label that is no wider than a picture."""
    text = str(label)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."


class GridDisplay(ABC):
    """Pictures in rows and columns of a new figure; its subclasses say which.

    Attributes
    ----------
    axes_ : ndarray of matplotlib.axes.Axes, shape (n_rows, n_columns)
        Where they are drawn.
    figure_ : matplotlib.figure.Figure
        Their figure.
    """

    axes_: np.ndarray
    figure_: Any
    _row_extra = 0.0  # inches above the pictures of each row, for titles

    def plot(self) -> Self:
        """Draw.

        Returns
        -------
        self
            With attributes `axes_`, the axes in rows and columns, and `figure_`.
        """
        rows, columns = self._shape()
        size = (columns * _CELL, rows * (_CELL + self._row_extra) + 0.4)
        axes = new_axes(self, rows, columns, figsize=size, squeeze=False)
        for ax in axes.flat:
            ax.axis("off")
        title = self._draw(axes)
        self.axes_, self.figure_ = axes, axes[0, 0].figure
        self.figure_.suptitle(title, fontsize=11)
        return self

    @abstractmethod
    def _shape(self) -> tuple[int, int]:
        """Return how many rows and columns there are, at least one of each."""

    @abstractmethod
    def _draw(self, axes: np.ndarray) -> str:
        """Draw on `axes`, which show nothing yet, and return the figure's title."""


class MistakesDisplay(GridDisplay):
    """The pictures that a classifier is most confidently wrong about.

    Wrong labels and odd pictures in the data show up here first.

    Parameters
    ----------
    mistakes : PredictedPictures
        The most confident first.
    n_wrong, n_pictures : int
        How many were wrong, of how many.

    Attributes
    ----------
    axes_ : ndarray of matplotlib.axes.Axes
        One a picture.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from skdl import MistakesDisplay, ImageClassifier
    >>> digits = load_digits()
    >>> X, y = digits.images.astype(np.uint8), digits.target
    >>> model = ImageClassifier(max_epochs=1, random_state=0)
    >>> display = MistakesDisplay.from_estimator(model.fit(X[:500], y[:500]), X, y)
    >>> display.mistakes.pictures.shape
    (12, 8, 8, 1)
    """

    _row_extra = 0.4

    def __init__(
        self, mistakes: PredictedPictures, n_wrong: int, n_pictures: int
    ) -> None:
        self.mistakes = mistakes
        self.n_wrong = n_wrong
        self.n_pictures = n_pictures

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any, *, n_pictures: int = 12
    ) -> "MistakesDisplay":
        """Find and draw the most confident mistakes on held-out pictures.

        Parameters
        ----------
        estimator : ImageClassifier or Pipeline
            Fitted on pictures.
        X : array-like, DataFrame of paths or list
            Pictures that it has not seen.
        y : array-like of shape (n_samples,)
            Their labels.
        n_pictures : int, default=12
            How many to draw.

        Returns
        -------
        MistakesDisplay
        """
        model, X, probabilities = _confidence(estimator, X, cls.__name__)
        y = np.asarray(y)
        best = probabilities.argmax(1)
        wrong = np.flatnonzero(model.classes_[best] != y)
        order = wrong[np.argsort(-probabilities[wrong, best[wrong]], kind="stable")]
        shown = order[:n_pictures]
        pictures = np.zeros((0, 1, 1, 1))
        if len(shown):
            pictures = model.to_pictures(_safe_indexing(X, shown))
        mistakes = PredictedPictures(
            pictures,
            y[shown],
            model.classes_[best[shown]],
            probabilities[shown, best[shown]],
        )
        return cls(mistakes, len(wrong), len(y)).plot()

    def _shape(self) -> tuple[int, int]:
        n = len(self.mistakes.true)
        columns = max(1, min(6, n))
        return max(1, -(-n // columns)), columns

    def _draw(self, axes: np.ndarray) -> str:
        for ax, picture, true, predicted, share in zip(
            axes.flat, *self.mistakes, strict=False
        ):
            _show(ax, picture)
            title = f"{_short(true)}, taken for\n{_short(predicted)} ({share:.0%})"
            ax.set_title(title, fontsize=9)
        return f"Most confident mistakes: {self.n_wrong} of {self.n_pictures} are wrong"


class ConfusedPairsDisplay(GridDisplay):
    """The pairs of labels that a classifier confuses most, with examples.

    Parameters
    ----------
    pairs : list of (true, predicted, count, pictures)
        The most frequent first; `pictures` is (n_examples, height, width, channels),
        the most confident first.

    Attributes
    ----------
    axes_ : ndarray of matplotlib.axes.Axes
        One row a pair.

    Examples
    --------
    >>> import numpy as np
    >>> from skdl import ConfusedPairsDisplay
    >>> pairs = [("cat", "dog", 3, np.zeros((2, 8, 8, 1)))]
    >>> ConfusedPairsDisplay(pairs).plot().axes_.shape
    (1, 3)
    """

    def __init__(self, pairs: Sequence[tuple[Any, Any, int, np.ndarray]]) -> None:
        self.pairs = list(pairs)

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any, *, n_pairs: int = 4, n_examples: int = 6
    ) -> "ConfusedPairsDisplay":
        """Find and draw the most frequent confusions on held-out pictures.

        Parameters
        ----------
        estimator, X, y
            As for `MistakesDisplay.from_estimator`.
        n_pairs : int, default=4
            Pairs to draw.
        n_examples : int, default=6
            Pictures of each.

        Returns
        -------
        ConfusedPairsDisplay
        """
        model, X, probabilities = _confidence(estimator, X, cls.__name__)
        y, best = np.asarray(y), probabilities.argmax(1)
        found: dict[tuple[Any, Any], list[int]] = {}
        order = np.argsort(-probabilities.max(1), kind="stable")
        for i in order:
            if model.classes_[best[i]] != y[i]:
                found.setdefault((y[i], model.classes_[best[i]]), []).append(i)
        ranked = sorted(found.items(), key=lambda item: -len(item[1]))[:n_pairs]
        pairs = []
        for (true, predicted), rows in ranked:
            examples = _safe_indexing(X, np.array(rows[:n_examples]))
            pairs.append((true, predicted, len(rows), model.to_pictures(examples)))
        return cls(pairs).plot()

    def _shape(self) -> tuple[int, int]:
        columns = max([len(p[3]) for p in self.pairs], default=1) + 1
        return max(1, len(self.pairs)), columns

    def _draw(self, axes: np.ndarray) -> str:
        for row, (true, predicted, count, pictures) in zip(
            axes, self.pairs, strict=False
        ):
            times = "once" if count == 1 else f"{count} times"
            text = f"{_short(true)}\ntaken for\n{_short(predicted)}\n{times}"
            row[0].text(0.5, 0.5, text, ha="center", va="center", fontsize=10)
            for ax, picture in zip(row[1:], pictures, strict=False):
                _show(ax, picture)
        return "Most confused pairs" if self.pairs else "Nothing is confused"


class ActivationMapDisplay(GridDisplay):
    """Pictures with what speaks for their prediction laid over them (Grad-CAM).

    Parameters
    ----------
    pictures : ndarray of shape (n, height, width, channels)
        Bytes (uint8) or float32.
    maps : ndarray of shape (n, height, width)
        From 0 to 1.
    titles : sequence of str
        One a picture.

    Attributes
    ----------
    axes_ : ndarray of matplotlib.axes.Axes
        Pictures above, with their maps below.

    References
    ----------
    Selvaraju et al. 2017, "Grad-CAM", arXiv 1610.02391, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> from skdl import ActivationMapDisplay
    >>> pictures, maps = np.zeros((2, 8, 8, 1)), np.ones((2, 8, 8))
    >>> ActivationMapDisplay(pictures, maps, ["cat", "dog"]).plot().axes_.shape
    (2, 2)
    """

    _row_extra = 0.1

    def __init__(
        self, pictures: np.ndarray, maps: np.ndarray, titles: Sequence[str]
    ) -> None:
        self.pictures = pictures
        self.maps = maps
        self.titles = list(titles)

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, *, n_pictures: int = 6
    ) -> "ActivationMapDisplay":
        """Draw the first pictures and what speaks for what they are predicted to be.

        Parameters
        ----------
        estimator : ImageClassifier, ImageRegressor or Pipeline
            Fitted on pictures.
        X : array-like, DataFrame of paths or list
            Pictures.
        n_pictures : int, default=6
            How many of them to draw.

        Returns
        -------
        ActivationMapDisplay
        """
        model = inside(estimator)
        if not hasattr(model, "activation_maps"):
            raise TypeError(
                "ActivationMapDisplay needs an ImageClassifier or ImageRegressor that "
                f"was fitted on pictures, got {type(estimator).__name__}."
            )
        X = seen_inside(estimator, _safe_indexing(X, slice(0, n_pictures)))
        titles = [str(label) for label in model.predict(X)]
        return cls(model.to_pictures(X), model.activation_maps(X), titles).plot()

    def _shape(self) -> tuple[int, int]:
        return 2, len(self.titles)

    def _draw(self, axes: np.ndarray) -> str:
        for (above, below), picture, heat, title in zip(
            axes.T, self.pictures, self.maps, self.titles, strict=True
        ):
            for ax in (above, below):
                _show(ax, picture)
            below.imshow(heat, cmap="inferno", alpha=0.6, vmin=0, vmax=1)
            above.set_title(_short(title), fontsize=10)
        return "What speaks for each prediction"
