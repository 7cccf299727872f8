"""The state of an estimator: kept whole, seeded, moved to the CPU."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from skdl.training.surroundings import own_settings
from skdl.training.survival.out_of_memory import as_memory_error


@contextmanager
def all_or_nothing(estimator: BaseEstimator) -> Iterator[None]:
    """Leave the estimator as it was if what is inside fails.

    What is inside does not see the caller's settings of torch (see `own_settings`), and
    where memory runs out it raises a MemoryError.
    """
    before = dict(vars(estimator))
    try:
        with own_settings(), as_memory_error("fitting"):
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
