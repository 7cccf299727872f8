"""Some members of a pack as a pack of their own."""

import copy
from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from skdl.networks.packed import Pack, PackedBatchNorm
from skdl.networks.packed_settings import PackedDropout, PackedSiLU

AnyPack = TypeVar("AnyPack", bound=Pack)


def tensors_of_members(network: Pack) -> list[Tensor]:
    """Return what each member has of its own, views (M, ...) of the network's."""
    return [
        tensor
        for module in network.modules()
        for tensor in _own(module, network.n_members).values()
    ]


def _own(module: nn.Module, n_members: int) -> dict[str, Tensor]:
    """Return a module's own tensors by member, as views (M, ...)."""
    found = {name: p.detach() for name, p in module.named_parameters(recurse=False)}
    if not isinstance(module, PackedBatchNorm):
        return found
    for name in ("running_mean", "running_var"):
        found[name] = getattr(module, name)
    return {name: tensor.view(n_members, -1) for name, tensor in found.items()}


@torch.no_grad()
def of_members(network: AnyPack, members: Sequence[int]) -> AnyPack:
    """Return a copy of a pack that has some of its members alone.

    Parameters
    ----------
    network : Pack
        Stays as it is.
    members : sequence of int
        Those that stay, in the order that they get.

    Examples
    --------
    >>> import torch
    >>> from skdl.networks.packed import PackedMLP
    >>> pack, x = PackedMLP(3, 4, 2, hidden_layer_sizes=(8,)), torch.ones(5, 4)
    >>> torch.equal(of_members(pack, [2]).each(x)[0], pack.each(x)[2])
    True
    """
    n_members, chosen = network.n_members, list(members)
    network = copy.deepcopy(network)
    for module in network.modules():
        has_units = isinstance(module, PackedBatchNorm)  # one after the other
        for name, own in _own(module, n_members).items():
            kept: Tensor = own[chosen].flatten() if has_units else own[chosen]
            is_weight = name in module._parameters
            setattr(module, name, nn.Parameter(kept) if is_weight else kept)
        for name, child in list(module.named_children()):
            if isinstance(child, PackedDropout | PackedSiLU):
                own_child = child.of_members(chosen).train(child.training)
                setattr(module, name, own_child)
        if isinstance(module, Pack):
            module.n_members = len(chosen)
        if isinstance(module, PackedBatchNorm):
            module.num_features = module.num_features // n_members * len(chosen)
    return network
