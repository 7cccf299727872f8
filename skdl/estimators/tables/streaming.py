"""Fits of rows that are read piece by piece."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import _check_y

from skdl.data.containers import is_frame
from skdl.data.open_rows import is_files, is_read_in_pieces, row_source
from skdl.data.row_sources import RowSource, check_column
from skdl.data.streamed import StreamedTable
from skdl.estimators.core.inputs import plain
from skdl.estimators.core.labels import labels_as_given
from skdl.estimators.core.rows import Rows, check_weight


def streamed_rows(
    estimator: Any, source: RowSource, y: Any, sample_weight: Any, *, reset: bool
) -> Rows:
    """Validate the first rows, and targets and weights of all; see `NeuralEstimator`.

    Parameters
    ----------
    estimator : DenseEstimator
        Learns the columns, with `reset`, from the first rows.
    source : RowSource
        All rows.
    y, sample_weight : str, list of str or array-like
        Columns of the source, or values of all rows.
    reset : bool
        Whether this is `fit`.
    """
    columns = [*_names(source, y), *_names(source, sample_weight)]
    if y is None:
        raise ValueError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is "
            "None: give the name of a column, or a value for each row."
        )
    y = _column_or_values(source, y)
    sample_weight = _column_or_values(source, sample_weight)
    source = source.without(columns)
    if not reset:
        source = known_columns(source, getattr(estimator, "feature_names_in_", None))
    first = first_rows(source)
    estimator._check_inputs(first, reset=reset)
    n_rows = sum(source.sizes)
    _refuse_parts(y, source, "y")
    _refuse_parts(sample_weight, source, "sample_weight")
    _refuse_missing(y)
    _refuse_names(y, source)
    y = _check_y(labels_as_given(plain(y)), multi_output=True, estimator=estimator)
    if len(y) != n_rows:
        raise ValueError(f"X has {n_rows} rows, but y has {len(y)}.")
    y = estimator._check_target(y)
    weight = check_weight(plain(sample_weight), y)

    def convert(frame: Any) -> Any:
        return estimator._check_inputs(frame, reset=False)

    table = StreamedTable(source, convert, first.shape[1])
    return Rows(table, y, weight, score_weight=weight)


def _refuse_parts(values: Any, source: RowSource, name: str) -> None:
    """Refuse values that come in parts, as the rows do."""
    if not isinstance(values, list | tuple) or len(values) == sum(source.sizes):
        return
    if values and all(len(np.shape(part)) == 1 for part in values):
        raise ValueError(
            f"{name} must hold one value for each of the {sum(source.sizes)} rows, got "
            f"a list of {len(values)} parts: join them, {name}=numpy.concatenate("
            f"{name}), or name a column of X."
        )


def _refuse_names(y: Any, source: RowSource) -> None:
    """Refuse a list of the names of columns of which some are not there."""
    is_names = isinstance(y, list | tuple) and len(y) != sum(source.sizes)
    if is_names and all(isinstance(name, str) for name in y):
        for name in y:
            check_column(name, source.names)


def known_columns(source: RowSource, names: Any) -> RowSource:
    """Return rows without columns that an estimator was not fitted on."""
    if names is None or source.names is None:
        return source
    return source.without([name for name in source.names if name not in set(names)])


def refuse_to_predict(X: Any) -> None:
    """Refuse rows that are read piece by piece where all are predicted at once.

    Raises
    ------
    TypeError
    """
    if not isinstance(X, np.ndarray | pd.DataFrame) and is_read_in_pieces(X):
        what = repr(X) if is_files(X) else f"a {type(X).__name__}"
        raise TypeError(
            f"X is {what}, whose rows are read piece by piece and not predicted all at "
            "once: skdl.predict_to_parquet(model, X, path) writes predictions as they "
            "are made, or give a table of rows, such as pandas.read_parquet gives."
        )


def refuse_stream(X: Any) -> None:
    """Refuse rows that are read piece by piece where they are wanted by position.

    Raises
    ------
    TypeError
    """
    if isinstance(X, Iterator) or is_read_in_pieces(X):
        raise TypeError(
            "A search takes rows of X by their positions, but those of a "
            f"{type(X).__name__} are read piece by piece: give a table in memory. Of "
            "files fit one candidate after the other, with folds or validation=0.1, "
            "and compare oof_score_, or validation_loss in history_."
        )


def _refuse_missing(y: Any) -> None:
    """Refuse labels of which some are missing, and say where."""
    y = np.asarray(y)
    can_miss = y.ndim == 1 and y.dtype.kind in "Of"
    missing = np.flatnonzero(pd.isna(y)) if can_miss else []
    if len(missing):
        raise ValueError(
            f"y has {len(missing)} missing entries (None or NaN), the first in row "
            f"{missing[0]}: leave these rows out, or give them a label."
        )


def column_of(X: Any, what: str, name: str) -> np.ndarray:
    """Return a column of rows that are read piece by piece; others have none to name.

    Raises
    ------
    TypeError
        If the rows are in memory.
    """
    source = row_source(X)
    if source is None:
        advice = f"X is a {type(X).__name__}, of which no column is named so."
        if is_frame(X):
            advice = f"Of a frame give {what}=X[{name!r}] and, as X, "
            advice += f"X.drop(columns={name!r})."
        raise TypeError(
            f"{what}={name!r} names a column, which goes for rows that are read piece "
            f"by piece, such as Parquet files. {advice}"
        )
    return source.column(name)


def _names(source: RowSource, given: Any) -> list[Any]:
    """Return the columns of a source that are named."""
    if source.names is None or given is None:
        return []
    if isinstance(given, str):
        return [given]
    if isinstance(given, list | tuple) and all(isinstance(n, str) for n in given):
        return list(given) if all(name in source.names for name in given) else []
    return []


def _column_or_values(source: RowSource, given: Any) -> Any:
    if isinstance(given, str):
        return source.column(given)
    names = _names(source, given)
    if names:
        return np.stack([source.column(name) for name in names], axis=1)
    return given


def first_rows(source: RowSource) -> Any:
    """Return rows in which each column has a value, if there are any.

    A column that is missing throughout the first rows says nothing of what it holds.
    """
    found = []
    for _, part in source.read(range(len(source.sizes))):
        if not isinstance(part, pd.DataFrame):
            return part
        found.append(part if not found else part[_unknown(found[0], part)].head(1000))
        if not found[0].isna().all().any():
            return part if len(found) == 1 else found[0]
        found = [pd.concat(found, ignore_index=True)]
    return found[0]


def _unknown(before: pd.DataFrame, part: pd.DataFrame) -> pd.Series:
    """Return which rows have a value in columns that had none."""
    empty = before.columns[before.isna().all()]
    return part[empty].notna().any(axis=1)


def predicted(model: Any, X: Any, method: str) -> Iterator[pd.DataFrame]:
    """Yield what a model says of rows that are read piece by piece, as frames."""
    source = row_source(X)
    if source is None:
        source = row_source([X])
    if source is None:
        raise TypeError(
            "X must be Parquet files, a Dataset, a query or what gives frames, "
            f"got a {type(X).__name__}."
        )
    names = getattr(model, "feature_names_in_", None)
    source = known_columns(source, names)
    for _, part in source.read(range(len(source.sizes))):
        if names is not None and set(names) == set(part.columns):
            part = part[list(names)]  # what is read is chosen by name anyway
        found = np.asarray(getattr(model, method)(part))
        if found.ndim > 2 or found.shape[:1] != (len(part),):
            raise ValueError(
                f"{type(model).__name__}.{method} must return one row for each row of "
                f"a frame, but for {len(part)} rows it has returned an array of shape "
                f"{found.shape}. A Pipeline that takes one column of texts must choose "
                "it first, as a ColumnTransformer does; of several labels write "
                "`predict`."
            )
        yield _as_columns(model, found, method)


def _as_columns(model: Any, found: np.ndarray, method: str) -> pd.DataFrame:
    if found.ndim == 1:
        return pd.DataFrame({"prediction": found})
    labels = range(found.shape[1])
    if method == "predict_proba":
        labels = getattr(model, "classes_", labels)
    return pd.DataFrame(found, columns=[f"{method}_{label}" for label in labels])
