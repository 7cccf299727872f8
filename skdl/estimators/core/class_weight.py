"""Weights of classes, as users give them, checked and given to rows."""

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils import compute_sample_weight

# The largest weight of a class: products with those of samples fit into float32.
_LARGEST = 1e15


def check_class_weight(class_weight: Any) -> None:
    """Refuse weights that are no numbers, negative or not finite.

    Raises
    ------
    ValueError
        With the class and the weight.
    """
    if not isinstance(class_weight, Mapping):
        return
    for label, weight in class_weight.items():
        if not isinstance(weight, Real) or not 0 <= weight <= _LARGEST:
            raise ValueError(
                f"class_weight[{label!r}] must be a number between 0 and "
                f"{_LARGEST:g}, got {weight!r}."
            )
    if class_weight and not any(weight > 0 for weight in class_weight.values()):
        raise ValueError(
            "class_weight is 0 for every class that it names; nothing would be learned."
        )


def weights_of_rows(
    class_weight: Any, y: np.ndarray, classes: np.ndarray
) -> np.ndarray:
    """Return the weight of each row (n,) by its class.

    Classes that are not named weigh 1. Names that are no classes are taken only where
    all classes are named, such as of a class that a fold lacks.

    Raises
    ------
    ValueError
        If a name is no class while a class has no weight: it is misspelt.
    """
    if y.ndim != 1:  # refused with the other labels that are none
        return np.ones(len(y))
    if not isinstance(class_weight, Mapping):
        return compute_sample_weight(class_weight, y)
    known = classes.tolist()
    strange = [label for label in class_weight if label not in known]
    unnamed = [label for label in known if label not in class_weight]
    if strange and unnamed:
        raise ValueError(
            f"class_weight names {strange}, which are not among the classes {known}, "
            f"and has no weight for {unnamed}; names must be of the type of y."
        )
    by_class = np.array([float(class_weight.get(label, 1.0)) for label in known])
    return by_class[np.searchsorted(classes, y).clip(max=len(classes) - 1)]
