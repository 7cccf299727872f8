"""Values that other processes take from a file, arrays by mapping it into memory.

Arrays, and those that columns of frames are made of, are written once, as they are;
all who take the value see the same pages of memory, which they cannot write to. Where
there is a file system in memory it is used.
"""

import io
import mmap
import os
import pickle
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

try:
    import cloudpickle
except ImportError:  # joblib before 1.6 has its own
    from joblib.externals import cloudpickle

# Where Linux keeps files in memory.
_IN_MEMORY = "/dev/shm"
# Arrays begin at multiples of it, which instructions on vectors like.
_ALIGNMENT = 64


class _Pickler(cloudpickle.CloudPickler):
    """Leaves arrays out, and names the file of those that are mapped from one."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, np.memmap) and isinstance(obj.base, mmap.mmap):
            order = "C" if obj.flags.c_contiguous else "F"
            name = os.path.abspath(obj.filename)
            return np.memmap, (name, obj.dtype, "r", obj.offset, obj.shape, order)
        if isinstance(obj, np.memmap):  # a part of one
            return np.ascontiguousarray(obj).view(np.ndarray).__reduce_ex__(5)
        if type(obj) is np.ndarray and not obj.flags.forc:
            return np.ascontiguousarray(obj).__reduce_ex__(5)
        return super().reducer_override(obj)


@contextmanager
def folder_for(n_bytes: int) -> Iterator[Path]:
    """Give a folder that is there inside, in memory where that has room enough."""
    where = None
    if os.access(_IN_MEMORY, os.W_OK):
        has_room = shutil.disk_usage(_IN_MEMORY).free > 2 * n_bytes
        where = _IN_MEMORY if has_room else None
    with tempfile.TemporaryDirectory(prefix="skdl-", dir=where) as folder:
        yield Path(folder)


class Packed:
    """A value as bytes and arrays, which may be written.

    Parameters
    ----------
    value : object
        May be made of classes and functions of a notebook: what they are made of is
        packed too.
    """

    def __init__(self, value: Any) -> None:
        buffers: list[pickle.PickleBuffer] = []
        file = io.BytesIO()
        _Pickler(file, 5, buffer_callback=buffers.append).dump(value)
        self._value = file.getbuffer()
        self._arrays = [buffer.raw() for buffer in buffers]

    @property
    def n_bytes(self) -> int:
        """Bytes of the files."""
        return len(self._value) + sum(array.nbytes for array in self._arrays)

    def write(self, folder: Path, name: str) -> None:
        """Write the value; `taken_over` gives it."""
        places, unfinished = [], folder / f"{name}.unfinished"
        with open(folder / f"{name}.arrays", "wb") as file:
            for array in self._arrays:
                file.write(bytes(-file.tell() % _ALIGNMENT))
                places.append((file.tell(), array.nbytes))
                file.write(array)
        with open(unfinished, "wb") as file:
            pickle.dump(places, file)
            file.write(self._value)
        unfinished.replace(folder / name)  # it is there whole or not at all


def taken_over(folder: Path, name: str, *, shared: bool = False) -> Any:
    """Return a value that was written.

    Parameters
    ----------
    folder, name
        As `Packed.write` was given them.
    shared : bool, default=False
        Whether arrays are the pages that others see too; they cannot be written to.
    """
    with open(folder / name, "rb") as file:
        places = pickle.load(file)
        memory = memoryview(b"")
        if sum(size for _, size in places):
            with open(folder / f"{name}.arrays", "rb") as arrays:
                memory = memoryview(_mapped(arrays) if shared else _read(arrays))
        parts = [memory[start : start + size] for start, size in places]
        return pickle.load(file, buffers=parts)


def _mapped(file: BinaryIO) -> mmap.mmap:
    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _read(file: BinaryIO) -> bytearray:
    return bytearray(file.read())
