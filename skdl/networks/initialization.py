"""Layers of torch whose weights are drawn from the fit's generator.

The constructors of torch's layers draw from torch's global generator, which fits in
other threads and the caller share.
"""

import math

from torch import Tensor, nn

from skdl.randomness import generator_on


class _UndrawnLinear(nn.Linear):
    def reset_parameters(self) -> None:
        """Leave the weights as they are."""


class _UndrawnConv2d(nn.Conv2d):
    def reset_parameters(self) -> None:
        """Leave the weights as they are."""


def undrawn_linear(n_inputs: int, n_outputs: int, *, bias: bool = True) -> nn.Linear:
    """Return an `nn.Linear` whose weights are still to be drawn."""
    layer: nn.Linear = _UndrawnLinear(n_inputs, n_outputs, bias=bias)
    layer.__class__ = nn.Linear
    return layer


def linear(n_inputs: int, n_outputs: int) -> nn.Linear:
    """Return an `nn.Linear` with weights and biases as torch draws them."""
    layer = undrawn_linear(n_inputs, n_outputs)
    draw_linear(layer.weight)
    draw_uniform(layer.bias, n_inputs**-0.5)
    return layer


def conv3x3(n_inputs: int, n_outputs: int, *, stride: int) -> nn.Conv2d:
    """Return an `nn.Conv2d` without bias, drawn for a ReLU (He et al. 2015)."""
    layer: nn.Conv2d = _UndrawnConv2d(
        n_inputs, n_outputs, 3, stride=stride, padding=1, bias=False
    )
    layer.__class__ = nn.Conv2d
    nn.init.kaiming_normal_(
        layer.weight,
        mode="fan_out",
        nonlinearity="relu",
        generator=generator_on(layer.weight.device),
    )
    return layer


def draw_linear(weight: Tensor) -> None:
    """Draw the weight of a linear layer as torch does (He et al. 2015, with a gain)."""
    nn.init.kaiming_uniform_(
        weight, a=math.sqrt(5), generator=generator_on(weight.device)
    )


def draw_uniform(tensor: Tensor, bound: float) -> None:
    """Draw entries evenly between `-bound` and `bound`."""
    nn.init.uniform_(tensor, -bound, bound, generator=generator_on(tensor.device))
