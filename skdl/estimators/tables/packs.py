"""What a pack of table networks is made of: encoder, embeddings, networks."""

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from skdl.data.binned import BinnedTableEncoder
from skdl.estimators.tables.embedding_sizes import bounded_dim
from skdl.estimators.tables.recipe import Recipe
from skdl.networks.beside import new_head
from skdl.networks.gates import InputGates
from skdl.networks.numeric_embedding import CosineEmbedding, PiecewiseLinearEmbedding
from skdl.networks.packed import PackedLinear, PackedRandomEffects
from skdl.networks.packed_embedding import PackedEmbedding, PackedEmbeddingNetwork

# Share of categories that are hidden in training, so that the vector that unknown
# categories get is a trained one.
UNKNOWN_RATE = 0.01


def new_pack(
    encoder: BinnedTableEncoder,
    n_members: int,
    n_outputs: int,
    *,
    embedding: PackedEmbedding | None,
    cosine: bool,
    entries: int,
    slope: float = 0.0,
    gate_pace: float = 0.0,
    n_beside: int = 0,
    **layers: Any,
) -> PackedEmbeddingNetwork:
    """Return a pack for what an encoder gives.

    Parameters
    ----------
    encoder : BinnedTableEncoder
        Fitted.
    n_members, n_outputs : int
        Networks, and raw outputs of each.
    embedding : PackedEmbedding or None
        Of the categories.
    cosine : bool
        Whether numbers have vectors of cosines.
    entries : int
        Entries of a number's vector of either kind.
    slope : float, default=0.0
        What is left below zero of vectors that bend.
    gate_pace : float, default=0.0
        How fast the gates move that inputs are multiplied by while the networks learn;
        0 for no gates.
    n_beside : int, default=0
        Raw outputs of each network that only training sees.
    **layers
        As `PackedMLP` takes them.
    """
    piecewise = cosines = effects = None
    if encoder.n_bins:
        piecewise = PiecewiseLinearEmbedding(
            n_members, encoder.n_bins, entries, slope=slope
        )
    columns = encoder.varied
    if cosine and columns:
        cosines = CosineEmbedding(n_members, columns, entries)
        cosines.set_range(*encoder.numeric.seen_range())
    vectors = [part for part in (embedding, piecewise, cosines) if part is not None]
    n_inputs = encoder.numeric.n_outputs + sum(part.n_outputs for part in vectors)
    _, n_groups = encoder.sizes
    if n_groups:
        effects = PackedRandomEffects(n_members, n_groups, n_outputs)
    head = new_head(n_members, n_inputs, n_outputs, n_beside, **layers)
    gates = None
    if gate_pace:
        n_numbers = encoder.numeric.n_outputs
        n_entries = 0 if embedding is None else embedding.n_outputs
        both = (piecewise, encoder.bins.columns), (cosines, columns)
        vectors = [(list(of), entries) for part, of in both if part is not None]
        gates = InputGates(n_members, n_entries, n_numbers, vectors, gate_pace)
    return PackedEmbeddingNetwork(head, embedding, piecewise, cosines, effects, gates)


def packed_embedding(
    encoder: BinnedTableEncoder,
    n_members: int,
    recipe: Recipe,
    dims: Sequence[int],
    rows: Sequence[float],
) -> PackedEmbedding:
    """Return what embeds categories, and after them integers that name things.

    Parameters
    ----------
    encoder : BinnedTableEncoder
        Fitted.
    n_members : int
        Networks.
    recipe : Recipe
        How long vectors of integers are, and which are dropped.
    dims, rows : sequence
        Of each vocabulary, the entries of a vector, and the rows of a category in the
        mean.
    """
    at_most = recipe.most_entries, recipe.rows_of_an_entry
    pairs = zip(encoder.integers.values, encoder.integers.rows_of_each, strict=True)
    for values, rows_of_each in pairs:
        n_rows = round(rows_of_each * len(values))
        dims = [*dims, bounded_dim(len(values), n_rows, *at_most)]
        rows = [*rows, rows_of_each]
    tables = encoder.table_of_column
    return PackedEmbedding(
        n_members,
        encoder.sizes[0],
        dims,
        tables,
        dropout=recipe.embedding_dropout,
        unknown_rate=UNKNOWN_RATE,
        drops=[rows[t] < recipe.dropout_rows for t in tables],
    )


@torch.no_grad()
def begin_alike(network: PackedEmbeddingNetwork) -> None:
    """Give all members the weights of the first."""
    for parameter in network.parameters():
        if len(parameter) == network.n_members:  # batch norm begins alike anyway
            parameter.copy_(parameter[:1].expand_as(parameter).clone())


@torch.no_grad()
def without_piecewise(network: PackedEmbeddingNetwork, members: Sequence[int]) -> None:
    """Let some members of an untrained pack have no piecewise-linear vectors.

    These are zero, and so is what the first layer multiplies them with: then neither
    ever has a gradient. Where there are no cosines they stay.
    """
    piecewise, chosen = network.piecewise, list(members)
    if piecewise is None or network.cosine is None:
        return
    first = next(m for m in network.head.modules() if isinstance(m, PackedLinear))
    start = 0 if network.embedding is None else network.embedding.n_outputs
    piecewise.weight[chosen] = 0.0
    piecewise.bias[chosen] = 0.0
    first.weight[chosen, start : start + piecewise.n_outputs] = 0.0


def with_range(encoder: Any, network: nn.Module) -> tuple[Any, nn.Module]:
    """Return an encoder and a network that takes the range of numbers it has seen.

    A copy, where it took others.
    """
    cosine = getattr(network, "cosine", None)  # other networks take any number
    if not isinstance(cosine, CosineEmbedding):
        return encoder, network
    seen = encoder.numeric.seen_range()
    if not cosine.has_range(*seen):
        network = copy.deepcopy(network)
        network.cosine.set_range(*seen)
    return encoder, network


def work_per_row(network: nn.Module) -> float:
    """Count the multiplications of one forward pass by row."""
    return float(
        sum(
            parameter.numel()
            for module in network.modules()
            if isinstance(module, PackedLinear | PiecewiseLinearEmbedding)
            for parameter in module.parameters(recurse=False)
        )
    )


class UnknownVectors:
    """Gives categories that a member has not seen the vector of unknown ones.

    Parameters
    ----------
    network : PackedEmbeddingNetwork
        Where its embedding is.
    untrained : tuple of Tensor
        Which vectors of which members, and the unknown ones'; see `untrained_rows`.
    """

    def __init__(
        self, network: PackedEmbeddingNetwork, untrained: tuple[Tensor, ...]
    ) -> None:
        self._table: Tensor | None = None
        if network.embedding is not None:
            self._table, self._rows = network.embedding.table, untrained

    @torch.no_grad()
    def __call__(self) -> None:
        """Write the vectors."""
        if self._table is not None:
            members, rows, unknown = self._rows
            self._table[members, rows] = self._table[members, unknown]
