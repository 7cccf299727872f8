"""What the inputs of a network's first layer are multiplied by while it learns."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


class InputGates(nn.Module):
    """A factor for each column of numbers and each entry of a category's vector.

    A step of Adam is as long for the weights of a column of noise as for those of the
    column that tells all, so that in a wide table the noise adds up. With a gate that
    all weights of a column share, and whose steps are longer, what is learned is a
    product, in which the large grows faster than the small (Woodworth et al. 2020,
    arXiv 2002.09277; as a learned scale of inputs RealMLP, arXiv 2407.04491, section
    3). After training `fold_gates` takes the gates into the first layer.

    Parameters
    ----------
    n_members : int
        How many members a pack has.
    n_entries : int
        Inputs that come first and have a gate each, the entries of vectors.
    n_numbers : int
        Inputs that come last, the numbers.
    vectors : sequence of (columns, entries)
        Of the inputs between them: which of the numbers they are vectors of, each
        named once, and the entries of each vector. They have the number's gate.
    pace : float, default=2.0
        An optimizer's step moves a gate by so many times what it moves a weight.

    Attributes
    ----------
    gate : nn.Parameter of shape (M, n_entries + n_numbers)
        Factors over the pace.

    Examples
    --------
    >>> import torch
    >>> gates = InputGates(3, 2, 4, [([0, 2], 8)])
    >>> gates(torch.ones(3, 5, 2 + 2 * 8 + 4)).shape
    torch.Size([3, 5, 22])
    """

    pack_dims = 1

    def __init__(
        self,
        n_members: int,
        n_entries: int,
        n_numbers: int,
        vectors: Sequence[tuple[Sequence[int], int]] = (),
        pace: float = 2.0,
    ) -> None:
        super().__init__()
        self.pace = pace
        self.sizes = [n_entries, n_numbers]
        self.dims = [dim for _, dim in vectors]
        for i, (columns, _) in enumerate(vectors):
            where = torch.as_tensor(columns, dtype=torch.int64)
            self.register_buffer(f"columns_{i}", where, False)
        self.gate = nn.Parameter(torch.full((n_members, sum(self.sizes)), 1 / pace))

    def factors(self) -> Tensor:
        """Return what each input is multiplied by, (M, n_inputs)."""
        gate: Tensor = self.gate * self.pace
        entries, numbers = gate.split(self.sizes, 1)
        parts = [entries]
        for i, dim in enumerate(self.dims):
            columns: Any = getattr(self, f"columns_{i}")
            own = numbers.index_select(1, columns).unsqueeze(2)
            parts.append(own.expand(-1, -1, dim).flatten(1))
        return torch.cat([*parts, numbers], 1)

    def forward(self, x: Tensor) -> Tensor:
        """Multiply, (M, B, n_inputs) kept."""
        return x * self.factors().unsqueeze(1)
