"""The picture of learned vectors in two dimensions."""

from typing import Any

import numpy as np
import pandas as pd

from skdl.display.base import AxesDisplay

# Most categories that get a label; more would hide each other.
_MOST_LABELS = 60


class EmbeddingDisplay(AxesDisplay):
    """The vectors of a column's categories, drawn in two dimensions.

    Parameters
    ----------
    embeddings : DataFrame of shape (n_categories, dim)
        One row a category, the index its label.
    counts : array-like of shape (n_categories,), default=None
        Rows of each category; sets the size of the marks.
    values : array-like of shape (n_categories,), default=None
        What the marks are coloured by, such as the mean target.
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
        self.values = None if values is None else np.asarray(values, dtype=float)
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
        estimator : EntityEmbedding* estimator, EmbeddingTransformer or Pipeline
            Fitted; of a Pipeline the step that has `embeddings_` is taken.
        column : str or int
            A categorical column.
        X, y : DataFrame and array-like, default=None
            Rows that give each category's count, and with `y` its mean target. Without
            them the counts are those of the training rows and there is no colour.
        ax : matplotlib.axes.Axes, default=None
            As for `plot`.

        Returns
        -------
        EmbeddingDisplay
        """
        fitted = _with_embeddings(estimator)
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
        counts, values = fitted.category_counts_[column], None
        if X is not None:
            positions = fitted._positions(X, column)
            known = positions >= 0
            counts = np.bincount(positions[known], minlength=len(table))
            if y is not None:
                target = pd.Series(np.asarray(y, dtype=float)[known])
                means = target.groupby(positions[known]).mean()
                values = means.reindex(range(len(table)))
        return cls(table, counts=counts, values=values, title=str(column)).plot(ax=ax)

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
        sizes = np.full(len(self.points_), 60.0)
        if self.counts is not None and self.counts.max() > 0:
            sizes = 20 + 180 * self.counts / self.counts.max()
        marks = ax.scatter(
            *self.points_.to_numpy().T,
            s=sizes,
            c="C0" if self.values is None else self.values,
            alpha=0.8,
            edgecolors="white",
        )
        if self.values is not None:
            ax.figure.colorbar(marks, ax=ax, label=self.value_name)
        if len(self.points_) <= _MOST_LABELS:
            self._label(ax, sizes)
        first, second = self.explained_
        ax.set(
            xlabel=f"first component ({first:.0%} of the variance)",
            ylabel=f"second component ({second:.0%})",
            title=self.title or "Embeddings",
        )
        ax.margins(0.12)

    def _label(self, ax: Any, sizes: np.ndarray) -> None:
        for (label, point), size in zip(self.points_.iterrows(), sizes, strict=True):
            ax.annotate(
                str(label),
                point,
                xytext=(0, 3 + np.sqrt(size) / 2),
                textcoords="offset points",
                ha="center",
                fontsize="small",
            )


def _with_embeddings(estimator: Any) -> Any:
    """Return the estimator, or the step of a Pipeline, that has learned vectors."""
    steps = [step for _, step in getattr(estimator, "steps", [("", estimator)])]
    for step in steps:
        if hasattr(step, "embeddings_"):
            return step
    raise TypeError(
        f"{type(estimator).__name__} has no embeddings; give a fitted EntityEmbedding "
        "estimator or EmbeddingTransformer, or a Pipeline that holds one."
    )


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
