"""Vectors of numbers, for the members of a pack: piecewise linear, or of cosines."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from skdl.networks.packed import batched_linear
from skdl.networks.straight import Function
from skdl.randomness import generator_on

# A number of Python's takes longer to multiply by.
_TURN = torch.tensor(2 * math.pi, dtype=torch.float64, device="cpu")
# Cosines' frequencies are cut at this many of their standard deviations.
_CUT = 3.0


class PiecewiseLinearEmbedding(nn.Module):
    """A vector for every number that bends at the edges of its bins.

    A number at position t, which is the number of bins below it and the fraction of its
    own bin, has the piecewise-linear encoding clamp(t - j, 0, 1) over the bins j
    (Gorishniy et al. 2022, arXiv 2203.05556, section 3.1). A linear layer for each
    column, in each member, and a (leaky) ReLU follow. So the network need not know
    where the edges are, and columns with fewer bins need no mask.

    Parameters
    ----------
    n_members : int
        How many.
    n_bins : sequence of int
        Bins of each column.
    dim : int
        Entries of a column's vector.
    slope : float, default=0.0
        How much is left of what is below zero. With none a vector whose entries are all
        zero over some bins learns nothing of the numbers there.

    Attributes
    ----------
    weight : nn.Parameter of shape (M, n_columns, max(n_bins), dim)
        What each bin adds.
    bias : nn.Parameter of shape (M, n_columns, 1, dim)
        At the lowest edge.

    Examples
    --------
    >>> import torch
    >>> embedding = PiecewiseLinearEmbedding(3, [5, 2], 8)
    >>> embedding(torch.tensor([[0.5, 2.0], [5.0, 0.0]])).shape
    torch.Size([3, 2, 16])
    """

    weight_decay = 0.0
    bins: Tensor

    def __init__(
        self, n_members: int, n_bins: Sequence[int], dim: int, *, slope: float = 0.0
    ) -> None:
        super().__init__()
        self.slope = slope
        most = max(n_bins, default=0)
        shape = (n_members, len(n_bins), most, dim)
        # As many bins as are full at the median count as inputs.
        bounds = torch.tensor([max(1, n) for n in n_bins]).rsqrt().view(-1, 1, 1)
        generator = generator_on(bounds.device)
        weight = torch.rand(shape, generator=generator)
        bias = torch.rand((n_members, len(n_bins), 1, dim), generator=generator)
        self.weight = nn.Parameter((2 * weight - 1) * bounds)
        self.bias = nn.Parameter((2 * bias - 1) * bounds)
        self.register_buffer("bins", torch.arange(most, dtype=torch.float32), False)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take the state, also of files from before there was a slope."""
        super().__setstate__({"slope": 0.0, **state})

    @property
    def n_outputs(self) -> int:
        """Entries of a row's vectors together, in each member."""
        return self.weight.shape[1] * self.weight.shape[3]

    def forward(self, positions: Tensor) -> Tensor:
        """Embed, (B, n_columns) or (M, B, n_columns) -> (M, B, n_outputs)."""
        if positions.ndim == 2:
            rest = *self._by_column(), self.slope, self.training
            return _bent(positions, self.bins, *rest)
        filled = _filled(positions, self.bins).flatten(0, 1)
        weight, bias = self.weight.flatten(0, 1), self.bias.flatten(0, 1)
        vectors = batched_linear(filled, weight, bias, self.training)
        vectors = vectors.unflatten(0, self.weight.shape[:2]).transpose(1, 2)
        return functional.leaky_relu(vectors.flatten(2), self.slope)

    @torch.no_grad()
    def lay_out(self) -> None:
        """Have the weights in memory as the product for shared rows takes them.

        What they are stays. Else they are laid out so in every call, which takes five
        times as long as the product where there is one row.
        """
        for parameter in (self.weight, self.bias):
            by_column = parameter.permute(1, 2, 0, 3).contiguous()
            parameter.data = by_column.permute(2, 0, 1, 3)

    def _by_column(self) -> tuple[Tensor, Tensor, Sequence[int]]:
        """Return weight and bias (C, ..., M * dim), and the sizes of that dimension."""
        weight, bias = (t.permute(1, 2, 0, 3) for t in (self.weight, self.bias))
        return weight.flatten(2), bias.flatten(2), weight.shape[2:]

    def straight(self) -> Function:
        """Return what this does in evaluation as a function."""
        weight, bias, sizes = self._by_column()
        pairs = (weight, self.weight), (bias, self.bias)
        if any(view.data_ptr() != own.data_ptr() for view, own in pairs):
            return self.forward  # a copy would not see changes
        rest = self.bins, weight.detach(), bias.detach(), sizes, self.slope, False
        return lambda positions: _bent(positions, *rest)


def _filled(positions: Tensor, bins: Tensor) -> Tensor:
    """Return by how much bins are below numbers, (..., C) -> (..., C, B, n_bins)."""
    return (positions.transpose(-2, -1).unsqueeze(-1) - bins).clamp_(0, 1)


def _bent(
    positions: Tensor,
    bins: Tensor,
    weight: Tensor,
    bias: Tensor,
    sizes: Sequence[int],
    slope: float,
    training: bool,
) -> Tensor:
    """Embed rows of all members by one product."""
    vectors = batched_linear(_filled(positions, bins), weight, bias, training)
    vectors = vectors.view(*vectors.shape[:2], *sizes)
    # What is contiguous has a gradient that takes a quarter of the time.
    return functional.leaky_relu(vectors.permute(2, 1, 0, 3).flatten(2), slope)


class CosineEmbedding(nn.Module):
    """A vector of cosines for every number.

    The entries of x are ``a cos(2 pi (w x + b)) + c`` (arXiv 2607.05380, section 3.2),
    with frequencies w drawn from a normal distribution that is cut at three standard
    deviations. Beyond the numbers that were seen a cosine would go on to turn, for no
    reason in the data: a number outside of the range that is set counts as its end.

    Parameters
    ----------
    n_members : int
        How many.
    columns : sequence of int
        The numbers of a row that have a vector, in its order.
    dim : int
        Entries of a column's vector.
    scale : float, default=0.1
        Standard deviation of the frequencies at the start.

    Examples
    --------
    >>> import torch
    >>> CosineEmbedding(3, [0, 2], 8)(torch.zeros(5, 4)).shape
    torch.Size([3, 5, 16])
    """

    weight_decay = 0.0
    columns: Tensor
    low: Tensor
    high: Tensor

    def __init__(
        self, n_members: int, columns: Sequence[int], dim: int, *, scale: float = 0.1
    ) -> None:
        super().__init__()
        self.register_buffer("columns", torch.as_tensor(columns, dtype=torch.int64))
        shape = (n_members, 1, len(columns), dim)
        frequency = torch.empty(shape)
        generator, most = generator_on(frequency.device), _CUT * scale
        nn.init.trunc_normal_(frequency, 0.0, scale, -most, most, generator=generator)
        self.frequency = nn.Parameter(frequency)
        self.phase = nn.Parameter(torch.rand(shape, generator=generator))
        self.amplitude = nn.Parameter(torch.ones(shape))
        self.offset = nn.Parameter(torch.zeros(shape))
        self._take_all()

    def _take_all(self) -> None:
        most = torch.full((len(self.columns),), torch.finfo(torch.float32).max)
        self.register_buffer("low", -most)
        self.register_buffer("high", most)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take the state, also of files from before there were ranges."""
        super().__setstate__(state)
        if "low" not in self._buffers:
            self._take_all()

    @property
    def n_outputs(self) -> int:
        """Entries of a row's vectors together, in each member."""
        return self.frequency.shape[2] * self.frequency.shape[3]

    def forward(self, numbers: Tensor) -> Tensor:
        """Embed, (B, D) or (M, B, D) -> (M, B, n_outputs)."""
        return _turned(numbers, self.columns, self.low, self.high, *self._weights())

    def _weights(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self.frequency, self.phase, self.amplitude, self.offset

    def straight(self) -> Function:
        """Return what this does in evaluation as a function."""
        rest = self.columns, self.low, self.high, *(t.detach() for t in self._weights())
        return lambda numbers: _turned(numbers, *rest)

    @torch.no_grad()
    def widen(self, factors: Tensor) -> None:
        """Multiply the frequencies of each member, (M,)."""
        self.frequency.mul_(factors.view(-1, 1, 1, 1))

    @torch.no_grad()
    def rescale(self, slope: Tensor, shift: Tensor) -> None:
        """Take numbers in new units: one was ``slope * number + shift`` in the old."""
        slope, shift = (
            t[self.columns.to(t.device)].to(self.phase).unsqueeze(-1)
            for t in (slope, shift)
        )
        self.phase.addcmul_(self.frequency, shift)
        self.frequency.mul_(slope)
        for end in (self.low, self.high):
            end.sub_(shift.squeeze(-1)).div_(slope.squeeze(-1))

    def has_range(self, low: Tensor, high: Tensor) -> bool:
        """Tell whether a range is what `set_range` has set."""
        columns = self.columns.to(low.device)
        same = zip((self.low, self.high), (low, high), strict=True)
        return all(torch.equal(own.to(end), end[columns]) for own, end in same)

    def set_range(self, low: Tensor, high: Tensor) -> None:
        """Take numbers, all of a row (D,), between two ends from now on."""
        for own, end in zip((self.low, self.high), (low, high), strict=True):
            own.copy_(end[self.columns.to(end.device)])


def _turned(
    numbers: Tensor,
    columns: Tensor,
    low: Tensor,
    high: Tensor,
    frequency: Tensor,
    phase: Tensor,
    amplitude: Tensor,
    offset: Tensor,
) -> Tensor:
    """Embed numbers by cosines."""
    chosen = numbers.index_select(-1, columns).clamp(low, high).unsqueeze(-1)
    angles = torch.addcmul(phase, frequency, chosen).mul_(_TURN)
    return torch.addcmul(offset, amplitude, angles.cos()).flatten(2)
