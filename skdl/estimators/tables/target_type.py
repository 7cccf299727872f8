"""Whether a target is classes or numbers, told by what it holds and not by its rows."""

import numpy as np
import pandas as pd

from skdl.data.columns import NUMBERS, as_numbers, kind_of

TARGET_TYPES = ("auto", "binary", "multiclass", "continuous")
# Integers of more distinct values than these are numbers: amounts, counts, scores.
MOST_CLASSES = 50


def as_plain_target(y: np.ndarray) -> np.ndarray:
    """Return objects that are numbers, such as Decimals, as float64."""
    if y.dtype != object:
        return y
    flat = pd.Series(y.ravel(), dtype=object)
    return as_numbers(flat, "y").reshape(y.shape) if kind_of(flat) == NUMBERS else y


def resolve_target_type(y: np.ndarray, target_type: str) -> str:
    """Return "binary", "multiclass" or "continuous".

    Parameters
    ----------
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        The target; several columns of classes are "multiclass".
    target_type : {"auto", "binary", "multiclass", "continuous"}
        As a user gives it. "auto" takes numbers with a fraction, and integers of more
        than 50 distinct values, for continuous.

    Raises
    ------
    ValueError
        If it is "binary" and the target is not.
    """
    if target_type not in ("auto", "binary"):
        return target_type
    values = pd.unique(y.ravel())
    if target_type == "auto" and y.dtype.kind in "iuf" and _is_continuous(values):
        return "continuous"
    found = "binary" if len(values) <= 2 else "multiclass"
    if target_type == "binary" and found != "binary":
        raise ValueError(
            f"target_type='binary' needs a target of two values, but y holds "
            f"{len(values)}; give 'multiclass' or 'continuous'."
        )
    return found


def _is_continuous(values: np.ndarray) -> bool:
    return len(values) > MOST_CLASSES or bool((values != np.floor(values)).any())
