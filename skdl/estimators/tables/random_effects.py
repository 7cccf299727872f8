"""Which columns make the groups of random effects, and the effects by group."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from skdl.data.table import TableEncoder


def columns_of_groups(
    random_effects: Sequence[Any] | None, names: Sequence[Any]
) -> list[list[int]]:
    """Return the positions of the columns that make each grouping.

    Parameters
    ----------
    random_effects : sequence or None
        Names of columns, and sequences of names, as a user gives them.
    names : sequence
        The categorical columns.

    Raises
    ------
    ValueError
        If one of them is not among `names`.
    """
    groups = []
    for entry in () if random_effects is None else random_effects:
        is_name = isinstance(entry, str) or entry in names
        group = [entry] if is_name else _as_list(entry)
        absent = [name for name in group if name not in names]
        if absent or not group:
            raise ValueError(
                f"random_effects names {absent}, which are not categorical columns of "
                f"X: {list(names)}. Give columns, or tuples of columns whose "
                "combinations make groups, such as [('year', 'month', 'day')], and "
                "name them in categorical_features if they are numbers."
            )
        groups.append([list(names).index(name) for name in group])
    return groups


def vocabularies_without_vectors(
    columns_of_groups: Sequence[Sequence[int]],
    vocabulary_of_column: Sequence[int],
    names: Sequence[Any],
) -> set[int]:
    """Return the vocabularies of columns that make groups by themselves.

    Raises
    ------
    ValueError
        If such a column shares its vectors with another.
    """
    found = set()
    for columns in columns_of_groups:
        if len(columns) > 1:
            continue
        number = vocabulary_of_column[columns[0]]
        if list(vocabulary_of_column).count(number) > 1:
            name = names[columns[0]]
            raise ValueError(
                f"random_effects names {name!r} by itself, so it has no vectors, but "
                f"shared_embeddings names it too. Leave {name!r} out of one of them."
            )
        found.add(number)
    return found


def _as_list(entry: Any) -> list[Any]:
    try:
        return list(entry)
    except TypeError:
        return [entry]


def check_optimizer(optimizer: Any) -> None:
    """Refuse optimizers whose decay is not decoupled from the gradient.

    Raises
    ------
    ValueError
        If it is "adam" or "sgd".
    """
    if optimizer in ("adam", "sgd"):
        raise ValueError(
            "random_effects are drawn toward zero by decoupled weight decay, which "
            f"optimizer={optimizer!r} does not have: use 'adamw' or 'muon', or a "
            "callable that builds an optimizer with decoupled decay."
        )


def check_one_quantile(quantiles: Any) -> None:
    """Refuse several quantiles, whose distances an intercept would change.

    Raises
    ------
    ValueError
        If there are several.
    """
    if quantiles:
        raise ValueError(
            "random_effects are intercepts of one prediction, which do not go with "
            f"several quantiles: quantile={quantiles!r}. Give one quantile, or leave "
            "random_effects out."
        )


def effects_by_group(
    tables: Sequence[np.ndarray],
    encoder: TableEncoder,
    names: Sequence[Any],
    scale: float | np.ndarray,
    outputs: Sequence[Any],
) -> dict[Any, pd.DataFrame]:
    """Return the intercepts of each grouping, by the categories that make its groups.

    Parameters
    ----------
    tables : sequence of ndarray of shape (1 + n_groups, n_outputs)
        Of each network; the mean is returned.
    encoder : TableEncoder
        Knows the groups.
    names : sequence
        The categorical columns.
    scale : float or ndarray of shape (n_outputs,)
        What the intercepts are multiplied with.
    outputs : sequence of length n_outputs
        Names of the outputs, which are the columns.
    """
    found = {}
    start = 1
    for columns, groups in zip(
        encoder.columns_of_groups, encoder.groupings, strict=True
    ):
        end = start + len(groups)
        values = np.mean([table[start:end] for table in tables], axis=0) * scale
        key = tuple(names[j] for j in columns)
        categories = [
            encoder.vocabularies[encoder.vocabulary_of_column[j]].values[codes]
            for j, codes in zip(columns, groups.combinations().T, strict=True)
        ]
        index = pd.MultiIndex.from_arrays(categories, names=key)
        is_alone = len(key) == 1
        found[key[0] if is_alone else key] = pd.DataFrame(
            values,
            index=index.get_level_values(0) if is_alone else index,
            columns=list(outputs),
        )
        start = end
    return found
