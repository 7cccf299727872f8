"""Raw outputs that only training looks at."""

from typing import Any

import torch
from torch import Tensor, nn

from skdl.networks.packed import PackedLinear, PackedMLP


class FirstOutputs(nn.Module):
    """In training passes everything on, else the first outputs alone.

    Parameters
    ----------
    n_outputs : int
        How many.

    Examples
    --------
    >>> import torch
    >>> first = FirstOutputs(2)
    >>> first(torch.zeros(5, 6)).shape, first.eval()(torch.zeros(5, 6)).shape
    (torch.Size([5, 6]), torch.Size([5, 2]))
    """

    def __init__(self, n_outputs: int) -> None:
        super().__init__()
        self.n_outputs = n_outputs

    def forward(self, x: Tensor) -> Tensor:
        """Leave others out."""
        return x if self.training else x[..., : self.n_outputs]

    def extra_repr(self) -> str:
        """Show the number."""
        return f"n_outputs={self.n_outputs}"


def new_head(
    n_members: int, n_inputs: int, n_outputs: int, n_beside: int = 0, **layers: Any
) -> PackedMLP:
    """Return dense networks side by side, with more outputs while they are trained.

    Parameters
    ----------
    n_members, n_inputs, n_outputs, **layers
        As `PackedMLP` takes them.
    n_beside : int, default=0
        Outputs of each member that only training sees, after the others.
    """
    head = PackedMLP(n_members, n_inputs, n_outputs + n_beside, **layers)
    if n_beside:
        head.layers.append(FirstOutputs(n_outputs))
    return head


@torch.no_grad()
def drop_outputs_beside(network: nn.Module) -> None:
    """Leave out, in place, what only training sees of a network."""
    head = getattr(network, "head", None)
    if not isinstance(head, PackedMLP) or not isinstance(head.layers[-1], FirstOutputs):
        return
    n_outputs = head.layers[-1].n_outputs
    del head.layers[-1]
    last = head.layers[-1]
    assert isinstance(last, PackedLinear)
    last.weight = nn.Parameter(last.weight[..., :n_outputs].clone())
    if last.bias is not None:
        last.bias = nn.Parameter(last.bias[..., :n_outputs].clone())
