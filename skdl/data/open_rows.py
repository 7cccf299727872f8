"""Which inputs are read piece by piece, and by what."""

import functools
import glob
import inspect
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from skdl.data.containers import is_frame
from skdl.data.row_sources import ROWS_AT_A_TIME, ArrayRows, FrameRows, RowSource

_FILES = (".parquet", ".pq")
# A memory map of more bytes is read piece by piece.
_LARGE = 1 << 28


def row_source(X: Any) -> RowSource | None:
    """Return the source that an input is; None of what is in memory.

    Parameters
    ----------
    X : object
        The path of a Parquet file or of a directory of them, a list of such paths, a
        Dataset or Scanner of PyArrow, a large memory map, a list of data frames, an
        object that gives them each time it is iterated or a function that does each
        time it is called, a LazyFrame of polars, a relation of DuckDB, or a source.

    Raises
    ------
    TypeError
        If it is an iterator, which cannot begin again.
    ImportError
        If PyArrow is needed and not there.
    """
    if hasattr(X, "has_order"):  # it is one
        return X
    frames = _frames_of(X)
    if frames is not None:
        return FrameRows(frames)
    if is_files(X) or _is_dataset(X):
        from skdl.data.parquet import ParquetRows

        return ParquetRows.of(X)
    if isinstance(X, np.memmap) and X.ndim == 2 and X.nbytes > _LARGE:
        return ArrayRows(X)
    if isinstance(X, Iterator):
        begins_again = "an object whose __iter__ begins again"
        if inspect.isgenerator(X) and X.__name__.isidentifier():  # no expression
            begins_again = f"the function {X.__name__} itself, which is called again"
        elif hasattr(X, "read"):
            begins_again = "the path of a Parquet file"
        raise TypeError(
            f"X is a {type(X).__name__}, but such gives its rows once, and training "
            "goes over them several times. Give a table of rows, a list of data "
            f"frames, or {begins_again}."
        )
    if _is_reader(X):
        raise TypeError(
            f"X is a {type(X).__name__}: give the path of the file, or "
            "pyarrow.dataset.dataset(path)."
        )
    return None


def is_function(X: Any) -> bool:
    """Tell whether an input is a function, which gives rows whenever it is called."""
    return inspect.isroutine(X) or isinstance(X, functools.partial)


def is_read_in_pieces(X: Any) -> bool:
    """Tell whether an input is no table, but files or what else gives rows."""
    is_open = is_files(X) or _is_dataset(X) or _is_reader(X)
    return is_open or _frames_of(X) is not None


def _frames_of(X: Any) -> Callable[[], Iterable[Any]] | None:
    """Return what gives the frames that an input stands for, if it does."""
    if isinstance(X, Iterator):
        return None
    if isinstance(X, list | tuple) and len(X) and all(map(is_frame, X)):
        return lambda: X
    if is_function(X):
        return X
    if hasattr(X, "collect_batches"):  # a LazyFrame of polars
        return lambda: X.collect_batches(chunk_size=ROWS_AT_A_TIME)
    if _is_query_of_dataset(X):
        return lambda: X.to_batches()
    if _streams_rows(X):
        from skdl.data.parquet import frames_of_stream

        return lambda: frames_of_stream(X)
    return (lambda: X) if _gives_frames(X) else None


def _streams_rows(X: Any) -> bool:
    """Tell whether an object has Arrow's C stream, and is no table or column itself."""
    if not hasattr(X, "__arrow_c_stream__"):
        return False
    if _is_of(X, "duckdb", "_duckdb"):  # it has the attributes of a table
        return True
    return not any(hasattr(X, name) for name in ("columns", "dtype", "type"))


def is_files(X: Any) -> bool:
    """Tell whether an input is the path of Parquet files, or a list of such paths."""
    if isinstance(X, str):  # there is nothing else that a text could be
        return _is_name(X) or os.sep in X or os.path.exists(X) or glob.has_magic(X)
    if isinstance(X, list | tuple) and len(X):
        return all(isinstance(x, os.PathLike) or _is_name(x) for x in X)
    return isinstance(X, os.PathLike)


def _is_name(X: Any) -> bool:
    return isinstance(X, str) and (X.endswith(_FILES) or os.path.isdir(X))


def _is_of(X: Any, *packages: str) -> bool:
    return type(X).__module__.partition(".")[0] in packages


def _is_dataset(X: Any) -> bool:
    return _is_of(X, "pyarrow") and hasattr(X, "get_fragments")


def _is_reader(X: Any) -> bool:
    """Tell whether this is a ParquetFile, a ParquetDataset or an open file of Arrow."""
    return _is_of(X, "pyarrow") and hasattr(X, "read")


def _is_query_of_dataset(X: Any) -> bool:
    """Tell whether this is a Scanner, or a Dataset of which rows are left out."""
    if not _is_of(X, "pyarrow") or not hasattr(X, "count_rows"):
        return False
    if type(X).__name__ == "Scanner":
        return True
    if not _is_dataset(X):
        return False
    try:
        X.get_fragments()
    except ValueError:
        return True
    return False


def _gives_frames(X: Any) -> bool:
    """Tell whether an object can only be iterated."""
    others = ("__len__", "shape", "columns", "__array__", "__arrow_c_stream__")
    is_iterable = hasattr(X, "__iter__") and not isinstance(X, str | bytes | Mapping)
    return is_iterable and not any(hasattr(X, name) for name in others)
