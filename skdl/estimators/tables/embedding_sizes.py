"""How many entries the vectors of a column have."""

from collections.abc import Callable, Mapping
from numbers import Integral
from typing import Any

from skdl.data.categories import FIRST, Vocabulary

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


def embedding_dims(
    embedding_dim: str | int | Mapping | Callable[[int], int],
    vocabularies: Mapping[Any, Vocabulary],
    most: int = MOST_ENTRIES,
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
        if choice == "auto":
            n_rows = int(vocabulary.counts[FIRST:].sum())
            choice = min(most, auto_dim(n_categories, n_rows))
        dim = choice(n_categories) if callable(choice) else choice
        is_whole = isinstance(dim, Integral) and not isinstance(dim, bool)
        if not is_whole or dim < 1:
            raise ValueError(
                "embedding_dim must be at least 1 and an integer, got "
                f"{dim!r} for column {name!r}."
            )
        dims.append(int(dim))
    return dims
