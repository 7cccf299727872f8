"""The network of a TextLM: its softmax, dropouts, and what it begins from."""

import itertools
import math
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
import torch
from sklearn.frozen import FrozenEstimator
from torch import nn

from skdl.data.text import TextEncoder
from skdl.estimators.core.checks import as_list, is_count
from skdl.estimators.core.left_out import LeftOut
from skdl.networks.language_model import LanguageModel
from skdl.training.runtime import Runtime

# Tokens from which on a CPU gets an adaptive softmax, and sizes that are tried for its
# first part and its clusters.
_MANY_TOKENS = 5000

_SIZES = (1000, 2000, 3000, 4000, 6000, 8000, 12_000, 16_000, 24_000, 32_000)

# Each dropout as a share of the number `dropout`, and the number that a dict changes.
DROPOUTS = {"input": 1.0, "hidden": 0.5, "output": 1.0, "word": 0.0, "recurrent": 0.5}

_DROPOUT = 0.2

# What "auto" is for so many epochs, and by how much it grows where they double: a text
# that is read again and again is learned by heart with less.
_EPOCHS, _BY_DOUBLING, _MOST_DROPOUT = 5.0, 0.1, 0.35
_LEAST_DROPOUT = 0.1


def choose_cutoffs(
    softmax: str | Sequence[int], counts: np.ndarray, on_cpu: bool
) -> list[int]:
    """Return the first token of each cluster of the softmax; none for a full one.

    Parameters
    ----------
    softmax : "auto", "full", "adaptive" or sequence of int
        As a user gives it. "auto" is adaptive for many tokens on a CPU.
    counts : ndarray of shape (n_tokens,)
        How often each token occurs, falling.
    on_cpu : bool
        Whether training is on a CPU.

    Raises
    ------
    ValueError
        If given cutoffs do not rise from 1 to below the number of tokens.
    """
    n = len(counts)
    if not isinstance(softmax, str):
        given = as_list(softmax)
        inside = given is not None and all(is_count(c) and c < n for c in given)
        cutoffs = [int(c) for c in given or ()] if inside else []
        if not inside or cutoffs != sorted(set(cutoffs)):
            raise ValueError(
                "softmax must be 'auto', 'full', 'adaptive' or rising numbers between "
                f"0 and the {n} tokens of the vocabulary, got {softmax!r}."
            )
        return cutoffs
    if softmax == "full" or (softmax == "auto" and not (on_cpu and n > _MANY_TOKENS)):
        return []
    return _cheapest_cutoffs(counts)


def _cheapest_cutoffs(counts: np.ndarray) -> list[int]:
    """Return the one or two cutoffs with the fewest scores to make for a token."""
    seen = _share_seen(counts)
    sizes = [s for s in _SIZES if s < len(counts)]
    candidates = [[first] for first in sizes]
    candidates += [[a, b] for a in sizes for b in sizes if a < b]
    return min(candidates, key=lambda cutoffs: _n_scores(cutoffs, seen), default=[])


def scores_by_token(cutoffs: list[int], counts: np.ndarray) -> float:
    """Return how many scores the softmax makes for a token on average."""
    return _n_scores(cutoffs, _share_seen(counts))


def _share_seen(counts: np.ndarray) -> np.ndarray:
    """Return the share of a text that the first n tokens make up, for each n."""
    return np.concatenate([[0], np.cumsum(counts)]) / max(1, counts.sum())


def _n_scores(cutoffs: list[int], seen: np.ndarray) -> float:
    bounds = [*cutoffs, len(seen) - 1]
    clusters = itertools.pairwise(bounds)
    return bounds[0] + sum((seen[b] - seen[a]) * (b - a) for a, b in clusters)


def new_network(settings: Any, encoder: TextEncoder, runtime: Runtime) -> LanguageModel:
    """Build the network of a TextLM, with what `init_from` gives it."""
    source = fitted_source(settings.init_from)
    cutoffs = choose_cutoffs(
        settings.softmax, encoder.counts, runtime.device.type == "cpu"
    )
    network = LanguageModel(
        len(encoder.tokens),
        embedding_dim=settings.embedding_dim,
        hidden_size=settings.hidden_size,
        num_layers=settings.num_layers,
        tie_weights=settings.tie_weights,
        cutoffs=cutoffs,
        cell=settings.cell,
        zoneout=settings.zoneout,
        **dropouts(settings),
    )
    network.softmax.begin_at(torch.from_numpy(encoder.counts))
    if source is not None:
        _start_from(network, encoder, source)
    return network


def dropouts(settings: Any) -> dict[str, float]:
    """Return the network's dropouts by their names there."""
    dropout = settings.dropout
    given = dropout if isinstance(dropout, Mapping) else {}
    base = _DROPOUT if isinstance(dropout, Mapping) else dropout
    if isinstance(dropout, str):  # "auto"
        base = _by_epochs(settings.max_epochs)
    found = {kind: share * base for kind, share in DROPOUTS.items()}
    if settings.cell == "qrnn":
        # Of all weights of its layers: it costs more than it helps.
        found["recurrent"] = 0.0
    return {f"{kind}_dropout": share for kind, share in {**found, **given}.items()}


def _by_epochs(n_epochs: int) -> float:
    """Return the dropout for a text that is read so many times."""
    grown = _DROPOUT + _BY_DOUBLING * math.log2(n_epochs / _EPOCHS)
    return min(_MOST_DROPOUT, max(_LEAST_DROPOUT, grown))


def check_dropout(dropout: str | float | Mapping[str, float]) -> None:
    """Refuse a dict that names what is not dropped, or shares out of range.

    Raises
    ------
    ValueError
        If there is no such dropout, or it is not in [0, 1).
    """
    if not isinstance(dropout, Mapping):
        return
    for kind, share in dropout.items():
        if kind not in DROPOUTS:
            raise ValueError(f"dropout has no {kind!r}; it knows {list(DROPOUTS)}.")
        if not isinstance(share, Real) or not 0 <= share < 1:
            raise ValueError(f"dropout[{kind!r}] must be in [0, 1), got {share!r}.")


def check_source(init_from: Any) -> None:
    """Refuse what a TextLM cannot start from, unless it has started already."""
    if not isinstance(init_from, LeftOut):
        fitted_source(init_from)


def fitted_source(init_from: Any) -> Any:
    """Return the fitted TextLM that another one starts from, or None.

    Raises
    ------
    TypeError, ValueError
        If it is none, or not fitted.
    """
    if isinstance(init_from, FrozenEstimator):
        init_from = init_from.estimator
    if init_from is None:
        return None
    if isinstance(init_from, LeftOut):
        raise ValueError(
            "init_from is not in the pickle of a fitted model, which does not need it "
            "any more. To fit anew, give it again: set_params(init_from=...)."
        )
    if not hasattr(init_from, "_lm_encoder"):
        if hasattr(init_from, "generate"):
            raise ValueError(
                "init_from must be a fitted TextLM. clone and GridSearchCV take the "
                "fit from it: wrap it as FrozenEstimator(model)."
            )
        raise TypeError(
            f"init_from must be a fitted TextLM, got {type(init_from).__name__}."
        )
    return init_from


@torch.no_grad()
def _start_from(network: LanguageModel, encoder: TextEncoder, source: Any) -> None:
    """Copy recurrent weights and the vectors of tokens that the source knows.

    Tokens that it does not know start at the mean vector.
    """
    old = source.network_
    _check_same_sizes(network, old)
    network.recurrent.load_state_dict(old.recurrent.state_dict())
    network.recurrent.adds = old.recurrent.adds
    places = [source._lm_encoder.id_of(token) for token in encoder.tokens]
    known = torch.tensor([p is not None for p in places])
    rows = torch.tensor([p for p in places if p is not None], dtype=torch.long)
    pairs: list[tuple[torch.Tensor, torch.Tensor]] = [
        (network.embedding.weight, old.embedding.weight),
        (network.softmax.bias, old.softmax.bias),
    ]
    if network.softmax.weight is not network.embedding.weight:
        pairs.append((network.softmax.weight, old.softmax.weight))
    for new, given in pairs:
        given = given.detach().cpu()
        new[:] = given.mean(0)
        new[known] = given[rows]


def _check_same_sizes(network: LanguageModel, old: LanguageModel) -> None:
    wanted, given = (
        [tuple(p.shape) for p in n.recurrent.parameters()] for n in (network, old)
    )
    same_ties = [n.softmax.weight is n.embedding.weight for n in (network, old)]
    if wanted != given or same_ties[0] != same_ties[1]:
        raise ValueError(
            "init_from has a network of another size; give embedding_dim, hidden_size, "
            "num_layers and tie_weights the values that it has."
        )


def step_work(network: nn.Module, batch_size: int, bptt: int) -> float:
    """Return about how many multiplications a step of training has."""
    weights = sum(p.numel() for p in network.parameters() if p.ndim > 1)
    return 3.0 * weights * batch_size * bptt
