"""The members of a network, be they modules of their own or a pack."""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from skdl.data.binned import BinnedTableEncoder
from skdl.data.table import TableEncoder
from skdl.networks.embedding import EmbeddingNetwork, EntityEmbedding
from skdl.networks.ensemble import Ensemble
from skdl.networks.packed import PackedLinear
from skdl.networks.packed_embedding import PackedEmbedding, PackedEmbeddingNetwork


@dataclass(frozen=True)
class PackedMember:
    """The embedding of one member of a pack, as `EntityEmbedding` shows its own."""

    pack: PackedEmbedding
    number: int

    @property
    def dims(self) -> list[int]:
        """Entries of each vocabulary's vectors."""
        return self.pack.dims

    def parts(self) -> tuple[torch.Tensor, ...]:
        """Return the rows of each vocabulary, as views of the table."""
        return self.pack.parts(self.number)


def members_of(network: Any) -> list[EmbeddingNetwork]:
    """Return the modules whose mean a network is."""
    return list(network.members) if isinstance(network, Ensemble) else [network]


def embeddings_of(network: nn.Module) -> list[EntityEmbedding | PackedMember]:
    """Return the embedding of each member of a network."""
    if isinstance(network, PackedEmbeddingNetwork):
        pack: Any = network.embedding
        return [PackedMember(pack, m) for m in range(network.n_members)]
    return [member.embedding for member in members_of(network)]


def embedded_numbers(
    network: nn.Module, encoder: TableEncoder
) -> list[tuple[list[int], int]]:
    """Return which numbers have vectors, in the order in which a pack puts these.

    Returns
    -------
    list of (columns, entries)
        The numbers, by their places in a row, and the entries of the vector of each.
    """
    if not isinstance(network, PackedEmbeddingNetwork):
        return []
    found: list[tuple[list[int], int]] = []
    if network.embedding is not None:  # of integers that name things, after categories
        integers = cast(BinnedTableEncoder, encoder).integers.columns
        dims = network.embedding.dims
        pairs = zip(integers, dims[len(dims) - len(integers) :], strict=True)
        found += [([column], dim) for column, dim in pairs]
    if network.piecewise is not None:
        columns = cast(BinnedTableEncoder, encoder).bins.columns.tolist()
        found.append((columns, network.piecewise.n_outputs // len(columns)))
    if network.cosine is not None:
        columns = network.cosine.columns.tolist()
        found.append((columns, network.cosine.n_outputs // len(columns)))
    return found


def effects_of(network: nn.Module) -> list[np.ndarray]:
    """Return the intercepts of groups in each member that has them."""
    if isinstance(network, PackedEmbeddingNetwork):
        effects = network.effects
        return [] if effects is None else list(effects.table.detach().cpu().numpy())
    return [
        member.effects.table.detach().cpu().numpy()
        for member in members_of(network)
        if member.effects is not None
    ]


def first_weight_of(
    network: nn.Module, n_inputs: int, member: int = 0
) -> np.ndarray | None:
    """Return the first layer's weight (n_units, n_inputs) in a member.

    None where a user's network does not begin with a linear layer of its inputs.
    """
    members = members_of(network)
    head = members[0 if len(members) == 1 else member].head
    first = next((m for m in head.modules() if not list(m.children())), None)
    if isinstance(first, PackedLinear):
        return first.weight.detach()[member].T.cpu().numpy()
    if isinstance(first, nn.Linear) and first.in_features == n_inputs:
        return first.weight.detach().cpu().numpy()
    return None
