"""Parts of a network in float16, with gradients that are scaled: they would vanish."""

from typing import Any

import torch
from torch import Tensor

# Gradients of a mean over thousands of tokens are near the smallest number of float16,
# 6e-8; the largest is 65,504.
_SCALE = 1024.0


def to_half(x: Tensor) -> Tensor:
    """Return a tensor as float16, with a gradient that is scaled back."""
    return _Cast.apply(x, torch.float16, 1 / _SCALE)


def from_half(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Return what was made of tensors from `to_half`; gradients are scaled up here.

    Parameters
    ----------
    x : Tensor of float16
        A result.
    dtype : torch.dtype
        What it is to be.

    Examples
    --------
    >>> import torch
    >>> weight = torch.full((3,), 2.0, requires_grad=True)
    >>> loss = from_half(to_half(weight) ** 2, torch.float32).mean() * 1e-5
    >>> loss.backward()
    >>> weight.grad
    tensor([1.3337e-05, 1.3337e-05, 1.3337e-05])
    """
    return _Cast.apply(x, dtype, _SCALE)


class _Cast(torch.autograd.Function):
    """Another type for a tensor, and a factor for its gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, dtype: torch.dtype, factor: float) -> Tensor:
        ctx.dtype, ctx.factor = x.dtype, factor
        return x.to(dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        if ctx.dtype == torch.float16:
            return (gradient * ctx.factor).to(ctx.dtype), None, None
        return gradient.to(ctx.dtype) * ctx.factor, None, None
