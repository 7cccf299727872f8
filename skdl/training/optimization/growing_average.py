"""A running mean of the weights that reaches back as far as training has come."""

import torch
from torch import nn

from skdl.training.optimization.averaging import WeightAverage

# Share of the steps so far that the mean remembers.
_SHARE = 0.1


class GrowingAverage(WeightAverage):
    """An exponential moving average that remembers a tenth of the steps so far.

    At a constant learning rate it is at every moment about as good as if the rate had
    come down until then. So training may end at any moment: a schedule need not know
    beforehand when that will be.

    Parameters
    ----------
    network : nn.Module
        Its floating-point weights and buffers are averaged.

    Examples
    --------
    >>> import torch
    >>> network = torch.nn.Linear(1, 1)
    >>> average = GrowingAverage(network)
    >>> average.update()
    >>> torch.equal(average.mean[0], network.weight)
    True
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__(network, n_steps=0)

    @torch.no_grad()
    def update(self) -> None:
        """Take the weights after one more step into the mean."""
        self._step += 1
        share = 1 / (1 + _SHARE * (self._step - 1))
        torch._foreach_lerp_(self.mean, self._live, share)
