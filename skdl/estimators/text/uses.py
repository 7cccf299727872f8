"""What a fitted language model is used for: likelihoods, vectors, writing."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skdl.data.text import TextEncoder, TokenStream, as_strings, check_texts
from skdl.estimators.core.checks import is_count
from skdl.estimators.core.description import described
from skdl.estimators.core.left_out import LeftOut
from skdl.estimators.core.wrong_names import close_to
from skdl.estimators.text.writing import TextWriting
from skdl.training.text.documents import (
    document_nll,
    document_vectors,
    token_surprise,
)
from skdl.training.text.dynamic import dynamic_nll

# What document vectors are made of, in the order of their columns.
POOLINGS = ("last", "max", "mean")


class TextUse(TextWriting, TransformerMixin):
    """Methods of a fitted TextLM."""

    network_: Any
    _lm_encoder: TextEncoder
    pooling: str

    def _state(self) -> dict[str, Any]:
        """Return the state; once fitted, without the model that it was begun from."""
        state = super()._state()  # type: ignore[misc]
        source = state.get("init_from")
        if "network_" in state and source is not None:
            state["init_from"] = LeftOut(described(source))
        return state

    # How likely texts are.

    def score(self, X: Any, y: Any = None) -> float:
        """Return the mean log-likelihood of a token, in nats: higher is better.

        Parameters
        ----------
        X : iterable of str
            Documents, read as one stream; see `perplexity`.
        y : None
            Ignored.

        Returns
        -------
        float
            Minus the logarithm of the perplexity.
        """
        stream = self._stream(X)
        return -self._stream_nll(stream) / len(stream)

    def perplexity(
        self, X: Any, *, by_document: bool = False, dynamic: bool = False
    ) -> float | np.ndarray:
        """Return the exponential of the mean negative log-likelihood of a token.

        Parameters
        ----------
        X : iterable of str
            Documents.
        by_document : bool, default=False
            By default as in papers: all documents are one stream in the order given,
            the state is carried from each to the next, and every token is counted,
            ``<eos>`` and ``<unk>`` too. Otherwise a perplexity for each document, read
            without knowing the others.
        dynamic : bool, default=False
            Whether a copy of the model reads, that learns from each window of tokens
            after it has predicted them (dynamic evaluation, Krause et al. 2018, arXiv
            1709.07432): lower where what was written comes again, such as names. The
            model itself stays as it is. Takes some minutes for a few 100,000 tokens.

        Returns
        -------
        float or ndarray of shape (n_documents,)

        Raises
        ------
        ValueError
            If both are asked for.
        """
        if dynamic and by_document:
            raise ValueError(
                "dynamic=True learns from all documents as one stream, "
                "by_document=True reads each without knowing the others; choose one "
                "of them."
            )
        stream = self._stream(X)
        if dynamic:
            end = self._lm_encoder.end_id
            nll = dynamic_nll(self.network_, stream.ids, end)
            return math.exp(nll / len(stream))
        if not by_document:
            return math.exp(self._stream_nll(stream) / len(stream))
        return np.exp(self._document_nll(stream) / stream.lengths)

    def score_samples(self, X: Any, *, per_token: bool = False) -> np.ndarray:
        """Return the log-likelihood of each document, in nats.

        Parameters
        ----------
        X : iterable of str
            Documents; each is read without knowing the others.
        per_token : bool, default=False
            Whether to divide by the document's tokens, its ``<eos>`` counted.

        Returns
        -------
        ndarray of shape (n_documents,)
        """
        stream = self._stream(X)
        nll = self._document_nll(stream)
        return -nll / stream.lengths if per_token else -nll

    def surprise(self, X: Any) -> pd.DataFrame:
        """Return how surprising every token is.

        Parameters
        ----------
        X : iterable of str
            Documents; each is read without knowing the others.

        Returns
        -------
        DataFrame
            A row for every token, ``<eos>`` too: `document` (its position in X),
            `position` in it, the `token` as it stands there, whether it is `known` or
            read as ``<unk>``, its `nats` (minus the logarithm of its probability), and
            the nats that were `expected`: high where much may come, such as a name or a
            number. What stands out has more nats than were expected.

        Examples
        --------
        >>> from skdl import TextLM
        >>> lm = TextLM(hidden_size=8, embedding_dim=8, batch_size=2, max_epochs=2,
        ...             bptt=5).fit(["open read close", "open write close"] * 10)
        >>> found = lm.surprise(["open read open"])
        >>> found["token"].tolist()
        ['open', 'read', 'open', '<eos>']
        """
        texts = check_texts(X)
        stream = self._stream(texts)
        encoder = self._lm_encoder
        nats, expected = token_surprise(
            self.network_, stream.ids, stream.lengths, encoder.end_id
        )
        ends = np.cumsum(stream.lengths)
        starts = np.repeat(ends - stream.lengths, stream.lengths)
        return pd.DataFrame(
            {
                "document": np.repeat(np.arange(len(texts)), stream.lengths),
                "position": np.arange(len(stream)) - starts,
                "token": as_strings(encoder.as_read(texts)),
                "known": stream.ids != encoder.unknown_id,
                "nats": nats,
                "expected": expected,
            }
        )

    def bits_per_character(self, X: Any) -> float:
        """Return the bits that a character takes, the end of a document counted as one.

        It compares models whatever their tokens are.

        Parameters
        ----------
        X : iterable of str
            Documents, read as one stream; see `perplexity`.

        Returns
        -------
        float
        """
        texts = check_texts(X)
        n_characters = sum(len(text) + 1 for text in texts)
        return self._stream_nll(self._stream(texts)) / math.log(2) / n_characters

    def _stream(self, X: Any) -> TokenStream:
        check_is_fitted(self)
        return self._lm_encoder.transform(check_texts(X))

    def _stream_nll(self, stream: TokenStream) -> float:
        whole = TokenStream(stream.ids, np.array([len(stream)]))
        return float(self._document_nll(whole)[0])

    def _document_nll(self, stream: TokenStream) -> np.ndarray:
        end = self._lm_encoder.end_id
        return document_nll(self.network_, stream.ids, stream.lengths, end)

    # Vectors of documents.

    def transform(self, X: Any) -> np.ndarray:
        """Return a vector for each document: what the top layer made of it.

        Parameters
        ----------
        X : iterable of str
            Documents; each is read without knowing the others.

        Returns
        -------
        ndarray of shape (n_documents, 3 * width), float32
            Last, highest and mean outputs of the top layer (Howard & Ruder 2018, arXiv
            1801.06146, section 3.3), or the one of them that `pooling` names.
        """
        stream = self._stream(X)
        places = [POOLINGS.index(kind) for kind in self._pooled()]
        end = self._lm_encoder.end_id
        vectors = document_vectors(self.network_, stream.ids, stream.lengths, end)
        by_kind = vectors.reshape(len(vectors), len(POOLINGS), -1)
        return by_kind[:, places].reshape(len(vectors), -1)

    def _pooled(self) -> Sequence[str]:
        """Return what the vectors are made of."""
        if self.pooling not in ("all", *POOLINGS):
            raise ValueError(
                f"pooling must be 'all', 'last', 'max' or 'mean', got {self.pooling!r}."
            )
        return POOLINGS if self.pooling == "all" else [self.pooling]

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the columns of `transform`.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        ndarray of str
        """
        check_is_fitted(self)
        width = self.network_.softmax.weight.shape[1]
        names = [f"{kind}{i}" for kind in self._pooled() for i in range(width)]
        return np.array([f"textlm_{name}" for name in names], dtype=object)

    def nearest(self, word: str, k: int = 10) -> pd.Series:
        """Return the tokens whose vectors are most like that of a word.

        Parameters
        ----------
        word : str
            A token of the vocabulary.
        k : int, default=10
            How many others.

        Returns
        -------
        Series
            Cosines of the angles to them by token, the nearest first.

        Raises
        ------
        ValueError
            If the word is not in the vocabulary, or k is no positive integer.
        """
        check_is_fitted(self)
        if not is_count(k):
            raise ValueError(f"k must be a positive integer, got {k!r}.")
        known = self._lm_encoder.tokens
        place = self._lm_encoder.id_of(word) if isinstance(word, str) else None
        if place is None:
            raise ValueError(
                f"word must be a token of the vocabulary (tokens_): {word!r} is not in "
                f"it{close_to(word, known)}."
            )
        vectors = self.network_.embedding.weight.detach().cpu().double().numpy()
        lengths = np.linalg.norm(vectors, axis=1)
        cosines = vectors @ vectors[place]
        cosines /= np.maximum(lengths * lengths[place], np.finfo(np.float64).tiny)
        tokens = pd.Index(as_strings(known), name="token")
        found = pd.Series(cosines, index=tokens, name="cosine")
        return found[np.arange(len(found)) != place].nlargest(k)
