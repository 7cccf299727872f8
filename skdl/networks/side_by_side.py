"""Networks that were made one by one, put side by side to be trained as one.

The members of a pack that `PackedMLP` makes share inputs, rates of dropout and the
generator that they draw from. What is stacked here shares nothing: each member has rows
of its own, (M, B, ...), its own dropout and the random numbers that it would draw if it
were trained alone. Members that would draw the same numbers are of one stream, which
draws them once.
"""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from skdl.networks.dropout import Dropout
from skdl.networks.embedding import EmbeddingNetwork, EntityEmbedding
from skdl.networks.mlp import MLP
from skdl.networks.packed import (
    Pack,
    PackedBatchNorm,
    PackedLinear,
    looked_up_by_member,
    packed_layers,
)
from skdl.networks.packed_embedding import PackedEmbeddingNetwork
from skdl.randomness import generators_side_by_side


class DropoutSideBySide(nn.Module):
    """Dropout whose masks are those of each stream.

    Parameters
    ----------
    rates : sequence of float
        Probability of a zero in each stream.
    streams : sequence of int
        The stream of each member.
    """

    streams: Tensor

    def __init__(self, rates: Sequence[float], streams: Sequence[int]) -> None:
        super().__init__()
        self.pools = nn.ModuleList(map(Dropout, rates))
        self.drops = any(rates)
        self.register_buffer("streams", torch.tensor(list(streams)), False)

    def forward(self, x: Tensor) -> Tensor:
        """Drop values in training, (M, ...) kept."""
        if not (self.training and self.drops):
            return x
        size, device = x[0].numel(), x.device
        masks = [
            cast(Dropout, pool).mask_on(device, size, generator)
            for pool, generator in zip(
                self.pools, generators_side_by_side(device), strict=True
            )
        ]
        mask = of_each_member(torch.stack(masks), self.streams)
        return x * mask.view(-1, *x.shape[1:])


def of_each_member(drawn: Tensor, streams: Tensor) -> Tensor:
    """Return what each member's stream has drawn, (S, ...) -> (M, ...) or (1, ...)."""
    return drawn if len(drawn) == 1 else drawn.index_select(0, streams)


class MLPsSideBySide(Pack):
    """Dense networks side by side, each with the weights and the dropout it has.

    Parameters
    ----------
    members : sequence of MLP
        Of one shape but for their dropout; their weights are copied.
    streams : sequence of int
        The stream of each.
    """

    def __init__(self, members: Sequence[MLP], streams: Sequence[int]) -> None:
        super().__init__()
        self.n_members = len(members)
        rates = rates_of_streams([dropout_of(m) for m in members], streams)
        self.layers = packed_layers(
            map(layers_of, members), lambda: DropoutSideBySide(rates, streams)
        )

    def each(self, x: Tensor) -> Tensor:
        """Return the members' raw outputs, (M, B, n_inputs) -> (M, B, n_outputs)."""
        return self.layers(x)


class EmbeddingsSideBySide(nn.Module):
    """Entity embeddings side by side, each with vocabularies of its own.

    Parameters
    ----------
    members : sequence of EntityEmbedding
        Whose vectors have the same entries; they may have more or fewer of them.
    streams : sequence of int
        The stream of each.

    Attributes
    ----------
    table : nn.Parameter of shape (M, rows, width)
        Vectors; those beyond a member's own are zero.
    """

    weight_decay = 0.0
    kept: Tensor
    unknown: Tensor
    streams: Tensor

    def __init__(
        self, members: Sequence[EntityEmbedding], streams: Sequence[int]
    ) -> None:
        super().__init__()
        tables = [member.table.weight.detach() for member in members]
        most = max(map(len, tables))
        self.table = nn.Parameter(
            torch.stack(
                [torch.cat([t, t.new_zeros(most - len(t), t.shape[1])]) for t in tables]
            )
        )
        rates = rates_of_streams([m.dropout.p for m in members], streams)
        self.dropout = DropoutSideBySide(rates, streams)
        self.unknown_rate = members[0].unknown_rate
        unknown = torch.stack([member.unknown for member in members])
        self.register_buffer("unknown", unknown.unsqueeze(1), False)  # (M, 1, C)
        self.register_buffer("kept", members[0].kept, False)
        self.register_buffer("streams", torch.tensor(list(streams)), False)
        self._is_dense = members[0]._is_dense

    def forward(self, indices: Tensor) -> Tensor:
        """Look up, (M, B, n_columns) -> (M, B, n_outputs)."""
        if self.training and self.unknown_rate > 0:
            device = indices.device
            drawn = [
                torch.rand(indices.shape[1:], device=device, generator=generator)
                for generator in generators_side_by_side(device)
            ]
            hidden = of_each_member(torch.stack(drawn), self.streams)
            indices = torch.where(
                hidden < self.unknown_rate, self.unknown.to(indices.dtype), indices
            )
        vectors = looked_up_by_member(indices, self.table).flatten(2)
        if not self._is_dense:
            vectors = vectors.index_select(2, self.kept)
        return self.dropout(vectors)


def side_by_side(networks: Sequence[nn.Module], streams: Sequence[int]) -> Pack:
    """Put networks side by side.

    Parameters
    ----------
    networks : sequence of MLP or of EmbeddingNetwork
        Of one shape; see `shape_of`.
    streams : sequence of int
        Which of the streams of `drawing_side_by_side` each draws from.

    Returns
    -------
    Pack
        Takes what the networks take, with a first axis that counts members.

    Examples
    --------
    >>> import torch
    >>> pack = side_by_side([MLP(4, 2, dropout=p) for p in (0.0, 0.3)], [0, 1])
    >>> pack.eval()(torch.zeros(2, 5, 4)).shape
    torch.Size([5, 4])
    """
    members: Any = networks
    if isinstance(networks[0], MLP):
        return MLPsSideBySide(members, streams)
    head: Any = MLPsSideBySide([n.head for n in members], streams)
    embedding: Any = EmbeddingsSideBySide([n.embedding for n in members], streams)
    return PackedEmbeddingNetwork(head, embedding)


@torch.no_grad()
def give_back(pack: Pack, networks: Sequence[nn.Module]) -> None:
    """Give networks the weights that they have got side by side."""
    dense: Any = pack
    if isinstance(pack, PackedEmbeddingNetwork):
        embedding: Any = pack.embedding
        for network, table in zip(networks, embedding.table, strict=True):
            own: Tensor = cast(Any, network).embedding.table.weight
            own.copy_(table[: len(own)])
        dense, networks = pack.head, [cast(Any, n).head for n in networks]
    packed = [m for m in dense.layers if not isinstance(m, DropoutSideBySide)]
    for i, network in enumerate(networks):
        for layer, source in zip(layers_of(network), packed, strict=True):
            _take_weights(layer, source, i, len(networks))


def _take_weights(layer: nn.Module, source: nn.Module, i: int, n_members: int) -> None:
    """Give a layer the weights of a member."""
    if isinstance(layer, nn.Linear) and isinstance(source, PackedLinear):
        layer.weight.copy_(source.weight[i].T)
        if layer.bias is not None and source.bias is not None:
            layer.bias.copy_(source.bias[i])
    elif isinstance(source, PackedBatchNorm):
        own, theirs = layer.state_dict(), source.state_dict()
        for name, tensor in own.items():
            found = theirs[name]
            tensor.copy_(found.view(n_members, -1)[i] if found.ndim else found)


def layers_of(network: nn.Module) -> list[nn.Module]:
    """Return the layers of a dense network but for its dropout."""
    return [m for m in network.children() if not isinstance(m, Dropout)]


def dropout_of(network: nn.Module) -> float:
    """Return the dropout of a dense network."""
    return next((m.p for m in network.children() if isinstance(m, Dropout)), 0.0)


def rates_of_streams(rates: Sequence[float], streams: Sequence[int]) -> list[float]:
    """Return the rate of each stream, whose members have the same."""
    return [rates[list(streams).index(s)] for s in range(max(streams) + 1)]


def shape_of(network: nn.Module) -> tuple | None:
    """Return what networks must have in common to be put side by side.

    Returns
    -------
    tuple or None
        Hashable; None of a network that is not to be put beside others.
    """
    if isinstance(network, MLP):
        return tuple((type(m).__name__, str(m)) for m in layers_of(network))
    if isinstance(network, EmbeddingNetwork) and network.effects is None:
        embedding = network.embedding
        columns = tuple(embedding.vocabulary_of_column)
        sizes = tuple(embedding.dims), columns, embedding.unknown_rate
        return sizes, shape_of(network.head)
    return None


def rates_of(network: nn.Module) -> tuple[float, ...]:
    """Return the rates of dropout in a network that has a shape."""
    if isinstance(network, EmbeddingNetwork):
        return network.embedding.dropout.p, dropout_of(network.head)
    return (dropout_of(network),)
