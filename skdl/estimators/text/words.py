"""The words' branch of an estimator on texts: what it reads, and its linear models."""

from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from skdl.data.ngrams import NgramCounter
from skdl.data.text import TextEncoder, TokenStream
from skdl.estimators.text.encoder import new_encoder
from skdl.estimators.text.labelled_texts import LabelledTexts
from skdl.estimators.text.linear import Labelled, LinearView, draw_folds, fit_view
from skdl.estimators.text.stack import Stack
from skdl.estimators.text.views import Presence, Read, Topics, Vectors, View, Weighted


class TextReading:
    """What is read of texts: counts of words, and a language model's vectors.

    Parameters
    ----------
    encoder : TextEncoder
        Not yet fitted.
    n_range : tuple of two int
        Lengths of the shortest and longest runs of words that are counted.
    min_documents : int
        In how many texts a run has to occur.
    language_model : TextLM or None
        Fitted; makes vectors.
    """

    def __init__(
        self,
        encoder: TextEncoder,
        n_range: tuple[int, int],
        min_documents: int,
        language_model: Any,
    ) -> None:
        self.encoder = encoder
        self.n_range = n_range
        self.min_documents = min_documents
        self.language_model = language_model

    def fit(self, texts: list[str], n_labelled: int) -> tuple[Read, Read]:
        """Learn what words there are; return all texts read, and the labelled ones.

        Those come first. Vectors are only made of them.
        """
        stream = self.encoder.fit_transform(texts)
        encoder = self.encoder
        self.counter = NgramCounter(
            self.n_range,
            len(encoder.tokens),
            (encoder.end_id, encoder.unknown_id),
            min_documents=self.min_documents,
        )
        counts = self.counter.fit_transform(stream)
        n_words, vectors = self.counter.n_words, self._vectors(texts[:n_labelled])
        labelled = Read(counts[:n_labelled], n_words, vectors)
        return Read(counts, n_words, vectors), labelled

    def read(self, texts: list[str], cuts: Any = None) -> Read:
        """Return what is read of texts; their tokens may be given."""
        encoder = self.encoder
        stream: TokenStream = (
            encoder.transform(texts) if cuts is None else encoder.transform_cut(cuts)
        )
        counts = self.counter.transform(stream)
        return Read(counts, self.counter.n_words, self._vectors(texts))

    def _vectors(self, texts: list[str]) -> np.ndarray | None:
        lm = self.language_model
        return None if lm is None else lm.transform(texts)


def new_reading(settings: Any, language_model: Any) -> TextReading:
    """Return the reading that an estimator's parameters describe, not yet fitted."""
    first, last = settings.ngram_range
    least = 1 if settings.analyzer == "bpe" else settings.min_frequency
    span = int(first), int(last)
    return TextReading(new_encoder(settings), span, int(least), language_model)


class Branches:
    """Linear models on several views of texts, and what they say together.

    Parameters
    ----------
    objective : Objective
        Whose loss is made low.
    is_real : bool
        Whether targets are real numbers.
    two_classes : bool
        Whether one column of log-odds stands for two classes.
    """

    def __init__(self, objective: Any, *, is_real: bool, two_classes: bool) -> None:
        self.is_real, self.two_classes = is_real, two_classes
        self.stack = Stack(objective)
        self._n_outputs = objective.n_outputs

    def fit(
        self,
        everything: Read,
        read: Read,
        given: LabelledTexts,
        rng: np.random.RandomState,
    ) -> np.ndarray:
        """Learn from texts.

        Parameters
        ----------
        everything : Read
            All texts, also those without labels.
        read : Read
            The labelled ones.
        given : LabelledTexts
            Their targets and weights.
        rng : numpy.random.RandomState
            Draws the folds.

        Returns
        -------
        ndarray of shape (n, K)
            Raw outputs for the labelled texts by models that have not learned from
            them; NaN where there are none.
        """
        labelled = self._labelled(given.target, given.scaled_weight())
        folds = draw_folds(labelled, rng)
        drawn = folds >= 0
        told = given.target[np.flatnonzero(drawn)]

        def loss(outputs: np.ndarray) -> float:
            return self.stack.loss(self._raw(outputs), told, labelled.weight[drawn])

        self.models: list[LinearView] = []
        raws = []
        for view in self._views(read):
            view.learn(everything, rng.randint(1 << 30))
            model, held_out = fit_view(view, read, labelled, folds, loss)
            self.models.append(model)
            raws.append(self._raw(held_out))
        self.loss = self.stack.fit(raws, told, labelled.weight[drawn])
        found = np.full((len(labelled), raws[0].shape[1]), np.nan)
        found[drawn] = self.stack.combined(raws)
        return found

    def raw(self, read: Read) -> np.ndarray:
        """Return raw outputs (n, K) of texts."""
        return self.stack.combined([self._raw(m.outputs(read)) for m in self.models])

    def report(self) -> pd.DataFrame:
        """Return what was learned of each branch."""
        rows = [
            {"loss": m.loss, "strength": m.strength, "weight": w}
            for m, w in zip(self.models, self.stack.weights, strict=True)
        ]
        names = [model.view.name for model in self.models]
        frame = pd.DataFrame(rows, index=pd.Index(names, name="branch"))
        frame.loc["together"] = [self.loss, np.nan, np.nan]
        return frame

    def _views(self, read: Read) -> list[View]:
        by_label = not self.is_real
        views: list[View] = [Presence(by_label), Weighted(by_label), Topics()]
        return views if read.vectors is None else [*views, Vectors()]

    def _raw(self, outputs: np.ndarray) -> np.ndarray:
        """Return outputs as the objective takes them."""
        return np.hstack([-outputs, outputs]) / 2 if self.two_classes else outputs

    def _labelled(self, target: Tensor, weight: np.ndarray) -> Labelled:
        if target.ndim > 1:
            return Labelled(target.double().numpy(), weight, None, self.is_real)
        codes = target.numpy()
        if self.two_classes:
            return Labelled((codes[:, None] == 1).astype(float), weight, codes, False)
        return Labelled(np.eye(self._n_outputs)[codes], weight, codes, False)
