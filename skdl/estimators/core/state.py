"""The state of an estimator: kept whole, seeded, moved to the CPU."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from torch import nn

from skdl.estimators.core.ranks import ranks_of_fit
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


@contextmanager
def same_weights(network: nn.Module, state: Any) -> Iterator[None]:
    """Give the weights back to a network if what is inside changes them and fails.

    Parameters
    ----------
    network : torch.nn.Module
        In evaluation mode, to which it is brought back too.
    state : nest of dicts and lists
        Whose tensors get their values back as well: an optimizer's.
    """
    kept = [*network.parameters(), *network.buffers(), *_tensors(state)]
    values = [tensor.detach().clone() for tensor in kept]
    try:
        yield
    except BaseException:
        with torch.no_grad():
            for tensor, value in zip(kept, values, strict=True):
                tensor.copy_(value)
        network.eval()
        raise


def _tensors(state: Any) -> Iterator[torch.Tensor]:
    if isinstance(state, torch.Tensor):
        yield state
    elif isinstance(state, dict | list | tuple):
        for item in state.values() if isinstance(state, dict) else state:
            yield from _tensors(item)


def seed_source(random_state: Any) -> np.random.RandomState:
    """Return a source of seeds; None is fresh entropy, not NumPy's global state.

    Of several processes that train together all have that of the first.
    """
    if random_state is None:
        entropy = np.random.SeedSequence().generate_state(4)
        ranks = ranks_of_fit()
        return np.random.RandomState(
            entropy if ranks is None else ranks.from_first(entropy)
        )
    return check_random_state(random_state)


def draw_seed(rng: np.random.RandomState) -> int:
    """Return a seed for torch or scikit-learn."""
    return int(rng.randint(np.iinfo(np.int32).max))
