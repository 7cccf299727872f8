"""What benchmarks of language models share: how much reading fits into some seconds."""

import math
from collections.abc import Sequence

from skdl import TextLM

# Lines on which the speed is measured.
_LINES = 10_000


def within(
    model: TextLM, lines: Sequence[str], seconds: float
) -> tuple[TextLM, list[str]]:
    """Return a model and lines that it reads in about some seconds.

    The schedule is fitted to what can be read: as many epochs as have to be begun, each
    of as many lines as then fit. Words of other lines come into the vocabulary by a
    line of their own, so that perplexities can be compared.

    Parameters
    ----------
    model : TextLM
        Its settings count, but for `max_epochs`.
    lines : sequence of str
        The training text.
    seconds : float
        Of `fit`.

    Returns
    -------
    model : TextLM
        Not fitted.
    lines : list of str
        The first lines, and one with the vocabulary if they are not all.
    """
    settings = model.get_params(deep=False)
    probe = TextLM(**{**settings, "max_epochs": 2, "verbose": 0})
    probe.fit(with_vocabulary(lines, _LINES))
    # The first epoch also warms up, which on a GPU takes longer than to read.
    speed = float(probe.history_["tokens_per_second"].max())
    total, readable = n_tokens(lines), 0.97 * seconds * speed
    begun = max(1, math.ceil(readable / total - 0.1))
    share = min(1.0, readable / begun / total)
    if share < 1:  # the vocabulary's line is read too
        words = {word for line in lines for word in line.split()}
        share = max(share / 10, share - len(words) / total)
    chosen = TextLM(**{**settings, "max_epochs": begun})
    return chosen, with_vocabulary(lines, math.ceil(share * len(lines)))


def n_tokens(lines: Sequence[str]) -> int:
    """Return the tokens of lines that are split at whitespace, their ends counted."""
    return sum(len(line.split()) + 1 for line in lines)


def with_vocabulary(lines: Sequence[str], n: int) -> list[str]:
    """Return the first n lines, and one that has the other lines' words."""
    if n >= len(lines):
        return list(lines)
    words = {word for line in lines for word in line.split()}
    known = {word for line in lines[:n] for word in line.split()}
    return [*lines[:n], " ".join(sorted(words - known))]
