"""Corrections of the networks of a pack, from what they leave over out of fold."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skdl.data.twins import without_twins
from skdl.estimators.tables.corrections.columns import Layout, columns_of
from skdl.estimators.tables.corrections.remainder import remainder_of
from skdl.estimators.tables.corrections.search import Correction, find_corrections
from skdl.networks.corrections import Corrections
from skdl.training.objectives import SquaredError

# Rows that corrections are found in: fewer say too little, and more take too long.
# Of several outputs rows times these count.
_FEWEST_ROWS, _MOST_ROWS, _MOST_OUTPUTS = 200, 1 << 17, 1 << 20
# Columns that tell twins.
_MOST_KNOWN = 64


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
    layout: Layout,
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
    layout : Layout
        Where these are among the inputs.

    Returns
    -------
    Found or None
        None where nothing is found, or the objective has no such corrections.
    """
    weights = np.ones(len(target)) if weight is None else _numpy(weight.double())
    told = np.flatnonzero((weights > 0) & ~_numpy(predictions[:, 0].isnan()))
    most = min(_MOST_ROWS, _MOST_OUTPUTS // predictions.shape[1])
    if len(told) > most:  # the same ones of the same rows
        told = np.sort(np.random.RandomState(0).permutation(told)[:most])
    rows: Any = slice(None) if len(told) == len(target) else told
    codes, numbers, targets = (_numpy(t)[rows] for t in (*inputs[:2], target))
    known = [layout.of(j, codes, numbers) for j in columns[:_MOST_KNOWN]]
    first, twin_of = without_twins([*known, *targets.reshape(len(told), -1).T])
    if len(first) < _FEWEST_ROWS:
        return None
    raw = predictions[torch.from_numpy(told[first]).to(predictions.device)]
    if not isinstance(member, SquaredError):
        raw = member.link(raw)
    remainder = remainder_of(member, _numpy(raw), targets[first])
    if remainder is None:
        return None
    before = remainder.raw
    if len(first) < len(told):
        codes, numbers = codes[first], numbers[first]
    looked_at = columns_of(codes, numbers, columns, layout)
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


def _numpy(tensor: Tensor) -> np.ndarray:
    return np.asarray(tensor.cpu().numpy())
