"""Changes of the scale of inputs and outputs, taken into the weights.

What a network computes stays what it was; only the units of what goes in or comes out
are others.
"""

from typing import Any

import torch
from torch import Tensor, nn

from skdl.networks.embedding import EmbeddingNetwork
from skdl.networks.ensemble import Ensemble
from skdl.networks.mlp import MLP
from skdl.networks.packed import PackedBatchNorm, PackedLinear
from skdl.networks.packed_embedding import PackedEmbeddingNetwork


def members_of(network: nn.Module) -> list[nn.Module]:
    """Return the networks whose outputs stand side by side in a network's."""
    return list(network.members) if isinstance(network, Ensemble) else [network]


def takes_inputs_anew(network: nn.Module) -> bool:
    """Tell whether `rescale_inputs` knows the first layer of a network."""
    if isinstance(network, PackedEmbeddingNetwork):
        return True
    return all(isinstance(_dense(member), MLP) for member in members_of(network))


@torch.no_grad()
def rescale_inputs(
    network: nn.Module, slope: Tensor, shift: Tensor, n_added: int
) -> None:
    """Make a network take numbers in new units, and some more inputs, in place.

    Parameters
    ----------
    network : nn.Module
        One for which `takes_inputs_anew`. Its last inputs are the numbers, then what
        `n_added` of earlier calls have added.
    slope, shift : Tensor of shape (n_numbers,)
        A number was ``slope * number + shift`` in the old units.
    n_added : int
        Inputs after the old ones, which have no effect yet.
    """
    if isinstance(network, PackedEmbeddingNetwork):
        _rescale_inputs_of_pack(network, slope, shift, n_added)
        return
    for member in members_of(network):
        start = 0
        if isinstance(member, EmbeddingNetwork):
            start = member.embedding.n_outputs
        first, norm = _first_layers(_dense(member))
        weight = first.weight
        numbers = slice(start, start + len(slope))
        offset = weight[:, numbers] @ shift.to(weight)
        if first.bias is not None:
            first.bias.add_(offset)
        elif norm is not None and norm.running_mean is not None:
            norm.running_mean.sub_(offset)  # has the part of the bias
        weight[:, numbers].mul_(slope.to(weight))
        if n_added:
            added = weight.new_zeros(len(weight), n_added)
            first.weight = nn.Parameter(torch.cat([weight, added], dim=1))
            first.in_features += n_added


def _rescale_inputs_of_pack(
    pack: PackedEmbeddingNetwork, slope: Tensor, shift: Tensor, n_added: int
) -> None:
    """Do it in every member; a layer's weight is (M, n_inputs, n_units) here."""
    first, *others = pack.head.layers
    if not isinstance(first, PackedLinear):
        raise TypeError(f"The first layer of {type(pack.head).__name__} is not linear.")
    weight = first.weight
    parts: list[Any] = [p for p in (pack.embedding, pack.numeric) if p is not None]
    start = sum(part.n_outputs for part in parts)
    numbers = weight[:, start : start + len(slope)]
    offset = shift.to(weight) @ numbers  # (M, n_units)
    if first.bias is not None:
        first.bias.add_(offset)
    elif others and isinstance(others[0], PackedBatchNorm):
        mean = others[0].running_mean
        if mean is not None:
            mean.sub_(offset.flatten())
    numbers.mul_(slope.to(weight).unsqueeze(1))
    if n_added:
        added = weight.new_zeros(len(weight), n_added, weight.shape[2])
        first.weight = nn.Parameter(torch.cat([weight, added], dim=1))


def output_layers(network: nn.Module, n_outputs: int) -> list[nn.Linear] | None:
    """Return the layer that each member's outputs come from, None if there is none.

    It is the last linear layer with so many outputs and a bias; whether outputs come
    from it unchanged only a trial tells.
    """
    found = []
    for member in members_of(network):
        layers = [
            module
            for module in member.modules()
            if isinstance(module, nn.Linear)
            and module.out_features == n_outputs
            and module.bias is not None
        ]
        if not layers:
            return None
        found.append(layers[-1])
    return found


@torch.no_grad()
def rescale_outputs(network: nn.Module, scale: Tensor, shift: Tensor) -> bool:
    """Make each raw output ``scale * output + shift``, if there is a layer for that.

    Parameters
    ----------
    network : nn.Module
        Any.
    scale, shift : Tensor of shape (n_outputs,)
        In float64.

    Returns
    -------
    bool
        Whether there is such a layer.
    """
    if isinstance(network, PackedEmbeddingNetwork):
        _rescale_outputs_of_pack(network, scale, shift)
        return True
    layers = output_layers(network, len(scale))
    if layers is None:
        return False
    for layer, member in zip(layers, members_of(network), strict=True):
        device = layer.weight.device
        a, b = scale.to(device), shift.to(device)
        layer.weight.copy_(layer.weight.double() * a[:, None])
        layer.bias.copy_(layer.bias.double() * a + b)
        if isinstance(member, EmbeddingNetwork) and member.effects is not None:
            member.effects.table.copy_(member.effects.table.double() * a)
    return True


def _rescale_outputs_of_pack(
    pack: PackedEmbeddingNetwork, scale: Tensor, shift: Tensor
) -> None:
    last: Any = pack.head.layers[-1]
    a, b = scale.to(last.weight.device), shift.to(last.weight.device)
    last.weight.copy_(last.weight.double() * a)
    last.bias.copy_(last.bias.double() * a + b)
    if pack.effects is not None:
        pack.effects.table.copy_(pack.effects.table.double() * a)


def _dense(member: nn.Module) -> nn.Module:
    """Return what takes the numbers."""
    return member.head if isinstance(member, EmbeddingNetwork) else member


def _first_layers(dense: nn.Module) -> tuple[nn.Linear, nn.BatchNorm1d | None]:
    """Return the first layer, and the batch norm after it if there is one."""
    first, *others = dense.children()
    if not isinstance(first, nn.Linear):
        raise TypeError(f"The first layer of {type(dense).__name__} is not linear.")
    norm = others[0] if others and isinstance(others[0], nn.BatchNorm1d) else None
    return first, norm
