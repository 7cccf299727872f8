"""Corrections of the networks of a pack, from what they leave over out of fold."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skdl.estimators.tables.corrections.columns import columns_of
from skdl.estimators.tables.corrections.remainder import remainder_of
from skdl.estimators.tables.corrections.search import Correction, find_corrections
from skdl.networks.corrections import Corrections
from skdl.training.objectives import SquaredError

# Rows that corrections are found in: fewer say too little, and more take too long.
_FEWEST_ROWS, _MOST_ROWS = 200, 1 << 17
# Odd, and of no pattern: half of the golden ratio in bits.
_FACTOR = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Found:
    """What is to be added to raw outputs.

    Attributes
    ----------
    network : Corrections
        For rows that there are not yet.
    added : Tensor of shape (n_rows, K)
        For the rows at hand; those that corrections come from are corrected by the
        others alone.
    corrections : list of Correction
        One by one.
    """

    network: Corrections
    added: Tensor
    corrections: list[Correction]


def corrections_of(
    member: Any,
    predictions: Tensor,
    target: Tensor,
    weight: Tensor | None,
    inputs: tuple[Tensor, ...],
    columns: Sequence[int],
    is_category: Sequence[bool],
) -> Found | None:
    """Find what predictions of rows leave over that networks have not learned from.

    Parameters
    ----------
    member : Objective
        Of each network.
    predictions : Tensor of shape (n_rows, K)
        NaN of rows that no network is blind to.
    target, weight : Tensor
        Of the rows; `weight` may be None.
    inputs : tuple of Tensor
        Codes of categories and numbers come first.
    columns : sequence of int
        Of the table, the most important first.
    is_category : sequence of bool
        Of all columns of the table.

    Returns
    -------
    Found or None
        None where nothing is found, or the objective has no such corrections.
    """
    weights = np.ones(len(target)) if weight is None else _numpy(weight.double())
    told = np.flatnonzero((weights > 0) & ~_numpy(predictions[:, 0].isnan()))
    if len(told) > _MOST_ROWS:  # the same ones of the same rows
        told = np.sort(np.random.RandomState(0).permutation(told)[:_MOST_ROWS])
    codes, numbers, targets = (
        _numpy(tensor[torch.from_numpy(told).to(tensor.device)])
        for tensor in (*inputs[:2], target)
    )
    first, twin_of = _twins(codes, numbers, targets.reshape(len(targets), -1))
    if len(first) < _FEWEST_ROWS:
        return None
    raw = predictions[torch.from_numpy(told[first]).to(predictions.device)]
    if not isinstance(member, SquaredError):
        raw = member.link(raw)
    remainder = remainder_of(member, _numpy(raw), targets[first])
    if remainder is None:
        return None
    before = remainder.raw
    looked_at = columns_of(codes[first], numbers[first], columns, is_category)
    found = find_corrections(
        remainder, looked_at, np.bincount(twin_of, weights=weights[told])
    )
    if not found:
        return None
    network = Corrections([correction.table for correction in found])
    network = network.to(target.device)
    added = network(*inputs[:2])
    own = torch.from_numpy((remainder.raw - before).astype(np.float32)[twin_of])
    added[torch.from_numpy(told).to(added.device)] = own.to(added.device)
    return Found(network, added, found)


def _twins(*of_rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first of rows that are the same, and which of these each row is.

    A row that is there twice would be corrected by itself.
    """
    keys = np.zeros(len(of_rows[0]), dtype=np.uint64)
    for values in of_rows:
        for column in values.T:
            bits = (column.astype(np.float64) + 0.0).view(np.uint64)
            keys = (keys ^ bits ^ (bits >> np.uint64(32))) * _FACTOR
            keys ^= keys >> np.uint64(29)
    _, first, twin_of = np.unique(keys, return_index=True, return_inverse=True)
    return first, twin_of


def _numpy(tensor: Tensor) -> np.ndarray:
    return np.asarray(tensor.cpu().numpy())
