"""Texts, coloured token by token: by surprise, or by what speaks for a label."""

import html
from typing import Any, Self

import numpy as np
import pandas as pd

from skdl.display.base import inside, new_axes, seen_inside

_WIDTH = 76  # characters of a line in a picture
_GAP = 3  # between two ways to colour a text
_MOST = 600  # tokens of a text that are drawn
_CHARACTER, _LINE = 0.085, 0.22  # inches
_RED, _BLUE = (214, 39, 40), (31, 119, 180)
_TOLD = ("document", "position", "token")


class SurpriseDisplay:
    """Texts whose tokens are coloured by a number.

    In a notebook it shows as HTML; `plot` draws it with matplotlib.

    Parameters
    ----------
    tokens : DataFrame
        A row for every token: `document`, `token`, and a column of numbers for each way
        to colour the text. Red is above zero and blue below, the deeper the further.

    Attributes
    ----------
    axes_ : ndarray of matplotlib.axes.Axes, shape (n_documents, n_columns)
        Where `plot` has drawn; documents without a token have no row.
    figure_ : matplotlib.figure.Figure
        Their figure.

    Examples
    --------
    >>> from skdl import SurpriseDisplay, TextClassifier
    >>> texts = ["a fine film", "what a bore", "fine acting", "a bore of a film"] * 5
    >>> model = TextClassifier(random_state=0).fit(texts, ["+", "-", "+", "-"] * 5)
    >>> display = SurpriseDisplay.from_estimator(model, ["a fine bore"], plot=False)
    >>> display.tokens["token"].tolist()
    ['a', 'fine', 'bore']
    """

    axes_: np.ndarray
    figure_: Any

    def __init__(self, tokens: pd.DataFrame) -> None:
        self.tokens = tokens

    @classmethod
    def from_estimator(cls, estimator: Any, X: Any, *, plot: bool = True) -> Self:
        """Colour texts by what a fitted model says of their tokens.

        Parameters
        ----------
        estimator : TextLM, TextOutlierDetector, TextClassifier or TextRegressor
            Fitted, also inside of a Pipeline or a search. A language model colours by
            nats, a detector by the nats beyond those that were expected, a classifier
            by how much more likely a label is with the token than without it, in nats,
            side by side for all labels; a regressor by the difference in the
            prediction.
        X : iterable of str
            A few texts.
        plot : bool, default=True
            Whether to draw with matplotlib at once.

        Returns
        -------
        SurpriseDisplay

        Raises
        ------
        TypeError
            If the estimator is no such model.
        ValueError
            If the texts are empty.
        """
        model = inside(estimator)
        say = getattr(model, "influence", getattr(model, "surprise", None))
        if say is None:
            raise TypeError(
                "SurpriseDisplay needs a fitted TextLM, TextOutlierDetector, "
                f"TextClassifier or TextRegressor, got {type(estimator).__name__}."
            )
        tokens = say(seen_inside(estimator, X))
        if not len(tokens):
            raise ValueError("X has no tokens to show: all of its texts are empty.")
        # Labels may be called anything, also like what a language model tells.
        if not hasattr(model, "influence"):
            beside = ["nats", "expected"] if "excess" in tokens else ["expected"]
            tokens = tokens.drop(columns=beside)
        display = cls(tokens)
        return display.plot() if plot else display

    @property
    def _numbers(self) -> pd.DataFrame:
        """The columns that colour. Their names may be bools: a list would be a mask."""
        told = [
            name in _TOLD or pd.api.types.is_bool_dtype(dtype)
            for name, dtype in self.tokens.dtypes.items()
        ]
        return self.tokens.loc[:, np.logical_not(told)]

    @property
    def _columns(self) -> list[Any]:
        return list(self._numbers)

    def _colours(self, column: Any, white: float) -> np.ndarray:
        """Return colours (n_tokens, 3) of a column, each from 0 to `white`."""
        numbers = self._numbers
        values = numbers[column].to_numpy(dtype=float)
        known = np.abs(numbers.to_numpy(dtype=float))
        largest = known.max(initial=1e-12, where=np.isfinite(known))
        # What is not known stays white, and what is infinite has the full colour.
        share = np.nan_to_num(np.abs(values) / largest, nan=0.0).clip(0, 1)[:, None]
        ends = np.where(values[:, None] > 0, _RED, _BLUE)
        return (255 + share * (ends - 255.0)) / 255 * white

    def to_html(self) -> str:
        """Return the texts as HTML, with the numbers as titles of the tokens."""
        columns = self._columns
        parts = []
        for column in columns:
            colours = self._colours(column, 255).round().astype(int)
            parts.append(self._column_in_html(column, colours, len(columns) > 1))
        cells = "".join(
            f'<td style="vertical-align:top;text-align:left">{part}</td>'
            for part in parts
        )
        return f"<table><tr>{cells}</tr></table>"

    def _column_in_html(self, column: Any, colours: np.ndarray, named: bool) -> str:
        words = [
            f'<span title="{value:.2f}" style="background:rgb({r},{g},{b});color:#000">'
            f"{html.escape(_shown(token))}</span>"
            for token, value, (r, g, b) in zip(
                self.tokens["token"],
                self.tokens[column],
                colours.tolist(),
                strict=True,
            )
        ]
        documents = pd.Series(words).groupby(self.tokens["document"].to_numpy())
        paragraphs = [f"<p>{' '.join(of)}</p>" for _, of in documents]
        title = f"<b>{html.escape(str(column))}</b>" if named else ""
        return title + "".join(paragraphs)

    def _repr_html_(self) -> str:
        return self.to_html()

    def plot(self) -> Self:
        """Draw, a row for every text and a column for every way to colour it.

        Returns
        -------
        self
            With attributes `axes_` and `figure_`. Of long texts the first 600 tokens
            are drawn.
        """
        columns = self._columns
        layouts = [
            _layout(of.iloc[:_MOST]) for _, of in self.tokens.groupby("document")
        ]
        heights = [_LINE * (1 + layout["line"].max()) + 0.3 for layout in layouts]
        size = len(columns) * (_WIDTH * _CHARACTER + 0.4), sum(heights) + 0.3
        axes = new_axes(
            self,
            len(layouts),
            len(columns),
            figsize=size,
            squeeze=False,
            gridspec_kw={"height_ratios": heights},
        )
        for j, column in enumerate(columns):
            colours = self._colours(column, 1.0)
            for i, layout in enumerate(layouts):
                _write(axes[i, j], layout, colours)
            axes[0, j].set_title(str(column), fontsize=10)
        self.axes_, self.figure_ = axes, axes[0, 0].figure
        return self


def _layout(tokens: pd.DataFrame) -> pd.DataFrame:
    """Return line and first character of each token, and its row in the frame."""
    places, line, start = [], 0, 0
    for row, token in zip(tokens.index, map(_shown, tokens["token"]), strict=True):
        if start and start + len(token) > _WIDTH:
            line, start = line + 1, 0
        places.append((row, token, line, start))
        start += len(token) + 1
    return pd.DataFrame(places, columns=["row", "token", "line", "start"])


def _shown(token: str) -> str:
    """Return a token with a mark in place of lone surrogates, which nothing shows."""
    units = token.encode("utf-16-le", "surrogatepass")
    return units.decode("utf-16-le", "replace")


def _write(ax: Any, layout: pd.DataFrame, colours: np.ndarray) -> None:
    """Write tokens on coloured ground."""
    ax.set(xlim=(0, _WIDTH + _GAP), ylim=(layout["line"].max() + 0.6, -0.6))
    ax.axis("off")
    for row, token, line, start in layout.itertuples(index=False):
        ax.text(
            start,
            line,
            # A dollar begins mathematics.
            token.replace("$", r"\$"),
            family="monospace",
            fontsize=8,
            va="center",
            bbox={"facecolor": colours[row], "edgecolor": "none", "pad": 1.2},
        )
