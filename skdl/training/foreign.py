"""Code that may draw from torch's global generators: networks and optimizers of users.

What skdl's own modules draw comes from the fit's generators, and most of torch's layers
draw nothing. Anything else has the global generators on loan while it runs.
"""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

from skdl.randomness import is_in_fit, lent_generators

# Layers of torch that draw in training, if their rate is not zero; and always.
_IN_TRAINING = (
    nn.Dropout,
    nn.Dropout1d,
    nn.Dropout2d,
    nn.Dropout3d,
    nn.AlphaDropout,
    nn.FeatureAlphaDropout,
    nn.RReLU,
    nn.RNNBase,
    nn.MultiheadAttention,
)
_ALWAYS = (nn.FractionalMaxPool2d, nn.FractionalMaxPool3d)
_RATES = ("p", "dropout")


def lent_where_needed(
    network: nn.Module, optimizer: torch.optim.Optimizer | None = None
) -> AbstractContextManager:
    """Lend torch's global generators, inside of a fit, to code that may draw from them.

    Parameters
    ----------
    network : nn.Module
        What runs inside, in the mode that it is in.
    optimizer : torch.optim.Optimizer, optional
        What takes steps inside.
    """
    if not is_in_fit():  # what is drawn is the caller's
        return nullcontext()
    foreign = optimizer is not None and not _is_known(type(optimizer), "torch.optim")
    return lent_generators() if foreign or may_draw(network) else nullcontext()


def may_draw(network: nn.Module) -> bool:
    """Tell whether a network may draw from torch's global generators.

    It may if a module is of a class of the user's own, whatever it does, or has hooks.

    Examples
    --------
    >>> may_draw(nn.Sequential(nn.Linear(4, 8), nn.ReLU()))
    False
    >>> may_draw(nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.1)))
    True
    >>> may_draw(nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.1)).eval())
    False
    """
    return any(_may_draw(module) for module in network.modules())


def is_foreign(network: nn.Module) -> bool:
    """Tell whether a network has modules of a user's own, or hooks, in any mode.

    Examples
    --------
    >>> is_foreign(nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.1)))
    False
    """
    return any(_is_foreign(module) for module in network.modules())


def _is_foreign(module: nn.Module) -> bool:
    return not _is_known(type(module), "torch.nn.modules") or _is_changed(module)


def _may_draw(module: nn.Module) -> bool:
    if _is_foreign(module):
        return True
    if isinstance(module, _ALWAYS):
        return True
    if not module.training or not isinstance(module, _IN_TRAINING):
        return False
    return any(getattr(module, name, 0.0) for name in _RATES) or isinstance(
        module, nn.RReLU
    )


def _is_known(kind: type, package: str) -> bool:
    return kind.__module__.startswith((f"{package}.", "skdl."))


def _is_changed(module: nn.Module) -> bool:
    """Tell whether more than the code of its class runs in a module."""
    hooks = module._forward_hooks, module._forward_pre_hooks, module._backward_hooks
    return "forward" in vars(module) or any(hooks)
