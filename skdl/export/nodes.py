"""A part of an ONNX graph, node by node."""

from collections.abc import Iterable
from typing import Any

import numpy as np


class Nodes:
    """Collects nodes, constants and inputs of a graph.

    Parameters
    ----------
    onnx : module
        The package.
    prefix : str, default="columns"
        What the names of all that it makes begin with.
    """

    def __init__(self, onnx: Any, prefix: str = "columns") -> None:
        self._onnx = onnx
        self._prefix = prefix
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.inputs: list[Any] = []
        self.domains: set[str] = set()

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output; return the output's name."""
        output = f"{self._prefix}_{operator.lower()}_{len(self.nodes)}"
        node = self._onnx.helper.make_node(operator, inputs, [output], **attributes)
        self.domains.add(node.domain)
        self.nodes.append(node)
        return output

    def learned(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node of ``ai.onnx.ml``."""
        return self.add(operator, *inputs, domain="ai.onnx.ml", **attributes)

    def cast(self, name: str, kind: str) -> str:
        """Add a node that changes the type, such as "INT64"."""
        return self.add("Cast", name, to=getattr(self._onnx.TensorProto, kind))

    def constant(self, values: Any, dtype: Any = None) -> str:
        """Add a constant; return its name."""
        array = np.asarray(values, dtype=dtype)
        if array.dtype.kind in "OU":
            array = array.astype(object)
        name = f"{self._prefix}_constant_{len(self.constants)}"
        self.constants.append(self._onnx.numpy_helper.from_array(array, name))
        return name

    def input(self, name: str, kind: str, n_columns: int | str) -> str:
        """Add an input of so many columns; a name stands for any number."""
        element = getattr(self._onnx.TensorProto, kind)
        info = self._onnx.helper.make_tensor_value_info(
            name, element, ["rows", n_columns]
        )
        self.inputs.append(info)
        return name


def looked_up(
    nodes: Nodes, name: str, keys: Iterable[int], values: Iterable[int], default: int
) -> str:
    """Add what turns integers into others, or into `default`; return its name."""
    keys = [int(key) for key in keys]
    if not keys:  # a node without keys is none
        nothing = nodes.add("Mul", name, nodes.constant([0], np.int64))
        return nodes.add("Add", nothing, nodes.constant([default], np.int64))
    return nodes.learned(
        "LabelEncoder",
        name,
        keys_int64s=keys,
        values_int64s=[int(value) for value in values],
        default_int64=default,
    )
