"""Changes of the scale of inputs and outputs, taken into the weights.

What a network computes stays what it was; only the units of what goes in or comes out
are others.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn

from skdl.networks.beside import drop_outputs_beside
from skdl.networks.corrections import Corrections
from skdl.networks.embedding import EmbeddingNetwork
from skdl.networks.ensemble import Ensemble
from skdl.networks.mlp import MLP
from skdl.networks.numeric_embedding import PiecewiseLinearEmbedding
from skdl.networks.packed import PackedLinear, PackedMLP
from skdl.networks.packed_embedding import PackedEmbeddingNetwork

# Layers whose weights are known, and networks whose first inputs are no numbers.
Linear = nn.Linear | PackedLinear
WithEmbedding = EmbeddingNetwork | PackedEmbeddingNetwork


def members_of(network: nn.Module) -> list[nn.Module]:
    """Return the networks whose outputs stand side by side in a network's."""
    return list(network.members) if isinstance(network, Ensemble) else [network]


def takes_inputs_anew(network: nn.Module) -> bool:
    """Tell whether `rescale_inputs` knows the first layer of a network."""
    dense = MLP | PackedMLP
    return all(isinstance(_dense(member), dense) for member in members_of(network))


@torch.no_grad()
def rescale_inputs(
    network: nn.Module,
    slope: Tensor,
    shift: Tensor,
    n_added: int,
    moved: Callable[[int, Tensor], Tensor] | None = None,
    indicators: Mapping[int, int] | None = None,
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
    moved : callable, optional
        Takes a number's place and old values, and returns them in the new units as they
        are, where a line is only near to that.
    indicators : mapping of int to int, optional
        Where among the inputs missing values are told, by the number.
    """
    if moved is None:
        moved = partial(_along_a_line, slope, shift)
    for member in members_of(network):
        start = _inputs_before_numbers(member)
        first, norm = _first_layers(_dense(member))
        numbers = _by_output(first)[..., start : start + len(slope)]
        offset = numbers @ shift.to(numbers)
        if first.bias is not None:
            first.bias.add_(offset)
        elif norm is not None and norm.running_mean is not None:
            norm.running_mean.sub_(offset.flatten())  # has the part of the bias
        numbers.mul_(slope.to(numbers))
        if isinstance(member, PackedEmbeddingNetwork) and member.cosine is not None:
            member.cosine.rescale(slope, shift)
        corrections = _corrections(member)
        if corrections is not None:
            corrections.rescale(moved)
            corrections.tell_missing(indicators or {})
        if n_added:
            _add_inputs(first, n_added)


def _along_a_line(slope: Tensor, shift: Tensor, column: int, old: Tensor) -> Tensor:
    return ((old.double() - shift[column]) / slope[column]).to(old)


def output_layers(network: nn.Module, n_outputs: int) -> list[Linear] | None:
    """Return the layer that each member's outputs come from, None if there is none.

    It is the last linear layer with so many outputs and a bias; whether outputs come
    from it unchanged only a trial tells.
    """
    found = []
    for member in members_of(network):
        layers = [
            module
            for module in member.modules()
            if isinstance(module, Linear)
            and _by_output(module).shape[-2] == n_outputs
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
    layers = output_layers(network, len(scale))
    if layers is None:
        return False
    for layer, member in zip(layers, members_of(network), strict=True):
        device = layer.weight.device
        a, b = scale.to(device), shift.to(device)
        weight, bias = _by_output(layer), cast(Tensor, layer.bias)
        weight.copy_(weight.double() * a[:, None])
        bias.copy_(bias.double() * a + b)
        if isinstance(member, WithEmbedding) and member.effects is not None:
            member.effects.table.copy_(member.effects.table.double() * a)
        corrections = _corrections(member)
        if corrections is not None:
            corrections.scale(a)
    return True


@torch.no_grad()
def fold_gates(network: nn.Module) -> None:
    """Take the gates of a pack's inputs, if it has any, into its first layer.

    Parameters
    ----------
    network : nn.Module
        Any; afterwards it has no gates.
    """
    gates = getattr(network, "gates", None)
    if isinstance(network, PackedEmbeddingNetwork) and gates is not None:
        first, _ = _first_layers(_dense(network))
        _by_output(first).mul_(gates.factors().unsqueeze(1))
        network.gates = None


def settle(network: nn.Module) -> None:
    """Make a network that has learned what predicts soonest, in place.

    Parameters
    ----------
    network : nn.Module
        Any. Gates of a pack are folded, outputs that only training sees left out, and
        on a CPU its weights are laid out as products take them; on a GPU steps of
        optimizers want them as they are.
    """
    fold_gates(network)
    drop_outputs_beside(network)
    piecewise = getattr(network, "piecewise", None)
    if isinstance(piecewise, PiecewiseLinearEmbedding) and _is_on_cpu(network):
        piecewise.lay_out()


def _corrections(member: nn.Module) -> Corrections | None:
    return member.corrections if isinstance(member, PackedEmbeddingNetwork) else None


def _is_on_cpu(network: nn.Module) -> bool:
    return next(network.parameters()).device.type == "cpu"


def _dense(member: nn.Module) -> nn.Module:
    """Return what takes the numbers."""
    return member.head if isinstance(member, WithEmbedding) else member


def _by_output(layer: Linear) -> Tensor:
    """Return a view of a weight whose last two axes are outputs and inputs."""
    return layer.weight.mT if isinstance(layer, PackedLinear) else layer.weight


def _add_inputs(layer: Linear, n_added: int) -> None:
    """Append inputs without an effect; in both kinds of layers axis 1 counts inputs."""
    weight = layer.weight
    added = weight.new_zeros(len(weight), n_added, *weight.shape[2:])
    layer.weight = nn.Parameter(torch.cat([weight, added], dim=1))
    if isinstance(layer, nn.Linear):
        layer.in_features += n_added


def _inputs_before_numbers(member: nn.Module) -> int:
    if isinstance(member, EmbeddingNetwork):
        return member.embedding.n_outputs
    if isinstance(member, PackedEmbeddingNetwork):
        parts: tuple[Any, ...] = (member.embedding, member.piecewise, member.cosine)
        return sum(part.n_outputs for part in parts if part is not None)
    return 0


def _first_layers(dense: nn.Module) -> tuple[Linear, nn.BatchNorm1d | None]:
    """Return the first layer, and the batch norm after it if there is one."""
    layers = dense.layers if isinstance(dense, PackedMLP) else dense
    first, *others = layers.children()
    if not isinstance(first, Linear):
        raise TypeError(f"The first layer of {type(dense).__name__} is not linear.")
    norm = others[0] if others and isinstance(others[0], nn.BatchNorm1d) else None
    return first, norm
