"""Several networks trained at once."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


class Ensemble(nn.Module):
    """Networks side by side, which share nothing but their inputs.

    Parameters
    ----------
    members : iterable of nn.Module
        Each returns raw outputs of shape (B, K).

    Examples
    --------
    >>> import torch
    >>> ensemble = Ensemble(torch.nn.Linear(4, 2) for _ in range(3))
    >>> ensemble(torch.zeros(5, 4)).shape
    torch.Size([5, 6])
    """

    def __init__(self, members: Iterable[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return the members' raw outputs one after the other, (B, M * K)."""
        return torch.cat([member(*inputs) for member in self.members], dim=1)
