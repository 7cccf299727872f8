"""Copies of the state of networks and optimizers to go back to."""

from numbers import Integral, Real
from typing import Any

from torch import Tensor

_PLAIN = (bool, int, float, str, type(None))


def copied(state: Any) -> Any:
    """Return a copy of a nest of dicts, lists and tensors that shares nothing with it.

    Numbers become Python's own, so that a file of them can be read without NumPy.
    """
    if isinstance(state, Tensor):
        return state.detach().clone()
    if isinstance(state, dict):
        return {key: copied(value) for key, value in state.items()}
    if isinstance(state, (list, tuple)):
        values = [copied(value) for value in state]
        return values if isinstance(state, list) else tuple(values)
    if type(state) in _PLAIN:
        return state
    if isinstance(state, Integral):
        return int(state)
    return float(state) if isinstance(state, Real) else state
