"""Networks as functions of tensors at hand, for one row.

Of the time that one row takes, most goes into finding modules and tensors by their
names, and far more than into arithmetic once the weights have pushed everything else
out of the cache. A module that has a method `straight` returns there a function that
does what its `forward` does in evaluation, and that has the tensors already.
"""

from collections.abc import Callable, Iterator
from operator import is_
from typing import Any
from weakref import WeakKeyDictionary

from torch import Tensor, nn
from torch.nn.modules import module as of_torch

Function = Callable[..., Tensor]
# Of every module there is.
_ALL_HOOKS = [of_torch._global_forward_hooks, of_torch._global_forward_pre_hooks]
# Methods that compute. A module that was given one of its own is called as it is.
_COMPUTE = {"forward", "each", "features"}


def straight(module: nn.Module) -> Function:
    """Return a function that does what a module does in evaluation.

    It has views of the module's tensors: changes in place are seen.
    """
    own = vars(type(module)).get("straight")  # not of a class that changes another
    return module.forward if own is None else own(module)


class Straight:
    """A network as a function, and what tells whether it still is that network.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode, with a method `straight`.

    Attributes
    ----------
    function : callable
        What that returns; it must not hold the network.
    """

    def __init__(self, network: Any) -> None:
        modules = list(network.modules())
        entries = [entry for module in modules for entry in _entries(module)]
        self._dicts, self._names, self._found = zip(*entries, strict=True)
        self._tensors = [*network.parameters(), *network.buffers()]
        self._places = self._places_now()
        self._may_grow = [d for m in modules for d in (vars(m), m._modules)]
        self._sizes = [len(entries) for entries in self._may_grow]
        self._hooks = [hooks for m in modules for hooks in _hooks(m)] + _ALL_HOOKS
        self._is_plain = all(_COMPUTE.isdisjoint(vars(module)) for module in modules)
        self.function = network.straight()

    def is_current(self) -> bool:
        """Tell whether modules and tensors are where they were, and nothing is added.

        Where a hook is to be called, or a method has been replaced, it is not either.
        """
        now = map(dict.get, self._dicts, self._names)
        return (
            self._is_plain
            and all(map(is_, now, self._found))
            and self._places_now() == self._places
            and list(map(len, self._may_grow)) == self._sizes
            and not any(self._hooks)
        )

    def _places_now(self) -> list[Any]:
        tensors = self._tensors
        return [*map(Tensor.data_ptr, tensors), *map(Tensor.stride, tensors)]


_KEPT: WeakKeyDictionary[nn.Module, Straight] = WeakKeyDictionary()


def kept_straight(network: nn.Module) -> Function:
    """Return a network as a function, made once; the network itself where it has hooks.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode; of a class that has `straight_each` itself, since one that
        inherits it may compute something else.
    """
    if "straight_each" not in vars(type(network)):
        return network
    kept = _KEPT.get(network)
    if kept is not None and kept.is_current():
        return kept.function
    kept = _KEPT[network] = Straight(network)
    return kept.function if kept.is_current() else network


def _entries(module: nn.Module) -> Iterator[tuple[dict[str, Any], str, Any]]:
    """Yield what a module has, and where."""
    for entries in (module._modules, module._parameters, module._buffers):
        for name, found in entries.items():
            yield entries, name, found


def _hooks(module: nn.Module) -> tuple[dict[int, Any], ...]:
    return module._forward_hooks, module._forward_pre_hooks
