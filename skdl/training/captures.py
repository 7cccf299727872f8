"""While a thread captures a CUDA graph no other one may compute on a GPU.

What others do then fails, or the capture does; so it is only made where no other
thread computes, and those that begin to wait for its end.
"""

import gc
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

_lock = threading.Lock()
_computing: Counter[int] = Counter()  # by thread, how deep it is in `computing_on`


def computing_on(device: torch.device) -> AbstractContextManager:
    """Compute on a device inside; on a GPU not before a capture has ended."""
    return _computing_on_gpu() if device.type == "cuda" else nullcontext()


@contextmanager
def _computing_on_gpu() -> Iterator[None]:
    here = threading.get_ident()
    with _lock:
        _computing[here] += 1
    try:
        yield
    finally:
        with _lock:
            _computing[here] -= 1
            if not _computing[here]:
                del _computing[here]


def is_alone() -> bool:
    """Tell whether no other thread computes on a GPU, as far as is known now."""
    with _lock:
        return _is_alone()


def _is_alone() -> bool:
    return set(_computing) <= {threading.get_ident()}


@contextmanager
def alone_on_gpus() -> Iterator[bool]:
    """Keep other threads from beginning; tell whether none computes already.

    Nothing is collected inside: what is collected may be a graph, whose end ends what
    is captured.
    """
    with _lock:
        is_enabled = gc.isenabled()
        gc.disable()
        try:
            yield _is_alone()
        finally:
            if is_enabled:
                gc.enable()
