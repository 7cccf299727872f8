"""From a text of settings and a list of arrays to the objects that they describe.

Nothing is called but what makes plain values, and the ``__setstate__`` of the classes
that `skdl.plain.names` knows.
"""

import base64
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from skdl.plain.names import TYPES, class_of
from skdl.plain.tensors import as_tensor
from skdl.plain.writing import MODULE_ATTRIBUTES, PROTOCOL


def unpacked(data: dict[str, Any]) -> dict[str, Any]:
    """Return the state that `skdl.plain.packed` was given.

    Parameters
    ----------
    data : dict
        As `packed` returns it.

    Returns
    -------
    dict
        Attributes by name.

    Raises
    ------
    ValueError
        If it is of another version, or no such data.

    Examples
    --------
    >>> import numpy as np
    >>> from skdl.plain import packed
    >>> unpacked(packed({"alpha": 0.1, "weight": np.zeros(2)}))
    {'alpha': 0.1, 'weight': array([0., 0.])}
    """
    protocol = data.get("protocol")
    if type(protocol) is not int or not 1 <= protocol <= PROTOCOL:
        raise ValueError(
            f"the state has version {protocol!r} of the format, this skdl reads "
            f"versions up to {PROTOCOL}: load it with the skdl that wrote it, or a "
            "later one"
        )
    try:
        return _Reader(data["arrays"], data["objects"]).read_dict(
            json.loads(data["settings"])
        )
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError(
            f"the state is damaged ({type(error).__name__}: {error})"
        ) from error


class _Reader:
    """Reads values, and remembers them by their numbers."""

    def __init__(self, arrays: list[np.ndarray], objects: list[Any]) -> None:
        self._arrays = arrays
        self._objects = objects
        self._kept: list[Any] = []
        self._by_tag: dict[str, Callable[[Any], Any]] = {
            "tuple": lambda v: tuple(map(self.read, v)),
            "named": self._named_tuple,
            "dict": lambda v: {self.read(k): self.read(x) for k, x in v},
            "set": lambda v: set(map(self.read, v)),
            "frozenset": lambda v: frozenset(map(self.read, v)),
            "bytes": base64.b64decode,
            "complex": lambda v: complex(*v),
            "decimal": Decimal,
            "range": lambda v: range(*v),
            "dtype": _torch_dtype,
            "device": torch.device,
            "path": Path,
            "size": torch.Size,
            "scalar": lambda v: np.frombuffer(base64.b64decode(v[1]), v[0])[0],
            "type": TYPES.__getitem__,
            "objects": self._object_array,
            "array": lambda v: self._keep(_owned(self._arrays[v])),
            "tensor": lambda v: self._keep(as_tensor(self._arrays[v["array"]], v)),
            "foreign": lambda v: self._keep(self._objects[v]),
            "same": self._kept.__getitem__,
            "object": self._object,
            "module": self._module,
        }

    def read(self, value: Any) -> Any:
        """Return the value that stands in the text."""
        if isinstance(value, list):
            return [self.read(item) for item in value]
        if not isinstance(value, dict):
            return value
        ((tag, content),) = value.items()
        return self._by_tag[tag](content)

    def read_dict(self, value: Any) -> dict[str, Any]:
        """Return a dict, whose keys must be text."""
        found = self.read(value)
        if not isinstance(found, dict) or not all(type(k) is str for k in found):
            raise TypeError("attributes are no dict with names")
        return found

    def _keep(self, value: Any) -> Any:
        self._kept.append(value)
        return value

    def _object_array(self, value: Any) -> np.ndarray:
        shape, items = value
        result = np.empty(len(items), dtype=object)
        for i, item in enumerate(items):
            result[i] = self.read(item)
        return result.reshape(shape)

    def _named_tuple(self, value: Any) -> tuple:
        kind = class_of(value[0])
        if not issubclass(kind, tuple):
            raise TypeError(f"{kind!r} is no tuple")
        return tuple.__new__(kind, map(self.read, value[1]))

    def _new(self, name: Any, *, module: bool) -> Any:
        """Make an object without attributes; it may be part of what it holds."""
        place = len(self._kept)
        self._kept.append(None)
        kind = class_of(name) if isinstance(name, str) else self.read(name)
        if not isinstance(kind, type) or issubclass(kind, nn.Module) is not module:
            raise TypeError(f"{kind!r} is no class of such objects")
        made = self._kept[place] = kind.__new__(kind)
        return made

    def _object(self, value: Any) -> Any:
        made = self._new(value["class"], module=False)
        _give(made, self.read_dict(value["state"]))
        return made

    def _module(self, value: Any) -> nn.Module:
        made = self._new(value["class"], module=True)
        nn.Module.__init__(made)
        made.training = bool(value["training"])
        # In the order of writing, on which the numbers go.
        state = self.read_dict(value["state"])
        if not MODULE_ATTRIBUTES.isdisjoint(state):
            raise TypeError("a module's settings hold what is torch's own")
        parts = {f"_{k}": value[k] for k in ("parameters", "buffers", "modules")}
        for name, part in parts.items():
            vars(made)[name].update(self.read_dict(part))
        made._non_persistent_buffers_set.update(value["not_persistent"])
        _check_parts(made)
        if type(made).__setstate__ is not nn.Module.__setstate__:
            state = {**vars(made), **state}
        _give(made, state)
        return made


def _check_parts(module: nn.Module) -> None:
    """Refuse what torch would not take as part of a module."""
    allowed = [
        (module._parameters, nn.Parameter),
        (module._buffers, torch.Tensor),
        (module._modules, nn.Module),
    ]
    for parts, kind in allowed:
        for name, part in parts.items():
            if part is not None and not isinstance(part, kind):
                raise TypeError(f"{name!r} of a module is no {kind.__name__}")


def _give(made: Any, state: dict[str, Any]) -> None:
    """Give an object its attributes."""
    own = getattr(type(made), "__setstate__", None)
    if own is None or own is nn.Module.__setstate__:
        vars(made).update(state)
    else:
        made.__setstate__(state)


def _owned(array: np.ndarray) -> np.ndarray:
    """Return an array that is not a file's."""
    if type(array) is not np.ndarray or not array.flags.owndata:
        return np.array(array)
    return array


def _torch_dtype(name: Any) -> torch.dtype:
    found = getattr(torch, str(name), None)
    if not isinstance(found, torch.dtype):
        raise TypeError(f"{name!r} is no dtype of torch")
    return found
