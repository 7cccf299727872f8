"""What torch exports of estimators on texts: from counted runs and tokens to labels."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from skdl.data.ngrams import NgramCounter
from skdl.estimators.core.targets import RealTarget
from skdl.estimators.text.linear import LinearView
from skdl.estimators.text.stack import Stack
from skdl.estimators.text.uses import POOLINGS
from skdl.estimators.text.views import Topics, Vectors, Weighted
from skdl.export.exported import Units, buffer

Counts = tuple[Tensor, Tensor]


def distinct(columns: Tensor) -> Counts:
    """Return which columns there are, and how often.

    Parameters
    ----------
    columns : Tensor of shape (B, S)
        Numbers, those below 0 for none; in any order.

    Returns
    -------
    columns : Tensor of shape (B, S)
        Each of them once; -1 where there are no more.
    counts : Tensor of shape (B, S)
        Of each.
    """
    ordered = columns.sort(dim=1).values
    begins = torch.ones_like(ordered)
    begins = torch.cat(
        [begins[:, :1], (ordered[:, 1:] != ordered[:, :-1]).long()], dim=1
    )
    place = begins.cumsum(1) - 1
    nothing = torch.zeros_like(ordered)
    counts = nothing.scatter_add(1, place, torch.ones_like(ordered))
    return (nothing - 1).scatter(1, place, ordered), counts


class Counted(nn.Module):
    """A linear model on counts of words and runs of words, as a `LinearView` is.

    Parameters
    ----------
    model : LinearView
        On a view of counts.
    counter : NgramCounter
        Which columns there are.
    """

    def __init__(self, model: LinearView, counter: NgramCounter) -> None:
        super().__init__()
        view = model.view
        words_only = isinstance(view, Topics)
        self.n_columns = counter.n_words if words_only else counter.n_columns
        self.register_buffer("coef", _with_nothing(model.coef))
        self.register_buffer("intercept", buffer(model.intercept))
        self.has_counts = isinstance(view, Weighted)
        if isinstance(view, Weighted):
            self.register_buffer("rarity", _with_nothing(view._idf))
        self.has_ratios = model.ratios is not None
        if model.ratios is not None:
            self.register_buffer("coef", _with_nothing(model.ratios * model.coef))
            self.register_buffer("squares", _with_nothing(model.ratios**2))

    def forward(self, counted: Counts) -> Tensor:
        """Return outputs (B, K) float64 of columns and their counts (B, S)."""
        columns, counts = counted
        nothing = torch.full_like(columns, self.n_columns)
        there = (columns >= 0) & (columns < self.n_columns)
        place = torch.where(there, columns, nothing)
        coef = self.coef[place]  # (B, S, K)
        if not self.has_counts:
            return coef.sum(1) + self.intercept
        often = torch.where(there, counts, torch.ones_like(counts)).double()
        found = ((1 + often.log()) * self.rarity[place]).unsqueeze(2)  # (B, S, 1)
        squares = found * found
        if self.has_ratios:
            squares = squares * self.squares[place]
        length = squares.sum(1).sqrt()
        length = torch.where(length > 0, length, torch.ones_like(length))
        return (found * coef).sum(1) / length + self.intercept


class Standardised(nn.Module):
    """A linear model on a language model's vectors.

    Parameters
    ----------
    model : LinearView
        On `Vectors`.
    """

    def __init__(self, model: LinearView) -> None:
        super().__init__()
        view = model.view
        assert isinstance(view, Vectors)
        self.register_buffer("mean", buffer(view._mean))
        self.register_buffer("spread", buffer(view._spread))
        self.register_buffer("coef", buffer(model.coef))
        self.register_buffer("intercept", buffer(model.intercept))

    def forward(self, vectors: Tensor) -> Tensor:
        """Return outputs (B, K) float64 of vectors (B, D)."""
        return ((vectors - self.mean) / self.spread) @ self.coef + self.intercept


class DocumentVectors(nn.Module):
    """Last, highest and mean outputs of layers that read texts from their beginning.

    Parameters
    ----------
    body : LanguageModel or ReadingBody
        Whose top layer it is.
    first : int
        What is read before the first token.
    kinds : sequence of str
        Which of them.
    """

    def __init__(self, body: nn.Module, first: int, kinds: Any = POOLINGS) -> None:
        super().__init__()
        self.embedding = body.get_submodule("embedding")
        self.recurrent = body.get_submodule("recurrent")
        self.first, self.kinds = first, kinds

    def forward(self, ids: Tensor) -> Tensor:
        """Return vectors (B, D) of tokens (B, T), -1 behind the last one."""
        before = torch.full_like(ids[:, :1], self.first)
        tokens = torch.cat([before, ids], dim=1).T  # (T, B)
        there = tokens >= 0
        read = functional.embedding(tokens.clamp(min=0), self.embedding.weight)
        outputs = self.recurrent(read)[0].float()  # (T, B, H)
        absent = (~there).unsqueeze(2)
        n = there.long().sum(0)
        last = (n - 1).view(1, -1, 1).expand(1, -1, outputs.shape[2])
        pooled = {
            "last": outputs.gather(0, last)[0],
            "max": outputs.masked_fill(absent, -torch.inf).amax(0),
            "mean": outputs.masked_fill(absent, 0.0).sum(0) / n.unsqueeze(1),
        }
        return torch.cat([pooled[kind] for kind in self.kinds], dim=1)


class Combined(nn.Module):
    """A weighted sum, as a `Stack` makes it."""

    def __init__(self, stack: Stack) -> None:
        super().__init__()
        self.weights = stack.weights.tolist()
        self.register_buffer("bias", buffer(stack.bias))

    def forward(self, raws: list[Tensor]) -> Tensor:
        """Return the sum (B, K)."""
        return sum((w * r for w, r in zip(self.weights, raws, strict=True)), self.bias)


class ExportedTexts(nn.Module):
    """From counted runs and tokens to probabilities or predictions.

    Parameters
    ----------
    model : LabelledTextEstimator
        Fitted.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        reading, branches = model._reading, model._branches
        language_model, self.two_classes = reading.language_model, branches.two_classes
        self.views = nn.ModuleList(
            Standardised(m)
            if isinstance(m.view, Vectors)
            else Counted(m, reading.counter)
            for m in branches.models
        )
        self.combined = Combined(branches.stack)
        self.vectors = self.reader = self.units = None
        self.link: Callable[[Tensor], Tensor] = model._objective.inverse_link
        if language_model is not None:
            first = language_model._lm_encoder.end_id
            kinds = language_model._pooled()
            self.vectors = DocumentVectors(language_model.network_, first, kinds)
        if model._reader_stack is not None:
            body = model.network_.get_submodule("reading")
            self.reader = DocumentVectors(body, first)
            self.head = model.network_.get_submodule("head")
            self.with_reader = Combined(model._reader_stack)
        if isinstance(model._target, RealTarget):
            self.units = Units(model._target)

    def forward(self, columns: Tensor, ids: Tensor | None = None) -> Tensor:
        """Return what `predict_proba` or `predict` returns.

        Parameters
        ----------
        columns : Tensor of shape (B, S)
            Numbers of the counted runs, those below 0 for none.
        ids : Tensor of shape (B, T) or None
            Tokens of the language model, -1 behind the last one.
        """
        counted = distinct(columns)
        vectors = None if self.vectors is None else self.vectors(ids)
        raws = [
            view(vectors if isinstance(view, Standardised) else counted)
            for view in self.views
        ]
        if self.two_classes:
            raws = [torch.cat([-raw, raw], dim=1) / 2 for raw in raws]
        raw = self.combined(raws)
        if self.reader is not None:
            raw = self.with_reader([raw, self.head(self.reader(ids)).double()])
        found = self.link(raw)
        return found if self.units is None else self.units(found)


def _with_nothing(rows: np.ndarray) -> Tensor:
    """Return rows, and one of zeros that stands for no column."""
    rows = np.asarray(rows, dtype=np.float64)
    nothing = np.zeros((1, *rows.shape[1:]))
    return buffer(np.concatenate([rows, nothing]))
