"""Which inputs are read piece by piece, and by what."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from skdl.data.containers import is_frame
from skdl.data.row_sources import ArrayRows, FrameRows, RowSource

_FILES = (".parquet", ".pq")
# A memory map of more bytes is read piece by piece.
_LARGE = 1 << 28


def row_source(X: Any) -> RowSource | None:
    """Return the source that an input is; None of what is in memory.

    Parameters
    ----------
    X : object
        The path of a Parquet file or of a directory of them, a list of such paths, a
        Dataset of PyArrow, a large memory map, a list of data frames or another object
        that gives them each time it is iterated, a relation of DuckDB, or a source.

    Raises
    ------
    TypeError
        If it is an iterator, which cannot begin again.
    ImportError
        If PyArrow is needed and not there.
    """
    if hasattr(X, "has_order"):  # it is one
        return X
    if is_files(X) or _is_dataset(X):
        from skdl.data.parquet import ParquetRows

        return ParquetRows.of(X)
    if isinstance(X, np.memmap) and X.ndim == 2 and X.nbytes > _LARGE:
        return ArrayRows(X)
    if isinstance(X, list | tuple) and len(X) and all(map(is_frame, X)):
        return FrameRows(lambda: X)
    if isinstance(X, Iterator):
        raise TypeError(
            f"X is a {type(X).__name__}, but such gives its rows once, and training "
            "goes over them several times. Give a table of rows, a list of data "
            "frames, or an object whose __iter__ begins again."
        )
    if _gives_frames(X):
        return FrameRows(lambda: X)
    if _streams_rows(X):
        from skdl.data.parquet import frames_of_stream

        return FrameRows(lambda: frames_of_stream(X))
    return None


def _streams_rows(X: Any) -> bool:
    """Tell whether an object has Arrow's C stream, and not of one column's values."""
    others = ("columns", "dtype", "type")
    streams = hasattr(X, "__arrow_c_stream__")
    return streams and not any(hasattr(X, name) for name in others)


def is_files(X: Any) -> bool:
    """Tell whether an input is the path of Parquet files, or a list of such paths."""
    if isinstance(X, list | tuple):
        return len(X) > 0 and all(map(is_files, X)) and not isinstance(X[0], list)
    if isinstance(X, os.PathLike):
        return True
    return isinstance(X, str) and (X.endswith(_FILES) or os.path.isdir(X))


def _is_dataset(X: Any) -> bool:
    kind = type(X)
    return kind.__module__.startswith("pyarrow") and kind.__name__.endswith("Dataset")


def _gives_frames(X: Any) -> bool:
    """Tell whether an object can only be iterated."""
    others = ("__len__", "shape", "columns", "__array__", "__arrow_c_stream__")
    is_iterable = hasattr(X, "__iter__") and not isinstance(X, str | bytes | Mapping)
    return is_iterable and not any(hasattr(X, name) for name in others)
