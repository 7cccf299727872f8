"""Classes that a state may name: those of skdl's rooms, and torch's layers.

Reading a state makes objects of these classes without calling their constructors, and
gives them the attributes that they had. Everything else is not named in the text, but
stays an object that whoever stores the state has to deal with.
"""

import importlib
from typing import Any

import numpy as np
from torch import nn

# Where skdl's own classes are that may be part of what is fitted.
_ROOMS = (
    "skdl.data.",
    "skdl.networks.",
    "skdl.training.blind",
    "skdl.training.objectives",
    "skdl.estimators.",
)
_LAYERS = "torch.nn.modules."
# Types that are values, by name.
TYPES: dict[str, type] = {
    "bool": bool,
    "int": int,
    "float": float,
    "str": str,
    **{t.__name__: t for t in (np.float16, np.float32, np.float64, np.int64)},
}


def name_of(kind: type) -> str | None:
    """Return the name by which a state may name a class, None if it may not."""
    module, name = kind.__module__, kind.__qualname__
    if hasattr(kind, "get_params") or "<" in name:  # estimators have their own states
        return None
    known = module.startswith(_ROOMS) or (
        module.startswith(_LAYERS) and issubclass(kind, nn.Module)
    )
    return f"{module}:{name}" if known else None


def class_of(name: Any) -> type:
    """Return the class that `name_of` gave a name.

    Raises
    ------
    ValueError
        If the name is none of a class that a state may name.
    """
    module, _, inside = name.partition(":") if isinstance(name, str) else ("", "", "")
    if module.startswith((*_ROOMS, _LAYERS)):
        try:
            kind = getattr(importlib.import_module(module), inside, None)
        except ImportError:
            kind = None
        if isinstance(kind, type) and name_of(kind) == name:
            return kind
    raise ValueError(
        f"the state holds an object of {name!r}, which this version of skdl does not "
        "know; it was written by a later one, or is damaged"
    )
