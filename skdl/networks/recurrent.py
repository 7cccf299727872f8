"""Recurrent layers with dropout on their weights and masks that stay over time."""

import functools
import itertools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from skdl.networks.dropout import Dropout, kept
from skdl.networks.half import from_half, to_half
from skdl.networks.initialization import draw_uniform
from skdl.networks.qrnn import QRNNLayer
from skdl.randomness import generator_on

State = tuple[Tensor, Tensor]

# Units of an LSTM whose weights a GPU holds in registers.
_WIDEST = 1024


class LockedDropout(nn.Module):
    """Dropout with one mask for all steps of a sequence (Gal & Ghahramani 2016).

    Parameters
    ----------
    p : float
        Probability that a unit is zeroed, in all steps, in [0, 1).
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` (T, B, H) with some units dropped in training."""
        if not self.training or self.p == 0:
            return x
        empty = x.new_empty(1, *x.shape[1:])
        return x * kept(empty, self.p, generator_on(x.device))

    def extra_repr(self) -> str:
        """Show the probability."""
        return f"p={self.p}"


class WordDropout(nn.Module):
    """Drops all occurrences of some words (Gal & Ghahramani 2016, section 4.2).

    Parameters
    ----------
    p : float
        Probability that a word's vector is zeroed, in [0, 1).
    n_words : int
        Words there are.
    """

    def __init__(self, p: float, n_words: int) -> None:
        super().__init__()
        self.p = p
        self.n_words = n_words

    def forward(self, x: Tensor, ids: Tensor) -> Tensor:
        """Return the vectors `x` (T, B, E) of words `ids` (T, B)."""
        if not self.training or self.p == 0:
            return x
        words = kept(x.new_empty(self.n_words), self.p, generator_on(x.device))
        return x * words[ids].unsqueeze(-1)

    def extra_repr(self) -> str:
        """Show the probability."""
        return f"p={self.p}"


class LSTMLayer(nn.Module):
    """An LSTM layer whose recurrent weights may be dropped (Wan et al. 2013).

    The mask is applied to a copy that the kernel gets: the weight itself stays a
    parameter with a gradient. One mask serves all steps of a call.

    Parameters
    ----------
    n_inputs, hidden_size : int
        Widths.
    weight_dropout : float, default=0.0
        Probability that an entry of the recurrent weight is zeroed in training.

    Examples
    --------
    >>> import torch
    >>> output, (h, c) = LSTMLayer(3, 5)(torch.zeros(7, 2, 3))
    >>> output.shape, h.shape
    (torch.Size([7, 2, 5]), torch.Size([2, 5]))
    """

    def __init__(
        self, n_inputs: int, hidden_size: int, *, weight_dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.n_inputs, self.hidden_size = n_inputs, hidden_size
        self.dropout = Dropout(weight_dropout)
        bound = hidden_size**-0.5

        def uniform(*shape: int) -> nn.Parameter:
            weight = torch.empty(*shape)
            draw_uniform(weight, bound)
            return nn.Parameter(weight)

        self.weight_ih = uniform(4 * hidden_size, n_inputs)
        self.weight_hh = uniform(4 * hidden_size, hidden_size)
        self.bias = uniform(4 * hidden_size)

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Run over `x` (T, B, n_inputs); return outputs (T, B, H) and the last state.

        Parameters
        ----------
        x : Tensor of shape (T, B, n_inputs)
            Inputs.
        state : tuple of two Tensors of shape (B, H) or None
            Hidden and cell state before the first step; None is zeros.
        """
        if state is None:
            zeros = x.new_zeros(x.shape[1], self.hidden_size)
            state = zeros, zeros
        weight_hh = self.dropout(self.weight_hh)
        tensors = self.weight_ih, weight_hh, self.bias, torch.zeros_like(self.bias)
        dtype = _arithmetic(x)
        # On GPUs autocast to bfloat16 would make float16 of it, whose gradients vanish.
        with torch.autocast(x.device.type, enabled=False):
            if dtype == torch.bfloat16 and self._persists(x):
                # Gradients between windows, through the state, stay scaled.
                output, h, c = _lstm(to_half(x), state, tensors, to_half)
                output = from_half(output, dtype)
            else:
                output, h, c = _lstm(
                    x.to(dtype), state, tensors, lambda w: w.to(dtype), self.training
                )
        return output, (h[0], c[0])

    def _persists(self, x: Tensor) -> bool:
        """Tell whether cuDNN has a kernel in float16 that keeps weights on the chip.

        It takes a fraction of the time; torch chooses it under these conditions.
        """
        if not (x.is_cuda and torch.is_grad_enabled()):
            return False
        chip, batch = torch.cuda.get_device_properties(x.device), x.shape[1]
        fits = self.hidden_size <= _WIDEST and self.hidden_size % 128 == 0
        is_even = self.n_inputs % 128 == 0 and batch <= 128 and batch % 8 == 0
        is_large = chip.major >= 8 and chip.minor != 6
        return fits and is_even and is_large and chip.multi_processor_count >= 98

    def extra_repr(self) -> str:
        """Show sizes."""
        return f"{self.n_inputs}, {self.hidden_size}"


def _lstm(
    x: Tensor,
    state: State,
    weights: Sequence[Tensor],
    cast: Callable[[Tensor], Tensor],
    training: bool = True,
) -> tuple[Tensor, Tensor, Tensor]:
    """Run torch's LSTM in the type of `x`, to which `cast` brings weights."""
    weights = _in_one_buffer(weights, cast) if x.is_cuda else [cast(w) for w in weights]
    start = tuple(s.to(x.dtype).unsqueeze(0) for s in state)
    # cuDNN keeps what gradients need only if it is told that this is training.
    trains = training or (x.is_cuda and torch.is_grad_enabled())
    return torch.lstm(x, start, weights, True, 1, 0.0, trains, False, False)


def _arithmetic(x: Tensor) -> torch.dtype:
    """Return the type autocast asks for, if it has a kernel, else that of `x`."""
    kind = x.device.type
    if not torch.is_autocast_enabled(kind):
        return x.dtype
    asked = torch.get_autocast_dtype(kind)
    if kind == "cuda" and asked == torch.bfloat16 and not _has_bfloat16_lstm():
        return torch.float32
    return asked


@functools.cache
def _has_bfloat16_lstm() -> bool:
    """Tell whether cuDNN's LSTM takes bfloat16, and torch hands it that."""
    return (
        torch.__version__ >= "2.10" and (torch.backends.cudnn.version() or 0) >= 91300
    )


def _in_one_buffer(
    weights: Sequence[Tensor], cast: Callable[[Tensor], Tensor]
) -> list[Tensor]:
    """Lay weights out in one piece, as cuDNN wants them, and cast all at once."""
    buffer = cast(torch.cat([w.reshape(-1) for w in weights]))
    parts = buffer.split([w.numel() for w in weights])
    return [part.view_as(w) for part, w in zip(parts, weights, strict=True)]


class RecurrentStack(nn.Module):
    """Recurrent layers on top of each other, with locked dropout between them.

    A layer that is as wide as what it is given adds to it (He et al. 2015, arXiv
    1512.03385): so a deep stack learns as fast as a shallow one from the first step.

    Parameters
    ----------
    widths : sequence of int
        Width of the input and of every layer.
    dropout : float, default=0.0
        Between layers.
    weight_dropout : float, default=0.0
        Of the recurrent weights, for "qrnn" of all weights of the layers.
    cell : {"lstm", "qrnn"}, default="lstm"
        What the layers are; the first of "qrnn" looks at two steps, the others at one.
    zoneout : float, default=0.0
        Of "qrnn"; see `QRNNLayer`.
    """

    adds = False  # of stacks that were stored before layers added to their input

    def __init__(
        self,
        widths: Sequence[int],
        *,
        dropout: float = 0.0,
        weight_dropout: float = 0.0,
        cell: str = "lstm",
        zoneout: float = 0.0,
    ) -> None:
        super().__init__()
        if cell not in ("lstm", "qrnn"):
            raise ValueError(f"cell must be 'lstm' or 'qrnn', got {cell!r}.")

        def layer(n_inputs: int, width: int, first: bool) -> nn.Module:
            if cell == "lstm":
                return LSTMLayer(n_inputs, width, weight_dropout=weight_dropout)
            return QRNNLayer(
                n_inputs,
                width,
                width=2 if first else 1,
                zoneout=zoneout,
                weight_dropout=weight_dropout,
            )

        self.layers = nn.ModuleList(
            layer(n_inputs, width, i == 0)
            for i, (n_inputs, width) in enumerate(itertools.pairwise(widths))
        )
        self.dropout = LockedDropout(dropout)
        self.adds = True

    def forward(
        self, x: Tensor, states: Sequence[State] | None = None
    ) -> tuple[Tensor, list[State]]:
        """Return the top layer's outputs (T, B, H) and the last state of each layer."""
        given: Sequence[State | None] = states or [None] * len(self.layers)
        after = []
        for i, (layer, state) in enumerate(zip(self.layers, given, strict=True)):
            y, last = layer(self.dropout(x) if i else x, state)
            x = x + y if self.adds and x.shape == y.shape else y
            after.append(last)
        return x, after
