"""What the inputs of a network's first layer are multiplied by while it learns."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

# An optimizer's step moves a gate by so many times what it moves a weight.
_PACE = 15.0


class InputGates(nn.Module):
    """A factor for each column of numbers and each entry of a category's vector.

    A step of Adam is as long for the weights of a column of noise as for those of the
    column that tells all, so that in a wide table the noise adds up. A gate that all
    weights of a column share, whose steps are longer and which decays, closes where
    the column says nothing: what is learned is a product, in which the large grows
    faster than the small (a learned scale of the inputs, RealMLP, arXiv 2407.04491,
    section 3; why products are sparse, Woodworth et al. 2020, arXiv 2002.09277).
    After training `fold_gates` takes them into the first layer.

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
    # So strong that what has no gradient closes within the steps of a small table.
    weight_decay = 1.0

    def __init__(
        self,
        n_members: int,
        n_entries: int,
        n_numbers: int,
        vectors: Sequence[tuple[Sequence[int], int]] = (),
    ) -> None:
        super().__init__()
        self.sizes = [n_entries, n_numbers]
        self.dims = [dim for _, dim in vectors]
        for i, (columns, _) in enumerate(vectors):
            where = torch.as_tensor(columns, dtype=torch.int64)
            self.register_buffer(f"columns_{i}", where, False)
        self.gate = nn.Parameter(torch.full((n_members, sum(self.sizes)), 1 / _PACE))

    def factors(self) -> Tensor:
        """Return what each input is multiplied by, (M, n_inputs)."""
        gate: Tensor = self.gate * _PACE
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
