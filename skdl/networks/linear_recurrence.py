"""A recurrence without a product of matrices: h_t = f_t h_{t-1} + a_t.

What is left of a quasi-recurrent layer (Bradbury et al. 2016, arXiv 1611.01576) when
all products have been made at once. With a = (1 - f) z it is its f-pooling.

Three ways of running it give the same numbers: a loop over the steps on a CPU, Triton
kernels on a GPU, and a scan by doubling elsewhere. `recurrence_for` tells which.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from skdl.kernels import has_triton, tried


@dataclass(frozen=True)
class Recurrence:
    """A way of running the recurrence and its gradient, in place.

    Attributes
    ----------
    name : {"loop", "triton", "doubling"}
        Which one it is.
    forward : callable
        Gets f (T, B, H) and states (T + 1, B, H). The first state is before the first
        step; the others come in as a and are changed to the states.
    backward : callable
        Gets f, states, r and d_f. `r` comes in as the gradient of each state by itself
        and is changed to what it is through all later steps; the gradient of f, r times
        the state before, is written to `d_f`.
    """

    name: str
    forward: Callable[[Tensor, Tensor], None]
    backward: Callable[[Tensor, Tensor, Tensor, Tensor], None]


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


def _loop_forward(f: Tensor, states: Tensor) -> None:
    steps = iter(states.unbind())
    h = next(steps)
    for f_t, a_t in zip(f.unbind(), steps, strict=True):
        h = a_t.addcmul_(f_t, h)


def _loop_backward(f: Tensor, states: Tensor, r: Tensor, d_f: Tensor) -> None:
    steps = reversed(r.unbind())
    later = next(steps)
    for f_t, r_t in zip(reversed(f[1:].unbind()), steps, strict=True):
        later = r_t.addcmul_(f_t, later)
    torch.mul(r, states[:-1], out=d_f)


def _doubling_forward(f: Tensor, states: Tensor) -> None:
    states[1:] = doubling_scan(f, states[1:], states[0])


def _doubling_backward(f: Tensor, states: Tensor, r: Tensor, d_f: Tensor) -> None:
    """Run the same scan from the last step to the first."""
    decays = torch.cat([torch.zeros_like(f[:1]), f[1:].flip(0)])
    r.copy_(doubling_scan(decays, r.flip(0), torch.zeros_like(r[0])).flip(0))
    torch.mul(r, states[:-1], out=d_f)


LOOP = Recurrence("loop", _loop_forward, _loop_backward)
DOUBLING = Recurrence("doubling", _doubling_forward, _doubling_backward)

# What runs on each CUDA device of this process, once that is known.
_chosen: dict[torch.device, Recurrence] = {}


def recurrence_for(device: torch.device) -> str:
    """Name what runs on a device, without building or trying it.

    Parameters
    ----------
    device : torch.device
        Where the tensors are.

    Returns
    -------
    {"loop", "triton", "doubling"}
        "loop" on a CPU. "triton" on a CUDA device, as long as Triton is installed and
        has not failed there, else "doubling".

    Examples
    --------
    >>> import torch
    >>> recurrence_for(torch.device("cpu"))
    'loop'
    """
    if device.type == "cpu":
        return LOOP.name
    if device in _chosen:
        return _chosen[device].name
    return "triton" if device.type == "cuda" and has_triton() else DOUBLING.name


def choose_recurrence(device: torch.device) -> Recurrence:
    """Return what runs on a device; the first time, build and verify its kernels.

    Parameters
    ----------
    device : torch.device
        Where the tensors are.

    Returns
    -------
    Recurrence

    Warns
    -----
    RuntimeWarning
        Once for each CUDA device on which the scan by doubling has to be used.

    Examples
    --------
    >>> import torch
    >>> choose_recurrence(torch.device("cpu")).name
    'loop'
    """
    if device.type == "cpu":
        return LOOP
    if device.type != "cuda":
        return DOUBLING
    if device not in _chosen:
        found = tried(
            lambda: _verified(_build_triton(), device),
            "QRNN layers",
            device,
            "A scan by doubling in plain torch takes its place: the same numbers, but "
            "slower. Install a triton (pip install triton) that fits this torch to get "
            "the kernel.",
        )
        _chosen[device] = DOUBLING if found is None else found
    return _chosen[device]


def _build_triton() -> Recurrence:
    """Import the kernels, and with them Triton, which takes its time."""
    import skdl.networks._recurrence_triton as kernels

    return Recurrence("triton", kernels.forward, kernels.backward)


def _verified(recurrence: Recurrence, device: torch.device) -> Recurrence:
    """Compare it with the reference on a small input; raise if they differ."""
    shape, size = (6, 2, 131), 6 * 2 * 131
    waves = torch.arange(3 * size, device=device).mul(0.37).sin().view(3, *shape)
    for dtype, tolerance in ((torch.float32, 1e-5), (torch.bfloat16, 2e-2)):
        f, a, gradient = waves.to(dtype)
        arguments = [f.abs(), a, gradient[0]]
        # A first call may come from a prediction, where torch makes no gradients.
        with torch.inference_mode(False), torch.enable_grad():
            expected = _with_gradients(_wide_reference, arguments, gradient)
            found = _with_gradients(
                lambda *x: _Differentiable.apply(*x, recurrence), arguments, gradient
            )
        for x, y in zip(found, expected, strict=True):
            difference = (x.float() - y.float()).abs() / (1 + y.float().abs())
            if not bool((difference <= tolerance).all()):  # nor where it is NaN
                raise ArithmeticError(
                    f"in {dtype} it differs from the reference by up to "
                    f"{float(difference.max()):.2g}"
                )
    return recurrence


def _wide_reference(*arguments: Tensor) -> Tensor:
    return reference(*(x.float() for x in arguments))


def _with_gradients(
    function: Callable[..., Tensor], arguments: list[Tensor], gradient: Tensor
) -> list[Tensor]:
    """Return the output and the gradients of all arguments."""
    leaves = [x.clone().requires_grad_() for x in arguments]
    output = function(*leaves)
    gradients = torch.autograd.grad(output, leaves, gradient.to(output.dtype))
    return [output.detach(), *gradients]


class _Differentiable(torch.autograd.Function):
    """The recurrence with its gradient."""

    @staticmethod
    def forward(
        ctx: Any, f: Tensor, a: Tensor, h0: Tensor, recurrence: Recurrence
    ) -> Tensor:
        f = f.contiguous()
        states = a.new_empty(len(a) + 1, *h0.shape)
        states[0], states[1:] = h0, a
        recurrence.forward(f, states)
        ctx.save_for_backward(f, states)
        ctx.recurrence = recurrence
        return states[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        f, states = ctx.saved_tensors
        r = gradient.clone(memory_format=torch.contiguous_format)
        d_f = torch.empty_like(f)
        ctx.recurrence.backward(f, states, r, d_f)
        return d_f, r, f[0] * r[0], None


def linear_recurrence(f: Tensor, a: Tensor, h0: Tensor) -> Tensor:
    """Return h_t = f_t h_{t-1} + a_t for all steps.

    Sums are made in float32, or in float64 where that is what comes in.

    Parameters
    ----------
    f, a : Tensor of shape (T, B, H)
        How much of the past stays, and what is added to it; of one type.
    h0 : Tensor of shape (B, H)
        Before the first step.

    Returns
    -------
    Tensor of shape (T, B, H)
        In the type of `a`.

    Examples
    --------
    >>> import torch
    >>> half = torch.full((3, 1, 1), 0.5)
    >>> linear_recurrence(half, half, torch.zeros(1, 1)).flatten()
    tensor([0.5000, 0.7500, 0.8750])
    """
    recurrence = choose_recurrence(f.device)
    if recurrence.name == "triton" or a.dtype in (torch.float32, torch.float64):
        return _Differentiable.apply(f, a, h0, recurrence)
    # Torch's own operations would round to the narrow type after each step.
    wide = (x.float() for x in (f, a, h0))
    return _Differentiable.apply(*wide, recurrence).to(a.dtype)
