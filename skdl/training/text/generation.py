"""Writing text with a language model, many texts at once."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from skdl.training.surroundings import own_settings
from skdl.training.survival.out_of_memory import as_memory_error
from skdl.training.text.documents import States

# Divided by less, differences of log-probabilities leave the range of float32.
_COLDEST = 1e-6


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn from its probabilities.

    Parameters
    ----------
    temperature : float, default=1.0
        Log-probabilities are divided by it: below 1 likely tokens become likelier. 0,
        and what is hardly more, always takes the likeliest.
    top_k : int or None, default=None
        Only this many of the likeliest tokens.
    top_p : float or None, default=None
        Only the likeliest tokens whose probabilities together reach this (Holtzman et
        al. 2019, arXiv 1904.09751, section 3.1).
    banned : tuple of int, default=()
        Tokens that are never drawn.

    Examples
    --------
    >>> import torch
    >>> scores = torch.tensor([[0.1, 0.6, 0.3]]).log()
    >>> Sampling(temperature=0)(scores, torch.Generator())
    tensor([1])
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    banned: tuple[int, ...] = ()

    def __call__(self, log_prob: Tensor, generator: torch.Generator) -> Tensor:
        """Draw a token for each row of log-probabilities (B, V) -> (B,)."""
        scores = log_prob.clone()
        scores[:, list(self.banned)] = -torch.inf
        if self.temperature < _COLDEST:
            return scores.argmax(1)
        scores = scores / self.temperature
        if self.top_k is not None and self.top_k < scores.shape[1]:
            lowest = scores.topk(self.top_k, dim=1).values[:, -1:]
            scores = scores.masked_fill(scores < lowest, -torch.inf)
        probabilities = scores.softmax(1)
        if self.top_p is not None:
            probabilities = _nucleus(probabilities, self.top_p)
        return torch.multinomial(probabilities, 1, generator=generator)[:, 0]


def _nucleus(probabilities: Tensor, top_p: float) -> Tensor:
    """Zero all but the likeliest tokens that together reach `top_p`."""
    ordered, order = probabilities.sort(dim=1, descending=True)
    before = ordered.cumsum(1) - ordered
    beyond = before >= top_p
    beyond[:, 0] = False  # the likeliest stays, however small the share
    ordered = ordered.masked_fill(beyond, 0.0)
    return torch.zeros_like(probabilities).scatter_(1, order, ordered)


class Repetition:
    """What texts have written already, and how that counts against writing it again.

    Parameters
    ----------
    texts : list of list of int
        Tokens so far, of the beginnings; what is written is added to copies.
    penalty : float
        Log-probabilities of tokens that a text has already are multiplied by it
        (Keskar et al. 2019, arXiv 1909.05858, section 4.1): 1 changes nothing.
    ngram_size : int or None
        No run of so many tokens is written twice, while anything else can be written.
    never : tuple of int, default=()
        Tokens that are not written anyway.

    Examples
    --------
    >>> import torch
    >>> repetition = Repetition([[0, 1, 0]], penalty=1.0, ngram_size=2)
    >>> repetition.weighed(torch.tensor([[0.2, 0.4, 0.3, 0.1]]).log(), [0]).exp()
    tensor([[0.2000, 0.0000, 0.3000, 0.1000]])
    """

    def __init__(
        self,
        texts: list[list[int]],
        *,
        penalty: float,
        ngram_size: int | None,
        never: tuple[int, ...] = (),
    ) -> None:
        self._penalty, self._size, self._never = penalty, ngram_size, never
        self._texts: list[list[int]] = [[] for _ in texts]
        self._follows: list[dict[tuple[int, ...], set[int]]] = [{} for _ in texts]
        for row, text in enumerate(texts):
            for token in text:
                self.add(row, token)

    def add(self, row: int, token: int) -> None:
        """Add a token to a text."""
        text = self._texts[row]
        if self._size is not None and len(text) >= self._size - 1:
            self._follows[row].setdefault(self._end(row), set()).add(token)
        text.append(token)

    def _end(self, row: int) -> tuple[int, ...]:
        """Return the tokens that the next one would make a run with."""
        text, n = self._texts[row], (self._size or 1) - 1
        return tuple(text[len(text) - n :])

    def weighed(self, log_prob: Tensor, rows: list[int]) -> Tensor:
        """Return log-probabilities (B, V) of the next tokens of some texts."""
        if self._penalty == 1 and self._size is None:
            return log_prob
        scores = log_prob.clone()
        for i, row in enumerate(rows):
            if self._penalty != 1 and self._texts[row]:
                seen = torch.tensor(sorted(set(self._texts[row])), device=scores.device)
                scores[i, seen] *= self._penalty
            banned = self._banned(row)
            if banned and len({*banned, *self._never}) < scores.shape[1]:
                scores[i, banned] = -torch.inf
        return scores

    def _banned(self, row: int) -> list[int]:
        if self._size is None or len(self._texts[row]) < self._size - 1:
            return []
        return sorted(self._follows[row].get(self._end(row), ()))


@own_settings(training=False)
@as_memory_error("writing texts")
@torch.inference_mode()
def generate(
    model: nn.Module,
    hidden: Tensor,
    states: States,
    *,
    max_new_tokens: int,
    sampling: Sampling,
    stop: int | None,
    seed: int,
    repetition: Repetition | None = None,
) -> list[list[int]]:
    """Write on from where documents end, a token at a time.

    Parameters
    ----------
    model : LanguageModel
        In evaluation mode.
    hidden, states
        As `skdl.training.text.documents.read_to_end` returns them.
    max_new_tokens : int
        Tokens at most.
    sampling : Sampling
        Draws the tokens.
    stop : int or None
        The token after which a text is done; it is not part of it.
    seed : int
        Of what is drawn.
    repetition : Repetition, optional
        Keeps texts from repeating themselves.

    Returns
    -------
    list of list of int
        New tokens of each text.
    """
    generator = torch.Generator(hidden.device).manual_seed(seed)
    softmax = model.get_submodule("softmax")
    texts: list[list[int]] = [[] for _ in range(len(hidden))]
    writing = list(range(len(hidden)))
    for _ in range(max_new_tokens):
        scores = softmax.log_prob(hidden)  # type: ignore[operator]
        if repetition is not None:
            scores = repetition.weighed(scores, writing)
        tokens = sampling(scores, generator)
        drawn = tokens.tolist()
        kept = [i for i, token in enumerate(drawn) if token != stop]
        for i in kept:
            texts[writing[i]].append(drawn[i])
            if repetition is not None:
                repetition.add(writing[i], drawn[i])
        if not kept:
            break
        if len(kept) < len(drawn):
            writing = [writing[i] for i in kept]
            chosen = torch.tensor(kept, device=hidden.device)
            tokens = tokens[chosen]
            states = [(h[chosen], c[chosen]) for h, c in states]
        output, states = model(tokens.unsqueeze(0), states)
        hidden = output.hidden[0]
    return texts
