"""Pooling over time of a quasi-recurrent layer, with its gradient written by hand.

Everything is in place or goes into tensors made once. On a CPU a few steps at a time go
through all of it while they are in the cache; memory, not arithmetic, sets the pace.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from skdl.networks.linear_recurrence import Recurrence, choose_recurrence

# Gates that go through all operations together on a CPU. Fewer, and the calls cost more
# than the arithmetic; more, and they have left the cache before they are needed again.
_SPAN_BYTES = 1 << 21

_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
_tanh_backward = torch.ops.aten.tanh_backward.grad_input


def cut_into_spans(gates: Tensor) -> list[slice]:
    """Cut the steps of `gates` (T, B, G * H) into spans."""
    n_steps = length = len(gates)
    if gates.device.type == "cpu":
        step_bytes = max(1, gates[0].numel() * gates.element_size())
        length = max(1, min(n_steps, _SPAN_BYTES // step_bytes))
    return [slice(t, min(t + length, n_steps)) for t in range(0, n_steps, length)]


def _parts(gates: Tensor, states: Tensor) -> tuple[Tensor, ...]:
    """Return z and f, the output gate if there is one, the input gate if there is."""
    return gates.split(states.shape[2], 2)


def _pool_span(
    recurrence: Recurrence,
    gates: Tensor,
    kept: Tensor | None,
    states: Tensor,
    output: Tensor,
) -> None:
    """Make gates of what comes in, then states and outputs."""
    z, f, *others = _parts(gates, states)
    # tanh x = 2 sigmoid(2 x) - 1: one pass over all gates, and torch's tanh is slow.
    z.mul_(2)
    gates.sigmoid_()
    z.mul_(2).sub_(1)
    if kept is not None:
        f.masked_fill_(kept, 1)
    if len(others) == 2:
        torch.mul(others[1], z, out=states[1:])
    else:  # the share of what is new is 1 - f
        torch.addcmul(z, z, f, value=-1, out=states[1:])
    recurrence.forward(f, states)
    if others:
        torch.mul(others[0], states[1:], out=output)


def _gradient_span(
    recurrence: Recurrence,
    gradient: Tensor,
    gates: Tensor,
    states: Tensor,
    later: Tensor,
    d_gates: Tensor,
    rooms: tuple[Tensor, Tensor],
) -> Tensor:
    """Write the gradient of what became the gates; return that of the first state.

    `later` is the gradient of the last state through what comes after the span.
    """
    z, f, *others = _parts(gates, states)
    d_z, d_f, *d_others = _parts(d_gates, states)
    r, product = rooms
    if others:
        torch.mul(gradient, states[1:], out=product)
        _sigmoid_backward(product, others[0], grad_input=d_others[0])
        torch.mul(gradient, others[0], out=r)
    else:
        r.copy_(gradient)
    r[-1] += later
    recurrence.backward(f, states, r, d_f)
    if len(others) == 2:
        torch.mul(r, z, out=product)
        _sigmoid_backward(product, others[1], grad_input=d_others[1])
        torch.mul(r, others[1], out=product)
    else:
        d_f.addcmul_(r, z, value=-1)
        torch.addcmul(r, r, f, value=-1, out=product)
    _tanh_backward(product, z, grad_input=d_z)
    # Where the past was kept, f is 1 and the gradient of what it was made of is 0.
    _sigmoid_backward(d_f, f, grad_input=d_f)
    return f[0] * r[0]


class _Pooling(torch.autograd.Function):
    """All poolings; the number of gates tells which."""

    @staticmethod
    def forward(
        ctx: Any, gates: Tensor, h0: Tensor, kept: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        recurrence = choose_recurrence(gates.device)
        states = gates.new_empty(len(gates) + 1, *h0.shape)
        states[0] = h0
        output = states[1:]
        if len(_parts(gates, states)) > 2:
            output = torch.empty_like(output)
        for span in cut_into_spans(gates):
            _pool_span(
                recurrence,
                gates[span],
                None if kept is None else kept[span],
                states[span.start : span.stop + 1],
                output[span],
            )
        # Not marked as dirty, which torch refuses for views such as a layer's output.
        # It still finds out if another operation needs what has been overwritten.
        ctx.save_for_backward(gates, states)
        ctx.set_materialize_grads(False)
        ctx.recurrence = recurrence
        return output, states[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, gradient: Tensor | None, d_last: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        gates, states = ctx.saved_tensors
        later = torch.zeros_like(states[0]) if d_last is None else d_last
        if gradient is None:
            gradient = torch.zeros_like(states[1:])
        d_gates = torch.empty_like(gates)
        spans = cut_into_spans(gates)
        rooms = torch.empty_like(states[spans[0]]), torch.empty_like(states[spans[0]])
        for span in reversed(spans):
            length = span.stop - span.start
            later = _gradient_span(
                ctx.recurrence,
                gradient[span],
                gates[span],
                states[span.start : span.stop + 1],
                later,
                d_gates[span],
                (rooms[0][:length], rooms[1][:length]),
            )
        return d_gates, later, None


def pool(
    gates: Tensor, h0: Tensor, kept: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Pool over time (Bradbury et al. 2016, arXiv 1611.01576, section 2.1).

    Parameters
    ----------
    gates : Tensor of shape (T, B, G * H)
        Before their functions: the candidate z (tanh), the forget gate f and, if G is 3
        or 4, the output gate o and the input gate i (sigmoid). Overwritten.
    h0 : Tensor of shape (B, H)
        What was pooled before the first step.
    kept : bool Tensor of shape (T, B, H) or None, default=None
        Where the past is kept whatever the forget gate says.

    Returns
    -------
    output : Tensor of shape (T, B, H)
        With c = f c + (1 - f) z, or c = f c + i z where there is an input gate: c, or
        o c where there is an output gate.
    last : Tensor of shape (B, H)
        The last c.

    Examples
    --------
    >>> import torch
    >>> output, last = pool(torch.zeros(2, 1, 2), torch.ones(1, 1))
    >>> output.flatten(), last.flatten()
    (tensor([0.5000, 0.2500]), tensor([0.2500]))
    """
    if torch.jit.is_tracing():  # for another runtime
        return _pooled_in_steps(gates, h0.to(gates.dtype), kept)
    return _Pooling.apply(gates, h0.to(gates.dtype), kept)


def _pooled_in_steps(
    gates: Tensor, h0: Tensor, kept: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Pool as the definition has it, in operations that exporters know."""
    z, f, *others = gates.split(h0.shape[1], 2)
    z, f = z.tanh(), f.sigmoid()
    if kept is not None:
        f = f.masked_fill(kept, 1.0)
    share = others[1].sigmoid() if len(others) == 2 else 1 - f
    states = torch.jit.script(_steps)(f, share * z, h0)
    return others[0].sigmoid() * states if others else states, states[-1]


def _steps(f: Tensor, a: Tensor, h: Tensor) -> Tensor:
    """Return all h of h = f h + a, for any number of steps."""
    found = []
    for t in range(f.shape[0]):
        h = f[t] * h + a[t]
        found.append(h)
    return torch.stack(found)
