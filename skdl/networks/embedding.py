"""Networks whose inputs are categories."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from skdl.networks.dropout import Dropout
from skdl.networks.random_effects import RandomEffects
from skdl.randomness import generator_on

# Spread of the vectors at the start; small, so that a rare category begins near none.
_INITIAL_STD = 0.1


def unknown_rows(sizes: Sequence[int], vocabulary_of_column: Sequence[int]) -> Tensor:
    """Return the row of each column's unknown category, which is its first one.

    Examples
    --------
    >>> unknown_rows([5, 4], [0, 1])
    tensor([0, 5], dtype=torch.int32)
    """
    first = [sum(sizes[:v]) for v in vocabulary_of_column]
    return torch.tensor(first, dtype=torch.int32)


def grown(table: Tensor, sizes: Sequence[int], new_sizes: Sequence[int]) -> Tensor:
    """Return a table (..., sum(sizes), W) in which vocabularies have more rows.

    Vectors of new rows are the mean of the old ones.
    """
    parts = []
    for part, size in zip(table.split(list(sizes), dim=-2), new_sizes, strict=True):
        n_rows = part.shape[-2]
        known = part[..., 2:, :] if n_rows > 2 else part  # not unknown, not missing
        mean = known.mean(-2, keepdim=True)
        parts += [part, mean.expand(*part.shape[:-2], size - n_rows, -1)]
    return torch.cat(parts, dim=-2)


def looked_up(indices: Tensor, table: Tensor) -> Tensor:
    """Return rows of a table (R, W), which may have no columns: (...) -> (..., W)."""
    if not table.shape[1]:  # torch's gradient on GPUs reads entries all the same
        return indices.unsqueeze(-1)[..., :0].to(table.dtype)
    return functional.embedding(indices, table)


class EntityEmbedding(nn.Module):
    """A trained vector for every category of every column (arXiv 1604.06737).

    All vectors are rows of one table, as wide as the widest; a narrower column uses the
    first entries of its rows. One lookup then serves all columns.

    Parameters
    ----------
    sizes : sequence of int
        Rows of each vocabulary; its first row is the unknown category's.
    dims : sequence of int
        Entries of each vocabulary's vectors.
    vocabulary_of_column : sequence of int
        Which vocabulary each column uses.
    dropout : float, default=0.0
        Probability that an entry is zeroed in training.
    unknown_rate : float, default=0.0
        Probability that a category is replaced by the unknown one in training, which
        is how that vector learns.

    Examples
    --------
    >>> import torch
    >>> embedding = EntityEmbedding([5, 4], [3, 2], [0, 1])
    >>> embedding(torch.tensor([[2, 5], [0, 8]])).shape
    torch.Size([2, 5])
    """

    kept: Tensor
    unknown: Tensor

    def __init__(
        self,
        sizes: Sequence[int],
        dims: Sequence[int],
        vocabulary_of_column: Sequence[int],
        *,
        dropout: float = 0.0,
        unknown_rate: float = 0.0,
    ) -> None:
        super().__init__()
        self.sizes, self.dims = list(sizes), list(dims)
        self.unknown_rate = unknown_rate
        width = max(self.dims, default=0)
        vectors = torch.zeros(sum(self.sizes), width)
        generator = generator_on(vectors.device)
        for part, dim in zip(vectors.split(self.sizes), self.dims, strict=True):
            part[:, :dim].normal_(std=_INITIAL_STD, generator=generator)
        self.table = nn.Embedding.from_pretrained(vectors, freeze=False)
        self.dropout = Dropout(dropout)
        self.vocabulary_of_column = list(vocabulary_of_column)
        used = [self.dims[v] for v in vocabulary_of_column]
        kept = [j * width + k for j, dim in enumerate(used) for k in range(dim)]
        self.register_buffer("kept", torch.tensor(kept, dtype=torch.int64), False)
        unknown = unknown_rows(self.sizes, self.vocabulary_of_column)
        self.register_buffer("unknown", unknown, False)
        self._is_dense = len(kept) == width * len(used)

    @torch.no_grad()
    def grow(self, sizes: Sequence[int]) -> None:
        """Append rows to vocabularies; new vectors are the mean of the old ones.

        Parameters
        ----------
        sizes : sequence of int
            Rows of each vocabulary, no fewer than before.
        """
        table = grown(self.table.weight.detach(), self.sizes, sizes)
        self.table = nn.Embedding.from_pretrained(table, freeze=False)
        self.sizes = list(sizes)
        self.unknown = unknown_rows(sizes, self.vocabulary_of_column).to(self.unknown)

    @property
    def n_outputs(self) -> int:
        """Entries of a row's vectors together."""
        return len(self.kept)

    def parts(self) -> tuple[Tensor, ...]:
        """Return the rows of each vocabulary, as views of the table."""
        return self.table.weight.detach().split(self.sizes)

    def forward(self, indices: Tensor) -> Tensor:
        """Look the vectors up: (B, n_columns) -> (B, n_outputs)."""
        if self.training and self.unknown_rate > 0:
            device = indices.device
            hidden = torch.rand(
                indices.shape, device=device, generator=generator_on(device)
            )
            indices = torch.where(
                hidden < self.unknown_rate, self.unknown.to(indices.dtype), indices
            )
        vectors = looked_up(indices, self.table.weight)
        vectors = vectors.flatten(1)  # (B, n_columns * width)
        if not self._is_dense:
            vectors = vectors.index_select(1, self.kept)
        return self.dropout(vectors)


class EmbeddingNetwork(nn.Module):
    """Embedded categories and numbers side by side, and a network on top of them.

    Parameters
    ----------
    embedding : EntityEmbedding
        Takes the indices of categories.
    head : nn.Module
        Takes `embedding.n_outputs` columns and those of the numbers.
    effects : RandomEffects or None, default=None
        Intercepts of groups that are added to the head's outputs.
    """

    def __init__(
        self,
        embedding: EntityEmbedding,
        head: nn.Module,
        effects: RandomEffects | None = None,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.effects = effects
        self.head = head

    def grow(self, sizes: Sequence[int], n_groups: Sequence[int]) -> None:
        """Append rows to vocabularies and groups to groupings."""
        self.embedding.grow(sizes)
        if self.effects is not None:
            self.effects.grow(n_groups)

    def forward(
        self, indices: Tensor, numbers: Tensor, groups: Tensor | None = None
    ) -> Tensor:
        """Return raw outputs.

        `indices` (B, C) int, `numbers` (B, D) float, `groups` (B, G) int.
        """
        raw = self._fixed(indices, numbers)
        return raw if self.effects is None else raw + self.effects(groups)

    def _fixed(self, indices: Tensor, numbers: Tensor) -> Tensor:
        """Return the outputs without the effects of groups."""
        if indices.shape[1] == 0:
            return self.head(numbers)
        vectors = self.embedding(indices)
        if numbers.shape[1] == 0:
            return self.head(vectors)
        return self.head(torch.cat([vectors, numbers], dim=1))
