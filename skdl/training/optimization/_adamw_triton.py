"""A step of AdamW on tensors of any number as one Triton kernel.

Only imported where it is going to run, since it imports Triton. Tensors are given by
their addresses. Rates are read where they are on the device, so that a captured step
has those of the moment of its replay.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 1024  # entries of a program
_WARPS = 4


@triton.jit
def _kernel(addresses, places, rates, found, eps, BLOCK: tl.constexpr):
    """Step on a block of a tensor, if nothing was found.

    `addresses` has five a tensor: parameter, gradient, mean, square and the number of
    the step; `places` four a program: tensor, group, first entry and entries in all;
    `rates` four a group: learning rate, both betas and decay.
    """
    if tl.load(found) == 0:
        places += 4 * tl.program_id(0)
        addresses += 5 * tl.load(places)
        rates += 4 * tl.load(places + 1)
        entry = tl.load(places + 2) + tl.arange(0, BLOCK)
        inside = entry < tl.load(places + 3)
        float_ptr = tl.pointer_type(tl.float32)
        parameter = tl.load(addresses).to(float_ptr) + entry
        gradient = tl.load(addresses + 1).to(float_ptr) + entry
        mean = tl.load(addresses + 2).to(float_ptr) + entry
        square = tl.load(addresses + 3).to(float_ptr) + entry
        step = tl.load(tl.load(addresses + 4).to(float_ptr)).to(tl.float64)
        lr = tl.load(rates)
        beta_1 = tl.load(rates + 1)
        beta_2 = tl.load(rates + 2)
        keep = (1 - lr * tl.load(rates + 3)).to(tl.float32)
        rate = (lr / (1 - tl.exp(step * tl.log(beta_1)))).to(tl.float32)
        scale = tl.sqrt(1 - tl.exp(step * tl.log(beta_2))).to(tl.float32)
        g = tl.load(gradient, inside)
        m = tl.load(mean, inside)
        v = tl.load(square, inside)
        m += (1 - beta_1).to(tl.float32) * (g - m)
        v = beta_2.to(tl.float32) * v + (1 - beta_2).to(tl.float32) * g * g
        p = tl.load(parameter, inside) * keep
        p -= rate * m / (tl.sqrt(v) / scale + eps)
        tl.store(parameter, p, inside)
        tl.store(mean, m, inside)
        tl.store(square, v, inside)


def step(
    addresses: Tensor, places: Tensor, rates: Tensor, found: Tensor, eps: float
) -> None:
    """Take a step, unless something was found.

    Parameters
    ----------
    addresses : Tensor of shape (n_tensors, 5)
        int64; where parameter, gradient, mean, square and number of the step begin, all
        of them float32.
    places : Tensor of shape (n_programs, 4)
        int64; tensor, group, first entry and entries in all of each block of entries.
    rates : Tensor of shape (n_groups, 4)
        float64; learning rate, beta 1, beta 2 and decay.
    found : Tensor of shape ()
        float32; zero if nothing was found.
    eps : float
        Added to the root of the squares.
    """
    with torch.cuda.device_of(found):
        _kernel[(len(places),)](
            addresses, places, rates, found, eps, BLOCK=BLOCK, num_warps=_WARPS
        )
