"""The recurrence of quasi-recurrent networks: h_t = f_t h_{t-1} + (1 - f_t) z_t.

Bradbury et al. 2016, "Quasi-recurrent neural networks", section 2.1 (arXiv 1611.01576).
Nothing is multiplied by a matrix between two steps, so that all products of a layer are
made at once and only this is left to be done one step after the other.
"""

from typing import Any

import torch
from torch import Tensor


def reference(z: Tensor, f: Tensor, h0: Tensor) -> Tensor:
    """Return all h, (T, B, H), by the definition; torch finds the gradient."""
    h, outputs = h0, []
    for z_t, f_t in zip(z, f, strict=True):
        h = torch.lerp(z_t, h, f_t)
        outputs.append(h)
    return torch.stack(outputs)


def doubling_scan(z: Tensor, f: Tensor, h0: Tensor) -> Tensor:
    """Return all h in about log2(T) passes over all steps; torch finds the gradient.

    After the pass with stride s every step holds what the last 2 s steps add up to,
    and the product of their f.
    """
    added = (1 - f) * z
    added = torch.cat([(added[0] + f[0] * h0)[None], added[1:]])
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
    def forward(ctx: Any, z: Tensor, f: Tensor, h0: Tensor) -> Tensor:
        h = torch.empty_like(z)
        before = h0
        for z_t, f_t, h_t in zip(z.unbind(), f.unbind(), h.unbind(), strict=True):
            torch.lerp(z_t, before, f_t, out=h_t)
            before = h_t
        ctx.save_for_backward(z, f, h0, h)
        return h

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        z, f, h0, h = ctx.saved_tensors
        # r_t: what the loss changes by with h_t, through all later steps
        r = gradient.clone(memory_format=torch.contiguous_format)
        steps, decays = r.unbind(), f.unbind()
        for t in range(len(steps) - 2, -1, -1):
            steps[t].addcmul_(decays[t + 1], steps[t + 1])
        d_f = torch.empty_like(f)
        torch.sub(h[:-1], z[1:], out=d_f[1:])
        torch.sub(h0, z[0], out=d_f[0])
        d_h0 = r[0] * f[0]
        d_f.mul_(r)
        return torch.addcmul(r, r, f, value=-1), d_f, d_h0


def linear_recurrence(z: Tensor, f: Tensor, h0: Tensor) -> Tensor:
    """Return h_t = f_t h_{t-1} + (1 - f_t) z_t for all steps.

    Parameters
    ----------
    z, f : Tensor of shape (T, B, H)
        Candidates, and how much of the past stays, in [0, 1].
    h0 : Tensor of shape (B, H)
        Before the first step.

    Returns
    -------
    Tensor of shape (T, B, H)

    Examples
    --------
    >>> import torch
    >>> z, f = torch.ones(3, 1, 1), torch.full((3, 1, 1), 0.5)
    >>> linear_recurrence(z, f, torch.zeros(1, 1)).flatten()
    tensor([0.5000, 0.7500, 0.8750])
    """
    if z.device.type == "cpu":
        return _Loop.apply(z, f, h0)
    return doubling_scan(z, f, h0)
