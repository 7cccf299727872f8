"""Checks of parameters that a list of types and ranges does not cover."""

import math
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

# The largest number of things of which each takes time or memory; and the largest rate,
# decay or penalty, beyond which no float32 network stays finite.
MOST = 2**31 - 1
STEEPEST = 1e6


def check_betas(betas: Any) -> None:
    """Refuse what is not two numbers in [0, 1).

    Raises
    ------
    ValueError
        With what came.
    """
    values = as_list(betas)
    inside = [isinstance(beta, Real) and 0 <= beta < 1 for beta in values or ()]
    if len(inside) != 2 or not all(inside):
        raise ValueError(f"betas must be two numbers in [0, 1), got {betas!r}.")


def check_sizes(hidden_layer_sizes: Any) -> None:
    """Refuse what is not positive integers.

    Raises
    ------
    ValueError
        With what came.
    """
    is_one = isinstance(hidden_layer_sizes, Integral)
    sizes = [hidden_layer_sizes] if is_one else as_list(hidden_layer_sizes)
    if sizes is None or not all(is_count(size) for size in sizes):
        raise ValueError(
            f"hidden_layer_sizes must be positive integers, got {hidden_layer_sizes!r}."
        )


def is_count(value: Any) -> bool:
    """Tell whether a value is a positive integer that memory may hold so many of."""
    return (
        isinstance(value, Integral)
        and not isinstance(value, bool)
        and 1 <= value <= MOST
    )


def is_number(value: Any) -> bool:
    """Tell whether a value is a finite number that a float holds."""
    try:
        return isinstance(value, Real) and math.isfinite(value)
    except OverflowError:  # integers have no end
        return False


def as_list(values: Any) -> list | None:
    """Return the entries of a sequence or array; None if it is neither."""
    if isinstance(values, str | bytes | Mapping):
        return None
    if isinstance(values, Sequence) or (
        isinstance(values, np.ndarray) and values.ndim == 1
    ):
        return list(values)
    return None


def check_flat(name: str, values: Any) -> None:
    """Refuse an array of several axes, or a class, where a list is wanted.

    Raises
    ------
    ValueError
        With the name of the parameter and its shape.
    """
    if isinstance(values, type):  # scikit-learn takes it for array-like
        raise ValueError(f"{name} must be a list of columns, got {values!r}.")
    if getattr(values, "ndim", 1) != 1:
        raise ValueError(
            f"{name} must be a list of columns, got an array of shape {values.shape}."
        )


def check_groups(name: str, groups: Any) -> None:
    """Refuse what is no sequence of sequences of column names.

    Raises
    ------
    ValueError
        With the name of the parameter and what came.
    """
    if groups is None:
        return
    entries = as_list(groups)
    if entries is None or any(as_list(group) is None for group in entries):
        raise ValueError(
            f"{name} must be groups of column names, such as [('home', 'away')], got "
            f"{groups!r}."
        )


def finite_array(output: Tensor) -> np.ndarray:
    """Return predictions as an array.

    Raises
    ------
    ValueError
        If some of them are not finite.
    """
    array = output.numpy()
    if not math.isfinite(array.sum()):  # the sum alone may be beyond float32
        bad = ~torch.isfinite(output).reshape(len(output), -1).all(dim=1)
        if bad.any():
            raise ValueError(
                f"The network's output is not finite for {int(bad.sum())} of "
                f"{len(bad)} rows, the first of them row {int(bad.nonzero()[0])}: what "
                "it computes there is beyond 3.4e38, the largest number that float32 "
                "has. If X holds numbers that large, scale them first, or set "
                "scale_inputs=True."
            )
    return array
