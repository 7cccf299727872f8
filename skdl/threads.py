"""How many CPU threads torch computes with: in a fit, in threads, in forked children.

Torch's number of threads belongs to each thread; but the number last set in any thread
is what a thread begins with that computes for the first time. And OpenMP's threads do
not survive a fork: a child that waits for them waits for ever.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch

_Result = TypeVar("_Result")

_setting = threading.Lock()


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one CPU thread inside; other threads keep the number they have."""
    allowed = threads_here()
    if allowed == 1:
        yield
        return
    process, beginning = os.getpid(), allowed
    try:
        beginning = _set_to_one(allowed)
        yield
    finally:
        if os.getpid() == process:  # a forked child stays at one
            with _setting:
                torch.set_num_threads(allowed)
                if beginning != allowed:
                    keeper = threading.Thread(
                        target=torch.set_num_threads, args=[beginning]
                    )
                    keeper.start()
                    keeper.join()


def alone(work: Callable[..., _Result], *given: Any) -> _Result:
    """Work with one CPU thread, beside a thread that computes with several."""
    with one_thread():
        return work(*given)


def threads_here() -> int:
    """Return the present thread's number, which a new thread takes up by that.

    Fits ask before they compute, so that they do not begin with the one that a fit in
    another thread is just setting.
    """
    with _setting:
        return torch.get_num_threads()


def _set_to_one(allowed: int) -> int:
    """Set the present thread's number; return and keep what new threads begin with."""
    with _setting:
        if threading.active_count() == 1:  # there is nobody to begin
            torch.set_num_threads(1)
            return allowed
        found: list[int] = []
        is_read, is_set = threading.Event(), threading.Event()

        def keep() -> None:  # in a thread that has set nothing itself
            found.append(torch.get_num_threads())
            is_read.set()
            is_set.wait()
            torch.set_num_threads(found[0])

        keeper = threading.Thread(target=keep, daemon=True)
        keeper.start()
        try:
            is_read.wait()
            torch.set_num_threads(1)
        finally:
            is_set.set()
            keeper.join()
        return found[0]


def _mend_after_fork() -> None:
    """Let a forked child compute in its one thread, instead of waiting for others."""
    global _setting
    _setting = threading.Lock()  # another thread may have held it
    if torch.get_num_threads() > 1:
        torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_mend_after_fork)
