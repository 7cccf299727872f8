"""Exports that are run and compared with the model before they are written."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skdl.data.containers import as_pandas, is_frame
from skdl.data.text import check_texts
from skdl.export.graph import ALL, PREDICTION, PROBABILITIES, graph_of, name_of_input
from skdl.export.pipelines import graph_of_pipeline, graphs_of_steps
from skdl.export.texts import TEXTS, TOKENS, TOKENS_TO_READ, padded_tokens
from skdl.training.survival.whole_file import replacing

TOLERANCE = 1e-4


def to_onnx(model: Any, X: Any, path: str | os.PathLike) -> None:
    """Write a fitted model, with its preprocessing, as an ONNX file.

    Needs the extra ``onnx``. Before the file is written, it is run by onnxruntime on X
    and compared with the model.

    Parameters
    ----------
    model : estimator or Pipeline
        `NeuralClassifier`, `NeuralRegressor`, `EntityEmbeddingClassifier`,
        `EntityEmbeddingRegressor`, `ImageClassifier`, `ImageRegressor`,
        `TextClassifier`, `TextRegressor`, or a Pipeline of scikit-learn's transformers
        that ends in one of columns.
    X : array-like of shape (n_samples, n_features), or iterable of str
        Rows to compare on: usual ones, and ones with missing and unknown values.
    path : str or os.PathLike
        The file. Its inputs are the columns by their names, of shape (n, 1): float64
        for numbers, and integers and booleans that are categories, NaN being missing;
        text, the empty one being missing. Columns without names are one input ``X`` of
        float64; columns of a table without names are ``x0``, ``x1``, ...; pictures are
        one input ``pictures`` as `encode` returns them; texts are one input ``texts``
        of shape (n, 1), or, where only the estimator can cut them, ``tokens`` of shape
        (n, t), the empty one standing behind a text's last. Its outputs are
        ``probabilities`` and ``label``, or ``prediction``. `onnx_inputs` makes inputs
        of a frame.

    Raises
    ------
    TypeError, ValueError
        If something cannot be said in ONNX; the message names the column or step. If a
        probability differs by more than 1e-4, or a prediction by more than that share
        of the largest; nothing is written then.

    Examples
    --------
    >>> import skdl
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = skdl.NeuralClassifier(max_epochs=2, random_state=0).fit(X, y)
    >>> skdl.to_onnx(model, X, "iris.onnx")  # doctest: +SKIP
    """
    onnx, runtime = _packages()
    check_is_fitted(model)
    if isinstance(model, Pipeline):
        graph = graph_of_pipeline(model, X, onnx)
    else:
        graph = graph_of(model, onnx)
    onnx.checker.check_model(graph)
    graph.producer_name = "skdl"
    content = graph.SerializeToString()
    try:
        _compare(model, _session(content, runtime), X)
    except Exception as error:
        if not _is_of_onnxruntime(error):
            raise
        raise ValueError(
            f"{_at_fault(model, X, onnx, runtime)} becomes what onnxruntime cannot run "
            f"({error}); nothing was written. Export the last step of a Pipeline by "
            "itself, and do the others before it."
        ) from error
    with replacing(Path(path)) as file:
        file.write(content)


def onnx_inputs(model: Any, session: Any, X: Any) -> dict[str, np.ndarray]:
    """Return rows as the inputs of an exported model.

    Parameters
    ----------
    model : estimator
        The model that was exported; it knows how pictures and texts are read.
    session : onnxruntime.InferenceSession
        Of the file.
    X : array-like of shape (n_samples, n_features), or iterable of str
        Rows.

    Returns
    -------
    dict of ndarray
        For ``session.run(None, inputs)``.

    Examples
    --------
    >>> import onnxruntime  # doctest: +SKIP
    >>> session = onnxruntime.InferenceSession("model.onnx")  # doctest: +SKIP
    >>> inputs = onnx_inputs(model, session, X)  # doctest: +SKIP
    >>> probabilities, labels = session.run(None, inputs)  # doctest: +SKIP
    """
    wanted = {info.name: info.type for info in session.get_inputs()}
    last = model[-1] if isinstance(model, Pipeline) else model
    if "pictures" in wanted:
        (pictures,) = last.encode(X)
        return {"pictures": pictures}
    if {TEXTS, TOKENS} & set(wanted) and hasattr(last, "language_model_"):
        return _text_inputs(last, wanted, X)
    if set(wanted) == {ALL}:
        return {ALL: np.asarray(X, dtype=np.float64)}
    frame = as_pandas(X) if is_frame(X) else pd.DataFrame(np.asarray(X))
    columns = {name_of_input(name): frame[name] for name in frame.columns}
    absent = sorted(set(wanted) - set(columns))
    if absent:
        raise ValueError(f"X lacks the columns {absent} that the file asks for.")
    return {name: _column(columns[name], kind) for name, kind in wanted.items()}


def _text_inputs(model: Any, wanted: Iterable[str], X: Any) -> dict[str, np.ndarray]:
    """Return texts, or their tokens where the file cannot cut them."""
    texts, reading = check_texts(X), model._reading
    encoders = {TOKENS: reading.encoder}
    if reading.language_model is not None:
        encoders[TOKENS_TO_READ] = reading.language_model._lm_encoder
    inputs = {n: padded_tokens(e, texts) for n, e in encoders.items() if n in wanted}
    if TEXTS in wanted:
        inputs[TEXTS] = np.array(texts, dtype=object).reshape(-1, 1)
    return inputs


def _column(column: pd.Series, kind: str) -> np.ndarray:
    """Return one column as (n, 1) of the type that the file asks for."""
    if kind == "tensor(string)":
        texts = column.astype(object).where(column.notna(), "").map(str)
        return texts.to_numpy(dtype=object).reshape(-1, 1)
    if kind == "tensor(int64)":
        if column.isna().any():
            raise ValueError(
                f"Column {column.name!r} has missing values, but its integers are "
                "beyond 2**53, for which the file takes int64, where none is missing. "
                "Leave these rows out, or fit on the integers as text."
            )
        return column.to_numpy(dtype=np.int64).reshape(-1, 1)
    values = column.astype(object).where(column.notna(), np.nan)
    dtype = np.float32 if kind == "tensor(float)" else np.float64
    return pd.to_numeric(values, errors="coerce").to_numpy(dtype).reshape(-1, 1)


def _packages() -> tuple[Any, Any]:
    try:
        import onnx
        import onnx.compose
        import onnxruntime
    except ImportError as error:
        raise ImportError(
            "to_onnx needs onnx and onnxruntime: pip install 'skdl[onnx]'."
        ) from error
    return onnx, onnxruntime


def _session(content: bytes, runtime: Any) -> Any:
    return runtime.InferenceSession(content, providers=["CPUExecutionProvider"])


def _is_of_onnxruntime(error: Exception) -> bool:
    return type(error).__module__.startswith("onnxruntime")


def _at_fault(model: Any, X: Any, onnx: Any, runtime: Any) -> str:
    """Return what cannot be run: the first step of a Pipeline, or the model."""
    for (name, step), graph in graphs_of_steps(model, X, onnx):
        try:
            session = _session(graph.SerializeToString(), runtime)
            session.run(None, onnx_inputs(model, session, X))
        except Exception as error:
            if not _is_of_onnxruntime(error):
                raise
            return f"Step {name!r} ({type(step).__name__})"
    return f"The {type(model).__name__}"


def _compare(model: Any, session: Any, X: Any) -> None:
    """Refuse a file that says something else than the model."""
    has_classes = hasattr(model, "predict_proba")
    expected = np.asarray(model.predict_proba(X) if has_classes else model.predict(X))
    output = PROBABILITIES if has_classes else PREDICTION
    inputs = onnx_inputs(model, session, X)
    (found,) = session.run([output], inputs)
    (alone,) = session.run([output], {k: v[:1] for k, v in inputs.items()})
    if found.shape != expected.shape or alone.shape != expected[:1].shape:
        raise ValueError(
            f"The exported model returns shape {found.shape} and for one row "
            f"{alone.shape}, the model {expected.shape}; nothing was written."
        )
    scale = 1.0 if has_classes else np.abs(expected).max(initial=0.0) or 1.0
    apart = np.abs(found - expected) / scale
    worst = max(float(apart.max(initial=0)), _apart(alone, expected[:1], scale))
    if not worst <= TOLERANCE:
        row = int(apart.reshape(len(apart), -1).max(axis=1).argmax())
        raise ValueError(
            f"The exported model differs from the model by {worst:.2g} in row {row} of "
            f"X, more than {TOLERANCE}; nothing was written. Does that row spell a "
            "category otherwise than the rows of fit?"
        )


def _apart(found: np.ndarray, expected: np.ndarray, scale: float) -> float:
    return float((np.abs(found - expected) / scale).max(initial=0))
