"""One file for a fitted model: a line that says what it is, a checksum, the content.

The content is a line of JSON with the versions that wrote it, and a file of skops: a
zip of arrays and of a JSON text that says which objects hold them.
"""

import importlib
import io
import json
import os
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sklearn.base import BaseEstimator

from skdl.persistence.trusted import untrusted
from skdl.persistence.versions import versions
from skdl.training.survival.whole_file import (
    DamagedFileError,
    read_whole,
    remove_remains,
    write_whole,
)

PROTOCOL = 1
_BEGINNING = b"skdl model "
_LONGEST_HEADER = 24


def save(model: BaseEstimator, path: str | os.PathLike) -> None:
    """Write a fitted model to a file that `load` reads without running code from it.

    Needs the extra ``safe`` (skops). The file is written beside an old one and takes
    its place when it is whole; see docs/persistence.md.

    Parameters
    ----------
    model : estimator
        Of skdl or scikit-learn; a Pipeline or a search, too.
    path : str or os.PathLike
        The file.

    Raises
    ------
    TypeError
        If it is no estimator, or a part of it can only be pickled.
    ValueError
        If a part of it is a class or function that no other process could find, such as
        a lambda.
    OSError
        If the file cannot be written; an old one stays.

    Examples
    --------
    >>> import tempfile
    >>> import skdl
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = skdl.NeuralClassifier(max_epochs=2, random_state=0).fit(X, y)
    >>> path = tempfile.mkdtemp() + "/iris.skdl"
    >>> skdl.save(model, path)
    >>> bool((skdl.load(path).predict(X) == model.predict(X)).all())
    True
    """
    if not isinstance(model, BaseEstimator):
        raise TypeError(
            f"model must be an estimator of scikit-learn's kind, got a "
            f"{type(model).__name__}."
        )
    content = _dumped(model)
    told = json.dumps(versions()).encode()
    path = Path(path)
    remove_remains(path)
    write_whole(
        path, _header(PROTOCOL), lambda file: file.write(told + b"\n" + content)
    )


def load(path: str | os.PathLike, *, trusted: Iterable[Any] = ()) -> Any:
    """Return the model of a file that `save` wrote.

    Parameters
    ----------
    path : str or os.PathLike
        The file.
    trusted : iterable of str or type, default=()
        Full names of further types and functions that the file may hold, or they
        themselves: those of skdl, scikit-learn, numpy and pandas need not be named, a
        network class of your own must be. Trust only what you know.

    Returns
    -------
    estimator
        On the device that its parameter `device` asks for, or the CPU.

    Raises
    ------
    FileNotFoundError, OSError
        If there is no such file, or it cannot be read.
    ValueError
        If it is no such file, is damaged, of a later version, or holds types that are
        not trusted. Nothing of it has been made then.

    Examples
    --------
    See `save`.
    """
    if isinstance(trusted, str | type):
        trusted = [trusted]
    path = Path(path)
    told, content = _read(path)
    skops_io = _skops()
    try:
        _check_members(content)
        found = skops_io.get_untrusted_types(data=content)
        unknown = untrusted(found, trusted)
    except MemoryError:
        raise
    except Exception as error:  # whatever bytes of another kind lead to
        raise _unreadable(path, told, error) from error
    if unknown:
        raise ValueError(
            f"{str(path)!r} holds types or functions that are not trusted: {unknown}. "
            "If you know where the file is from and what they do, give their names: "
            f"load(path, trusted={unknown})."
        )
    try:
        return skops_io.loads(content, trusted=found)
    except MemoryError:
        raise
    except Exception as error:  # a part of it that is not as its class expects
        raise _unreadable(path, told, error) from error


def _skops() -> Any:
    try:
        import skops.io
    except ImportError as error:
        raise ImportError(
            "save and load need skops: pip install 'skdl[safe]'."
        ) from error
    return skops.io


def _header(protocol: int) -> bytes:
    return _BEGINNING + str(protocol).encode() + b"\n"


def _dumped(model: BaseEstimator) -> bytes:
    """Return a model as a file of skops, whose every name can be found again."""
    skops_io = _skops()
    try:
        content = skops_io.dumps(model)
        names = skops_io.get_untrusted_types(data=content)
    except MemoryError:
        raise
    except Exception as error:  # whatever parts that are no plain data raise
        raise TypeError(
            f"This {type(model).__name__} holds something that can only be pickled "
            f"({type(error).__name__}: {error})."
        ) from error
    lost = [name for name in names if not _can_be_found(name)]
    if lost:
        raise ValueError(
            f"This {type(model).__name__} holds {lost}, which cannot be found by name "
            "when it is loaded. Use functions and classes at the top of a module "
            "instead of lambdas and local ones."
        )
    return content


def _can_be_found(name: str) -> bool:
    module, _, inside = name.rpartition(".")
    try:
        return hasattr(importlib.import_module(module), inside)
    except (ImportError, ValueError):
        return False


def _read(path: Path) -> tuple[dict[str, Any], bytes]:
    """Return what a file tells of itself, and its content; its checksum is right."""
    try:
        with open(path, "rb") as file:
            start = file.read(_LONGEST_HEADER)
        protocol = _protocol(start)
        whole = read_whole(path, _header(protocol))
        if whole is None:
            raise FileNotFoundError(path)
        line, _, content = whole.partition(b"\n")
        told = json.loads(line)
        if protocol > PROTOCOL or protocol < 1 or not isinstance(told, dict):
            raise DamagedFileError(
                f"it has version {protocol} of the format, this skdl reads versions up "
                f"to {PROTOCOL}"
            )
    except ValueError as error:
        raise _unreadable(path, {}, error) from error
    return told, content


def _protocol(start: bytes) -> int:
    line = start.partition(b"\n")[0]
    number = line.removeprefix(_BEGINNING)
    if not line.startswith(_BEGINNING) or not number.isdigit():
        raise DamagedFileError("it does not begin as one")
    return int(number)


def _check_members(content: bytes) -> None:
    """Refuse an archive that unpacks to more than it is."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
    packed = any(m.compress_type != zipfile.ZIP_STORED for m in members)
    if packed or sum(m.file_size for m in members) > len(content):
        raise DamagedFileError("its archive is compressed, which save never does")


def _unreadable(path: Path, told: dict[str, Any], error: Exception) -> ValueError:
    by = f", written by skdl {told['skdl']}" if "skdl" in told else ""
    return ValueError(
        f"{str(path)!r} is no model that this skdl can load{by}: {error}. Files of "
        "skdl.save begin with 'skdl model'; pickles are for pickle and joblib."
    )
