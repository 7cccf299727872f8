"""The state of an estimator: kept whole, seeded, moved to the CPU."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state


@contextmanager
def all_or_nothing(estimator: BaseEstimator) -> Iterator[None]:
    """Leave the estimator as it was if what is inside fails."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


def seed_source(random_state: Any) -> np.random.RandomState:
    """Return a source of seeds; None is fresh entropy, not NumPy's global state."""
    if random_state is None:
        return np.random.RandomState(np.random.SeedSequence().generate_state(4))
    return check_random_state(random_state)


def draw_seed(rng: np.random.RandomState) -> int:
    """Return a seed for torch or scikit-learn."""
    return int(rng.randint(np.iinfo(np.int32).max))


def to_cpu(value: Any) -> Any:
    """Return a nest of dicts and lists with its tensors on the CPU."""
    if isinstance(value, torch.Tensor):
        return value.cpu()
    if isinstance(value, dict):
        return {key: to_cpu(item) for key, item in value.items()}
    if isinstance(value, list):
        return [to_cpu(item) for item in value]
    return value
