"""What each column is worth: how much the loss rises where it says nothing.

It shows on rows that a network has not learned from. On those that it has, every column
seems to be worth something; out of fold, an identifier makes a network worse.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skdl.data.binned import BinnedTableEncoder
from skdl.data.groups import NEW
from skdl.estimators.tables.members import embedded_numbers
from skdl.networks.packed_embedding import PackedEmbeddingNetwork
from skdl.training.blind import BlindRows
from skdl.training.objectives import Objective

# Rows that columns are judged by at most; fewer of hundreds of columns, so that rows
# times columns stay below a number, but not below `_FEWEST`.
_MOST_ROWS, _ROWS_TIMES_COLUMNS, _FEWEST_ROWS = 16_384, 1 << 18, 256
# A column whose categories have so many rows in the mean cannot be learned by heart.
MANY_ROWS = 200
# Parts of these rows, whose verdicts tell how sure the mean of all is.
_BLOCKS = 20
# A column is harmful where its mean worth is this many standard errors below zero, and
# this share of the loss: to train anew for less is not worth the time. Beside one that
# is, less is enough, so that many are not found one after the other.
_ERRORS, _SHARE = 3.0, 0.01
_ERRORS_BESIDE, _SHARE_BESIDE = 1.5, 0.001


@dataclass(frozen=True)
class Place:
    """Where a column enters the networks of a pack.

    Attributes
    ----------
    entries : Tensor of int64
        Of the input of the first layers.
    groupings : list of int
        Random effects whose groups the column makes.
    """

    entries: Tensor
    groupings: list[int]


@dataclass(frozen=True)
class Verdict:
    """How much the loss of some rows rises without each column.

    Attributes
    ----------
    rises : ndarray of shape (n_blocks, n_columns)
        By blocks of rows.
    loss : float
        With all columns.
    """

    rises: np.ndarray
    loss: float

    @property
    def mean(self) -> np.ndarray:
        """Of each column."""
        return self.rises.mean(axis=0)

    @property
    def error(self) -> np.ndarray:
        """Standard error of the mean."""
        n_blocks = len(self.rises)
        if n_blocks < 2:
            return np.full(self.rises.shape[1], np.nan)
        return self.rises.std(axis=0, ddof=1) / np.sqrt(n_blocks)

    @property
    def is_harmful(self) -> np.ndarray:
        """Whether the loss is clearly lower without a column."""
        is_clear = self._costs(_ERRORS, _SHARE)
        return is_clear.any() & self._costs(_ERRORS_BESIDE, _SHARE_BESIDE)

    def _costs(self, n_errors: float, share: float) -> np.ndarray:
        """Tell whether the loss is lower by so many errors and this share of it."""
        return self.mean < -np.maximum(n_errors * self.error, share * abs(self.loss))


def places(
    network: PackedEmbeddingNetwork,
    encoder: BinnedTableEncoder,
    is_category: Sequence[bool],
) -> list[Place]:
    """Return where each column of a table enters a pack.

    Parameters
    ----------
    network : PackedEmbeddingNetwork
    encoder : BinnedTableEncoder
        Makes its inputs.
    is_category : sequence of bool
        Of each column of the table.
    """
    numbers = iter(_of_numbers(network, encoder))
    categories = iter(_of_categories(network, encoder))
    return [next(categories if c else numbers) for c in is_category]


def _of_categories(
    network: PackedEmbeddingNetwork, encoder: BinnedTableEncoder
) -> list[Place]:
    found, start = [], 0
    dims = [] if network.embedding is None else network.embedding.dims
    for j, vocabulary in enumerate(encoder.vocabulary_of_column):
        entries = torch.arange(start, start + dims[vocabulary])
        start += len(entries)
        groups = [g for g, of in enumerate(encoder.columns_of_groups) if j in of]
        found.append(Place(entries, groups))
    return found


def _of_numbers(
    network: PackedEmbeddingNetwork, encoder: BinnedTableEncoder
) -> list[Place]:
    dims = [] if network.embedding is None else network.embedding.dims
    start = sum(dims[v] for v in encoder.vocabulary_of_column)
    n_numbers = encoder.numeric.n_outputs - len(encoder.missing)
    entries: list[list[int]] = [[] for _ in range(n_numbers)]
    for columns, dim in embedded_numbers(network, encoder):
        for j in columns:
            entries[j] += range(start, start + dim)
            start += dim
    # After the numbers themselves come the indicators of those that may be missing.
    for i, j in enumerate([*range(n_numbers), *encoder.missing]):
        entries[j].append(start + i)
    return [Place(torch.tensor(e, dtype=torch.int64), []) for e in entries]


class Judge:
    """Tells what columns are worth, on a part of the rows that members are blind to.

    A column says nothing where each row has the mean of what it gives the first layer:
    the mean vector of categories, of a number its mean and its mean vector; groups of
    random effects are as those never seen.

    Parameters
    ----------
    network : PackedEmbeddingNetwork
        The members.
    places : list of Place
        Of all columns.
    member : Objective
        Of each member.
    blind : ndarray of bool, shape (n_rows, n_members)
        Which rows each member has not learned from.
    inputs : tuple of Tensor
        Of all rows.
    target, weight : Tensor
        Likewise; `weight` may be None.
    rng : numpy.random.RandomState
        Draws the rows.
    """

    def __init__(
        self,
        network: PackedEmbeddingNetwork,
        places: list[Place],
        member: Objective,
        blind: np.ndarray,
        inputs: tuple[Tensor, ...],
        target: Tensor,
        weight: Tensor | None,
        rng: np.random.RandomState,
    ) -> None:
        self._network, self._places, self._member = network, places, member
        most = max(_FEWEST_ROWS, _ROWS_TIMES_COLUMNS // max(1, len(places)))
        rows = rng.permutation(np.flatnonzero(blind.any(axis=1)))
        rows = rows[: min(most, _MOST_ROWS)]
        device = target.device
        chosen = torch.from_numpy(rows).to(device)
        self._blind = BlindRows(torch.from_numpy(blind[rows]).to(device))
        self._inputs = tuple(tensor[chosen] for tensor in inputs)
        self._target = target[chosen][self._blind.rows].flatten(0, 1)
        share = self._blind.shares(None if weight is None else weight[chosen])
        self._share = share  # (M, n)
        # Rows are in no order, so that every block has rows of all folds.
        blocks = self._blind.rows % min(_BLOCKS, len(rows))
        self._blocks = [
            torch.nonzero(((blocks == b) & (share > 0)).flatten()).flatten()
            for b in range(min(_BLOCKS, len(rows)))
        ]
        self._blocks = [block for block in self._blocks if len(block)]

    @torch.no_grad()
    def __call__(
        self, columns: Sequence[int] | None = None, temperature: float = 1.0
    ) -> Verdict:
        """Judge all columns, or some; the verdict has these alone.

        Raw outputs are divided by the temperature.
        """
        network = self._network.eval()
        inputs = tuple(tensor[self._blind.rows] for tensor in self._inputs)
        features = network.features(*inputs)  # (M, n, F)
        share = self._share.unsqueeze(-1)
        mean = (features * share).sum(1, keepdim=True)
        mean /= share.sum(1, keepdim=True).clamp(min=torch.finfo(mean.dtype).tiny)
        first, *rest = network.head.layers
        hidden = first(features)
        losses = partial(
            self._losses, rest=rest, inputs=inputs, temperature=temperature
        )
        present = losses(hidden)
        rises = []
        for j in range(len(self._places)) if columns is None else columns:
            place = self._places[j]
            away = features[..., place.entries] - mean[..., place.entries]
            without = hidden - torch.bmm(away, first.weight[:, place.entries])
            rises.append(losses(without, new_groups=place.groupings) - present)
        shape = (len(self._blocks), 0)
        found = np.stack(rises, axis=1) if rises else np.zeros(shape)
        return Verdict(found, float(present.mean()))

    def _losses(
        self,
        hidden: Tensor,
        *,
        rest: list[Any],
        inputs: tuple[Tensor, ...],
        temperature: float,
        new_groups: Sequence[int] = (),
    ) -> np.ndarray:
        """Return the loss of each block, from what the first layers make of it."""
        raw = hidden
        for layer in rest:
            raw = layer(raw)
        if self._network.effects is not None:
            groups = inputs[-1]
            if new_groups:
                groups = groups.clone()
                groups[..., list(new_groups)] = NEW
            raw = raw + self._network.effects(groups)
        raw = raw.float().flatten(0, 1) / temperature
        share = self._share.flatten()
        losses = []
        for block in self._blocks:
            weight = share[block] / share[block].mean()
            losses.append(self._member.loss(raw[block], self._target[block], weight))
        return torch.stack(losses).double().cpu().numpy()
