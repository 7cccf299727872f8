"""How much memory a device has, and whether an error says that it was too little."""

import errno
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

# What is taken for the memory of a device that does not tell.
UNKNOWN = 2 << 30

# What is said where no OutOfMemoryError is raised: by allocators, by libraries of CUDA,
# and by oneDNN, whose primitives need room to work in. That there is none for what is
# asked, it says of a primitive descriptor.
_SAID = re.compile(
    "allocate memory|out of memory|not enough memory|STATUS_ALLOC_FAILED"
    "|could not create a primitive(?! descriptor)|could not create a memory"
)


@dataclass(frozen=True)
class Memory:
    """Memory of a device, in bytes.

    Attributes
    ----------
    total : int
        What this process may use at the most; it does not change between runs.
    free : int
        What is left of it now.
    """

    total: int
    free: int


def device_memory(device: torch.device, root: Path = Path("/")) -> Memory:
    """Return the memory of a device.

    Parameters
    ----------
    device : torch.device
        CUDA devices are asked themselves. For the CPU it is what the kernel calls
        available, within the limits of the process's control groups (both versions).
    root : Path, default=Path("/")
        Where ``proc`` and ``sys`` are.

    Returns
    -------
    Memory
        2 GiB where nothing is known.

    Examples
    --------
    >>> import torch
    >>> memory = device_memory(torch.device("cpu"))
    >>> 0 <= memory.free <= memory.total
    True
    """
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        # Torch keeps what it has freed for itself.
        free += torch.cuda.memory_reserved(device)
        free -= torch.cuda.memory_allocated(device)
        return Memory(total, min(free, total))
    found = []
    if device.type == "cpu":
        found = [m for m in (_machine(root), *_groups(root)) if m is not None]
    if not found:
        return Memory(UNKNOWN, UNKNOWN)
    total = min(memory.total for memory in found)
    return Memory(total, min(total, *(memory.free for memory in found)))


def _machine(root: Path) -> Memory | None:
    """Return the memory of the machine by ``/proc/meminfo``."""
    sizes = _numbers(root / "proc/meminfo")
    if "MemTotal:" not in sizes:
        return None
    total = 1024 * sizes["MemTotal:"]
    return Memory(total, 1024 * sizes.get("MemAvailable:", sizes["MemTotal:"]))


def _groups(root: Path) -> Iterator[Memory | None]:
    """Yield what each control group that the process is in allows."""
    mounted = root / "sys/fs/cgroup"
    for line in _lines(root / "proc/self/cgroup"):
        number, kinds, path = line.split(":", 2)
        if number == "0":
            top, names = mounted, ("memory.max", "memory.current")
            cache = "inactive_file"
        elif "memory" in kinds.split(","):
            top = mounted / "memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes")
            cache = "total_inactive_file"
        else:
            continue
        # In a container the path is often that of the host, and is not there.
        folders = [top]
        for part in Path(path.lstrip("/")).parts:
            folders.append(folders[-1] / part)
        for folder in folders:
            yield _group(folder, *names, cache)


def _group(folder: Path, limit: str, usage: str, cache: str) -> Memory | None:
    allowed, used = (_lines(folder / name) for name in (limit, usage))
    if not allowed or not allowed[0].isdigit():  # "max"
        return None
    total = int(allowed[0])
    taken = int(used[0]) if used else 0
    taken -= _numbers(folder / "memory.stat").get(cache, 0)  # given back when needed
    return Memory(total, max(0, total - max(0, taken)))


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def _numbers(path: Path) -> dict[str, int]:
    """Read lines of a name and a number."""
    words = [line.split() for line in _lines(path)]
    return {w[0]: int(w[1]) for w in words if len(w) > 1 and w[1].isdigit()}


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error means that memory did not suffice.

    Torch raises a plain RuntimeError on a CPU, and where a library of products has no
    room to work in.

    Parameters
    ----------
    error : BaseException
        What was raised.

    Returns
    -------
    bool
    """
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, RuntimeError) and bool(_SAID.search(str(error)))
