"""Dynamic evaluation: a language model that goes on learning from what it reads."""

import copy

import numpy as np
import torch
from torch import Tensor, nn

from skdl.training.surroundings import own_settings
from skdl.training.survival.out_of_memory import as_memory_error

_WINDOW = 20  # tokens between two steps
_RATE = 0.5
_PULL = 0.02  # share of the way back to the weights of training, a step
_LONGEST = 1.0  # norm of a gradient


def dynamic_nll(
    model: nn.Module,
    ids: np.ndarray,
    first: int,
    *,
    rate: float = _RATE,
    pull: float = _PULL,
) -> float:
    """Return the negative log-likelihood of a text by a model that learns from it.

    Every token is predicted before it is learned from: after a window of tokens the
    weights take a step down the gradient of their loss, and a small one back to where
    training left them (Krause et al. 2018, arXiv 1709.07432, section 4).

    Parameters
    ----------
    model : LanguageModel
        Stays as it is; a copy learns.
    ids : ndarray of int of shape (n_tokens,)
        The text.
    first : int
        What the model reads before the first token.
    rate, pull : float
        Of the steps down and back.

    Returns
    -------
    float
        In nats, the sum over tokens.
    """
    return learned_from(model, ids, first, rate=rate, pull=pull)[1]


@own_settings()
@as_memory_error("reading texts")
def learned_from(
    model: nn.Module,
    ids: np.ndarray,
    first: int,
    *,
    rate: float = _RATE,
    pull: float = _PULL,
) -> tuple[nn.Module, float]:
    """Return the copy that has learned from a text, and what `dynamic_nll` returns."""
    learner = copy.deepcopy(model).eval()
    device = next(learner.parameters()).device
    rows = torch.from_numpy(np.concatenate([[first], ids]).astype(np.int64))
    rows = rows.unsqueeze(1).to(device)  # (n_tokens + 1, 1)
    parameters = [p.requires_grad_() for p in learner.parameters()]
    before = [p.detach().clone() for p in parameters]
    states, total = None, 0.0
    for start in range(0, len(ids), _WINDOW):
        target = rows[start + 1 : start + 1 + _WINDOW]
        output, states = learner(rows[start : start + len(target)], states)
        states = [(h.detach(), c.detach()) for h, c in states]
        loss = output.mean_nll(target)
        total += loss.item() * len(target)
        for parameter in parameters:
            parameter.grad = None
        loss.backward()
        _step(parameters, before, rate, pull)
    return learner, total


@torch.no_grad()
def _step(
    parameters: list[Tensor], before: list[Tensor], rate: float, pull: float
) -> None:
    """Step down the gradient, and a little back to the weights of training."""
    nn.utils.clip_grad_norm_(parameters, _LONGEST)
    for parameter, start in zip(parameters, before, strict=True):
        parameter.lerp_(start, pull)
        if parameter.grad is not None:
            parameter.sub_(parameter.grad, alpha=rate)
