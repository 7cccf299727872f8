"""Tensors as arrays that hold the same bits, and back."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

# What NumPy does not have is kept as integers of the same size.
_AS_INTEGERS = {torch.bfloat16: torch.int16}


def can_be_array(tensor: Tensor) -> bool:
    """Tell whether a tensor is numbers in memory, no more and no less."""
    plain = type(tensor) in (Tensor, nn.Parameter)
    dense = plain and tensor.layout == torch.strided and not tensor.is_quantized
    kept = dense and (tensor.is_leaf or not tensor.requires_grad)
    return kept and tensor.device.type != "meta" and not tensor.is_neg()


def as_array(tensor: Tensor) -> tuple[np.ndarray, dict[str, Any]]:
    """Return an array of a tensor's numbers, and what else is to be known of it.

    Axes are in the order in which they lie in memory: kernels differ by it.
    """
    told: dict[str, Any] = {}
    values = tensor.detach().cpu()
    order = sorted(range(values.ndim), key=lambda axis: -values.stride(axis))
    if order != list(range(values.ndim)) and not values.is_contiguous():
        values = values.permute(order)
        told["order"] = order
    if values.dtype in _AS_INTEGERS:
        told["dtype"] = str(values.dtype).removeprefix("torch.")
        values = values.contiguous().view(_AS_INTEGERS[values.dtype])
    if isinstance(tensor, nn.Parameter):
        told["parameter"] = True
    if tensor.requires_grad:
        told["grad"] = True
    return values.contiguous().resolve_conj().numpy(), told


def as_tensor(array: np.ndarray, told: dict[str, Any]) -> Tensor:
    """Return a tensor in memory of its own."""
    values = torch.tensor(np.array(array))  # a copy: the array may be a file's
    if not values.numel():  # NumPy's empty arrays have strides that torch refuses
        values = torch.empty(values.shape, dtype=values.dtype)
    if "dtype" in told:
        values = values.view({"bfloat16": torch.bfloat16}[told["dtype"]])
    if "order" in told:
        values = values.permute(np.argsort(told["order"]).tolist())
    grad = bool(told.get("grad", False))
    if told.get("parameter"):
        return nn.Parameter(values, requires_grad=grad)
    return values.requires_grad_(grad)
