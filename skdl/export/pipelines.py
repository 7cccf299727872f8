"""Pipelines whose first steps are scikit-learn's: through skl2onnx's converters."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from skdl.data.containers import as_pandas, is_frame
from skdl.data.table import TableEncoder
from skdl.estimators.text.labelled import LabelledTextEstimator
from skdl.export.graph import ALL, OPSETS, graph_of, joined

# What the steps return.
_OUTPUT = "steps_output"


def graph_of_pipeline(pipeline: Pipeline, X: Any, onnx: Any) -> Any:
    """Return the ONNX model of a Pipeline.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted.
    X : array-like of shape (n_samples, n_features)
        Rows, whose columns tell the types of the inputs.
    onnx : module
        The package.

    Raises
    ------
    ValueError
        If a step has no converter; the message names it.
    """
    name, model = pipeline.steps[-1]
    first = _transformers(pipeline)
    if not first:
        return graph_of(model, onnx)
    if isinstance(model, LabelledTextEstimator):
        raise ValueError(
            f"Step {name!r} ({type(model).__name__}) takes texts from the steps before "
            "it, which have no converter to ONNX: export it by itself and do the "
            "others before it."
        )
    encoder = getattr(model, "_encoder", None)
    if isinstance(encoder, TableEncoder) and encoder.vocabularies:
        raise ValueError(
            f"Step {name!r} ({type(model).__name__}) takes tables with categories from "
            "the steps before it, which to_onnx cannot hand over: export it by itself, "
            "or use a Neural estimator behind transformers."
        )
    steps = _converted(first, X, onnx)
    return joined(steps, graph_of(model, onnx, by_column=False), {ALL: _OUTPUT}, onnx)


def graphs_of_steps(model: Any, X: Any, onnx: Any) -> Iterator[tuple[Any, Any]]:
    """Give each transformer of a Pipeline, and the ONNX model of the steps up to it."""
    first = _transformers(model) if isinstance(model, Pipeline) else []
    for i, step in enumerate(first):
        yield step, _converted(first[: i + 1], X, onnx)


def _transformers(pipeline: Pipeline) -> list[tuple[str, Any]]:
    """Return the steps before the last that do something."""
    return [(n, s) for n, s in pipeline.steps[:-1] if s not in (None, "passthrough")]


def _converted(first: list[tuple[str, Any]], X: Any, onnx: Any) -> Any:
    """Convert the transformers; what they return is one array of float64."""
    try:
        import skl2onnx
        from skl2onnx._supported_operators import sklearn_operator_name_map as known
    except ImportError as error:
        raise ImportError(
            "to_onnx needs skl2onnx for Pipelines: pip install 'skdl[onnx]'."
        ) from error
    for step, part in _parts(first):
        if type(part) not in known:
            raise ValueError(
                f"Step {step!r} ({type(part).__name__}) has no converter to ONNX. "
                "Export the last step by itself and do the others before it."
            )
    transformers = Pipeline(first)
    try:
        converted = skl2onnx.convert_sklearn(
            transformers, initial_types=_types(X), target_opset=OPSETS
        )
    except Exception as error:  # converters raise what they like
        names = [step for step, _ in first]
        raise ValueError(
            f"The steps {names} cannot be converted to ONNX by skl2onnx "
            f"({type(error).__name__}: {error})."
        ) from error
    graph = converted.graph
    cast = onnx.helper.make_node(
        "Cast", [graph.output[0].name], [_OUTPUT], to=onnx.TensorProto.DOUBLE
    )
    graph.node.append(cast)
    graph.output[0].CopyFrom(
        onnx.helper.make_tensor_value_info(
            _OUTPUT, onnx.TensorProto.DOUBLE, ["rows", None]
        )
    )
    return converted


def _parts(steps: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Give every transformer inside, with the name of the step that it is in."""
    for name, step, *_ in steps:
        full = f"{prefix}{name}"
        inner = getattr(step, "transformers_", None) or getattr(step, "steps", None)
        inner = inner or getattr(step, "transformer_list", None)
        if inner is not None:
            yield from _parts(inner, f"{full}__")
        elif not isinstance(step, str) and step is not None:
            yield full, step


def _types(X: Any) -> list[tuple[str, Any]]:
    """Return skl2onnx's types of the columns."""
    from skl2onnx.common.data_types import (
        DoubleTensorType,
        Int64TensorType,
        StringTensorType,
    )

    if not is_frame(X):
        return [("X", DoubleTensorType([None, np.asarray(X).shape[1]]))]
    found = []
    for name, column in as_pandas(X).items():
        kind = DoubleTensorType
        if not pd.api.types.is_numeric_dtype(column.dtype):
            kind = StringTensorType
        elif pd.api.types.is_integer_dtype(column.dtype):
            kind = Int64TensorType
        found.append((str(name), kind([None, 1])))
    return found
