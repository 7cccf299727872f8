"""Running a language model over documents: their tokens' losses, ends and means."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from skdl.training.surroundings import own_settings
from skdl.training.survival.out_of_memory import as_memory_error

_BATCH = 64  # documents that are read side by side
_WINDOW = 128  # tokens of each that are read at once

_SCORES = 1 << 22  # that are made at once where those of all tokens are needed
_LEAST = -1e4  # of log-probabilities: none at all times none would not be a number

States = list[tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Passage:
    """A stretch that documents have in common, read side by side.

    Attributes
    ----------
    documents : ndarray of int of shape (n,)
        Which documents.
    target : Tensor of shape (T, n)
        Their tokens.
    output : NextToken
        What the model made of the token before each of them.
    states : list of (Tensor, Tensor)
        The state after it.
    ends : bool
        Whether some of the documents end here.
    ended : ndarray of bool of shape (n,)
        Which do.
    """

    documents: np.ndarray
    target: Tensor
    output: Any
    states: States
    ended: np.ndarray


@torch.inference_mode()
def read_documents(
    model: nn.Module, ids: np.ndarray, lengths: np.ndarray, first: int
) -> Iterator[Passage]:
    """Read every document from its beginning, with no state before it.

    Documents of about the same length are read side by side without padding.

    Parameters
    ----------
    model : LanguageModel
        Put into evaluation mode.
    ids : ndarray of int of shape (n_tokens,)
        All documents after each other, each ended by the token `first`.
    lengths : ndarray of int of shape (n_documents,)
        Tokens of each, at least one.
    first : int
        What the model reads before the first token.

    Yields
    ------
    Passage
    """
    model.eval()
    device = next(model.parameters()).device
    inputs = np.concatenate([[first], ids[:-1]])
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    order = np.argsort(lengths, kind="stable")
    for group in np.split(order, range(_BATCH, len(order), _BATCH)):
        position, states = 0, None
        while len(group):
            end = min(int(lengths[group[0]]), position + _WINDOW)
            where = starts[group] + np.arange(position, end)[:, None]  # (T, n)
            read, target = (
                torch.from_numpy(a[where].astype(np.int64)).to(device)
                for a in (inputs, ids)
            )
            output, states = model(read, states)
            ended = lengths[group] == end
            yield Passage(group, target, output, states, ended)
            position, kept = end, np.flatnonzero(~ended)
            if len(kept) < len(group):
                group = group[kept]
                chosen = torch.from_numpy(kept).to(device)
                states = [(h[chosen], c[chosen]) for h, c in states]


@own_settings(training=False)
@as_memory_error("reading texts")
def document_nll(
    model: nn.Module, ids: np.ndarray, lengths: np.ndarray, first: int
) -> np.ndarray:
    """Return the negative log-likelihood of each document (n_documents,)."""
    result = np.zeros(len(lengths))
    for passage in read_documents(model, ids, lengths, first):
        nll = passage.output.nll(passage.target).double().sum(0)
        result[passage.documents] += nll.cpu().numpy()
    return result


@own_settings(training=False)
@as_memory_error("reading texts")
def token_surprise(
    model: nn.Module, ids: np.ndarray, lengths: np.ndarray, first: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return how surprising each token is, and how surprising it was expected to be.

    Returns
    -------
    nats : ndarray of shape (n_tokens,), float32
        Minus the logarithm of a token's probability.
    expected : ndarray of shape (n_tokens,), float32
        The mean of that over all tokens there might have been: the entropy.
    """
    nats, expected = (np.empty(len(ids), dtype=np.float32) for _ in range(2))
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    for passage in read_documents(model, ids, lengths, first):
        n_steps = len(passage.target)
        rows = passage.documents
        where = starts[rows] + np.arange(n_steps)[:, None]  # (T, n)
        starts[rows] += n_steps
        output, target = passage.output, passage.target.flatten()
        hidden = output.hidden.flatten(0, 1)
        size = max(1, _SCORES // len(output.softmax.bias))
        found = [
            _surprise(output.softmax.log_prob(part).float(), tokens)
            for part, tokens in zip(hidden.split(size), target.split(size), strict=True)
        ]
        nats[where], expected[where] = (
            torch.cat(values).view(passage.target.shape).cpu().numpy()
            for values in zip(*found, strict=True)
        )
    return nats, expected


def _surprise(log_prob: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Return minus the log-probability of tokens (n,), and the entropies (n,)."""
    entropy = -(log_prob.exp() * log_prob.clamp(min=_LEAST)).sum(1)
    return -log_prob.gather(1, tokens.unsqueeze(1))[:, 0], entropy


@own_settings(training=False)
@as_memory_error("reading texts")
def document_vectors(
    model: nn.Module, ids: np.ndarray, lengths: np.ndarray, first: int
) -> np.ndarray:
    """Return last, highest and mean outputs of the top layer, (n_documents, 3 H).

    Howard & Ruder 2018, "Universal language model fine-tuning for text
    classification", section 3.3 (arXiv 1801.06146).
    """
    result: np.ndarray | None = None
    for passage in read_documents(model, ids, lengths, first):
        outputs = passage.output.undropped.float()  # (T, n, H)
        width = outputs.shape[2]
        if result is None:
            result = np.zeros((len(lengths), 3 * width), dtype=np.float32)
            result[:, width : 2 * width] = -np.inf
        rows = passage.documents
        last, highest, mean = (result[:, i * width : (i + 1) * width] for i in range(3))
        highest[rows] = np.maximum(highest[rows], outputs.amax(0).cpu().numpy())
        share = (1.0 / lengths[rows]).astype(np.float32)[:, None]
        mean[rows] += outputs.sum(0).cpu().numpy() * share
        last[rows[passage.ended]] = outputs[-1].cpu().numpy()[passage.ended]
    assert result is not None
    return result


@own_settings(training=False)
@as_memory_error("reading texts")
@torch.inference_mode()
def read_to_end(
    model: nn.Module, ids: np.ndarray, lengths: np.ndarray, first: int
) -> tuple[Tensor, States]:
    """Return what the softmax gets at the end of each document, and the states there.

    Returns
    -------
    hidden : Tensor of shape (n_documents, H)
    states : list of (Tensor, Tensor), each of shape (n_documents, width)
    """
    n = len(lengths)
    tensors: list[Tensor] = []
    for passage in read_documents(model, ids, lengths, first):
        ended = torch.from_numpy(passage.ended).to(passage.target.device)
        found = [passage.output.hidden[-1], *_flat(passage.states)]
        if not tensors:
            tensors = [t.new_empty(n, t.shape[1]) for t in found]
        rows = torch.from_numpy(passage.documents[passage.ended]).to(ended.device)
        for tensor, values in zip(tensors, found, strict=True):
            tensor[rows] = values[ended]
    hidden, *flat = tensors
    return hidden, list(zip(flat[::2], flat[1::2], strict=True))


def _flat(states: Sequence[tuple[Tensor, Tensor]]) -> list[Tensor]:
    return [tensor for state in states for tensor in state]
