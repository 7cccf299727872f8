"""A recurrence without a product of matrices: h_t = f_t h_{t-1} + a_t.

What is left of a quasi-recurrent layer (Bradbury et al. 2016, arXiv 1611.01576) when
all products have been made at once. With a = (1 - f) z it is its f-pooling.
"""

from typing import Any

import torch
from torch import Tensor


def reference(f: Tensor, a: Tensor, h0: Tensor) -> Tensor:
    """Return all h, (T, B, H), by the definition; torch finds the gradient."""
    h, outputs = h0, []
    for f_t, a_t in zip(f, a, strict=True):
        h = f_t * h + a_t
        outputs.append(h)
    return torch.stack(outputs)


def doubling_scan(f: Tensor, a: Tensor, h0: Tensor) -> Tensor:
    """Return all h in about log2(T) passes over all steps; torch finds the gradient.

    After the pass with stride s every step holds what the last 2 s steps add up to,
    and the product of their f.
    """
    added = torch.cat([(a[0] + f[0] * h0)[None], a[1:]])
    decay, stride = f, 1
    while stride < len(f):
        earlier = decay[stride:] * added[:-stride]
        added = torch.cat([added[:stride], added[stride:] + earlier])
        decay = torch.cat([decay[:stride], decay[stride:] * decay[:-stride]])
        stride *= 2
    return added


class _Loop(torch.autograd.Function):
    """A loop over time into tensors that are made once; gradients in bulk."""

    @staticmethod
    def forward(ctx: Any, f: Tensor, a: Tensor, h0: Tensor) -> Tensor:
        h = torch.empty_like(a, memory_format=torch.contiguous_format)
        before = h0
        for f_t, a_t, h_t in zip(f.unbind(), a.unbind(), h.unbind(), strict=True):
            torch.addcmul(a_t, f_t, before, out=h_t)
            before = h_t
        ctx.save_for_backward(f, h0, h)
        return h

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        f, h0, h = ctx.saved_tensors
        # r_t: how the loss changes with h_t, through all later steps
        r = gradient.clone(memory_format=torch.contiguous_format)
        steps, decays = r.unbind(), f.unbind()
        for t in range(len(steps) - 2, -1, -1):
            steps[t].addcmul_(decays[t + 1], steps[t + 1])
        d_f = torch.empty_like(r)
        torch.mul(r[1:], h[:-1], out=d_f[1:])
        torch.mul(r[0], h0, out=d_f[0])
        return d_f, r, r[0] * f[0]


def linear_recurrence(f: Tensor, a: Tensor, h0: Tensor) -> Tensor:
    """Return h_t = f_t h_{t-1} + a_t for all steps.

    Parameters
    ----------
    f, a : Tensor of shape (T, B, H)
        How much of the past stays, and what is added to it.
    h0 : Tensor of shape (B, H)
        Before the first step.

    Returns
    -------
    Tensor of shape (T, B, H)

    Examples
    --------
    >>> import torch
    >>> half = torch.full((3, 1, 1), 0.5)
    >>> linear_recurrence(half, half, torch.zeros(1, 1)).flatten()
    tensor([0.5000, 0.7500, 0.8750])
    """
    if f.device.type == "cpu":
        return _Loop.apply(f, a, h0)
    return doubling_scan(f, a, h0)
