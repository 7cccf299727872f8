"""Files that are there whole or not at all, and are known to be as they were written.

A file is a line that says what it is, a checksum, and the content.
"""

import hashlib
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

_SIZE = 32  # bytes of a checksum
_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
# A pipe without a writer would let its reader wait for ever.
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class DamagedFileError(ValueError):
    """A file is not as it was written."""


def write_whole(path: Path, header: bytes, write: Callable[[Any], object]) -> None:
    """Write a file beside the old one and let it take its place; see `replacing`.

    Parameters
    ----------
    path : Path
        The file.
    header : bytes
        What it begins with.
    write : callable
        Writes the content to the file that it is given, from its beginning to its end.
    """
    with replacing(path) as file:
        file.write(header + bytes(_SIZE))
        content = _Summed(file)
        write(content)
        file.seek(len(header))
        file.write(content.sum.digest())


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Give a new file beside an old one, that takes its place if all goes well.

    It is one that was not there before, so nothing that lies there, link or file, is
    written to.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    descriptor = os.open(beside, _CREATE, 0o666)
    try:
        with open(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


class _Summed:
    """Sums up what is written to a file."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.sum = hashlib.blake2b(digest_size=_SIZE)

    def write(self, data: Any) -> int:
        self.sum.update(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()


def read_whole(path: Path, header: bytes) -> bytes | None:
    """Return the content of a file that `write_whole` has written.

    Parameters
    ----------
    path : Path
        The file.
    header : bytes
        What it was given to begin with.

    Returns
    -------
    bytes or None
        None if there is no file.

    Raises
    ------
    DamagedFileError
        If the file begins otherwise, or its checksum is not that of its content.
    OSError
        If it cannot be read.
    """
    try:
        with open(os.open(path, _READ), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise DamagedFileError("it is no regular file")
            found = file.read(len(header) + _SIZE)
            content = file.read()
    except FileNotFoundError:
        return None
    if not found.startswith(header):
        raise DamagedFileError("it does not begin as one")
    sums = hashlib.blake2b(content, digest_size=_SIZE).digest(), found[len(header) :]
    if not secrets.compare_digest(*sums):
        raise DamagedFileError("its checksum is not that of its content")
    return content


def remove_remains(path: Path) -> None:
    """Delete what processes that were killed while writing have left beside a file."""
    left = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{16}}\.tmp")
    with suppress(OSError), os.scandir(path.parent) as entries:
        for entry in entries:
            if left.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                with suppress(OSError):
                    os.unlink(entry.path)
