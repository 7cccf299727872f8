"""Settings in which the networks of a pack differ, drawn around the recipe's."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from skdl.estimators.tables.recipe import Recipe

# How often each setting is drawn, and not the recipe's.
_OFTEN = 0.5
# Ranges; of rates and decays what the recipe's are multiplied by.
_LR, _DECAY, _FREQUENCY = (0.4, 2.0), (0.2, 5.0), (0.3, 5.0)
_DROPOUT = (0.05, 0.4)
_EMBEDDING_DROPOUT, _MOST_DROPOUT = (-0.25, 0.2), 0.6
# Which vectors numbers have.
NUMBERS = ("both", "piecewise", "cosine")


@dataclass(frozen=True)
class Setting:
    """How some networks of a pack are made and trained.

    Attributes
    ----------
    lr, weight_decay, dropout, embedding_dropout : float
        As the parameters of estimators.
    frequency : float
        What the frequencies of cosines are multiplied by at the start.
    numbers : {"both", "piecewise", "cosine"}
        Which vectors numbers have, where the pack has both.
    """

    lr: float
    weight_decay: float
    dropout: float
    embedding_dropout: float
    frequency: float = 1.0
    numbers: str = "both"


def draw_settings(recipe: Recipe, n_settings: int, seed: int) -> list[Setting]:
    """Draw settings, the first of which is the recipe's.

    Parameters
    ----------
    recipe : Recipe
        With what a user has set.
    n_settings : int
        How many.
    seed : int
        Of what is drawn.
    """
    rng = np.random.RandomState(seed)
    first = Setting(
        lr=float(recipe.lr),
        weight_decay=float(recipe.weight_decay),
        dropout=float(recipe.dropout),
        embedding_dropout=float(recipe.embedding_dropout),
    )
    return [first, *(_drawn(first, rng) for _ in range(n_settings - 1))]


def _drawn(first: Setting, rng: np.random.RandomState) -> Setting:
    vectors = first.embedding_dropout + rng.uniform(*_EMBEDDING_DROPOUT)
    most = max(_MOST_DROPOUT, first.embedding_dropout)
    other = {
        "lr": first.lr * _log_uniform(rng, *_LR),
        "weight_decay": first.weight_decay * _log_uniform(rng, *_DECAY),
        "dropout": float(rng.uniform(*_DROPOUT)),
        "embedding_dropout": float(np.clip(vectors, 0.0, most)),
        "frequency": _log_uniform(rng, *_FREQUENCY),
        "numbers": NUMBERS[rng.randint(1, len(NUMBERS))],
    }
    taken: dict[str, Any] = asdict(first)
    taken |= {name: value for name, value in other.items() if rng.rand() < _OFTEN}
    return Setting(**taken)


def _log_uniform(rng: np.random.RandomState, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
