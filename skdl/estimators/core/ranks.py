"""Fits that several processes, started by torchrun, train together."""

import functools
import multiprocessing
import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from typing import Any
from weakref import WeakKeyDictionary

import torch
from joblib.parallel import get_active_backend

from skdl.training.ranks import Ranks, join_ranks, wanted_ranks
from skdl.training.runtime import Runtime


def ranks_of_fit() -> Ranks | None:
    """Return the processes that this fit is shared out to; None if it is alone.

    Raises
    ------
    RuntimeError
        In a worker of joblib, which is none of these processes.
    """
    if is_launched() and is_worker():
        raise RuntimeError(
            f"WORLD_SIZE={os.environ['WORLD_SIZE']}: torchrun's processes train one "
            "network together, but this fit is in a worker of joblib, where the others "
            "cannot meet it. Give n_jobs=1, or start the script without torchrun."
        )
    ranks = join_ranks()
    if ranks is not None:
        _tell(ranks)
    return ranks


@contextmanager
def refusing_aloud() -> Iterator[None]:
    """Let an error that ends a fit before it has begun reach the other processes.

    These wait for this one where they tell each other what they are given; see
    `match_ranks`, which has to be the first that they do together.
    """
    ranks = ranks_of_fit()
    if ranks is None:
        yield
        return
    before = ranks.meetings
    try:
        yield
    except Exception as error:
        if ranks.meetings == before:
            ranks.refuse(f"{type(error).__name__}: {error}")
        raise


def is_launched() -> bool:
    """Tell whether torchrun has started this process, and others."""
    is_told = all(name in os.environ for name in ("RANK", "MASTER_ADDR"))
    return wanted_ranks(os.environ) > 1 and is_told


def is_worker() -> bool:
    """Tell whether this is a worker of joblib."""
    backend, _ = get_active_backend()
    return (getattr(backend, "nesting_level", 0) or 0) > 0 or _is_task_of_dask()


def _is_task_of_dask() -> bool:
    """Tell whether dask runs this, of which joblib does not tell."""
    distributed: Any = sys.modules.get("distributed")
    if distributed is None:
        return False
    try:
        return distributed.get_worker() is not None
    except ValueError:
        return False


# Numbers of the threads that have asked for one and are still there.
_threads: WeakKeyDictionary[threading.Thread, int] = WeakKeyDictionary()
_numbering = threading.Lock()


def worker_number() -> int:
    """Return the number of this worker among those beside it, as far as it is known.

    Processes are numbered by who starts them, as in "LokyProcess-3"; else their ids
    tell them apart. Threads of one process are numbered as they ask; the number of one
    that is gone is free again.
    """
    number = 0
    if multiprocessing.parent_process() is not None:
        found = re.search(r"(\d+)$", multiprocessing.current_process().name)
        number = int(found[1]) - 1 if found else os.getpid()
    thread = threading.current_thread()
    if thread is threading.main_thread():
        return number
    with _numbering:
        if thread not in _threads:
            taken = set(_threads.values())
            _threads[thread] = next(i for i in count() if i not in taken)
        return number + _threads[thread]


@functools.cache  # once is enough
def _tell(ranks: Ranks) -> None:
    if ranks.is_first:
        print(
            f"skdl: {ranks.size} processes share each batch of a fit", file=sys.stderr
        )


def in_ranks(runtime: Runtime) -> Runtime:
    """Return a runtime with the processes that train together, each on its own GPU.

    Workers of joblib, each of which trains by itself, take the GPUs in turn.

    Raises
    ------
    ValueError
        If there are more processes on this machine than GPUs.
    """
    ranks = ranks_of_fit()
    device = runtime.device
    if ranks is None:
        if device.type != "cuda" or device.index is not None or not is_worker():
            return runtime
        index = worker_number() % torch.cuda.device_count()
        return replace(runtime, device=torch.device("cuda", index))
    if device.type == "cuda" and device.index is None:
        device = torch.device("cuda", _gpu_of(ranks))
    return replace(runtime, device=device, ranks=ranks)


def _gpu_of(ranks: Ranks) -> int:
    """Return the GPU of this process, which no other on this machine may have."""
    local = int(os.environ.get("LOCAL_RANK", ranks.rank))
    there = torch.cuda.device_count()
    if local >= there:
        raise ValueError(
            f"Process {local} of this machine has no GPU of its own, there are "
            f"{there}: start as many processes as there are GPUs "
            f"(torchrun --nproc-per-node={there}), or fit with device='cpu'."
        )
    return local
