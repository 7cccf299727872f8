"""Settings in which the networks of a pack differ, drawn around the recipe's."""

from dataclasses import dataclass

import numpy as np

from skdl.estimators.tables.recipe import Recipe

# Ranges; the recipe's rate, decay and frequencies are multiplied by these.
_LR, _DECAY, _FREQUENCY = (0.5, 2.0), (0.5, 5.0), (0.4, 2.5)
_DROPOUT = (0.05, 0.4)
_VECTORS, _MOST = (-0.15, 0.15), 0.6  # added to the dropout of vectors; and at most
_SLOPE = (1.0, 6.0)
# Share of the settings in which numbers have no piecewise-linear vectors.
_COSINES_ALONE = 0.25


@dataclass(frozen=True)
class Setting:
    """How some networks of a pack are made and trained.

    Attributes
    ----------
    lr, weight_decay, dropout, embedding_dropout : float
        As the parameters of estimators.
    slope : float
        Of the activation, where that is SiLU.
    frequency : float
        What the frequencies of cosines are multiplied by at the start.
    piecewise : bool
        Whether numbers have piecewise-linear vectors, where the pack also has cosines.
    """

    lr: float
    weight_decay: float
    dropout: float
    embedding_dropout: float
    slope: float = 1.0
    frequency: float = 1.0
    piecewise: bool = True


def draw_settings(recipe: Recipe, n_settings: int, seed: int) -> list[Setting]:
    """Draw settings, the first of which is the recipe's.

    The others are spread evenly over the range of each value, which few settings drawn
    one by one are not (Latin hypercube, McKay et al. 1979).

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
    n = n_settings - 1

    def spread() -> np.ndarray:
        return (rng.permutation(n) + rng.uniform(size=n)) / n

    def between(low: float, high: float) -> np.ndarray:
        return low + (high - low) * spread()

    def times(low: float, high: float) -> np.ndarray:
        return low * (high / low) ** spread()

    vectors, most = recipe.embedding_dropout, max(_MOST, recipe.embedding_dropout)
    columns = (
        recipe.lr * times(*_LR),
        recipe.weight_decay * times(*_DECAY),
        between(*_DROPOUT),
        np.clip(vectors + between(*_VECTORS), 0.0, most),
        times(*_SLOPE),
        times(*_FREQUENCY),
        spread() >= _COSINES_ALONE,
    )
    first = Setting(
        float(recipe.lr),
        float(recipe.weight_decay),
        float(recipe.dropout),
        float(vectors),
    )
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [first, *(Setting(*row) for row in rows)]
