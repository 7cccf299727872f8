"""The ONNX graph of one estimator: columns, network, labels."""

import copy
import io
import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from skdl.data.numeric import NumericEncoder
from skdl.data.picture_arrays import PictureEncoder
from skdl.data.table import TableEncoder
from skdl.estimators.core.base import NeuralEstimator
from skdl.estimators.core.targets import ClassTarget
from skdl.estimators.text.labelled import LabelledTextEstimator
from skdl.export.columns import add_codes, add_numbers, no_numbers
from skdl.export.exported import Exported
from skdl.export.exported_texts import ExportedTexts
from skdl.export.nodes import Nodes
from skdl.export.texts import TOKENS, TOKENS_TO_READ, TokenNodes, add_counted
from skdl.training.surroundings import own_settings

OPSETS = {"": 17, "ai.onnx.ml": 3}
# Where all columns come as one array.
ALL = "X"
# Of the traced module.
INPUTS = ("numbers", "indices", "groups")
TEXT_INPUTS = COLUMNS, READ = ("counted", "read")
PROBABILITIES, LABEL, PREDICTION = "probabilities", "label", "prediction"


def graph_of(model: Any, onnx: Any, *, by_column: bool = True) -> Any:
    """Return the ONNX model of a fitted estimator.

    Parameters
    ----------
    model : NeuralEstimator
        Fitted.
    onnx : module
        The package.
    by_column : bool, default=True
        Whether columns with names are inputs by themselves.

    Raises
    ------
    TypeError, ValueError
        If it cannot be said in ONNX.
    """
    if isinstance(model, LabelledTextEstimator):
        return _finished(model, _graph_of_texts(model, onnx), onnx)
    _check_kind(model)
    encoder = model._encoder
    if isinstance(encoder, PictureEncoder):
        return _finished(model, _traced(model, onnx, pictures=True), onnx)
    nodes = Nodes(onnx)
    codes: list[str] = []
    if isinstance(encoder, TableEncoder) and encoder.vocabularies:
        schema = model._schema
        categorical = list(map(name_of_input, schema.categorical_names))
        indices, groups = add_codes(nodes, encoder, categorical)
        codes = [indices, *groups]
        names = list(map(name_of_input, schema.numeric_names))
        numbers = add_numbers(nodes, names) if names else no_numbers(nodes, indices)
    elif by_column and hasattr(model, "feature_names_in_"):
        numbers = add_numbers(nodes, list(map(str, model.feature_names_in_)))
    else:
        given = nodes.input(ALL, "DOUBLE", model.n_features_in_)
        numbers = nodes.add("Identity", given)
    network = _traced(model, onnx, n_codes=len(codes))
    kinds = ["DOUBLE", *["INT32"] * len(codes)]
    outputs = dict(zip(INPUTS, [numbers, *codes], strict=False))
    return _finished(model, _joined(nodes, outputs, kinds, network, onnx), onnx)


def name_of_input(name: Any) -> str:
    """Return the name of a column's input; columns without names are numbered."""
    return f"x{name}" if isinstance(name, int) else str(name)


def _check_kind(model: Any) -> None:
    if not isinstance(model, NeuralEstimator):
        raise TypeError(
            f"to_onnx takes classifiers and regressors of skdl on columns, pictures or "
            f"texts, and Pipelines that end in one, got a {type(model).__name__}."
        )
    known = NumericEncoder | TableEncoder | PictureEncoder
    if not isinstance(model._encoder, known):
        raise ValueError(
            f"This {type(model).__name__} takes arrays of more than two axes, whose "
            "scaling to_onnx does not know; export `network_` with torch.onnx, on what "
            "`encode` returns."
        )


def _traced(model: Any, onnx: Any, *, n_codes: int = 0, pictures: bool = False) -> Any:
    """Export the module of scaling, network and inverse link."""
    encoder = model._encoder
    if pictures:
        kind = torch.uint8 if encoder.is_bytes else torch.float32
        example = [torch.zeros((3, *encoder.shape), dtype=kind)]
        names = ["pictures"]
    else:
        n_columns = model.n_features_in_
        if isinstance(encoder, TableEncoder):
            n_columns -= len(encoder.vocabulary_of_column)
        widths = [len(getattr(encoder, "vocabulary_of_column", ()))]
        widths += [len(getattr(encoder, "groupings", ()))]
        example = [torch.zeros((3, n_columns), dtype=torch.float64)]
        example += [torch.zeros((3, w), dtype=torch.int32) for w in widths[:n_codes]]
        names = list(INPUTS[: len(example)])
    return _module(Exported(model), example, names, _output(model), onnx)


def _output(model: Any) -> str:
    return PROBABILITIES if isinstance(model._target, ClassTarget) else PREDICTION


def _module(
    module: nn.Module, example: list[Tensor], names: list[str], output: str, onnx: Any
) -> Any:
    """Export a module; inputs are told by an example of three rows."""
    file, module = io.BytesIO(), copy.deepcopy(module).cpu().eval()  # the model's stays
    axes = {name: {0: "rows"} for name in (*names, output)}
    for name in TEXT_INPUTS:
        if name in axes:
            axes[name][1] = name
    with own_settings(training=False), warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # about what is constant, and other exporters
        torch.onnx.export(
            module,
            tuple(example),
            file,
            input_names=names,
            output_names=[output],
            dynamic_axes=axes,
            opset_version=OPSETS[""],
            dynamo=False,
        )
    return onnx.load_from_string(file.getvalue())


def _graph_of_texts(model: Any, onnx: Any) -> Any:
    """Return the model without labels of an estimator on texts."""
    nodes, reading = Nodes(onnx), model._reading
    tokens = TokenNodes(nodes)
    ids = tokens.add(reading.encoder, TOKENS)
    outputs = {COLUMNS: add_counted(nodes, reading.counter, ids)}
    if reading.language_model is not None:
        encoder = reading.language_model._lm_encoder
        outputs[READ] = tokens.add(encoder, TOKENS_TO_READ)
    example = [torch.tensor([[0, 0], [-1, 0], [-1, -1]]) for _ in outputs]
    network = _module(ExportedTexts(model), example, [*outputs], _output(model), onnx)
    kinds = ["INT64"] * len(outputs)
    return _joined(nodes, outputs, kinds, network, onnx)


def _joined(
    nodes: Nodes, outputs: dict[str, str], kinds: list[str], network: Any, onnx: Any
) -> Any:
    """Put what makes columns in front of a network.

    Parameters
    ----------
    nodes : Nodes
        What makes them.
    outputs : dict of str to str
        The columns' names in it, by the network's inputs.
    kinds : list of str
        Types of the columns.
    network : ModelProto
        What gets them.
    onnx : module
        The package.
    """
    columns = onnx.helper.make_graph(
        nodes.nodes,
        "columns",
        nodes.inputs,
        [
            onnx.helper.make_tensor_value_info(
                name, getattr(onnx.TensorProto, kind), ["rows", None]
            )
            for name, kind in zip(outputs.values(), kinds, strict=True)
        ],
        nodes.constants,
    )
    opsets = {domain: 1 for domain in sorted(nodes.domains)} | OPSETS
    first = onnx.helper.make_model(columns, opset_imports=_opsets(onnx, opsets))
    return joined(first, network, outputs, onnx)


def _opsets(onnx: Any, opsets: dict[str, int]) -> list[Any]:
    return [onnx.helper.make_opsetid(d, v) for d, v in opsets.items()]


def joined(first: Any, second: Any, outputs: dict[str, str], onnx: Any) -> Any:
    """Return two models as one; `outputs` are the first's by the second's inputs."""
    first.ir_version = second.ir_version
    second = onnx.compose.add_prefix(
        second, "network_", rename_inputs=True, rename_outputs=False
    )
    opsets = {opset.domain: opset.version for opset in first.opset_import} | OPSETS
    for part in (first, second):  # what is written for one is the same in the other
        del part.opset_import[:]
        part.opset_import.extend(_opsets(onnx, opsets))
    asked = {info.name for info in second.graph.input}
    given = {f"network_{name}": output for name, output in outputs.items()}
    pairs = [(output, name) for name, output in given.items() if name in asked]
    unused = set(outputs.values()) - {output for output, _ in pairs}
    if unused:  # a network that asks for fewer than there are
        kept = [info for info in first.graph.output if info.name not in unused]
        del first.graph.output[:]
        first.graph.output.extend(kept)
    return onnx.compose.merge_models(first, second, io_map=pairs)


def _finished(model: Any, graph: Any, onnx: Any) -> Any:
    """Add the label of the most probable class."""
    target = model._target
    if not isinstance(target, ClassTarget):
        return graph
    nodes = Nodes(onnx, "label")
    if target.multilabel:
        half = nodes.constant([0.5], np.float64)
        nodes.cast(nodes.add("Greater", PROBABILITIES, half), "INT64")
    else:
        best = nodes.add("ArgMax", PROBABILITIES, axis=1, keepdims=0)
        nodes.add("Gather", nodes.constant(_labels(target)), best)
    nodes.nodes[-1].output[0] = LABEL
    graph.graph.node.extend(nodes.nodes)
    graph.graph.initializer.extend(nodes.constants)
    kind = onnx.TensorProto.INT64 if target.multilabel else nodes.constants[0].data_type
    shape = ["rows", target.n_outputs] if target.multilabel else ["rows"]
    graph.graph.output.append(onnx.helper.make_tensor_value_info(LABEL, kind, shape))
    return graph


def _labels(target: ClassTarget) -> np.ndarray:
    classes = np.asarray(target.classes)
    if classes.dtype.kind in "OUS":
        return np.array([str(c) for c in classes.tolist()], dtype=object)
    return classes.astype(np.int64) if classes.dtype.kind in "iub" else classes
