"""How many entries the vectors of a column have."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from skdl.data.categories import FIRST, Vocabulary
from skdl.estimators.core.checks import is_count

# Entries of a vector that goes by the number of categories, at most.
MOST_ENTRIES = 50


def auto_dim(n_categories: int, n_rows: int) -> int:
    """Return the entries of a vector by the number of categories and their rows.

    ``1.6 n^0.56`` (fastai's rule) up to 50, and no more than there are rows for a
    category: a long vector of a rare category is learned by heart.
    """
    return max(
        1, min(MOST_ENTRIES, round(1.6 * n_categories**0.56), n_rows // n_categories)
    )


def bounded_dim(
    n_categories: int, n_rows: int, most: int, rows_of_an_entry: float
) -> int:
    """Return the entries of a vector, at most so many, or one for so many rows."""
    longest = max(most, int(n_rows / n_categories / rows_of_an_entry))
    return min(longest, auto_dim(n_categories, n_rows))


def rows_of_each(vocabulary: Vocabulary) -> float:
    """Return how many rows a category of a vocabulary has in the mean."""
    n_categories = max(1, len(vocabulary) - FIRST)
    return float(vocabulary.counts[FIRST:].sum()) / n_categories


def embedding_dims(
    embedding_dim: str | int | Mapping | Callable[[int], int],
    vocabularies: Mapping[Any, Vocabulary],
    most: int = MOST_ENTRIES,
    rows_of_an_entry: float = math.inf,
) -> list[int]:
    """Return the entries of each vocabulary's vectors.

    Parameters
    ----------
    embedding_dim : "auto", int, mapping or callable
        As a user gives it; a column that a mapping leaves out is "auto".
    vocabularies : mapping
        By the name of the first column that uses each.
    most : int, default=50
        Entries that "auto" gives at most.
    rows_of_an_entry : float, default=inf
        Or one for so many rows of a category, in the mean, where that is more.
    """
    if isinstance(embedding_dim, Mapping):
        absent = [name for name in embedding_dim if name not in vocabularies]
        if absent:
            raise ValueError(
                f"embedding_dim names {absent}, which are not categorical columns with "
                f"vectors of their own: {list(vocabularies)}."
            )
    dims = []
    for name, vocabulary in vocabularies.items():
        n_categories = max(1, len(vocabulary) - FIRST)
        choice = embedding_dim
        if isinstance(choice, Mapping):
            choice = choice.get(name, "auto")
        if _is_auto(choice):
            n_rows = int(vocabulary.counts[FIRST:].sum())
            choice = bounded_dim(n_categories, n_rows, most, rows_of_an_entry)
        dims.append(_checked(choice, name, n_categories))
    return dims


def check_embedding_dim(embedding_dim: Any) -> None:
    """Refuse entries of a mapping that are no sizes.

    Raises
    ------
    ValueError
        With the column.
    """
    if isinstance(embedding_dim, Mapping):
        for name, choice in embedding_dim.items():
            if not callable(choice) and not _is_auto(choice):
                _checked(choice, name, 1)


def _is_auto(choice: Any) -> bool:
    return isinstance(choice, str) and choice == "auto"


def _checked(choice: Any, name: Any, n_categories: int) -> int:
    """Return the entries that a number, or a function of the categories, gives."""
    dim, how = choice, f"embedding_dim for column {name!r}"
    if callable(choice):
        try:
            dim = choice(n_categories)
        except Exception as error:
            raise ValueError(
                f"{how} is a function that fails on {n_categories} categories "
                f"({type(error).__name__}: {error})."
            ) from error
    if isinstance(dim, float | np.floating) and float(dim).is_integer():
        dim = int(dim)
    if not is_count(dim):
        raise ValueError(f"{how} must be at least 1 and an integer, got {dim!r}.")
    return int(dim)
