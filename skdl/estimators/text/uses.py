"""What a fitted language model is used for: likelihoods, vectors, writing."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sklearn.base import TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skdl.data.text import TextEncoder, TokenStream, check_texts
from skdl.estimators.core.checks import is_count, is_number
from skdl.estimators.core.description import described
from skdl.estimators.core.left_out import LeftOut
from skdl.estimators.core.state import draw_seed, seed_source
from skdl.training.surroundings import own_settings
from skdl.training.text.documents import document_nll, document_vectors, read_to_end
from skdl.training.text.generation import Sampling, generate

# What document vectors are made of, in the order of their columns.
POOLINGS = ("last", "max", "mean")


class TextUse(TransformerMixin):
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

    def perplexity(self, X: Any, *, by_document: bool = False) -> float | np.ndarray:
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

        Returns
        -------
        float or ndarray of shape (n_documents,)
        """
        stream = self._stream(X)
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

    # What comes next.

    def predict(self, X: Any) -> np.ndarray:
        """Return the likeliest next token after each text.

        Parameters
        ----------
        X : iterable of str
            Beginnings.

        Returns
        -------
        ndarray of str of shape (n_texts,)
        """
        return self.predict_next(X, k=1)[0][:, 0]

    def predict_next(self, prefixes: Any, k: int = 5) -> tuple[np.ndarray, np.ndarray]:
        """Return the likeliest next tokens after each text, and their probabilities.

        Parameters
        ----------
        prefixes : iterable of str
            Beginnings; words that the model does not know are ``<unk>``.
        k : int, default=5
            How many tokens.

        Returns
        -------
        tokens : ndarray of str of shape (n_texts, k)
            The likeliest first.
        probabilities : ndarray of shape (n_texts, k)
            float64; those of all tokens sum to one.

        Raises
        ------
        ValueError
            If k is not between 1 and the size of the vocabulary.
        """
        hidden, _ = self._read(prefixes)
        names = np.array(self._lm_encoder.tokens, dtype=object)
        if not is_count(k) or k > len(names):
            raise ValueError(
                f"k must be an integer between 1 and {len(names)}, got {k!r}."
            )
        tokens, chances = [], []
        for part in hidden.split(256):
            with torch.inference_mode(), own_settings(training=False):
                scores = self.network_.softmax.log_prob(part).double()
                found = scores.softmax(1).topk(k, dim=1)
            tokens.append(names[found.indices.cpu().numpy()])
            chances.append(found.values.cpu().numpy())
        return np.concatenate(tokens), np.concatenate(chances)

    def generate(
        self,
        prompts: Any = ("",),
        *,
        max_new_tokens: int = 50,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        no_unk: bool = True,
        stop: str | None = "<eos>",
        random_state: int | np.random.RandomState | None = None,
    ) -> list[str]:
        """Write on from beginnings.

        Parameters
        ----------
        prompts : iterable of str, default=("",)
            Beginnings; they are written on side by side.
        max_new_tokens : int, default=50
            Tokens to write at most.
        temperature : float, default=1.0
            Below 1 likely tokens become likelier; 0 always takes the likeliest.
        top_k : int, default=None
            Draw from this many of the likeliest tokens only.
        top_p : float, default=None
            Draw from the likeliest tokens that together have this probability only
            (Holtzman et al. 2019, arXiv 1904.09751, section 3.1).
        no_unk : bool, default=True
            Never write ``<unk>``.
        stop : str or None, default="<eos>"
            The token that ends a text, and is not written. None never stops, and never
            writes ``<eos>``.
        random_state : int, RandomState instance or None, default=None
            An int gives the same text every time. None draws anew.

        Returns
        -------
        list of str
            What was written after each prompt, without the prompt.

        Raises
        ------
        ValueError
            If an option is out of range, or `stop` is not in the vocabulary.
        """
        check_is_fitted(self)
        encoder = self._lm_encoder
        _check_sampling(max_new_tokens, temperature, top_k, top_p)
        stop_id = encoder.id_of(stop) if isinstance(stop, str) else None
        if stop is not None and stop_id is None:
            raise ValueError(f"stop must be a token of the vocabulary, got {stop!r}.")
        banned = [encoder.unknown_id] if no_unk else []
        if stop is None:
            banned.append(encoder.end_id)
        if len(banned) == len(encoder.tokens):
            raise ValueError(
                "The vocabulary has nothing but <unk> and <eos>: there is nothing to "
                "write. Fit on more text, or lower min_frequency."
            )
        hidden, states = self._read(prompts)
        written = generate(
            self.network_,
            hidden,
            states,
            max_new_tokens=max_new_tokens,
            sampling=Sampling(float(temperature), top_k, top_p, tuple(banned)),
            stop=stop_id,
            seed=draw_seed(seed_source(random_state)),
        )
        return [encoder.decode(ids) for ids in written]

    def _read(self, texts: Any) -> tuple[torch.Tensor, list]:
        stream = self._stream(texts)
        end = self._lm_encoder.end_id
        return read_to_end(self.network_, stream.ids, stream.lengths, end)


def _check_sampling(
    max_new_tokens: int, temperature: float, top_k: int | None, top_p: float | None
) -> None:
    if not is_count(max_new_tokens):
        raise ValueError(
            f"max_new_tokens must be a positive integer, got {max_new_tokens!r}."
        )
    if not is_number(temperature) or temperature < 0:
        raise ValueError(
            f"temperature must be a number that is not negative, got {temperature!r}."
        )
    if top_k is not None and not is_count(top_k):
        raise ValueError(f"top_k must be None or a positive integer, got {top_k!r}.")
    if top_p is not None and not (is_number(top_p) and 0 < top_p <= 1):
        raise ValueError(f"top_p must be None or a number in (0, 1], got {top_p!r}.")
