"""What is added to a network's outputs for rows with some values of one or two columns.

A network is smooth. What holds for one value of a column and not for the next, or in
one small place, is looked up in tables of numbers beside it.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from skdl.networks.straight import Function

# By how much of the values' range rounding may move one.
_ROUNDING = 1e-3
# Bounds that are compared at once where there is no search.
_BLOCK = 128

Corners = list[tuple[Tensor, Tensor]]
# Those of one row, from its codes and numbers as arrays.
RowCorners = list[tuple[int, float]]
OfOneRow = Callable[[Any, Any], RowCorners]


class Axis(nn.Module):
    """Where rows are along one side of a table: which of its values a column has.

    Parameters
    ----------
    values : Tensor of shape (n,)
        Ascending, and different; at least two where rows may be between them.
    column : int
        Of the codes of categories, or of the numbers.
    is_code : bool
        Of which of them.
    is_between : bool
        Whether a number between two values is a mean of both, and one beyond the last
        is that. Otherwise only the values themselves are known.
    indicator : int, optional
        Of the numbers, what is 1 where the column has a missing value, of which nothing
        is known.

    Examples
    --------
    >>> import torch
    >>> values = torch.tensor([0.0, 1.0, 3.0])
    >>> axis = Axis(values, 0, is_code=False, is_between=True)
    >>> axis(torch.zeros(1, 0), torch.tensor([[2.5]]))
    [(tensor([1]), tensor([0.2500])), (tensor([2]), tensor([0.7500]))]
    >>> axis = Axis(values, 0, is_code=False, is_between=False)
    >>> axis(torch.zeros(2, 0), torch.tensor([[1.0], [2.0]]))
    [(tensor([1, 2]), tensor([1., 0.]))]
    """

    values: Tensor
    bounds: Tensor
    reach: Tensor

    def __init__(
        self,
        values: Tensor,
        column: int,
        *,
        is_code: bool,
        is_between: bool,
        indicator: int | None = None,
    ) -> None:
        super().__init__()
        self.column = column
        self.is_code = is_code
        self.is_between = is_between
        self.indicator = indicator
        self._take(values.float().clone())

    def _take(self, values: Tensor) -> None:
        """Take values as places along the side."""
        gaps = torch.cat([values.new_ones(1), values.diff(), values.new_ones(1)])
        halves = (values[1:] + values[:-1]) / 2
        self.register_buffer("values", values)
        self.register_buffer(
            "bounds", values[1:-1].clone() if self.is_between else halves
        )
        # Rounding may move a number, but never half way to the next.
        reach = torch.minimum(gaps[1:], gaps[:-1]) / 4
        most = _ROUNDING * (values[-1] - values[0]) if len(values) > 1 else reach
        self.register_buffer("reach", torch.minimum(reach, most))

    def __len__(self) -> int:
        """Return the number of values."""
        return len(self.values)

    def forward(self, indices: Tensor, numbers: Tensor) -> Corners:
        """Return one place or two, (...), and the weight of each."""
        given = indices if self.is_code else numbers
        corners = self.locate(given[..., self.column].to(self.values.dtype))
        if self.indicator is None:
            return corners
        is_known = (numbers[..., self.indicator] < 0.5).to(self.values.dtype)
        return [(place, weight * is_known) for place, weight in corners]

    def locate(self, x: Tensor) -> Corners:
        """Return the places of a column's values (...), none of which is missing."""
        values = self.values
        place = count_not_above(self.bounds, x.contiguous())
        own = values[place]
        if not self.is_between:
            return [(place, ((x - own).abs() <= self.reach[place]).to(values.dtype))]
        share = ((x - own) / (values[place + 1] - own)).clamp(0, 1)
        return [(place, 1 - share), (place + 1, share)]

    def of_one_row(self) -> OfOneRow:
        """Return what this does with one row as a function of arrays."""
        values, bounds, reach = (
            t.numpy() for t in (self.values, self.bounds, self.reach)
        )
        column, indicator = self.column, self.indicator
        is_code, is_between = self.is_code, self.is_between

        def corners(indices: Any, numbers: Any) -> RowCorners:
            if indicator is not None and not numbers[0, indicator] < 0.5:
                return []
            x = (indices if is_code else numbers)[0, column]
            place = bisect_right(bounds, x)
            own = values[place]
            if not is_between:
                return [(place, 1.0)] if abs(x - own) <= reach[place] else []
            share = (x - own) / (values[place + 1] - own)
            share = min(max(float(share), 0.0), 1.0)
            return [(place, 1 - share), (place + 1, share)]

        return corners

    def extra_repr(self) -> str:
        """Show whose values these are, and how many."""
        of = "codes" if self.is_code else "numbers"
        return (
            f"{of}[{self.column}], n_values={len(self)}, is_between={self.is_between}"
        )

    @torch.no_grad()
    def rescale(self, moved: Callable[[int, Tensor], Tensor]) -> None:
        """Take numbers in new units, to which `moved` takes values of a column."""
        if not self.is_code:
            self._take(moved(self.column, self.values))

    def tell_missing(self, indicators: Mapping[int, int]) -> None:
        """Know where among the numbers missing ones of some columns are told."""
        if not self.is_code and self.indicator is None:
            self.indicator = indicators.get(self.column)

    @torch.no_grad()
    def move(self, by: Sequence[int]) -> None:
        """Take codes that are larger by so much, in each column."""
        if self.is_code:
            self._take(self.values + by[self.column])


def count_not_above(bounds: Tensor, x: Tensor) -> Tensor:
    """Return how many bounds, which ascend, are not above numbers."""
    if not torch.onnx.is_in_onnx_export():
        return torch.searchsorted(bounds, x, right=True)
    # There is no search in ONNX: the block is found first, and then the place in it.
    x = x.unsqueeze(-1)
    if len(bounds) <= _BLOCK:
        return (bounds <= x).long().sum(-1)
    padding = bounds.new_full((-len(bounds) % _BLOCK,), torch.inf)
    blocks = torch.cat([bounds, padding]).view(-1, _BLOCK)
    block = (blocks[1:, 0] <= x).long().sum(-1)
    return block * _BLOCK + (blocks[block] <= x).long().sum(-1)


class CorrectionTable(nn.Module):
    """Numbers by the values of one or two columns.

    Parameters
    ----------
    axes : sequence of Axis
        One or two.
    values : Tensor of shape (n, K) or (n_first, n_second, K)
        What is added to K outputs.
    """

    values: Tensor

    def __init__(self, axes: Sequence[Axis], values: Tensor) -> None:
        super().__init__()
        self.axes = nn.ModuleList(axes)
        self.register_buffer("values", values.float().flatten(0, -2).contiguous())

    def forward(self, indices: Tensor, numbers: Tensor) -> Tensor:
        """Look up, (..., K)."""
        sides = [axis(indices, numbers) for axis in self.axes]
        sizes = [len(cast(Axis, axis)) for axis in self.axes]
        places = corners_of(sides, sizes)
        found = [self.values[place] * w.unsqueeze(-1) for place, w in places]
        return sum(found[1:], found[0])

    def of_one_row(self) -> Callable[[Any, Any], Any]:
        """Return what this does with one row as a function of arrays, (1, K) or 0."""
        sides = [cast(Axis, axis).of_one_row() for axis in self.axes]
        sizes = [len(cast(Axis, axis)) for axis in self.axes]
        values = self.values.numpy()

        def looked_up(indices: Any, numbers: Any) -> Any:
            places = corners_of([side(indices, numbers) for side in sides], sizes)
            parts = [values[place : place + 1] * weight for place, weight in places]
            return sum(parts[1:], parts[0]) if parts else 0

        return looked_up


def corners_of(sides: Sequence[Any], sizes: Sequence[int]) -> Any:
    """Return places in a table, counted row by row, from those along its sides."""
    corners = sides[0]
    for side, size in zip(sides[1:], sizes[1:], strict=True):
        corners = [
            (row * size + place, weight * share)
            for place, share in side
            for row, weight in corners
        ]
    return corners


class Corrections(nn.Module):
    """Tables whose numbers are added up.

    Parameters
    ----------
    tables : sequence of CorrectionTable
        At least one.

    Examples
    --------
    >>> import torch
    >>> days = Axis(torch.tensor([1.0, 2.0]), 0, is_code=True, is_between=False)
    >>> table = CorrectionTable([days], torch.tensor([[0.25], [0.5]]))
    >>> Corrections([table])(torch.tensor([[2], [1], [7]]), torch.zeros(3, 0))
    tensor([[0.5000],
            [0.2500],
            [0.0000]])
    """

    def __init__(self, tables: Sequence[CorrectionTable]) -> None:
        super().__init__()
        self.tables = nn.ModuleList(tables)

    def forward(self, indices: Tensor, numbers: Tensor) -> Tensor:
        """Add up, (B, C) int and (B, D) -> (B, K); or (M, B, ...) each."""
        first, *others = (table(indices, numbers) for table in self.tables)
        return sum(others, first)

    def straight(self) -> Function:
        """Return what this does with one row as a function, (1, C) and (1, D).

        Arrays share their memory with tensors, and take a third of the time.
        """
        if any(buffer.device.type != "cpu" for buffer in self.buffers()):
            return self.forward
        tables = [cast(CorrectionTable, table).of_one_row() for table in self.tables]
        nothing = torch.zeros_like(cast(CorrectionTable, self.tables[0]).values[:1])

        def added(indices: Tensor, numbers: Tensor) -> Tensor:
            row = indices.numpy(), numbers.numpy()
            first, *others = (table(*row) for table in tables)
            found = sum(others, first)
            return nothing if isinstance(found, int) else torch.from_numpy(found)

        return added

    def rescale(self, moved: Callable[[int, Tensor], Tensor]) -> None:
        """Take numbers in new units, to which `moved` takes values of a column."""
        for axis in self._axes():
            axis.rescale(moved)

    def tell_missing(self, indicators: Mapping[int, int]) -> None:
        """Know where among the numbers missing ones of some columns are told."""
        for axis in self._axes():
            axis.tell_missing(indicators)

    def move(self, by: Sequence[int]) -> None:
        """Take codes that are larger by so much, in each column."""
        for axis in self._axes():
            axis.move(by)

    @torch.no_grad()
    def scale(self, factors: Tensor | float) -> None:
        """Multiply what is added to all outputs, or to each, (K,)."""
        for table in self.tables:
            values: Any = table.values
            values.copy_(values.double() * factors)

    def _axes(self) -> list[Axis]:
        return [m for m in self.modules() if isinstance(m, Axis)]
