"""Quasi-recurrent layers: convolutions over time and a recurrence without products."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from skdl.networks.dropout import Dropout
from skdl.networks.initialization import linear
from skdl.networks.linear_recurrence import recurrence_for
from skdl.networks.pooling import pool
from skdl.randomness import generator_on

POOLINGS = ("f", "fo", "ifo")


class QRNNLayer(nn.Module):
    """A quasi-recurrent layer (Bradbury et al. 2016, arXiv 1611.01576, section 2).

    Candidates and gates of all steps are one product of the inputs of the last `width`
    steps; only the pooling of them goes step by step.

    Parameters
    ----------
    n_inputs, hidden_size : int
        Widths.
    width : {1, 2}, default=1
        Steps that a candidate sees: the present one, and the one before it.
    pooling : {"f", "fo", "ifo"}, default="fo"
        "f": h = f h + (1 - f) z. "fo": the output is o h. "ifo": c = f c + i z with an
        input gate of its own, and the output is o c.
    zoneout : float, default=0.0
        Probability that a unit keeps its past for a step in training, in [0, 1).
    weight_dropout : float, default=0.0
        Probability that an entry of the weight is zeroed in training.

    Examples
    --------
    >>> import torch
    >>> output, (h, x) = QRNNLayer(3, 5)(torch.zeros(7, 2, 3))
    >>> output.shape, h.shape
    (torch.Size([7, 2, 5]), torch.Size([2, 5]))
    """

    def __init__(
        self,
        n_inputs: int,
        hidden_size: int,
        *,
        width: int = 1,
        pooling: str = "fo",
        zoneout: float = 0.0,
        weight_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if width not in (1, 2):
            raise ValueError(f"width must be 1 or 2, got {width}.")
        if pooling not in POOLINGS:
            raise ValueError(f"pooling must be one of {POOLINGS}, got {pooling!r}.")
        if not 0 <= zoneout < 1:
            raise ValueError(f"zoneout must be in [0, 1), got {zoneout}.")
        self.n_inputs, self.hidden_size = n_inputs, hidden_size
        self.width, self.pooling, self.zoneout = width, pooling, zoneout
        n_gates = 1 + len(pooling)
        self.linear = linear(width * n_inputs, n_gates * hidden_size)
        self.dropout = Dropout(weight_dropout)

    def forward(
        self, x: Tensor, state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Run over `x` (T, B, n_inputs); return outputs (T, B, H) and the last state.

        Parameters
        ----------
        x : Tensor of shape (T, B, n_inputs)
            Inputs.
        state : tuple of Tensors of shapes (B, H) and (B, n_inputs) or None
            What was pooled and the last input before the first step; None is zeros.
        """
        if state is None:
            state = x.new_zeros(x.shape[1], self.hidden_size), torch.zeros_like(x[0])
        before, last_input = state
        inputs = x
        if self.width == 2:
            inputs = torch.cat([x, torch.cat([last_input[None].to(x), x[:-1]])], 2)
        weight = self.dropout(self.linear.weight)
        gates = functional.linear(inputs, weight, self.linear.bias)
        gates = gates.to(torch.promote_types(gates.dtype, torch.float32))
        output, last = pool(gates, before, self._kept(x))
        return output, (last, x[-1])

    def _kept(self, x: Tensor) -> Tensor | None:
        """Draw where units keep all of their past."""
        if not self.training or self.zoneout == 0:
            return None
        shape = *x.shape[:2], self.hidden_size
        mask = torch.empty(shape, dtype=torch.bool, device=x.device)
        return mask.bernoulli_(self.zoneout, generator=generator_on(x.device))

    def extra_repr(self) -> str:
        """Show sizes, options and what runs the recurrence where the layer is."""
        return (
            f"{self.n_inputs}, {self.hidden_size}, width={self.width}, "
            f"pooling={self.pooling!r}, zoneout={self.zoneout}, "
            f"recurrence={recurrence_for(self.linear.weight.device)!r}"
        )
