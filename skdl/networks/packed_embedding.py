"""Packs of networks whose inputs are categories and numbers."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn

from skdl.networks.corrections import Corrections
from skdl.networks.embedding import EntityEmbedding, grown, looked_up, unknown_rows
from skdl.networks.gates import InputGates
from skdl.networks.numeric_embedding import CosineEmbedding, PiecewiseLinearEmbedding
from skdl.networks.packed import (
    Pack,
    PackedMLP,
    PackedRandomEffects,
    for_each_member,
    looked_up_by_member,
    starts_of_members,
    straight_each,
)
from skdl.networks.packed_settings import dropout_of_rates
from skdl.networks.straight import Function, straight
from skdl.randomness import generator_on

# What a network of a pack may have beside dense layers.
_PARTS = "embedding", "piecewise", "cosine", "gates", "effects", "corrections"


class PackedEmbedding(nn.Module):
    """Entity embeddings side by side; one lookup serves all members and columns.

    Each member has vectors of its own that start as `EntityEmbedding` has them, drops
    entries of its own and hides categories of its own.

    Parameters
    ----------
    n_members : int
        How many.
    sizes, dims, vocabulary_of_column, unknown_rate
        Of each, as `EntityEmbedding` takes them.
    dropout : float or sequence of float, default=0.0
        Likewise, or that of each member.
    weight_decay : float, default=0.0
        Decay of the vectors, in place of the optimizer's.
    drops : sequence of bool, optional
        Of which columns entries are dropped; of all by default.

    Attributes
    ----------
    table : nn.Parameter of shape (M, sum(sizes), max(dims))
        Vectors; entries beyond those of a vocabulary are zero.

    Examples
    --------
    >>> import torch
    >>> pack = PackedEmbedding(3, [5, 4], [3, 2], [0, 1])
    >>> pack(torch.tensor([[2, 5], [0, 8]])).shape
    torch.Size([3, 2, 5])
    """

    kept: Tensor
    unknown: Tensor
    is_dropped: Tensor | None

    def __init__(
        self,
        n_members: int,
        sizes: Sequence[int],
        dims: Sequence[int],
        vocabulary_of_column: Sequence[int],
        *,
        dropout: float | Sequence[float] = 0.0,
        unknown_rate: float = 0.0,
        weight_decay: float = 0.0,
        drops: Sequence[bool] | None = None,
    ) -> None:
        super().__init__()
        self.sizes, self.dims = list(sizes), list(dims)
        self.vocabulary_of_column = list(vocabulary_of_column)
        self.unknown_rate, self.weight_decay = unknown_rate, weight_decay
        members = [
            EntityEmbedding(sizes, dims, vocabulary_of_column) for _ in range(n_members)
        ]
        tables = [member.table.weight.detach() for member in members]
        self.table = nn.Parameter(torch.stack(tables))
        self.dropout = dropout_of_rates(dropout)
        self.register_buffer("kept", members[0].kept, False)
        self.register_buffer("unknown", members[0].unknown, False)
        drops = (
            [True] * len(self.vocabulary_of_column) if drops is None else list(drops)
        )
        pairs = zip(drops, self.vocabulary_of_column, strict=True)
        is_dropped = torch.tensor(
            [drop for drop, v in pairs for _ in range(self.dims[v])], dtype=torch.bool
        )
        self.register_buffer("is_dropped", None if all(drops) else is_dropped, False)
        width = self.table.shape[2]
        self._is_dense = len(self.kept) == width * len(self.vocabulary_of_column)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take the state, also of files from before columns differed in dropout."""
        super().__setstate__(state)
        self._buffers.setdefault("is_dropped", None)

    @property
    def n_outputs(self) -> int:
        """Entries of a row's vectors together, in each member."""
        return len(self.kept)

    @property
    def drops(self) -> bool:
        """Whether entries of any column are dropped in training."""
        return self.is_dropped is None or bool(self.is_dropped.any())

    def parts(self, member: int) -> tuple[Tensor, ...]:
        """Return the rows of each vocabulary in a member, as views of its table."""
        return self.table.detach()[member].split(self.sizes)

    def moved_by(self, sizes: Sequence[int]) -> list[int]:
        """Return by how much larger codes are, in each column, with other sizes."""
        pairs = zip(sizes, self.sizes, strict=True)
        starts = [0, *accumulate(new - old for new, old in pairs)]
        return [starts[v] for v in self.vocabulary_of_column]

    @torch.no_grad()
    def grow(self, sizes: Sequence[int]) -> None:
        """Append rows to vocabularies, as `EntityEmbedding.grow` does in each member.

        Parameters
        ----------
        sizes : sequence of int
            Rows of each vocabulary, no fewer than before.
        """
        self.table = nn.Parameter(grown(self.table.detach(), self.sizes, sizes))
        self.sizes = list(sizes)
        self.unknown = unknown_rows(sizes, self.vocabulary_of_column).to(self.unknown)

    def forward(self, indices: Tensor) -> Tensor:
        """Look up, (B, n_columns) or (M, B, n_columns) -> (M, B, n_outputs)."""
        if self.training and self.unknown_rate > 0:
            indices = for_each_member(indices, len(self.table))
            device = indices.device
            hidden = torch.rand(
                indices.shape, device=device, generator=generator_on(device)
            )
            indices = torch.where(
                hidden < self.unknown_rate, self.unknown.to(indices.dtype), indices
            )
        vectors = looked_up_by_member(indices, self.table).flatten(2)  # (M, B, C * W)
        if not self._is_dense:
            vectors = vectors.index_select(2, self.kept)
        if self.is_dropped is None or not self.training:
            return self.dropout(vectors)
        return torch.where(self.is_dropped, self.dropout(vectors), vectors)

    def straight(self) -> Function:
        """Return what this does in evaluation as a function."""
        table = self.table.detach()
        starts, rows = starts_of_members(table, torch.int32), table.flatten(0, 1)
        kept, drop = None if self._is_dense else self.kept, straight(self.dropout)

        def vectors(indices: Tensor) -> Tensor:
            found = looked_up(indices + starts, rows).flatten(2)
            return drop(found if kept is None else found.index_select(2, kept))

        return vectors


class PackedEmbeddingNetwork(Pack):
    """Networks side by side on embedded categories, embedded numbers and plain ones.

    Parameters
    ----------
    head : PackedMLP
        Takes all vectors and then the numbers, in the order of these parameters.
    embedding : PackedEmbedding or None, default=None
        Of the categories.
    piecewise : PiecewiseLinearEmbedding or None, default=None
        Of the numbers' positions in bins.
    cosine : CosineEmbedding or None, default=None
        Of the numbers.
    effects : PackedRandomEffects or None, default=None
        Intercepts of groups that are added to the head's outputs.
    gates : InputGates or None, default=None
        What the head's inputs are multiplied by while the network learns.

    Attributes
    ----------
    corrections : Corrections or None
        What is added to the outputs of all members; None at first.

    Examples
    --------
    >>> import torch
    >>> embedding = PackedEmbedding(3, [5, 4], [3, 2], [0, 1])
    >>> pack = PackedEmbeddingNetwork(PackedMLP(3, 5 + 1, 2), embedding)
    >>> pack(torch.tensor([[2, 5], [0, 8]]), torch.zeros(2, 1)).shape
    torch.Size([2, 6])
    """

    def __init__(
        self,
        head: PackedMLP,
        embedding: PackedEmbedding | None = None,
        piecewise: PiecewiseLinearEmbedding | None = None,
        cosine: CosineEmbedding | None = None,
        effects: PackedRandomEffects | None = None,
        gates: InputGates | None = None,
    ) -> None:
        super().__init__()
        self.n_members, self._is_large = head.n_members, head._is_large
        self.embedding = embedding
        self.piecewise = piecewise
        self.cosine = cosine
        self.effects = effects
        self.gates = gates
        self.head = head
        self.corrections: Corrections | None = None

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take the state, also of files from before there were cosines or gates."""
        super().__setstate__(state)
        self._modules.setdefault("gates", None)
        self._modules.setdefault("corrections", None)
        if "numeric" in self._modules:
            self._modules["piecewise"] = self._modules.pop("numeric")
            self.cosine = None

    def grow(self, sizes: Sequence[int], n_groups: Sequence[int]) -> None:
        """Append rows to vocabularies and groups to groupings."""
        if self.embedding is not None:
            if self.corrections is not None:
                self.corrections.move(self.embedding.moved_by(sizes))
            self.embedding.grow(sizes)
        if self.effects is not None:
            self.effects.grow(n_groups)

    def features(self, indices: Tensor, numbers: Tensor, *others: Tensor) -> Tensor:
        """Return what the head is given, (M, B, F); see `each`."""
        parts = self.embedding, self.piecewise, self.cosine, self.gates
        return _joined(parts, self.n_members, indices, numbers, *others)

    def straight_each(self) -> Function:
        """Return `each` as a function."""
        embedding, piecewise, cosine, gates, effects, corrections = (
            None if (part := getattr(self, name)) is None else straight(part)
            for name in _PARTS
        )
        parts, n_members = (embedding, piecewise, cosine, gates), self.n_members
        head = straight_each(self.head)

        def each(indices: Tensor, numbers: Tensor, *others: Tensor) -> Tensor:
            raw = head(_joined(parts, n_members, indices, numbers, *others))
            raw = raw if effects is None else raw + effects(others[-1])
            if corrections is None:
                return raw
            return raw + corrections(indices, numbers)

        return each

    def each(self, indices: Tensor, numbers: Tensor, *others: Tensor) -> Tensor:
        """Return the members' raw outputs, (M, B, K).

        `indices` (B, C) int, `numbers` (B, D) float; then, where `piecewise` takes
        them, `positions` (B, E) float and, where there are effects, `groups` (B, G)
        int. All are (M, B, ...) where each member has rows of its own.
        """
        raw = self.head.each(self.features(indices, numbers, *others))
        if self.effects is not None:
            raw = raw + self.effects(others[-1])
        if self.corrections is not None:
            raw = raw + self.corrections(indices, numbers)
        return raw


def _joined(
    parts: tuple[Function | None, ...],
    n_members: int,
    indices: Tensor,
    numbers: Tensor,
    *others: Tensor,
) -> Tensor:
    """Return vectors and numbers side by side, (M, B, F).

    `parts` are the embeddings of categories, positions and numbers, and gates.
    """
    embedding, piecewise, cosine, gates = parts
    found = []
    if embedding is not None:
        found.append(embedding(indices))
    if piecewise is not None:
        found.append(piecewise(others[0]))
    if cosine is not None:
        found.append(cosine(numbers))
    if numbers.shape[-1]:
        found.append(for_each_member(numbers, n_members))
    inputs = torch.cat(found, dim=2) if len(found) > 1 else found[0]
    return inputs if gates is None else gates(inputs)
