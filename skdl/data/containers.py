"""Tables of any library as pandas frames, with each value as it was.

The usual conversions go through float64 where integers have missing values among them,
which makes one of all that are beyond 2**53.
"""

from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import torch

# Floating types that NumPy has too; not bfloat16 and narrower ones.
_FLOATS = (torch.float64, torch.float32, torch.float16)


def is_frame(X: Any) -> bool:
    """Tell whether X is a data frame of any library."""
    return hasattr(X, "columns") and hasattr(X, "shape") and len(X.shape) == 2


def as_pandas(X: Any) -> pd.DataFrame:
    """Return a data frame of any library as one of pandas.

    Parameters
    ----------
    X : DataFrame
        Of pandas, polars, PyArrow or what narwhals knows.

    Raises
    ------
    ValueError
        If two columns have the same name.
    """
    if isinstance(X, pd.DataFrame):
        check_unique(list(X.columns))
        return X
    try:
        frame = nw.from_native(X, eager_only=True)
    except TypeError:
        if type(X).__module__.startswith("pyarrow"):  # a batch of records
            return as_pandas(type(X.schema.empty_table()).from_batches([X]))
        if hasattr(X, "to_pandas"):
            return as_pandas(X.to_pandas())
        _refuse_query(X)
        check_unique(list(X.columns))
        return pd.DataFrame({name: X[name].to_numpy() for name in X.columns})
    check_unique(list(frame.columns))
    columns = {name: _as_series(frame.get_column(name)) for name in frame.columns}
    return pd.DataFrame(columns, index=pd.RangeIndex(len(frame)))


def check_collected(X: Any) -> None:
    """Refuse a query that has not been run, such as a LazyFrame of polars."""
    if hasattr(X, "collect_schema") and not hasattr(X, "shape"):
        raise TypeError("X is a query that has not been run; pass X.collect().")


def _refuse_query(X: Any) -> None:
    """Refuse a query of DuckDB, dask or what else narwhals knows."""
    if isinstance(nw.from_native(X, pass_through=True), nw.LazyFrame):
        library = type(X).__module__.partition(".")[0].strip("_")
        found = {"duckdb": "X.df()", "dask": "X.compute()"}.get(library)
        advice = f", {found}" if found else ""
        raise TypeError(
            f"X is a query of {library} that has not been run; pass what it finds as a "
            f"table{advice}."
        )


def without_gradient(X: Any) -> Any:
    """Return a tensor as an array, and all else as it is.

    On any device, with a gradient, of any type: each keeps its width, by which
    categories are compared, but for what NumPy does not have.
    """
    if not isinstance(X, torch.Tensor):
        return X
    X = X.detach().cpu()
    if X.is_floating_point() and X.dtype not in _FLOATS:
        X = X.float()
    return X.numpy()


def as_array(X: Any) -> Any:
    """Return what is not a frame as an array that keeps each value as it is.

    Parameters
    ----------
    X : ndarray, tensor or sequence of rows
        Gradients of a tensor are left behind, masked values become missing, and rows
        of several types become objects: a common type would round integers.
    """
    X = without_gradient(X)
    if isinstance(X, np.ma.MaskedArray):
        values = np.array(X.data, dtype=object if np.ma.is_masked(X) else None)
        values[np.ma.getmaskarray(X)] = None
        return values
    if isinstance(X, np.ndarray):
        return X
    array = np.asarray(X)
    return np.asarray(X, dtype=object) if array.dtype.kind in "USf" else array


def check_unique(names: list[Any]) -> None:
    """Refuse columns that have the same name."""
    repeated = sorted({str(name) for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"Names of columns must be unique; twice there: {repeated}.")


def _as_series(column: Any) -> pd.Series:
    kind = column.dtype
    if kind.is_integer() and kind not in (nw.Int128, nw.UInt128):
        if not column.null_count():
            return pd.Series(column.to_numpy())
        values = column.fill_null(0).to_numpy()
        missing = np.array(column.is_null().to_numpy(), dtype=bool)
        return pd.Series(pd.arrays.IntegerArray(values.copy(), missing))
    if kind in (nw.Float64, nw.Float32, nw.Datetime, nw.Date, nw.Duration):
        return pd.Series(column.to_numpy())
    if kind in (nw.Categorical, nw.Enum):
        return pd.Series(pd.Categorical(column.to_list()))
    if kind in (nw.String, nw.Boolean):
        return pd.Series(column.to_numpy(), dtype=object)
    return pd.Series(column.to_list(), dtype=object)
