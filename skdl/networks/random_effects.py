"""Intercepts of groups of rows."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


def with_groups(table: Tensor, sizes: Sequence[int], new: Sequence[int]) -> Tensor:
    """Return intercepts (..., 1 + sum(sizes), K) of more groups, the new ones zero."""
    first, *parts = table.split([1, *sizes], dim=-2)
    more = [
        functional.pad(part, (0, 0, 0, size - part.shape[-2]))
        for part, size in zip(parts, new, strict=True)
    ]
    return torch.cat([first, *more], dim=-2)


class RandomEffects(nn.Module):
    """An intercept for every group of rows, drawn toward zero as it is learned.

    Rows of a group often share something that no column tells, such as the weather of
    a day. With an intercept of the group beside it, a network need not learn that by
    heart from whatever names the group, and predicts new groups better (Simchoni &
    Rosset 2023, arXiv 2206.03314, who learn the intercepts' variance; here a fixed
    decoupled decay takes the place of their prior).

    Parameters
    ----------
    sizes : sequence of int
        Groups of each grouping.
    n_outputs : int
        Raw outputs, each of which has an intercept.

    Attributes
    ----------
    table : nn.Parameter of shape (1 + sum(sizes), n_outputs)
        Intercepts; that of groups never seen, the first row, is zero and stays so.
    weight_decay : float
        Decay of the intercepts, in place of the optimizer's. Chosen on three seasons
        of `benchmarks/rossmann.py`; .3 and 1 are a little worse.

    Examples
    --------
    >>> import torch
    >>> effects = RandomEffects([3, 2], n_outputs=1)
    >>> effects(torch.tensor([[1, 4], [0, 5]])).shape
    torch.Size([2, 1])
    """

    weight_decay = 0.5

    def __init__(self, sizes: Sequence[int], n_outputs: int) -> None:
        super().__init__()
        self.sizes = list(sizes)
        self.table = nn.Parameter(torch.zeros(1 + sum(sizes), n_outputs))

    @torch.no_grad()
    def grow(self, sizes: Sequence[int]) -> None:
        """Append groups to the groupings; new ones have no effect yet.

        Parameters
        ----------
        sizes : sequence of int
            Groups of each grouping, no fewer than before.
        """
        self.table = nn.Parameter(with_groups(self.table.detach(), self.sizes, sizes))
        self.sizes = list(sizes)

    def forward(self, groups: Tensor) -> Tensor:
        """Add the intercepts up: (B, n_groupings) int -> (B, n_outputs)."""
        return functional.embedding(groups, self.table, padding_idx=0).sum(1)
