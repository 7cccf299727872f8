"""Files from which an interrupted training goes on as if nothing had happened."""

import hashlib
import io
import os
import warnings
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from skdl.training.survival.whole_file import (
    DamagedFileError,
    read_whole,
    remove_remains,
    write_whole,
)

_HEADER = b"skdl checkpoint\n"
PROTOCOL = 2

_PARTS = frozenset({"protocol", "identity", "notes", "state"})

# Differences that an error names at most.
_NAMED = 4


class Checkpoint:
    """The file of one fit, which only that fit goes on from.

    A file is written beside the old one and then takes its place, so that a crash while
    writing leaves the old one. It holds tensors and plain values, and is read without
    running code from it, after its checksum was found right.

    Parameters
    ----------
    path : str or os.PathLike
        The file; if it is there, `state` and `notes` are read from it.
    identity : mapping of str to str
        What the fit is; must be the same in the file.
    every : int, default=1
        Epochs from one writing to the next.

    Attributes
    ----------
    state : dict or None
        The state of training to go on from; None if there is no file.
    notes : dict
        What else is needed to go on: tensors and plain values.

    Raises
    ------
    ValueError
        If the file is not a checkpoint, is damaged, or is of another fit; or if its
        folder is not there.

    Examples
    --------
    >>> import tempfile
    >>> path = tempfile.mkdtemp() + "/fit.pt"
    >>> Checkpoint(path, {"lr": "0.1"}).save(1, {"epoch": 1})
    >>> Checkpoint(path, {"lr": "0.1"}).state
    {'epoch': 1}
    >>> Checkpoint(path, {"lr": "0.2"})  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    ValueError: ... lr is 0.1 there and 0.2 here ...
    """

    def __init__(
        self,
        path: str | os.PathLike,
        identity: Mapping[str, str],
        *,
        every: int = 1,
    ) -> None:
        self.path = Path(path)
        self._every = every
        self._warned = False
        if not self.path.parent.is_dir() or self.path.is_dir():
            raise ValueError(
                f"checkpoint={str(path)!r} must be the path of a file in a folder that "
                "is there; make the folder, or give another path."
            )
        remove_remains(self.path)
        content = self._read()
        self._stored = None if content is None else content["identity"]
        self._identity: dict[str, str] = {}
        self.state = None if content is None else content["state"]
        self.notes: dict[str, Any] = {} if content is None else content["notes"]
        self.match(identity)

    def match(self, identity: Mapping[str, str]) -> None:
        """Take more of what the fit is.

        Parameters
        ----------
        identity : mapping of str to str
            Must be the same in the file.

        Raises
        ------
        ValueError
            If something differs from the file.
        """
        self._identity.update(identity)
        if self._stored is None:
            return
        differences = [
            f"{name} is {self._stored.get(name, 'not')} there and {value} here"
            for name, value in identity.items()
            if self._stored.get(name) != value
        ]
        if differences:
            more = len(differences) - _NAMED
            named = "; ".join(differences[:_NAMED]) + (f"; {more} more" * (more > 0))
            raise ValueError(
                f"checkpoint={str(self.path)!r} is of another fit: {named}. To go on "
                "with it, fit as then; to begin anew, delete the file or give another "
                "path."
            )

    def _read(self) -> dict[str, Any] | None:
        try:
            content = read_checkpoint(self.path)
        except MemoryError:
            raise
        except Exception as error:  # whatever bytes of another kind lead to
            raise ValueError(
                f"checkpoint={str(self.path)!r} is there, but is no checkpoint of "
                f"skdl, or damaged: {error}. Delete the file or give another path."
            ) from error
        if content is not None and content["protocol"] != PROTOCOL:
            raise ValueError(
                f"checkpoint={str(self.path)!r} has version {content['protocol']} of "
                f"the format, written by skdl {content['identity'].get('skdl')}; this "
                f"skdl reads version {PROTOCOL}. End the fit with the skdl that began "
                "it; to begin anew, delete the file or give another path."
            )
        return content

    def save(self, epoch: int, state: Mapping[str, Any], *, last: bool = False) -> None:
        """Write the state after an epoch, if it is the turn of one.

        Parameters
        ----------
        epoch : int
            The epoch, from 1.
        state : mapping
            Tensors and plain values.
        last : bool, default=False
            Whether it is to be written in any case.

        Warns
        -----
        RuntimeWarning
            Once, if it cannot be written, such as on a full disk; the last file that
            could be written stays.
        """
        if epoch % self._every and not last:
            return
        content = {
            "protocol": PROTOCOL,
            "identity": self._identity,
            "notes": self.notes,
            "state": state,
        }
        try:
            write_whole(self.path, _HEADER, lambda file: torch.save(content, file))
        except Exception as error:  # a fit must not end for lack of a checkpoint
            if not self._warned:
                self._warned = True
                warnings.warn(
                    f"checkpoint={str(self.path)!r} cannot be written after epoch "
                    f"{epoch} ({error}); training goes on.",
                    RuntimeWarning,
                    stacklevel=2,
                )


def read_checkpoint(path: Path) -> dict[str, Any] | None:
    """Return what is in a file of a fit, as it was written; None if there is no file.

    Raises
    ------
    DamagedFileError, OSError
        If it is not as it was written.
    """
    content = read_whole(path, _HEADER)
    if content is None:
        return None
    found = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    if not isinstance(found, dict) or not set(found) >= _PARTS:
        raise DamagedFileError("it lacks what a checkpoint holds")
    return found


def remove_checkpoint(path: str | os.PathLike) -> None:
    """Delete the file of a fit that is done."""
    with suppress(OSError):
        Path(path).unlink(missing_ok=True)
    remove_remains(Path(path))


def digest(tensors: Iterable[Tensor]) -> str:
    """Return a short text that differs where shapes, types or values do.

    Examples
    --------
    >>> import torch
    >>> digest([torch.ones(2)]) == digest([torch.ones(2)])
    True
    >>> digest([torch.ones(2)]) == digest([torch.ones(1, 2)])
    False
    """
    found = hashlib.blake2b(digest_size=8)
    for tensor in tensors:
        found.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
        flat = tensor.detach().cpu().contiguous().flatten()
        found.update(flat.view(torch.uint8).numpy().data)
    return found.hexdigest()


def layers_of(network: nn.Module) -> str:
    """Return a short text that differs where names or shapes of weights do."""
    shapes = {name: tuple(t.shape) for name, t in network.state_dict().items()}
    found = hashlib.blake2b(repr(shapes).encode(), digest_size=4).hexdigest()
    return f"{sum(p.numel() for p in network.parameters()):,} weights ({found})"


def mask_states(network: nn.Module) -> dict[str, Any]:
    """Return the states of modules that keep random masks from step to step."""
    return {
        name: module.mask_state()
        for name, module in network.named_modules()
        if hasattr(module, "mask_state")
    }


def load_mask_states(network: nn.Module, states: Mapping[str, Any]) -> None:
    """Give modules back what `mask_states` has returned."""
    modules: dict[str, Any] = dict(network.named_modules())
    for name, state in states.items():
        modules[name].load_mask_state(state)
