"""Settings of torch around a call, which are not those to train or predict with."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch

_DEVICE_TYPES = ("cpu", "cuda")


@contextmanager
def own_settings(*, training: bool = True) -> Iterator[None]:
    """Run what is inside with settings of its own; the caller's come back.

    Numbers are float32 and on the CPU unless something else is said, arithmetic is in
    the precision of the network, and with `training` gradients are recorded:
    `torch.set_default_dtype`, `torch.set_default_device`, `torch.autocast`,
    `torch.no_grad` and `torch.inference_mode` around it change nothing.

    Parameters
    ----------
    training : bool, default=True
        Whether gradients are needed.

    Examples
    --------
    >>> import torch
    >>> with torch.no_grad(), own_settings():
    ...     torch.is_grad_enabled()
    True
    """
    with ExitStack() as stack:
        if not are_usual() or torch.empty(0).device.type != "cpu":
            stack.callback(torch.set_default_dtype, torch.get_default_dtype())
            torch.set_default_dtype(torch.float32)
            stack.enter_context(torch.device("cpu"))
            for kind in _DEVICE_TYPES:
                stack.enter_context(torch.autocast(kind, enabled=False))
        if training and not torch.is_grad_enabled():  # nor is it in inference mode
            stack.enter_context(torch.inference_mode(False))
            stack.enter_context(torch.enable_grad())
        yield


def are_usual() -> bool:
    """Tell, cheaply, whether numbers are of the usual type and multiplied in it."""
    return (
        torch.get_default_dtype() is torch.float32
        and not torch.is_autocast_enabled("cpu")
        and not torch.is_autocast_enabled("cuda")
    )
