"""Fitted models as files that other runtimes read."""

from skdl.export.onnx_file import onnx_inputs, to_onnx

__all__ = ["onnx_inputs", "to_onnx"]
