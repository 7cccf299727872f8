"""A mean that is learned beside a histogram of the target.

Which values a target may have at all says more of a row than the mean alone, and cross
entropy is easier to follow than a squared error (Imani & White 2018, arXiv 1806.04613;
Farebrother et al. 2024, arXiv 2403.03950). So hidden layers are trained for both, and
predictions are those of the mean.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from skdl.training.objectives import SquaredError

# Standard deviation of what a target is smoothed with, in bins; how much of the range
# there is beyond it at either end; by how much the histogram's loss counts.
_SMOOTHING, _MARGIN, _SHARE = 2.0, 0.05, 0.1


class MeanBesideHistogram:
    """The squared error of a mean, with the gradient of a histogram's loss beside it.

    Raw outputs are the means of all targets, then the logits of the bins of each. The
    value of the loss is that of the means.

    Parameters
    ----------
    member : SquaredError
        Of the means.
    target : Tensor of shape (n_rows, n_targets)
        Those of the training rows, whose range is parted into bins.
    n_bins : int
        Of each target.

    Examples
    --------
    >>> import torch
    >>> from skdl.training.objectives import SquaredError
    >>> target = torch.tensor([[0.0], [1.0]])
    >>> objective = MeanBesideHistogram(SquaredError(1), target, 4)
    >>> raw = torch.tensor([[0.0] * 5, [0.0] * 5])
    >>> objective.loss(raw, target, None), objective.inverse_link(raw).shape
    (tensor(0.2500), torch.Size([2, 1]))
    """

    def __init__(self, member: SquaredError, target: Tensor, n_bins: int) -> None:
        self.member = member
        self.n_bins = n_bins
        lowest, highest = target.amin(0), target.amax(0)
        margin = _MARGIN * (highest - lowest).clamp(min=1e-6)
        width = (highest - lowest + 2 * margin) / n_bins
        self._bins = list(zip((lowest - margin).tolist(), width.tolist(), strict=True))

    @property
    def n_outputs(self) -> int:
        """Columns that the network must return."""
        return self.member.n_outputs + self.n_beside

    @property
    def n_beside(self) -> int:
        """Of these, columns of bins."""
        return self.member.n_outputs * self.n_bins

    def loss(self, raw: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
        """Return the mean loss of the means."""
        n_targets = self.member.n_outputs
        logits = raw[:, n_targets:].split(self.n_bins, dim=1)
        losses = [
            functional.cross_entropy(of_one, self._smoothed(t, *bins), reduction="none")
            for of_one, t, bins in zip(
                logits, target.unbind(1), self._bins, strict=True
            )
        ]
        beside = torch.stack(losses).mean(0)
        beside = _SHARE * (beside if weight is None else beside * weight).mean()
        loss = self.member.loss(raw[:, :n_targets], target, weight)
        return loss + (beside - beside.detach())

    def inverse_link(self, raw: Tensor) -> Tensor:
        """Return the means."""
        return self.member.inverse_link(raw[:, : self.member.n_outputs])

    def _smoothed(self, target: Tensor, start: float, width: float) -> Tensor:
        """Return the share of each bin in what a target is smoothed to, (B, n_bins)."""
        edges: Any = torch.arange(self.n_bins + 1, device=target.device)
        place = ((target - start) / width).clamp(0.0, float(self.n_bins))
        below = torch.special.ndtr((edges - place.unsqueeze(1)) / _SMOOTHING)
        return below.diff(dim=1) / (below[:, -1:] - below[:, :1])
