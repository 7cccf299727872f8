"""What TextLM is made of: its network, its batches, what it starts from."""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.frozen import FrozenEstimator
from torch import nn

from skdl.data.streams import StreamBatches
from skdl.data.text import TextEncoder, TokenStream, resolve_analyzer
from skdl.estimators.core.left_out import LeftOut
from skdl.networks.language_model import Continued, LanguageModel
from skdl.training.loop import EpochRecord
from skdl.training.runtime import Runtime

# Tokens from which on a CPU gets an adaptive softmax, and sizes that are tried for its
# first part and its clusters.
_MANY_TOKENS = 5000
_SIZES = (1000, 2000, 3000, 4000, 6000, 8000, 12_000, 16_000, 24_000, 32_000)

# Streams that held-out text is read in after every epoch.
_HELD_OUT_STREAMS = 16
_HELD_OUT_TOKENS = 500  # of each at least

DROPOUTS = (
    "input_dropout",
    "hidden_dropout",
    "output_dropout",
    "word_dropout",
    "recurrent_dropout",
)

# What recurrent_dropout="auto" is. A QRNN's weights are all of its layers', and masking
# them costs more than it helps in the few epochs of the preset "small".
_RECURRENT_DROPOUT = {"lstm": 0.1, "qrnn": 0.0}

PRESETS: dict[str, dict[str, Any]] = {
    "small": {},
    "awd": {
        "embedding_dim": 400,
        "hidden_size": 1150,
        "num_layers": 3,
        "input_dropout": 0.6,
        "hidden_dropout": 0.2,
        "output_dropout": 0.4,
        "word_dropout": 0.1,
        "recurrent_dropout": 0.5,
        "activation_penalty": 2.0,
        "temporal_penalty": 1.0,
        "bptt": 70,
        "batch_size": 80,
        "lr": 3e-3,
        "max_epochs": 60,
        "precision": "bfloat16",
    },
}


def new_encoder(settings: Any) -> TextEncoder:
    """Return the encoder that a TextLM's parameters describe, not yet fitted."""
    analyzer = resolve_analyzer(
        settings.analyzer,
        token_pattern=settings.token_pattern,
        min_frequency=settings.min_frequency,
        max_vocab=settings.max_vocab,
    )
    return TextEncoder(
        analyzer,
        lowercase=settings.lowercase,
        min_frequency=1 if settings.analyzer == "bpe" else settings.min_frequency,
        max_vocab=settings.max_vocab,
    )


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
        cutoffs = [int(c) for c in softmax]
        inside = all(0 < c < n for c in cutoffs)
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
        **{name: dropout(settings, name) for name in DROPOUTS},
    )
    if source is not None:
        _start_from(network, encoder, source)
    return network


def dropout(settings: Any, name: str) -> float:
    """Return a dropout times `dropout_scale`, below 1."""
    share = getattr(settings, name)
    if share == "auto":
        share = _RECURRENT_DROPOUT[settings.cell]
    return min(settings.dropout_scale * share, 0.95)


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


def validation(
    network: Continued,
    encoder: TextEncoder,
    held_out: TokenStream,
    runtime: Runtime,
    bptt: int,
) -> Callable[[], tuple[float, float]]:
    """Return a function that measures loss and score on held-out text."""
    n_streams = min(_HELD_OUT_STREAMS, max(1, len(held_out) // _HELD_OUT_TOKENS))
    batches = StreamBatches(
        held_out.ids,
        encoder.end_id,
        batch_size=n_streams,
        bptt=bptt,
        device=runtime.device,
    )

    @torch.no_grad()
    def validate() -> tuple[float, float]:
        network.eval()
        total = sum(
            network(*inputs).nll(target).double().sum() for inputs, target, _ in batches
        )
        loss = float(total) / batches.n_tokens
        return loss, -loss

    return validate


def step_work(network: nn.Module, batch_size: int, bptt: int) -> float:
    """Return about how many multiplications a step of training has."""
    weights = sum(p.numel() for p in network.parameters() if p.ndim > 1)
    return 3.0 * weights * batch_size * bptt


def split_texts(
    texts: list[str], fraction: float, seed: int
) -> tuple[list[str], list[str]]:
    """Hold out some documents, or of a single one its end.

    Documents keep their order, since a stream may be a text line by line.
    """
    if len(texts) == 1:
        text = texts[0]
        cut = text.rfind(" ", 0, max(1, round(len(text) * (1 - fraction))))
        if cut < 1 or not text[cut:].strip():
            raise ValueError(
                "early_stopping=True needs text to hold out, but X is one document of "
                f"{len(text)} characters; give more, or X_val."
            )
        return [text[:cut]], [text[cut:]]
    n_held_out = min(len(texts) - 1, max(1, round(fraction * len(texts))))
    chosen = np.random.RandomState(seed).permutation(len(texts))[:n_held_out]
    held_out = np.zeros(len(texts), dtype=bool)
    held_out[chosen] = True
    training = [t for t, out in zip(texts, held_out, strict=True) if not out]
    return training, [t for t, out in zip(texts, held_out, strict=True) if out]


def progress_details(record: EpochRecord, n_tokens: int) -> list[str]:
    """Return what the progress line shows of an epoch of `n_tokens`."""
    seconds = record.training_seconds or record.seconds
    shown = [f"perplexity {_perplexity(record.loss):.1f}"]
    if record.validation_loss is not None:
        shown = [f"validation perplexity {_perplexity(record.validation_loss):.1f}"]
    return [*shown, f"{n_tokens / max(seconds, 1e-9):,.0f} tokens/s"]


def _perplexity(loss: float) -> float:
    return math.exp(min(loss, 700.0))


def language_history(records: list[EpochRecord], n_tokens: int) -> pd.DataFrame:
    """Return the history of a training with perplexities and tokens a second."""
    history = pd.DataFrame([record.as_row() for record in records])
    training = "training_seconds" if "training_seconds" in history else "seconds"
    history["perplexity"] = history["loss"].map(_perplexity)
    history["tokens_per_second"] = n_tokens / history[training].clip(lower=1e-9)
    if "validation_loss" in history:
        history["validation_perplexity"] = history["validation_loss"].map(_perplexity)
    return history
