"""What a parameter is, as a text that is the same in another process."""

import copyreg
import dis
import hashlib
import sys
from collections.abc import Callable, Mapping
from functools import partial
from numbers import Integral
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import nn

from skdl.estimators.core.left_out import LeftOut
from skdl.training.survival.checkpoint import digest

# What stands in these is known by its name; all else is known by its code.
_BY_NAME = {*sys.stdlib_module_names, "numpy", "pandas", "sklearn", "skdl", "torch"}

# Values of an array that are shown, and numbers up to which floats are integers.
_SHOWN, _EXACT = 1000, 1 << 53

_LOADS = ("LOAD_GLOBAL", "LOAD_NAME")

# What of a class's namespace says nothing about what it does.
_UNSAID = {
    "__annotations__",
    "__dict__",
    "__doc__",
    "__firstlineno__",
    "__module__",
    "__qualname__",
    "__static_attributes__",
    "__weakref__",
}


def described(value: Any) -> str:
    """Return a text that is the same for the same value in another process.

    Functions and classes of a user are known by their code and what it refers to,
    arrays, generators of random numbers and fitted estimators by what they hold.

    Parameters
    ----------
    value : object
        A parameter of an estimator.

    Returns
    -------
    str
        Short where the value is not plain.

    Raises
    ------
    ValueError
        If the value cannot be told apart from others of its type.

    Examples
    --------
    >>> described({"b": 1, "a": [0.5, None]})
    "{'a': [0.5, None], 'b': 1}"
    >>> double = described(lambda x: 2 * x)
    >>> double == described(lambda x: 3 * x), double == described(lambda x: 2 * x)
    (False, True)
    """
    try:
        return _Description().of(value)
    except RecursionError as error:
        raise _untold(value, error) from error


class _Description:
    """Describes a value and what it refers to."""

    def __init__(self) -> None:
        self._kinds: list[tuple[Any, Callable[[Any], str]]] = [
            (Mapping, self._mapping),
            ((list, tuple), self._sequence),
            ((set, frozenset), self._set),
            (np.ndarray, self._array),
            (torch.Tensor, lambda v: f"Tensor({digest([v])})"),
            (np.random.RandomState, lambda v: f"RandomState({_short(_state(v))})"),
            (partial, self._partial),
            (FunctionType, self._function),
            (MethodType, lambda v: f"{self.of(v.__func__)} of {self.of(v.__self__)}"),
            (type, self._class),
            (BuiltinFunctionType, self._builtin),
            (ModuleType, lambda v: v.__name__),
            (CodeType, lambda v: _short(self._code(v))),
            (BaseEstimator, self._estimator),
            (LeftOut, lambda v: v.description),
            (object, self._object),
        ]
        self._texts: dict[int, str] = {}
        self._held: list[Any] = []  # an id is good as long as its object is there

    def of(self, value: Any) -> str:
        if isinstance(value, np.generic):
            value = value.item()
        plain = _plain(value)
        if plain is not None:
            return plain
        if id(value) not in self._texts:
            self._held.append(value)
            self._texts[id(value)] = "<itself>"  # what refers to itself would not end
            describe = next(d for kind, d in self._kinds if isinstance(value, kind))
            self._texts[id(value)] = describe(value)
        return self._texts[id(value)]

    # Containers.

    def _mapping(self, value: Mapping) -> str:
        return "{" + ", ".join(sorted(self._pairs(value))) + "}"

    def _pairs(self, value: Mapping) -> list[str]:
        return [f"{self.of(k)}: {self.of(v)}" for k, v in value.items()]

    def _sequence(self, value: Any) -> str:
        return "[" + ", ".join(self.of(item) for item in value) + "]"

    def _set(self, value: Any) -> str:
        return "{" + ", ".join(sorted(described(item) for item in value)) + "}"

    def _array(self, value: np.ndarray) -> str:
        if value.dtype == object or value.size <= _SHOWN:
            return self.of(value.tolist())
        held = _short(np.ascontiguousarray(value).data)
        return f"array({value.dtype}, {value.shape}, {held})"

    # What can be called.

    def _partial(self, value: partial) -> str:
        inside = [self.of(part) for part in (value.func, value.args, value.keywords)]
        return f"partial({', '.join(inside)})"

    def _function(self, value: FunctionType) -> str:
        name = f"{value.__module__}.{value.__qualname__}"
        if _is_known(value):
            return name
        code = value.__code__
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        known = value.__globals__
        refers = {name: known[name] for name in _globals(code) if name in known}
        parts = [self._code(code), self.of(value.__defaults__)]
        parts += [self.of(part) for part in (value.__kwdefaults__, cells, refers)]
        return f"{name} ({_short(' '.join(parts))})"

    def _code(self, code: CodeType) -> str:
        constants = [self.of(constant) for constant in code.co_consts]
        names = [code.co_names, code.co_varnames, code.co_freevars]
        return f"{code.co_code.hex()} {names} {constants}"

    def _class(self, value: type) -> str:
        name = f"{value.__module__}.{value.__qualname__}"
        if _is_known(value):
            return name
        parts = [self.of(base) for base in value.__bases__]
        for key, entry in sorted(vars(value).items()):
            if key not in _UNSAID and not key.startswith("_abc_"):
                parts.append(f"{key}: {self._entry(entry)}")
        return f"{name} ({_short(' '.join(parts))})"

    def _entry(self, entry: Any) -> str:
        """Describe what stands in a class."""
        if isinstance(entry, (staticmethod, classmethod)):
            return self.of(entry.__func__)
        if isinstance(entry, property):
            return self.of([entry.fget, entry.fset, entry.fdel])
        return self.of(entry)

    def _builtin(self, value: BuiltinFunctionType) -> str:
        name = ".".join(filter(None, (value.__module__, value.__qualname__)))
        owner = value.__self__
        bound = owner is not None and not isinstance(owner, (ModuleType, type))
        return f"{name} of {self.of(owner)}" if bound else name

    # Everything else.

    def _estimator(self, value: BaseEstimator) -> str:
        name = self.of(type(value))
        network = getattr(value, "network_", None)
        if isinstance(network, nn.Module):  # what it has learned is what it is
            weights = digest(network.state_dict().values())
            known = getattr(value, "tokens_", None)
            return f"{name} ({_short(f'{weights} {known}')})"
        return f"{name}({self.of(value.get_params(deep=False))})"

    def _object(self, value: Any) -> str:
        """Describe an object by what its pickle would hold."""
        try:
            reduce = copyreg.dispatch_table.get(type(value))
            reduced = reduce(value) if reduce else value.__reduce_ex__(4)
        except Exception as error:  # whatever objects that cannot be pickled raise
            raise _untold(value, error) from error
        if isinstance(reduced, str):
            return f"{type(value).__module__}.{reduced}"
        function, arguments, state, *items = [*reduced, None, None, None][:5]
        items = [list(part) for part in items if part is not None]
        inside = [self.of(part) for part in (function, arguments, state, items)]
        return f"{type(value).__qualname__} ({_short(' '.join(inside))})"


def _is_known(value: Any) -> bool:
    """Tell whether a name stands for what it named in another process, too."""
    module, name = value.__module__ or "", value.__qualname__
    return module.partition(".")[0] in _BY_NAME and "<" not in name


def _plain(value: Any) -> str | None:
    """Return the text of a plain value, or None."""
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        value = int(value)  # 1.0 is 1
    if value is None or isinstance(value, (bool, float, complex, str, bytes)):
        return repr(value)
    if isinstance(value, Integral):
        return repr(int(value))
    if value is Ellipsis or isinstance(value, torch.dtype):
        return repr(value)
    return None


def _globals(code: CodeType) -> list[str]:
    """Return the global names that code loads, also inside the functions it makes."""
    found = {i.argval for i in dis.get_instructions(code) if i.opname in _LOADS}
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found.update(_globals(constant))
    return sorted(found)


def _untold(value: Any, error: Exception) -> ValueError:
    return ValueError(
        f"an object of type {type(value).__qualname__} cannot be told apart from "
        f"others of its type ({error})"
    )


def _state(generator: np.random.RandomState) -> str:
    name, keys, *rest = generator.get_state(legacy=True)
    return f"{name} {keys.tolist()} {rest}"


def _short(text: Any) -> str:
    content = text.encode() if isinstance(text, str) else text
    return hashlib.blake2b(content, digest_size=6).hexdigest()
