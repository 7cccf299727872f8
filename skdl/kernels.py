"""Triton kernels: where there is a Triton, and whether kernels do what they should.

A compiler can fail in any way, on a device that nobody has tried. So kernels are built
and compared with torch where they are going to run, before anything depends on them.
"""

import importlib.util
import warnings
from collections.abc import Callable
from typing import TypeVar

import torch

_Kernels = TypeVar("_Kernels")


def has_triton() -> bool:
    """Tell whether Triton is installed, without importing it, which takes its time."""
    return importlib.util.find_spec("triton") is not None


def tried(
    build: Callable[[], _Kernels], of: str, device: torch.device, instead: str
) -> _Kernels | None:
    """Return kernels that are built and verified; None where that fails.

    Parameters
    ----------
    build : callable
        Builds and verifies them on the device; any error says that they are of no use.
    of : str
        Whose kernels they are.
    device : torch.device
        Where they run.
    instead : str
        What takes their place, and what gets them; ends the warning.

    Warns
    -----
    RuntimeWarning
        If they fail. Who asks remembers the answer, so that it is told once.

    Examples
    --------
    >>> import torch
    >>> tried(lambda: "kernels", "a layer", torch.device("cpu"), "A loop does it.")
    'kernels'
    """
    try:
        # What Triton warns its own developers of must not fail it under "error".
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return build()
    except Exception as error:
        warnings.warn(
            f"The Triton kernel of {of} cannot be used on {device} "
            f"({type(error).__name__}: {error}). {instead}",
            RuntimeWarning,
            stacklevel=3,
        )
        return None
