"""Whether an optimizer can go on from a state that another one has left."""

from typing import Any

import torch
from torch import nn

from skdl.training.optimization.adamw import LeanAdamW
from skdl.training.optimization.device_adamw import DeviceAdamW

# Options that a state does not depend on: they may change while it goes on.
_FREE = ("lr", "initial_lr", "lr_factor", "weight_decay", "betas")


def made_of(optimizer: torch.optim.Optimizer, network: nn.Module) -> dict[str, Any]:
    """Return what a state of an optimizer belongs to, in plain values.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        Over parameters of the network.
    network : nn.Module
        Gives parameters their names.

    Returns
    -------
    dict
        `kind`, the class and the options that decide what a state holds, and `groups`,
        the name, shape and type of each parameter of each group.

    Examples
    --------
    >>> import torch
    >>> layer = torch.nn.Linear(2, 1, bias=False)
    >>> made_of(torch.optim.SGD(layer.parameters()), layer)["groups"]
    [[('weight', (1, 2), 'torch.float32')]]
    """
    kind = type(optimizer)
    if kind in (LeanAdamW, DeviceAdamW):  # have the same state
        kind = torch.optim.AdamW
    options = {
        name: repr(value)
        for name, value in optimizer.defaults.items()
        if name not in _FREE and not callable(value)
    }
    names = {id(p): name for name, p in network.named_parameters()}
    return {
        "kind": f"{kind.__module__}.{kind.__qualname__}",
        "options": options,
        "groups": [
            [(names.get(id(p), ""), tuple(p.shape), str(p.dtype)) for p in g["params"]]
            for g in optimizer.param_groups
        ],
    }


def saved_state(optimizer: torch.optim.Optimizer, network: nn.Module) -> dict[str, Any]:
    """Return the state of an optimizer and what it belongs to; see `take_over`."""
    return {"of": made_of(optimizer, network), "state": optimizer.state_dict()}


def misfit(optimizer: torch.optim.Optimizer, network: nn.Module, of: Any) -> str:
    """Return why an optimizer cannot go on from a state; "" if it can.

    A state that does not fit is no error for torch: kernels write where it ends.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        One that has no state yet.
    network : nn.Module
        The one that it optimizes.
    of : dict
        What `made_of` has returned for the state.
    """
    here = made_of(optimizer, network)
    if here["kind"] != of["kind"]:
        return f"it was {of['kind']} and is {here['kind']} now"
    if here["options"] != of["options"]:
        changed = sorted(
            name
            for name in {*here["options"], *of["options"]}
            if here["options"].get(name) != of["options"].get(name)
        )
        return f"its options {', '.join(changed)} have changed"
    if here["groups"] != of["groups"]:
        return "the parameters are grouped otherwise, or are others"
    return ""


def take_over(
    optimizer: torch.optim.Optimizer, network: nn.Module, saved: dict[str, Any]
) -> str:
    """Give an optimizer the state that `saved_state` has returned, if it fits.

    Rates, decays and betas stay those that the optimizer was built with.

    Returns
    -------
    str
        "" if it did, else why not.
    """
    reason = misfit(optimizer, network, saved["of"])
    if reason:
        return reason
    built = [
        {name: group[name] for name in _FREE if name in group}
        for group in optimizer.param_groups
    ]
    optimizer.load_state_dict(saved["state"])
    for group, options in zip(optimizer.param_groups, built, strict=True):
        group.update(options)
    return ""
