"""Gradients are kept from being too long."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from skdl.training.optimization.adamw import LeanAdamW


def clip_gradients(
    optimizer: torch.optim.Optimizer, parameters: Sequence[Tensor], max_norm: float
) -> Tensor:
    """Let the next step see a gradient no longer than `max_norm`.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        Takes the step. `LeanAdamW` scales gradients as it reads them; for others they
        are scaled in place.
    parameters : sequence of Tensor
        All that the norm is over.
    max_norm : float
        Largest Euclidean norm of all gradients together (Pascanu et al. 2013, section
        3.2).

    Returns
    -------
    Tensor of shape ()
        The norm before.
    """
    if not isinstance(optimizer, LeanAdamW):
        return nn.utils.clip_grad_norm_(parameters, max_norm)
    norm = nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
    optimizer.grad_scale = norm / max_norm if norm > max_norm else None
    return norm
