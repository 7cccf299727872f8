"""Inputs as they come: tensors made arrays, and what is no table refused."""

from collections.abc import Iterator, Mapping, Sized
from contextlib import contextmanager
from typing import Any

import numpy as np
from torch import Tensor

from skdl.data.containers import as_pandas, without_gradient
from skdl.data.open_rows import is_read_in_pieces

# What sklearn says of one row, so that those who look for it find it.
_RESHAPE = "Reshape your data"


def plain(values: Any) -> Any:
    """Return tensors as arrays and Arrow's tables as frames; else `values`.

    Arrays of the other byte order, as files of other machines have, are swapped.
    """
    if isinstance(values, Tensor):
        return without_gradient(values)
    if isinstance(values, np.ndarray) and not values.dtype.isnative:
        return values.astype(values.dtype.newbyteorder("="))
    if type(values).__module__ == "pyarrow.lib" and hasattr(values, "num_rows"):
        return as_pandas(values)  # without a detour through floats
    if isinstance(values, list | tuple) and any(isinstance(v, Tensor) for v in values):
        return [plain(value) for value in values]
    return values


@contextmanager
def about_held_out() -> Iterator[None]:
    """Let an error say that it is about held-out data."""
    try:
        yield
    except (TypeError, ValueError) as error:
        error.add_note("This is about the held-out data: X_val, y_val and weights.")
        raise


def refuse_no_table(X: Any, estimator: Any) -> None:
    """Refuse what is no table of rows, such as one row of it, and say how to give it.

    Raises
    ------
    TypeError
        If it is a mapping, or nothing that holds rows.
    ValueError
        If it is one row or one column.
    """
    if len(getattr(X, "shape", ())) > 1:
        return
    name = type(estimator).__name__
    if is_read_in_pieces(X):
        raise TypeError(
            f"X is a {type(X).__name__}, whose rows would be read piece by piece, but "
            f"{name} takes a table of rows here, such as pandas.read_parquet gives."
        )
    if isinstance(X, Mapping) or _first_of(X, Mapping):
        raise TypeError(_about_mappings(X, name))
    if X is None or isinstance(X, str | bytes | set | frozenset | Iterator):
        came = "None" if X is None else f"a {type(X).__name__}"
        raise TypeError(
            f"X is {came}, but {name} takes a table of rows: an array, a data frame or "
            "a list of lists."
        )
    if _is_one_row(X):
        raise ValueError(
            f"X is a {type(X).__name__} of {len(X)} values, but {name} takes a table "
            f"of rows. {_RESHAPE}: one row is frame.iloc[[0]] of a frame, X[[0]] of an "
            "array or [row] of a list; one column is frame[['name']] or "
            "X.reshape(-1, 1)."
        )


def _first_of(X: Any, kind: type) -> bool:
    return isinstance(X, list | tuple) and len(X) > 0 and isinstance(X[0], kind)


def _is_one_row(X: Any) -> bool:
    """Tell whether X holds values and not rows."""
    if hasattr(X, "shape"):
        return len(X.shape) == 1 and isinstance(X, Sized) and not _holds_rows(X)
    if not isinstance(X, list | tuple) or not X:
        return False
    return all(
        isinstance(value, str | bytes) or not hasattr(value, "__len__") for value in X
    ) and not any(getattr(value, "ndim", 0) for value in X)


def _holds_rows(X: Any) -> bool:
    """Tell whether a one-dimensional container holds arrays or lists."""
    first = next(iter(X), None)
    return isinstance(first, list | tuple | np.ndarray)


def _about_mappings(X: Any, name: str) -> str:
    if not isinstance(X, Mapping):
        made = "pd.DataFrame(X)"
    elif any(np.ndim(value) for value in X.values()):
        made = "pd.DataFrame(X), which makes its entries columns"
    else:
        made = "pd.DataFrame([X]), a frame of that one row"
    what = "a dict" if isinstance(X, Mapping) else "a list of dicts"
    return f"X is {what}, but {name} takes a table of rows: give {made}."
