"""The picture of learned vectors in two dimensions."""

from typing import Any

import numpy as np
import pandas as pd

from skdl.display.base import AxesDisplay, each_step
from skdl.display.labelling import label_points

# Categories up to which all are labelled if there is room; of more, so many.
_ALL, _MOST_LABELS = 60, 40
# Categories up to which marks have their full size.
_FEW = 40


class EmbeddingDisplay(AxesDisplay):
    """The vectors of a column's categories, drawn in two dimensions.

    Parameters
    ----------
    embeddings : DataFrame of shape (n_categories, dim)
        One row a category, the index its label.
    counts : array-like of shape (n_categories,), default=None
        Rows of each category; sets the size of the marks.
    values : array-like of shape (n_categories,), default=None
        What the marks are coloured by: numbers, such as the mean target, or labels,
        such as the most frequent class.
    value_name : str, default="mean target"
        What the colours are.
    title : str, default=None
        Title of the picture.

    Attributes
    ----------
    points_ : DataFrame of shape (n_categories, 2)
        Where the categories are drawn: their first two principal components.
    explained_ : ndarray of shape (2,)
        Share of the variance that each of the two has.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdl import EmbeddingDisplay
    >>> table = pd.DataFrame([[0, 1.0, 2], [1, 0, 1], [2, 2, 0]], index=["a", "b", "c"])
    >>> display = EmbeddingDisplay.from_embeddings(table, title="Letters")
    >>> display.points_.shape
    (3, 2)
    """

    def __init__(
        self,
        embeddings: pd.DataFrame,
        *,
        counts: Any = None,
        values: Any = None,
        value_name: str = "mean target",
        title: str | None = None,
    ) -> None:
        self.embeddings = embeddings
        self.counts = None if counts is None else np.asarray(counts, dtype=float)
        self.values = None if values is None else np.asarray(values)
        self.value_name = value_name
        self.title = title

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        column: Any,
        *,
        X: Any = None,
        y: Any = None,
        ax: Any = None,
    ) -> "EmbeddingDisplay":
        """Draw the vectors of a column.

        Parameters
        ----------
        estimator : EntityEmbedding* estimator or EmbeddingTransformer
            Fitted; or a Pipeline, search, TransformedTargetRegressor or the like that
            holds one.
        column : str or int
            A categorical column.
        X, y : DataFrame and array-like, default=None
            Rows that give each category's count, and with `y` its mean target; of two
            labels the share of the second, of more labels the most frequent. Without
            them the counts are those of the training rows and there is no colour.
        ax : matplotlib.axes.Axes, default=None
            As for `plot`.

        Returns
        -------
        EmbeddingDisplay
        """
        fitted, X = _with_embeddings(estimator, X)
        if column not in fitted.embeddings_:
            raise ValueError(
                f"{column!r} is not a categorical column: {list(fitted.embeddings_)}."
            )
        table = fitted.embeddings_[column]
        if table.empty:
            raise ValueError(
                f"{column!r} has no categories to draw: it was all missing in fit, or "
                "is among harmful_features_."
            )
        counts = fitted.category_counts_[column]
        values, name = None, "mean target"
        if X is not None:
            positions = fitted._positions(X, column)
            known = positions >= 0
            counts = np.bincount(positions[known], minlength=len(table))
            if y is not None:
                target = pd.Series(np.asarray(y)[known])
                by_category, name = _summary(target, positions[known])
                values = by_category.reindex(range(len(table)))
        options = {"values": values, "value_name": name, "title": str(column)}
        return cls(table, counts=counts, **options).plot(ax=ax)

    @classmethod
    def from_embeddings(
        cls, embeddings: pd.DataFrame, *, ax: Any = None, **options: Any
    ) -> "EmbeddingDisplay":
        """Draw a bare table of vectors.

        Parameters
        ----------
        embeddings : DataFrame of shape (n_categories, dim)
            One row a category, the index its label.
        ax : matplotlib.axes.Axes, default=None
            As for `plot`.
        **options
            The other parameters of the class.

        Returns
        -------
        EmbeddingDisplay
        """
        return cls(embeddings, **options).plot(ax=ax)

    def _draw(self, ax: Any) -> None:
        self.points_, self.explained_ = _two_components(self.embeddings)
        n = len(self.points_)
        scale = min(1.0, max(0.15, _FEW / n))
        sizes = np.full(n, 60.0 * scale)
        if self.counts is not None and self.counts.max() > 0:
            sizes = scale * (20 + 180 * self.counts / self.counts.max())
        self._mark(ax, sizes)
        first, second = self.explained_
        ax.set(
            xlabel=f"first component ({first:.0%} of the variance)",
            ylabel=f"second component ({second:.0%})",
            title=self.title or "Embeddings",
        )
        ax.margins(0.12)
        weight = np.ones(n) if self.counts is None else self.counts
        order = np.argsort(-weight, kind="stable")
        if n > _ALL:
            order = order[:_MOST_LABELS]
            title = f"{ax.get_title()}: the most frequent of {n:,} are labelled"
            ax.set_title(title)
        label_points(ax, self.points_, sizes, order)

    def _mark(self, ax: Any, sizes: np.ndarray) -> None:
        """Draw a mark for every category, with what its colour says."""
        points = self.points_.to_numpy()
        options: dict[str, Any] = {"alpha": 0.8, "edgecolors": "white"}
        values = self.values
        if values is None or values.dtype.kind in "biuf":
            c = "C0" if values is None else values.astype(float)
            marks = ax.scatter(*points.T, s=sizes, c=c, **options)
            if values is not None:
                ax.figure.colorbar(marks, ax=ax, label=self.value_name)
            return
        labels = pd.Series(values)
        for i, label in enumerate(sorted(labels.dropna().unique(), key=str)):
            here = (labels == label).to_numpy()
            ax.scatter(
                *points[here].T, s=sizes[here], c=f"C{i % 10}", label=label, **options
            )
        nothing = labels.isna().to_numpy()
        ax.scatter(*points[nothing].T, s=sizes[nothing], c="0.7", **options)
        ax.legend(title=self.value_name, loc="upper left", bbox_to_anchor=(1.02, 1))


def _with_embeddings(estimator: Any, X: Any) -> tuple[Any, Any]:
    """Return what has learned vectors, and X as it gets it."""
    for step, seen in each_step(estimator, X):
        if hasattr(step, "embeddings_"):
            return step, seen
    raise TypeError(
        f"{type(estimator).__name__} has no embeddings; give a fitted EntityEmbedding "
        "estimator or EmbeddingTransformer, or a Pipeline that holds one."
    )


def _summary(target: pd.Series, positions: np.ndarray) -> tuple[pd.Series, str]:
    """Return what there is to say of the targets of each category, and its name."""
    try:
        numbers = target.astype(float)
    except (TypeError, ValueError):
        labels = sorted(target.dropna().unique(), key=str)
        if len(labels) != 2:
            most = target.groupby(positions).agg(lambda part: part.mode().iloc[0])
            return most, "most frequent"
        numbers, name = (target == labels[1]).astype(float), f"share of {labels[1]}"
        return numbers.groupby(positions).mean(), name
    return numbers.groupby(positions).mean(), "mean target"


def _two_components(table: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the first two principal components and their shares of the variance."""
    X = table.to_numpy(dtype=float)
    X = X - X.mean(axis=0)
    U, s, _ = np.linalg.svd(X, full_matrices=False)
    scores = U * s
    if scores.shape[1] < 2:
        scores = np.pad(scores, ((0, 0), (0, 2 - scores.shape[1])))
        s = np.pad(s, (0, 2 - len(s)))
    share = s[:2] ** 2 / max(float((s**2).sum()), 1e-300)
    return pd.DataFrame(scores[:, :2], index=table.index), share
