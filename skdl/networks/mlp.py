"""The dense network."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from skdl.networks.dropout import Dropout
from skdl.networks.initialization import draw_linear, undrawn_linear
from skdl.randomness import generator_on

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "silu": nn.SiLU,
    "gelu": nn.GELU,
    "selu": nn.SELU,
    "mish": nn.Mish,
    "elu": nn.ELU,
    "leaky_relu": nn.LeakyReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "identity": nn.Identity,
}


class OutputLayer(nn.Linear):
    """A linear layer whose gradient has the same bits for any number of CPU threads.

    Matrix products with an odd few rows, such as the gradient of the weights of 5 to 11
    outputs, are summed in an order that depends on the number of threads. With outputs
    padded to a multiple of four they are not.
    """

    def reset_parameters(self) -> None:
        """Draw the weight as torch does, from the fit's generator; no bias yet."""
        draw_linear(self.weight)
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return `x @ weight.T + bias`, (B, n_inputs) -> (B, n_outputs)."""
        padding = -self.out_features % 4
        if not self.training or padding == 0 or not 4 < self.out_features < 12:
            return super().forward(x)
        weight = functional.pad(self.weight, (0, 0, 0, padding))
        bias = functional.pad(self.bias, (0, padding))
        return functional.linear(x, weight, bias)[..., : self.out_features]


class MLP(nn.Sequential):
    """A stack of dense layers: linear, batch norm, activation, dropout, ..., linear.

    Parameters
    ----------
    n_inputs : int
        Number of input columns.
    n_outputs : int
        Number of raw outputs.
    hidden_layer_sizes : sequence of int, default=(256, 128)
        Units of each hidden layer; empty for a linear model.
    activation : str, default="relu"
        A key of ``ACTIVATIONS``.
    dropout : float, default=0.0
        Probability that a hidden unit is zeroed in training, in [0, 1).
    batch_norm : bool, default=False
        Whether to normalise each hidden layer over the batch before its activation
        (Ioffe & Szegedy 2015, arXiv 1502.03167).

    Notes
    -----
    Shapes: input ``(B, n_inputs)`` float32, output ``(B, n_outputs)``.

    Examples
    --------
    >>> import torch
    >>> from skdl.networks import MLP
    >>> MLP(4, 3, hidden_layer_sizes=(8,))(torch.zeros(2, 4)).shape
    torch.Size([2, 3])
    """

    def __init__(
        self,
        n_inputs: int,
        n_outputs: int,
        *,
        hidden_layer_sizes: Sequence[int] = (256, 128),
        activation: str = "relu",
        dropout: float = 0.0,
        batch_norm: bool = False,
    ) -> None:
        layers: list[nn.Module] = []
        width = n_inputs
        for size in hidden_layer_sizes:
            linear = undrawn_linear(width, size, bias=not batch_norm)
            _initialize(linear, activation)
            layers.append(linear)
            if batch_norm:
                layers.append(nn.BatchNorm1d(size))
            layers.append(ACTIVATIONS[activation]())
            if dropout > 0:
                layers.append(Dropout(dropout))
            width = size
        super().__init__(*layers, OutputLayer(width, n_outputs))

    def __getitem__(self, index: slice | int) -> nn.Module:
        """Return a layer, or some of them as an `nn.Sequential`."""
        if isinstance(index, slice):
            return nn.Sequential(*list(self)[index])
        return super().__getitem__(index)


def _initialize(linear: nn.Linear, activation: str) -> None:
    """Keep the variance of the signal through the layer (He et al. 2015)."""
    weight, generator = linear.weight, generator_on(linear.weight.device)
    if activation in ("tanh", "sigmoid", "identity"):
        nn.init.xavier_uniform_(weight, generator=generator)
    elif activation == "selu":
        nn.init.kaiming_normal_(weight, nonlinearity="linear", generator=generator)
    else:
        nn.init.kaiming_uniform_(weight, nonlinearity="relu", generator=generator)
    if linear.bias is not None:
        nn.init.zeros_(linear.bias)
