"""Copies of the state of networks and optimizers to go back to."""

from typing import Any

from torch import Tensor


def copied(state: Any) -> Any:
    """Return a copy of a nest of dicts, lists and tensors that shares nothing with it.

    Numbers become Python's own, so that a file of them can be read without NumPy.
    """
    if isinstance(state, Tensor):
        return state.detach().clone()
    if isinstance(state, dict):
        return {key: copied(value) for key, value in state.items()}
    if isinstance(state, (list, tuple)):
        return type(state)(copied(value) for value in state)
    if isinstance(state, float):
        return float(state)
    return state
