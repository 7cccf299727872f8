"""Ctrl-C waits where it would leave torch in pieces."""

import functools
import io
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import save


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Let Ctrl-C wait until what is inside is done; then it has its usual effect.

    Only the main thread is interrupted, so in others nothing waits.
    """
    usual = signal.getsignal(signal.SIGINT)
    is_main = threading.current_thread() is threading.main_thread()
    if not (is_main and callable(usual)):
        yield
        return
    held: list[tuple] = []
    signal.signal(signal.SIGINT, lambda *signalled: held.append(signalled))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
        if held:
            usual(*held[0])


@functools.cache  # once is enough; a call that is interrupted is made again
def rehearse_step(kind: Callable[..., torch.optim.Optimizer]) -> None:
    """Take a step with nothing in it, so that torch imports what steps need.

    Torch imports hundreds of modules in the first step of its own optimizers. An
    interrupt in one of them would leave it half imported, and every later step in the
    process would fail.

    Parameters
    ----------
    kind : callable
        Takes parameters and `lr`, as the optimizer does whose steps come.
    """
    with interrupts_held():
        weight = torch.zeros(1, 1, requires_grad=True)
        optimizer = kind([weight], lr=0.0)
        weight.sum().backward()
        optimizer.step()
        save(optimizer.state_dict(), io.BytesIO())  # checkpoints
