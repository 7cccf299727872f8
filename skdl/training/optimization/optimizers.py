"""Optimizers by name, and which parameters are decayed.

To add an optimizer, write a function with the signature of `_adamw` and an entry in
`OPTIMIZERS`.
"""

import inspect
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from skdl.randomness import lent_generators
from skdl.training.optimization.adamw import LeanAdamW
from skdl.training.optimization.device_adamw import DeviceAdamW
from skdl.training.optimization.muon import Muon, split_matrices
from skdl.training.survival.interrupts import rehearse_step

# What is rehearsed for torch's own optimizers: they import the same.
_FUSED_ADAMW = partial(torch.optim.AdamW, fused=True)
_UNDECAYED_MODULES = (
    nn.Embedding,
    nn.EmbeddingBag,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.modules.batchnorm._NormBase,
)


@dataclass(frozen=True)
class OptimizerSettings:
    """What a user may set of an optimizer, in torch's words."""

    lr: float
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    momentum: float = 0.9
    layer_lr_decay: float = 1.0


def parameter_groups(
    network: nn.Module, weight_decay: float, layer_lr_decay: float = 1.0
) -> list[dict[str, Any]]:
    """Group the trainable parameters by what they have in common.

    Biases, normalisation layers and embeddings are not decayed; a module that has a
    number `weight_decay` is decayed by that. A module whose parameters are stacked
    says in `pack_dims` how many of their first dimensions count what is stacked, so
    that a stack of biases is told from a matrix. Each layer's rate is
    `layer_lr_decay` times that of the layer after it; a layer is a module that has
    parameters of its own, in the order in which the network lists them.

    Parameters
    ----------
    network : nn.Module
        Parameters that need no gradient, and those of no entries, are left out.
    weight_decay : float
        Decay of the others.
    layer_lr_decay : float, default=1.0
        1 gives every layer the same rate.

    Returns
    -------
    list of dict
        With keys `params`, `weight_decay` and `lr_factor`.
    """
    layers = [
        (module, [p for p in module.parameters(recurse=False) if _learns(p)])
        for module in network.modules()
    ]
    layers = [(module, parameters) for module, parameters in layers if parameters]
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    seen: set[int] = set()
    for depth, (module, parameters) in enumerate(reversed(layers)):
        factor = layer_lr_decay**depth
        for parameter in parameters:
            if id(parameter) not in seen:  # tied weights go with the later layer
                seen.add(id(parameter))
                ndim = parameter.ndim - getattr(module, "pack_dims", 0)
                kept = isinstance(module, _UNDECAYED_MODULES) or ndim < 2
                decay = 0.0 if kept else weight_decay
                own = getattr(module, "weight_decay", None)
                decay = decay if own is None else float(own)
                groups.setdefault((decay, factor), []).append(parameter)
    return [
        {"params": parameters, "weight_decay": decay, "lr_factor": factor}
        for (decay, factor), parameters in groups.items()
    ]


def _learns(parameter: nn.Parameter) -> bool:
    return parameter.requires_grad and parameter.numel() > 0


def _can_fuse(groups: list[dict[str, Any]]) -> bool:
    """Tell whether torch's fused kernels take these parameters."""
    return all(
        p.is_floating_point() and p.device.type in ("cpu", "cuda")
        for group in groups
        for p in group["params"]
    )


def _on_cpu(groups: list[dict[str, Any]]) -> bool:
    return all(p.device.type == "cpu" for group in groups for p in group["params"])


def _adamw(groups: list[dict], settings: OptimizerSettings) -> torch.optim.Optimizer:
    """Adam with decoupled decay (Loshchilov & Hutter 2019, algorithm 2)."""
    kind = _kind_of_adamw(groups)
    return kind(groups, lr=settings.lr, betas=settings.betas)


def _kind_of_adamw(groups: list[dict[str, Any]]) -> Any:
    """Return the class whose steps are the fastest for these parameters."""
    if not _can_fuse(groups):
        return torch.optim.AdamW
    return LeanAdamW if _on_cpu(groups) else DeviceAdamW


def _adam(groups: list[dict], settings: OptimizerSettings) -> torch.optim.Optimizer:
    """Adam with the decay as an L2 term in the gradient."""
    return torch.optim.Adam(
        groups, lr=settings.lr, betas=settings.betas, fused=_can_fuse(groups)
    )


def _sgd(groups: list[dict], settings: OptimizerSettings) -> torch.optim.Optimizer:
    """Stochastic gradient descent with Nesterov momentum where there is momentum."""
    return torch.optim.SGD(
        groups,
        lr=settings.lr,
        momentum=settings.momentum,
        nesterov=settings.momentum > 0,
        fused=_can_fuse(groups),
    )


def _muon(groups: list[dict], settings: OptimizerSettings) -> torch.optim.Optimizer:
    """Muon for the matrices, AdamW for the rest."""
    return Muon(groups, lr=settings.lr, betas=settings.betas)


OPTIMIZERS: dict[
    str, Callable[[list[dict], OptimizerSettings], torch.optim.Optimizer]
] = {"adamw": _adamw, "adam": _adam, "sgd": _sgd, "muon": _muon}


def build_optimizer(
    optimizer: str | Callable[..., torch.optim.Optimizer],
    network: nn.Module,
    settings: OptimizerSettings,
) -> torch.optim.Optimizer:
    """Build the optimizer of a network.

    Parameters
    ----------
    optimizer : str or callable
        A key of `OPTIMIZERS`, or a torch optimizer class (or a `functools.partial` of
        one), which is given the parameter groups, `lr`, and `betas` and `momentum`
        where its signature has them.
    network : nn.Module
        Its trainable parameters are optimized.
    settings : OptimizerSettings
        Learning rate, decay, betas and momentum.

    Returns
    -------
    torch.optim.Optimizer
        One that has no state yet.
    """
    groups = parameter_groups(network, settings.weight_decay, settings.layer_lr_decay)
    is_lean = optimizer == "adamw" and _kind_of_adamw(groups) is LeanAdamW
    rehearse_step(LeanAdamW if is_lean else _FUSED_ADAMW)
    if optimizer == "muon":
        groups = split_matrices(network, groups)
    if isinstance(optimizer, str):
        return OPTIMIZERS[optimizer](groups, settings)
    accepted = _names_of_options(optimizer)
    fixed = getattr(optimizer, "keywords", {})
    options: dict[str, Any] = {
        name: getattr(settings, name)
        for name in ("lr", "betas", "momentum")
        if name in accepted and name not in fixed
    }
    if "weight_decay" not in accepted or "weight_decay" in fixed:
        for group in groups:
            del group["weight_decay"]
    try:
        with lent_generators():
            built = optimizer(groups, **options)
    except Exception as error:
        raise ValueError(
            "optimizer must be a torch.optim.Optimizer class, or a callable that takes "
            "groups of parameters and, where its signature has them, lr, betas, "
            f"momentum and weight_decay; {optimizer!r} fails on "
            f"{len(groups)} groups ({type(error).__name__}: {error})."
        ) from error
    if not isinstance(built, torch.optim.Optimizer):
        raise TypeError(
            "optimizer must build a torch.optim.Optimizer, but "
            f"{optimizer!r} returned {type(built).__name__}."
        )
    if isinstance(built, torch.optim.SparseAdam):
        raise ValueError(
            "optimizer builds a SparseAdam, which takes sparse gradients, but those of "
            "networks here are dense. Use torch.optim.Adam, or 'adam'."
        )
    closure = inspect.signature(built.step).parameters.get("closure")
    if closure is not None and closure.default is inspect.Parameter.empty:
        raise ValueError(
            f"optimizer builds a {type(built).__name__}, whose step needs a closure "
            "that computes the loss again, which training here does not give."
        )
    return built


def _names_of_options(optimizer: Callable[..., Any]) -> Collection[str]:
    """Return the parameters that a callable takes, as far as it tells."""
    try:
        return inspect.signature(optimizer).parameters
    except (TypeError, ValueError):  # of some built in ones there is no telling
        return ()
