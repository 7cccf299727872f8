"""Packs: networks side by side as one module with stacked weights.

The first dimension of every weight counts the members. One batched product, one
activation and one optimizer step then serve all of them, so that a pack of k costs at
most k times one network, and on small layers, where a call costs more than its
arithmetic, little more than one. Members share nothing but their inputs: each has its
own start, its own dropout and its own gradient.

Where a module takes inputs they are (B, ...), the same rows for every member, or
(M, B, ...), other rows for each. A `Pack` gives the raw outputs of the members side by
side, (B, M * K), as `Ensemble` does; `Pack.each` gives them as (M, B, K).
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from skdl.networks.embedding import looked_up
from skdl.networks.mlp import MLP
from skdl.networks.packed_settings import PackedDropout
from skdl.networks.random_effects import with_groups
from skdl.networks.straight import Function, kept_straight, straight

# Weights of fewer outputs than this are laid out by output for the product, which is
# half as long then; with more outputs it is longer.
_FEW_OUTPUTS = 16
# Batched products of fewer than 400 multiplications go through a kernel of their own:
# with 16 rows, those with fewer than this many a row.
_TINY = 25
# Weights from which the products of sixteen rows take longer than all else that there
# is to do for one row.
_LARGE = 1 << 16


def for_each_member(x: Tensor, n_members: int, shared_ndim: int = 2) -> Tensor:
    """Return inputs as (M, B, ...); those with `shared_ndim` dimensions are shared."""
    return x.expand(n_members, *x.shape) if x.ndim == shared_ndim else x


class Pack(nn.Module):
    """Networks side by side.

    Attributes
    ----------
    n_members : int
        How many.
    each : callable
        A method of the subclass that takes inputs and returns the members' raw
        outputs, (M, B, K).
    straight_each : callable
        A method of the subclass, if it may be large, that returns `each` as a function.
    """

    n_members: int
    each: Callable[..., Tensor]
    straight_each: Callable[[], Function]
    _is_large = False

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return the members' raw outputs one after the other, (B, M * K)."""
        return self.each(*inputs).transpose(0, 1).flatten(1)

    def function_of_one_row(self) -> Function | None:
        """Return what computes one row by itself; None for a row among others.

        In a small pack others cost little, and a row has the bits that it has among
        them; in a large one sixteen rows take several times as long as one.
        """
        return kept_straight(self) if self._is_large else None

    def straight(self) -> Function:
        """Return what this does with one row as a function."""
        each = self.straight_each()
        return lambda *inputs: each(*inputs).reshape(1, -1)


def straight_each(pack: Pack) -> Function:
    """Return `each` of a pack as a function, where its class has one."""
    own = vars(type(pack)).get("straight_each")
    return pack.each if own is None else own(pack)


class PackedLinear(nn.Module):
    """Linear layers side by side.

    Parameters
    ----------
    layers : iterable of nn.Linear
        Of one size; their weights are copied, so that each member starts as its layer.

    Attributes
    ----------
    weight : nn.Parameter of shape (M, n_inputs, n_outputs)
        As one batched product takes it; a layer's own weight is its transpose.
    bias : nn.Parameter of shape (M, n_outputs) or None
        Of each output.

    Examples
    --------
    >>> import torch
    >>> pack = PackedLinear(torch.nn.Linear(4, 2) for _ in range(3))
    >>> pack(torch.zeros(5, 4)).shape, pack(torch.zeros(3, 5, 4)).shape
    (torch.Size([3, 5, 2]), torch.Size([3, 5, 2]))
    """

    pack_dims = 1  # of each parameter, the first dimensions that count members

    def __init__(self, layers: Iterable[nn.Linear]) -> None:
        super().__init__()
        layers = list(layers)
        weights = [layer.weight.detach().T for layer in layers]
        self.weight = nn.Parameter(torch.stack(weights))
        self.bias = None
        if layers[0].bias is not None:
            biases = [layer.bias.detach() for layer in layers]
            self.bias = nn.Parameter(torch.stack(biases))

    def forward(self, x: Tensor) -> Tensor:
        """Return outputs, (B, n_inputs) or (M, B, n_inputs) -> (M, B, n_outputs)."""
        weight: Tensor = self.weight
        x = for_each_member(x, len(weight))
        if self.training and weight.shape[2] < _FEW_OUTPUTS:
            weight = weight.mT.contiguous().mT
        bias = self.bias
        if bias is None:
            return torch.bmm(x, weight)
        return batched_linear(x, weight, bias.unsqueeze(1), self.training)

    def straight(self) -> Function:
        """Return what this does with one row as a function."""
        if self.bias is None:
            return self.forward
        weight, bias = self.weight.detach(), self.bias.detach().unsqueeze(1)
        n = len(weight)
        return lambda x: torch.baddbmm(bias, for_each_member(x, n), weight)

    def extra_repr(self) -> str:
        """Show the sizes."""
        n_members, n_inputs, n_outputs = self.weight.shape
        return f"n_members={n_members}, in={n_inputs}, out={n_outputs}"


class PackedBatchNorm(nn.BatchNorm1d):
    """Batch norm of each member's units over the rows of the batch.

    Parameters
    ----------
    n_members, n_features : int
        Members, and units of each.
    """

    def __init__(self, n_members: int, n_features: int) -> None:
        super().__init__(n_members * n_features)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise, (M, B, n_features) kept."""
        n_members, _, n_features = x.shape
        flat = super().forward(x.transpose(0, 1).flatten(1))
        return flat.unflatten(1, (n_members, n_features)).transpose(0, 1)


class PackedMLP(Pack):
    """Dense networks side by side, each of which starts as an `MLP` does.

    Parameters
    ----------
    n_members : int
        How many.
    n_inputs, n_outputs, hidden_layer_sizes, activation, batch_norm
        Of each, as `MLP` takes them.
    dropout : float or sequence of float, default=0.0
        Likewise, or that of each member.

    Examples
    --------
    >>> import torch
    >>> pack = PackedMLP(3, 4, 2, hidden_layer_sizes=(8,))
    >>> pack(torch.zeros(5, 4)).shape
    torch.Size([5, 6])
    >>> pack.each(torch.zeros(5, 4)).shape
    torch.Size([3, 5, 2])
    """

    def __init__(
        self,
        n_members: int,
        n_inputs: int,
        n_outputs: int,
        *,
        hidden_layer_sizes: Sequence[int] = (256, 128),
        activation: str = "relu",
        dropout: float | Sequence[float] = 0.0,
        batch_norm: bool = False,
    ) -> None:
        super().__init__()
        self.n_members = n_members
        members = [
            MLP(
                n_inputs,
                n_outputs,
                hidden_layer_sizes=hidden_layer_sizes,
                activation=activation,
                dropout=0.0 if isinstance(dropout, Sequence) else dropout,
                batch_norm=batch_norm,
            )
            for _ in range(n_members)
        ]
        own = partial(PackedDropout, dropout) if isinstance(dropout, Sequence) else None
        self.layers = packed_layers(members, own)
        weights = (p.numel() for p in self.layers.parameters())
        self._is_large = sum(weights) >= _LARGE

    def each(self, x: Tensor) -> Tensor:
        """Return the members' raw outputs, (M, B, n_outputs)."""
        return self.layers(x)

    def straight_each(self) -> Function:
        """Return `each` as a function."""
        steps = [straight(layer) for layer in self.layers]

        def each(x: Tensor) -> Tensor:
            for step in steps:
                x = step(x)
            return x

        return each


def packed_layers(
    members: Iterable[Iterable[nn.Module]],
    dropout: Callable[[], nn.Module] | None = None,
) -> nn.Sequential:
    """Stack the layers of networks, with dropout behind activations if it is given."""
    layers: list[nn.Module] = []
    for same in zip(*members, strict=True):
        layers.append(_packed_layer(same))
        is_activation = not isinstance(same[0], nn.Linear | nn.BatchNorm1d)
        if dropout is not None and is_activation:
            layers.append(dropout())
    return nn.Sequential(*layers)


def _packed_layer(layers: tuple) -> nn.Module:
    """Stack layers of one place in their networks."""
    if isinstance(layers[0], nn.Linear):
        return PackedLinear(layers)
    if isinstance(layers[0], nn.BatchNorm1d):
        return PackedBatchNorm(len(layers), layers[0].num_features)
    return layers[0]  # without weights; dropout draws for every value of every member


class PackedRandomEffects(nn.Module):
    """The intercepts of groups in each member, as `RandomEffects` has them.

    Parameters
    ----------
    n_members : int
        How many.
    sizes : sequence of int
        Groups of each grouping.
    n_outputs : int
        Raw outputs of a member, each of which has an intercept.

    Attributes
    ----------
    table : nn.Parameter of shape (M, 1 + sum(sizes), n_outputs)
        Intercepts; those of groups never seen, the first row, stay zero.
    """

    weight_decay = 0.5

    def __init__(self, n_members: int, sizes: Sequence[int], n_outputs: int) -> None:
        super().__init__()
        self.sizes = list(sizes)
        n_rows = 1 + sum(sizes)
        self.table = nn.Parameter(torch.zeros(n_members, n_rows, n_outputs))

    @torch.no_grad()
    def grow(self, sizes: Sequence[int]) -> None:
        """Append groups to the groupings; new ones have no effect yet."""
        self.table = nn.Parameter(with_groups(self.table.detach(), self.sizes, sizes))
        self.sizes = list(sizes)

    def forward(self, groups: Tensor) -> Tensor:
        """Add up, (B, n_groupings) or (M, B, n_groupings) -> (M, B, n_outputs)."""
        known = for_each_member(groups > 0, len(self.table)).unsqueeze(-1)
        return (looked_up_by_member(groups, self.table) * known).sum(2)


def batched_linear(
    x: Tensor, weight: Tensor, bias: Tensor, training: bool = True
) -> Tensor:
    """Return ``bias + x @ weight`` of each entry of a batch of matrices.

    (N, B, I), (N, I, O) and (N, 1, O) -> (N, B, O). Unless in training, a row has the
    same bits whatever rows are beside it, and in whatever order, if their number is a
    multiple of 16. One row goes through the kernels that are fastest for one.
    """
    if training or x.shape[1] == 1:
        return torch.baddbmm(bias, x, weight)
    _, n_inputs, n_outputs = weight.shape
    padding = -n_outputs % 4 if 4 < n_outputs < 12 else 0
    if padding:
        bias, weight = (functional.pad(t, (0, padding)) for t in (bias, weight))
    if n_inputs * (n_outputs + padding) < _TINY:
        each = zip(bias, x, weight, strict=True)
        raw = torch.stack([torch.addmm(b, rows, w) for b, rows, w in each])
    else:
        raw = torch.baddbmm(bias, x, weight)
    return raw[..., :n_outputs] if padding else raw


def looked_up_by_member(indices: Tensor, table: Tensor) -> Tensor:
    """Return rows of the members' tables, all by one lookup.

    (B, C) or (M, B, C) and (M, R, W) -> (M, B, C, W).
    """
    rows = indices + starts_of_members(table, indices.dtype)
    return looked_up(rows, table.flatten(0, 1))


def starts_of_members(table: Tensor, dtype: torch.dtype) -> Tensor:
    """Return where each member's rows begin if all are in one table, (M, 1, 1)."""
    n_members, n_rows, _ = table.shape
    starts = torch.arange(n_members, device=table.device, dtype=dtype)
    return (starts * n_rows).view(-1, 1, 1)
