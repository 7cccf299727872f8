"""Predictions for more rows than memory holds, written as they are made."""

import os
from pathlib import Path
from typing import Any

from sklearn.utils.validation import check_is_fitted

from skdl.estimators.tables.streaming import predicted
from skdl.training.survival.whole_file import replacing

_METHODS = ("predict", "predict_proba", "predict_log_proba", "decision_function")


def predict_to_parquet(
    model: Any, X: Any, path: str | os.PathLike, *, method: str = "predict"
) -> Path:
    """Predict for rows that are read piece by piece, and write a Parquet file.

    Parameters
    ----------
    model : estimator
        A fitted one of any library in scikit-learn's style, or a Pipeline.
    X : path, list of paths, Dataset, frame or what gives frames
        As `fit` takes rows piece by piece; columns that the model was not fitted on are
        left out.
    path : str or os.PathLike
        The file to write; there only once it is whole.
    method : str, default="predict"
        "predict", "predict_proba", "predict_log_proba" or "decision_function".

    Returns
    -------
    pathlib.Path
        The file. It has one row for each row of `X`, in the same order: a column
        "prediction", or one for each output such as "predict_proba_yes".

    Raises
    ------
    TypeError
        If `X` has no rows that are read so.
    ValueError
        If `method` is none of these.
    ImportError
        If PyArrow is not there.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np, pandas as pd
    >>> from skdl import NeuralRegressor, predict_to_parquet
    >>> frame = pd.DataFrame({"x": np.arange(40.0)})
    >>> model = NeuralRegressor(max_epochs=1).fit(frame, frame["x"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = predict_to_parquet(model, [frame, frame], folder + "/y.parquet")
    ...     pd.read_parquet(path).shape
    (80, 1)
    """
    from skdl.data.parquet import append_rows

    check_is_fitted(model)
    if method not in _METHODS or not hasattr(model, method):
        raise ValueError(
            f"method must be one of {_METHODS} that {type(model).__name__} has, got "
            f"{method!r}."
        )
    path, writer = Path(path), None
    with replacing(path) as file:
        for frame in predicted(model, X, method):
            writer = append_rows(writer, frame, file)
        if writer is None:
            raise ValueError("X has no rows to predict for.")
        writer.close()
    return path
