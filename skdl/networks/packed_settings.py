"""Layers without weights in which the members of a pack differ."""

from collections.abc import Sequence
from itertools import groupby
from typing import cast

import torch
from torch import Tensor, nn

from skdl.networks.dropout import Dropout
from skdl.randomness import generator_on


class PackedDropout(nn.Module):
    """Dropout of which each member has a rate of its own.

    Parameters
    ----------
    rates : sequence of float
        Probability of a zero in each member, in [0, 1); those that are the same should
        stand beside each other.

    Examples
    --------
    >>> import torch
    >>> dropped = PackedDropout([0.0, 0.5])(torch.ones(2, 100, 100))
    >>> bool((dropped[0] == 1).all()), bool((dropped[1] == 0).any())
    (True, True)
    """

    def __init__(self, rates: Sequence[float]) -> None:
        super().__init__()
        self.rates = [float(rate) for rate in rates]
        runs = [(rate, len(list(same))) for rate, same in groupby(self.rates)]
        self.sizes = [size for _, size in runs]
        self.pools = nn.ModuleList(Dropout(rate) for rate, _ in runs)

    def forward(self, x: Tensor) -> Tensor:
        """Drop values in training, (M, ...) kept."""
        if not self.training:
            return x
        generator, size = generator_on(x.device), x[0].numel()
        masks = [
            cast(Dropout, pool).mask_on(x.device, n * size, generator)
            for pool, n in zip(self.pools, self.sizes, strict=True)
        ]
        return x * torch.cat(masks).view(x.shape).to(x.dtype)

    def of_members(self, members: Sequence[int]) -> "PackedDropout":
        """Return the dropout of some members."""
        return PackedDropout([self.rates[m] for m in members])

    def extra_repr(self) -> str:
        """Show the rates."""
        return ", ".join(map(str, self.rates))


class PackedSiLU(nn.Module):
    """SiLU of which each member has a slope of its own: ``x * sigmoid(slope * x)``.

    With one it is SiLU, and the more the nearer to ReLU (Ramachandran et al. 2017,
    arXiv 1710.05941, section 5).

    Parameters
    ----------
    slopes : sequence of float
        Of each member, above zero.

    Examples
    --------
    >>> import torch
    >>> PackedSiLU([1.0, 100.0])(torch.tensor([-1.0, 1.0]).expand(2, 1, 2))
    tensor([[[-0.2689,  0.7311]],
    <BLANKLINE>
            [[-0.0000,  1.0000]]])
    """

    slope: Tensor

    def __init__(self, slopes: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("slope", torch.tensor(list(slopes)).view(-1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Apply, (M, B, F) kept."""
        return x * torch.sigmoid(self.slope * x)

    def of_members(self, members: Sequence[int]) -> "PackedSiLU":
        """Return the activation of some members."""
        kept = PackedSiLU([1.0] * len(members))
        kept.slope = self.slope[list(members)]  # where it is
        return kept


def dropout_of_rates(rates: float | Sequence[float]) -> nn.Module:
    """Return dropout of one rate, or of one for each member."""
    return PackedDropout(rates) if isinstance(rates, Sequence) else Dropout(rates)


def with_slopes(layers: nn.Sequential, slopes: Sequence[float]) -> nn.Sequential:
    """Return layers whose SiLU have these slopes, by member."""
    return nn.Sequential(
        *(PackedSiLU(slopes) if isinstance(m, nn.SiLU) else m for m in layers)
    )
