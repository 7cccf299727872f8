"""What a fitted language model writes: the next token, and whole texts."""

from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted

from skdl.data.text import TextEncoder, TokenStream, check_texts
from skdl.estimators.core.checks import is_count, is_number
from skdl.estimators.core.state import draw_seed, seed_source
from skdl.training.surroundings import own_settings
from skdl.training.text.documents import read_to_end
from skdl.training.text.dynamic import learned_from
from skdl.training.text.generation import Repetition, Sampling, generate


class TextWriting:
    """Methods of a fitted TextLM that say what comes next."""

    network_: Any
    _lm_encoder: TextEncoder

    def _stream(self, X: Any) -> TokenStream:
        raise NotImplementedError

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
        repetition_penalty: float = 1.0,
        no_repeat_ngram_size: int | None = None,
        no_unk: bool = True,
        stop: str | None = "<eos>",
        dynamic: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ) -> Any:
        """Write on from beginnings.

        Parameters
        ----------
        prompts : str or iterable of str, default=("",)
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
        repetition_penalty : float, default=1.0
            What log-probabilities of tokens that are there already, in the beginning
            too, are multiplied by: above 1 they become less likely (Keskar et al. 2019,
            arXiv 1909.05858, section 4.1). 1.1 to 1.3 keeps texts from going round.
        no_repeat_ngram_size : int, default=None
            No run of so many tokens is written that is there already, unless nothing
            else is left to write.
        no_unk : bool, default=True
            Never write ``<unk>``.
        stop : str or None, default="<eos>"
            The token that ends a text, and is not written. None never stops, and never
            writes ``<eos>``.
        dynamic : bool, default=False
            Whether a copy of the model learns from each beginning before it writes on,
            one after the other (dynamic evaluation, Krause et al. 2018, arXiv
            1709.07432). It pays where beginnings have hundreds of tokens.
        random_state : int, RandomState instance or None, default=None
            An int gives the same text every time. None draws anew.

        Returns
        -------
        list of str, or str
            What was written after each prompt, without the prompt; for one string, one.

        Raises
        ------
        ValueError
            If an option is out of range, or `stop` is not in the vocabulary.
        """
        check_is_fitted(self)
        encoder = self._lm_encoder
        _check_sampling(max_new_tokens, temperature, top_k, top_p)
        _check_repetition(repetition_penalty, no_repeat_ngram_size)
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
        texts = [prompts] if isinstance(prompts, str) else check_texts(prompts)
        rng = seed_source(random_state)

        def write(network: Any, texts: list[str]) -> list[list[int]]:
            stream = self._stream(texts)
            hidden, states = read_to_end(
                network, stream.ids, stream.lengths, encoder.end_id
            )
            return generate(
                network,
                hidden,
                states,
                max_new_tokens=max_new_tokens,
                sampling=Sampling(float(temperature), top_k, top_p, tuple(banned)),
                stop=stop_id,
                seed=draw_seed(rng),
                repetition=Repetition(
                    [encoder.transform([text]).ids[:-1].tolist() for text in texts],
                    penalty=float(repetition_penalty),
                    ngram_size=no_repeat_ngram_size,
                    never=tuple(banned),
                ),
            )

        if dynamic:
            written = [write(self._learner(t), [t])[0] for t in texts]
        else:
            written = write(self.network_, texts)
        found = [encoder.decode(ids) for ids in written]
        return found[0] if isinstance(prompts, str) else found

    def _learner(self, text: str) -> Any:
        """Return a copy of the network that has learned from a text."""
        ids = self._stream([text]).ids[:-1]  # without <eos>
        return learned_from(self.network_, ids, self._lm_encoder.end_id)[0]

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


def _check_repetition(penalty: float, ngram_size: int | None) -> None:
    if not is_number(penalty) or penalty <= 0:
        raise ValueError(
            f"repetition_penalty must be a positive number, got {penalty!r}."
        )
    if ngram_size is not None and not is_count(ngram_size):
        raise ValueError(
            "no_repeat_ngram_size must be None or a positive integer, got "
            f"{ngram_size!r}."
        )
