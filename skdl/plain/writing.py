"""Objects to one text of settings and a list of arrays.

The text is JSON. In it ``null``, truth values, numbers, texts and lists are themselves,
and anything else is an object with one key that says what it is: ``{"tuple": [...]}``,
``{"array": 3}``, ``{"object": {"class": ..., "state": ...}}``. What occurs twice is
written once and named by its number from then on, so that tied weights stay tied.
"""

import base64
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from skdl.plain.names import TYPES, name_of
from skdl.plain.tensors import as_array, can_be_array

PROTOCOL = 1

_THEMSELVES = (type(None), bool, int, float, str)
_TYPE_NAMES = {kind: name for name, kind in TYPES.items()}
# What every module has; the others are its settings.
MODULE_ATTRIBUTES = frozenset(vars(nn.Module()))
# Methods by which a class says how it is pickled: then it is an object of its own.
_OWN_WAYS = ("__reduce__", "__reduce_ex__", "__getnewargs__", "__getnewargs_ex__")


def packed(state: dict[str, Any]) -> dict[str, Any]:
    """Return a state as plain data.

    Parameters
    ----------
    state : dict
        Attributes by name.

    Returns
    -------
    dict
        `protocol`; `settings`, a text in JSON; `arrays`, a list of ndarray without
        objects; and `objects`, a list of what is neither skdl's nor plain, such as
        functions and classes that a user has given.

    Examples
    --------
    >>> import numpy as np
    >>> packed({"alpha": 0.1, "weight": np.zeros(2)})["settings"]
    '{"dict": [["alpha", 0.1], ["weight", {"array": 0}]]}'
    """
    writer = _Writer()
    settings = json.dumps(writer.write(dict(state)))
    return {
        "protocol": PROTOCOL,
        "settings": settings,
        "arrays": writer.arrays,
        "objects": writer.objects,
    }


class _Writer:
    """Writes values, and remembers which it has written already."""

    def __init__(self) -> None:
        self.arrays: list[np.ndarray] = []
        self.objects: list[Any] = []
        self._numbers: dict[int, int] = {}
        self._kept: list[Any] = []  # so that no other object gets their ids
        self._by_type: dict[type, Callable[[Any], Any]] = {
            list: lambda v: [self.write(x) for x in v],
            tuple: lambda v: {"tuple": [self.write(x) for x in v]},
            dict: self._dict,
            set: lambda v: {"set": self._unordered(v)},
            frozenset: lambda v: {"frozenset": self._unordered(v)},
            bytes: lambda v: {"bytes": base64.b64encode(v).decode()},
            complex: lambda v: {"complex": [v.real, v.imag]},
            Decimal: lambda v: {"decimal": str(v)},
            range: lambda v: {"range": [v.start, v.stop, v.step]},
            torch.dtype: lambda v: {"dtype": str(v).removeprefix("torch.")},
            torch.device: lambda v: {"device": str(v)},
            type(Path()): lambda v: {"path": str(v)},
            torch.Size: lambda v: {"size": list(v)},
            np.ndarray: self._array,
            np.memmap: self._array,
        }

    def write(self, value: Any) -> Any:
        """Return what stands for a value in the text."""
        kind = type(value)
        if kind in _THEMSELVES:
            return value
        if kind in self._by_type:
            return self._by_type[kind](value)
        if isinstance(value, np.generic) and not value.dtype.hasobject:
            told = base64.b64encode(value.tobytes()).decode()
            return {"scalar": [value.dtype.str, told]}
        if isinstance(value, Tensor) and can_be_array(value):
            return self._once(value, self._tensor)
        if isinstance(value, type) and value in _TYPE_NAMES:
            return {"type": _TYPE_NAMES[value]}
        if isinstance(value, tuple) and name_of(kind) is not None:
            return {"named": [name_of(kind), [self.write(x) for x in value]]}
        if _is_made_of_attributes(value):
            return self._once(value, self._module_or_object)
        return self._once(value, self._foreign)

    def _once(self, value: Any, write: Callable[[Any], dict]) -> dict:
        if id(value) in self._numbers:
            return {"same": self._numbers[id(value)]}
        self._numbers[id(value)] = len(self._kept)
        self._kept.append(value)
        return write(value)

    def _dict(self, value: dict) -> dict:
        return {"dict": [[self.write(k), self.write(v)] for k, v in value.items()]}

    def _unordered(self, values: Any) -> list:
        return sorted(map(self.write, values), key=json.dumps)

    def _array(self, value: np.ndarray) -> dict:
        if value.dtype == np.dtype(object):
            items = [self.write(item) for item in value.ravel().tolist()]
            return {"objects": [list(value.shape), items]}
        if value.dtype.hasobject or value.dtype.metadata:
            return self._once(value, self._foreign)
        return self._once(value, lambda v: {"array": self._stored(np.asarray(v))})

    def _stored(self, array: np.ndarray) -> int:
        self.arrays.append(array)
        return len(self.arrays) - 1

    def _tensor(self, value: Tensor) -> dict:
        array, told = as_array(value)
        return {"tensor": {"array": self._stored(array), **told}}

    def _foreign(self, value: Any) -> dict:
        self.objects.append(value)
        return {"foreign": len(self.objects) - 1}

    def _module_or_object(self, value: Any) -> dict:
        kind = type(value)
        name = name_of(kind) or self.write(kind)
        if not isinstance(value, nn.Module):
            return {"object": {"class": name, "state": self.write(_state_of(value))}}
        own = {k: v for k, v in _state_of(value).items() if k not in MODULE_ATTRIBUTES}
        passing = value._non_persistent_buffers_set
        return {
            "module": {
                "class": name,
                "state": self.write(own),
                "training": value.training,
                "parameters": self.write(dict(value._parameters)),
                "buffers": self.write(dict(value._buffers)),
                "not_persistent": sorted(passing),
                "modules": self.write(dict(value._modules)),
            }
        }


def _state_of(value: Any) -> dict[str, Any]:
    """Return the attributes that an object wants kept."""
    return dict(value.__getstate__() or {})


def _is_made_of_attributes(value: Any) -> bool:
    """Tell whether an object is what its class and its attributes say.

    Objects of skdl and layers of torch are; modules of users are unless they have hooks
    or ways of their own to be pickled.
    """
    kind = type(value)
    if isinstance(value, type) or not hasattr(value, "__dict__"):
        return False
    if isinstance(value, nn.Module):
        return not _has_hooks(value) and _is_pickled_by_attributes(kind)
    return name_of(kind) is not None and _is_pickled_by_attributes(kind)


def _is_pickled_by_attributes(kind: type) -> bool:
    for way in _OWN_WAYS:
        if getattr(kind, way, None) is not getattr(object, way, None):
            return False
    usual: list[Any] = [getattr(c, "__getstate__", None) for c in (object, nn.Module)]
    return name_of(kind) is not None or getattr(kind, "__getstate__", None) in usual


def _has_hooks(module: nn.Module) -> bool:
    return any(value for name, value in vars(module).items() if "_hooks" in name)
