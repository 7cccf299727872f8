"""Several processes that train one network: each takes its share of every batch.

All ranks have the same rows and draw the same order of them. Of each batch a rank works
through its part; gradients and losses are added up over the ranks, so that all take the
same step, and what is decided by a loss is decided by the first rank for all.
"""

import atexit
import importlib
import os
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

# What a launcher such as torchrun sets.
_SET_BY_LAUNCHERS = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
# How long a rank waits for one that does not answer; one that has died is noticed at
# once.
_PATIENCE = timedelta(minutes=10)


# What a rank says in place of what it is given, if its fit has ended before.
_REFUSAL = "refusal"


class LostRankError(RuntimeError):
    """Another of the processes has ended, or takes no part in the fit."""


@dataclass(frozen=True)
class Ranks:
    """The process group that a fit is part of.

    Attributes
    ----------
    rank : int
        Which of the processes this is.
    size : int
        How many there are.
    meetings : int
        How often ranks of this process have told the others what they are given.
    """

    meetings: ClassVar[int] = 0

    rank: int
    size: int

    @property
    def is_first(self) -> bool:
        """Whether this rank decides, writes files and shows progress."""
        return self.rank == 0

    def add_up(self, tensors: list[Tensor]) -> None:
        """Replace tensors by their sums over all ranks."""
        if not tensors:
            return
        flat = torch.cat([t.reshape(-1) for t in tensors])
        self._collective(dist.all_reduce, flat)
        for tensor, part in zip(
            tensors, flat.split([t.numel() for t in tensors]), strict=True
        ):
            tensor.copy_(part.view(tensor.shape))

    def from_first(self, value: Any) -> Any:
        """Return the first rank's value of something small."""
        box = [value]
        self._collective(dist.broadcast_object_list, box, src=0)
        return box[0]

    def same_weights(self, network: nn.Module) -> None:
        """Give all ranks the weights of the first."""
        for tensor in network.state_dict().values():
            self._collective(dist.broadcast, tensor, src=0)

    def check_same(self, given: Mapping[str, Any]) -> None:
        """Refuse to go on if a rank has another value of something than the others.

        Raises
        ------
        ValueError
            On all ranks.
        LostRankError
            If another rank refuses.
        """
        found = self._meet(dict(given))
        for rank, of_rank in enumerate(found):
            if _REFUSAL in of_rank:
                raise LostRankError(
                    f"Rank {self.rank} of {self.size} cannot fit with the others: "
                    f"rank {rank} has ended its fit with {of_rank[_REFUSAL]}"
                )
        for what in given:
            values = [of_rank.get(what) for of_rank in found]
            if any(value != values[0] for value in values):
                raise ValueError(
                    f"All ranks of a fit must be given the same {what}, since each "
                    f"takes its share of every batch; rank by rank there is {values}."
                )

    def refuse(self, reason: str) -> None:
        """Tell the ranks that are in `check_same`, or come to it, why this one is not.

        Those that are gone are told nothing.
        """
        with suppress(LostRankError):
            self._meet({_REFUSAL: reason})

    def _meet(self, given: dict[str, Any]) -> list[dict[str, Any]]:
        """Return what each rank says."""
        Ranks.meetings += 1
        found: list[Any] = [None] * self.size
        self._collective(dist.all_gather_object, found, given)
        return found

    def _collective(self, function: Any, *args: Any, **options: Any) -> None:
        try:
            function(*args, **options)
        except RuntimeError as error:
            raise LostRankError(
                f"Rank {self.rank} of {self.size} cannot reach the others: one of "
                "them has ended, with an error of its own or killed. The fit ends on "
                f"all ranks. ({str(error).splitlines()[0]})"
            ) from error


def join_ranks(environment: Mapping[str, str] | None = None) -> Ranks | None:
    """Return the process group that this process is in, joining it if need be.

    Parameters
    ----------
    environment : mapping, optional
        By default `os.environ`.

    Returns
    -------
    Ranks or None
        None where the process is alone.
    """
    if not dist.is_available():
        return None
    if dist.is_initialized():
        size = dist.get_world_size()
        return Ranks(dist.get_rank(), size) if size > 1 else None
    environment = os.environ if environment is None else environment
    wanted = wanted_ranks(environment)
    if wanted < 2:
        return None
    absent = [name for name in _SET_BY_LAUNCHERS if not environment.get(name)]
    if absent:
        warnings.warn(
            f"WORLD_SIZE={wanted} is set, but {', '.join(absent)} not: this process "
            "was not started by torchrun, and fits alone. Start it with torchrun, or "
            "unset WORLD_SIZE.",
            UserWarning,
            stacklevel=2,
        )
        return None
    # Functions in there have the group of that moment as a default: imported later, as
    # torch does for optimizers, they would keep it, and its threads, to the end.
    importlib.import_module("torch.distributed.nn.functional")
    # Objects go by the CPU, and a fit with device="cpu" does too.
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, timeout=_PATIENCE)
    # Its threads must be gone before Python is: they would crash the process.
    atexit.register(_leave)
    return Ranks(dist.get_rank(), dist.get_world_size())


def _leave() -> None:
    """Leave the process group, where the others may be gone."""
    if dist.is_initialized():
        with suppress(RuntimeError):
            dist.destroy_process_group()


def wanted_ranks(environment: Mapping[str, str]) -> int:
    """Return how many processes a launcher says that there are; 1 without one."""
    value = environment.get("WORLD_SIZE") or "1"
    if not value.isdigit():
        raise ValueError(
            f"WORLD_SIZE={value!r} in the environment must be a number of processes, "
            "as torchrun sets it: unset it, or start the script with torchrun."
        )
    return int(value)


def agreed(function: Callable[..., Any] | None, ranks: Ranks | None) -> Any:
    """Return a function that all ranks run, and whose result is the first one's."""
    if function is None or ranks is None:
        return function
    return lambda *args: ranks.from_first(function(*args))
