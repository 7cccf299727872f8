"""The linear recurrence as Triton kernels: serial in time, parallel in all else.

Only imported where it is going to run, since it imports Triton. A program has one row
of the batch and a block of channels. Steps are read four at a time, before the first of
them is used, so that the memory has enough to do while programs wait for it.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

_BLOCK = 64  # channels of a program; few, so that small batches fill a GPU too
_WARPS = 2


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
    in_0 = channel < n_channels
    f += row * f_row + channel
    a += row * n_channels + channel
    states += row * n_channels + channel
    h = tl.load(states, in_0).to(SUM)
    for t in range(0, n_steps, 4):
        in_1 = channel < tl.where(t + 1 < n_steps, n_channels, 0)
        in_2 = channel < tl.where(t + 2 < n_steps, n_channels, 0)
        in_3 = channel < tl.where(t + 3 < n_steps, n_channels, 0)
        f_0 = tl.load(f, in_0).to(SUM)
        f_1 = tl.load(f + f_step, in_1).to(SUM)
        f_2 = tl.load(f + 2 * f_step, in_2).to(SUM)
        f_3 = tl.load(f + 3 * f_step, in_3).to(SUM)
        a_0 = tl.load(a, in_0).to(SUM)
        a_1 = tl.load(a + step, in_1).to(SUM)
        a_2 = tl.load(a + 2 * step, in_2).to(SUM)
        a_3 = tl.load(a + 3 * step, in_3).to(SUM)
        h = f_0 * h + a_0
        tl.store(states + step, h, in_0)
        h = f_1 * h + a_1
        tl.store(states + 2 * step, h, in_1)
        h = f_2 * h + a_2
        tl.store(states + 3 * step, h, in_2)
        h = f_3 * h + a_3
        tl.store(states + 4 * step, h, in_3)
        f += 4 * f_step
        a += 4 * step
        states += 4 * step


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
    in_0 = channel < n_channels
    f += row * f_row + channel
    d_f += row * d_f_row + channel
    states += row * n_channels + channel
    r += row * n_channels + channel
    later = tl.full((BLOCK,), 0, SUM)
    for t in range(0, n_steps, 4):
        in_1 = channel < tl.where(t + 1 < n_steps, n_channels, 0)
        in_2 = channel < tl.where(t + 2 < n_steps, n_channels, 0)
        in_3 = channel < tl.where(t + 3 < n_steps, n_channels, 0)
        f_0 = tl.load(f, in_0).to(SUM)
        f_1 = tl.load(f - f_step, in_1).to(SUM)
        f_2 = tl.load(f - 2 * f_step, in_2).to(SUM)
        f_3 = tl.load(f - 3 * f_step, in_3).to(SUM)
        r_0 = tl.load(r, in_0).to(SUM)
        r_1 = tl.load(r - step, in_1).to(SUM)
        r_2 = tl.load(r - 2 * step, in_2).to(SUM)
        r_3 = tl.load(r - 3 * step, in_3).to(SUM)
        h_0 = tl.load(states, in_0).to(SUM)
        h_1 = tl.load(states - step, in_1).to(SUM)
        h_2 = tl.load(states - 2 * step, in_2).to(SUM)
        h_3 = tl.load(states - 3 * step, in_3).to(SUM)
        r_0 += later
        r_1 += f_0 * r_0
        r_2 += f_1 * r_1
        r_3 += f_2 * r_2
        later = f_3 * r_3
        tl.store(r, r_0, in_0)
        tl.store(r - step, r_1, in_1)
        tl.store(r - 2 * step, r_2, in_2)
        tl.store(r - 3 * step, r_3, in_3)
        tl.store(d_f, r_0 * h_0, in_0)
        tl.store(d_f - d_f_step, r_1 * h_1, in_1)
        tl.store(d_f - 2 * d_f_step, r_2 * h_2, in_2)
        tl.store(d_f - 3 * d_f_step, r_3 * h_3, in_3)
        f -= 4 * f_step
        d_f -= 4 * d_f_step
        states -= 4 * step
        r -= 4 * step


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
