"""The linear recurrence as Triton kernels: serial in time, parallel in all else.

Only imported where it is going to run, since it imports Triton. A program has one row
of the batch and a block of channels. What later steps need is on its way while a step
is computed, so that the memory has enough to do while programs wait for it.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

_BLOCK = 64  # channels of a program; few, so that small batches fill a GPU too
_WARPS = 1
_STAGES = tl.constexpr(12)  # steps that are on their way


@triton.jit
def _forward_kernel(
    f,
    a,
    states,
    n_steps,
    n_channels,
    f_step,
    f_row,
    step,
    BLOCK: tl.constexpr,
    SUM: tl.constexpr,
):
    """Write states[t + 1] = f[t] states[t] + a[t]; only `f` may be a slice.

    `a` may be all states but the first: it is read before it is written over.
    """
    row = tl.program_id(0)
    channel = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = channel < n_channels
    f += row * f_row + channel
    a += row * n_channels + channel
    states += row * n_channels + channel
    h = tl.load(states, inside).to(SUM)
    for t in tl.range(0, n_steps, num_stages=_STAGES):
        forget = tl.load(f + t * f_step, inside).to(SUM)
        h = forget * h + tl.load(a + t * step, inside).to(SUM)
        tl.store(states + (t + 1) * step, h, inside)


@triton.jit
def _backward_kernel(
    f,
    states,
    r,
    d_f,
    n_steps,
    n_channels,
    f_step,
    f_row,
    d_f_step,
    d_f_row,
    step,
    BLOCK: tl.constexpr,
    SUM: tl.constexpr,
):
    """Write r[t] += f[t + 1] r[t + 1] and d_f = r states, from the last step back.

    The pointers are at the last step.
    """
    row = tl.program_id(0)
    channel = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = channel < n_channels
    f += row * f_row + channel
    d_f += row * d_f_row + channel
    states += row * n_channels + channel
    r += row * n_channels + channel
    later = tl.full((BLOCK,), 0, SUM)
    for t in tl.range(0, n_steps, num_stages=_STAGES):
        own = tl.load(r - t * step, inside).to(SUM) + later
        later = tl.load(f - t * f_step, inside).to(SUM) * own
        before = tl.load(states - t * step, inside).to(SUM)
        tl.store(d_f - t * d_f_step, own * before, inside)
        tl.store(r - t * step, own, inside)


def _sum_type(x: Tensor) -> tl.dtype:
    return tl.float64 if x.dtype == torch.float64 else tl.float32


def forward(f: Tensor, states: Tensor) -> None:
    """Change a to states; see `linear_recurrence.Recurrence`.

    Parameters
    ----------
    f : Tensor of shape (T, B, H)
        May be a slice of a larger one whose channels lie side by side.
    states : Tensor of shape (T + 1, B, H)
        Contiguous; the first is read.
    """
    n_steps, n_rows, n_channels = f.shape
    with torch.cuda.device_of(f):
        _forward_kernel[(n_rows, triton.cdiv(n_channels, _BLOCK))](
            f,
            states[1:],
            states,
            n_steps,
            n_channels,
            f.stride(0),
            f.stride(1),
            n_rows * n_channels,
            BLOCK=_BLOCK,
            SUM=_sum_type(states),
            num_warps=_WARPS,
        )


def backward(f: Tensor, states: Tensor, r: Tensor, d_f: Tensor) -> None:
    """Change `r` and write `d_f`; see `linear_recurrence.Recurrence`.

    Parameters
    ----------
    f, d_f : Tensor of shape (T, B, H)
        May be slices of larger ones whose channels lie side by side.
    states : Tensor of shape (T + 1, B, H)
        Contiguous.
    r : Tensor of shape (T, B, H)
        Contiguous.
    """
    n_steps, n_rows, n_channels = f.shape
    with torch.cuda.device_of(f):
        _backward_kernel[(n_rows, triton.cdiv(n_channels, _BLOCK))](
            f[-1],
            states[n_steps - 1],
            r[-1],
            d_f[-1],
            n_steps,
            n_channels,
            f.stride(0),
            f.stride(1),
            d_f.stride(0),
            d_f.stride(1),
            n_rows * n_channels,
            BLOCK=_BLOCK,
            SUM=_sum_type(r),
            num_warps=_WARPS,
        )
