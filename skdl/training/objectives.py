"""What a network is trained for: a loss together with its inverse link.

An objective is the only place that knows how raw outputs become predictions, so
that nobody has to guess between softmax and sigmoid at predict time. To add a
loss, write a class with the three members of `Objective` and, where it has a name
that users type, an entry in `REGRESSION_OBJECTIVES`.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor
from torch.nn import functional

# How a target may be rescaled without changing what the loss asks for: by location
# and scale, by scale alone, or not at all.
LOCATION_SCALE = "location_scale"
SCALE = "scale"
# How far links keep probabilities from zero and one, and quantiles from each other.
_LEAST = 1e-7


class Objective(Protocol):
    """The contract: `n_outputs`, `loss` and `inverse_link`."""

    @property
    def n_outputs(self) -> int:
        """Columns that the network must return."""

    def loss(self, raw: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
        """Return the mean loss of a batch; `weight` is (B,) with mean about 1."""

    def inverse_link(self, raw: Tensor) -> Tensor:
        """Turn raw outputs into probabilities, means or quantiles."""


def _weighted_mean(losses: Tensor, weight: Tensor) -> Tensor:
    if losses.ndim > 1:
        losses = losses.flatten(1).mean(1)
    return (losses * weight).mean()


@dataclass(frozen=True)
class CrossEntropy:
    """One class of several; raw outputs are logits, the inverse link is a softmax."""

    n_outputs: int
    label_smoothing: float = 0.0
    takes_logits: ClassVar[bool] = True

    def loss(self, raw: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
        """Return the cross-entropy; `raw` (B, K), `target` (B,) int64.

        Or probabilities (B, K) as `target`.
        """
        smoothing = self.label_smoothing
        if weight is None:
            return functional.cross_entropy(raw, target, label_smoothing=smoothing)
        losses = functional.cross_entropy(
            raw, target, reduction="none", label_smoothing=smoothing
        )
        return _weighted_mean(losses, weight)

    def inverse_link(self, raw: Tensor) -> Tensor:
        """Return class probabilities (B, K), float64: a row sums to one in it."""
        return raw.softmax(1, dtype=torch.float64)

    def link(self, predictions: Tensor) -> Tensor:
        """Return raw outputs of which the inverse link makes these predictions."""
        return predictions.clamp(min=_LEAST).log()


@dataclass(frozen=True)
class BinaryCrossEntropy:
    """Any number of labels at once; the inverse link is a sigmoid per column."""

    n_outputs: int
    label_smoothing: float = 0.0
    takes_logits: ClassVar[bool] = True

    def loss(self, raw: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
        """Return the binary cross-entropy; `raw` and `target` (B, K) float."""
        if self.label_smoothing:
            target = target.lerp(torch.full_like(target, 0.5), self.label_smoothing)
        if weight is None:
            return functional.binary_cross_entropy_with_logits(raw, target)
        losses = functional.binary_cross_entropy_with_logits(
            raw, target, reduction="none"
        )
        return _weighted_mean(losses, weight)

    def inverse_link(self, raw: Tensor) -> Tensor:
        """Return the probability of each label (B, K), float64."""
        return raw.double().sigmoid()

    def link(self, predictions: Tensor) -> Tensor:
        """Return raw outputs of which the inverse link makes these predictions."""
        return predictions.clamp(_LEAST, 1 - _LEAST).logit()


class MemberMean:
    """The objective of several networks at once, whose raw outputs stand side by side.

    Each member is trained as if it were alone; predictions are the mean over members.

    Parameters
    ----------
    member : Objective
        Of each member.
    n_members : int
        Members; raw outputs are (B, n_members * K).
    """

    def __init__(self, member: Objective, n_members: int) -> None:
        self.member = member
        self.n_members = n_members

    @property
    def n_outputs(self) -> int:
        """Columns of all members together."""
        return self.member.n_outputs * self.n_members

    def loss(self, raw: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
        """Return the members' mean loss, with the gradient of each one's own loss."""
        losses = [self.member.loss(r, target, weight) for r in self._split(raw)]
        total = torch.stack(losses).sum()
        return total - total.detach() * (1 - 1 / self.n_members)

    def inverse_link(self, raw: Tensor) -> Tensor:
        """Return the mean of the members' predictions."""
        links = [self.member.inverse_link(r) for r in self._split(raw)]
        return torch.stack(links).mean(dim=0)

    def _split(self, raw: Tensor) -> tuple[Tensor, ...]:
        return raw.split(self.member.n_outputs, dim=1)


class _Regression(ABC):
    """Losses on real targets: `raw` and `target` are (B, K) float."""

    target_scaling = LOCATION_SCALE

    def __init__(self, n_outputs: int) -> None:
        self.n_outputs = n_outputs

    @abstractmethod
    def _losses(self, raw: Tensor, target: Tensor) -> Tensor:
        """Return the loss of every value, (B, K)."""

    def loss(self, raw: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
        """Return the mean loss."""
        losses = self._losses(raw, target)
        return losses.mean() if weight is None else _weighted_mean(losses, weight)

    def inverse_link(self, raw: Tensor) -> Tensor:
        """Return the predictions: the raw outputs as they are."""
        return raw

    def link(self, predictions: Tensor) -> Tensor:
        """Return raw outputs of which the inverse link makes these predictions."""
        return predictions


class SquaredError(_Regression):
    """Mean; half the squared error."""

    def _losses(self, raw: Tensor, target: Tensor) -> Tensor:
        return functional.mse_loss(raw, target, reduction="none") * 0.5


class AbsoluteError(_Regression):
    """Median; absolute error."""

    def _losses(self, raw: Tensor, target: Tensor) -> Tensor:
        return functional.l1_loss(raw, target, reduction="none")


class Huber(_Regression):
    """Mean that outliers pull less; squared up to one standard deviation."""

    def _losses(self, raw: Tensor, target: Tensor) -> Tensor:
        return functional.huber_loss(raw, target, reduction="none")


class Quantile(_Regression):
    """A quantile; the pinball loss (Koenker & Bassett 1978)."""

    def __init__(self, n_outputs: int, quantile: float = 0.5) -> None:
        super().__init__(n_outputs)
        self.quantile = quantile

    def _losses(self, raw: Tensor, target: Tensor) -> Tensor:
        error = target - raw
        return pinball(error, self.quantile)


class Quantiles(_Regression):
    """Several quantiles of one target, of which none crosses another.

    The raw output in the middle is its quantile; the others say, through a softplus,
    how far apart neighbours are.

    Parameters
    ----------
    quantiles : sequence of float
        In (0, 1), rising.

    Examples
    --------
    >>> import torch
    >>> objective = Quantiles([0.1, 0.5, 0.9])
    >>> objective.inverse_link(torch.tensor([[-100.0, 3.0, 0.0]]))
    tensor([[3.0000, 3.0000, 3.6931]])
    """

    def __init__(self, quantiles: Sequence[float]) -> None:
        super().__init__(len(quantiles))
        self.quantiles = [float(q) for q in quantiles]
        self._middle = min(
            range(self.n_outputs), key=lambda k: abs(self.quantiles[k] - 0.5)
        )

    def inverse_link(self, raw: Tensor) -> Tensor:
        """Return the quantiles (B, K), rising along a row."""
        middle = raw[:, self._middle : self._middle + 1]
        apart = functional.softplus(raw)
        below, above = apart[:, : self._middle], apart[:, self._middle + 1 :]
        return torch.cat(
            [
                middle - below.flip(1).cumsum(1).flip(1),
                middle,
                middle + above.cumsum(1),
            ],
            dim=1,
        )

    def link(self, predictions: Tensor) -> Tensor:
        """Return raw outputs of which the inverse link makes these predictions."""
        apart = predictions.diff(dim=1).clamp(min=_LEAST)
        apart = apart + torch.log(-torch.expm1(-apart))  # the inverse of softplus
        middle = predictions[:, self._middle : self._middle + 1]
        return torch.cat(
            [apart[:, : self._middle], middle, apart[:, self._middle :]], dim=1
        )

    def _losses(self, raw: Tensor, target: Tensor) -> Tensor:
        error = target - self.inverse_link(raw)  # (B, 1) - (B, K)
        columns = error.split(1, dim=1)  # no tensor of quantiles to bring to a GPU
        losses = map(pinball, columns, self.quantiles)
        return torch.cat(list(losses), dim=1)


def pinball(error: Tensor, quantile: float | Tensor) -> Tensor:
    """Return the pinball loss of errors (B, K), of one quantile or one a column."""
    return torch.maximum(quantile * error, (quantile - 1) * error)


class Poisson(_Regression):
    """Mean of a count; raw outputs are its logarithm."""

    target_scaling = SCALE

    def _losses(self, raw: Tensor, target: Tensor) -> Tensor:
        return functional.poisson_nll_loss(raw, target, reduction="none")

    def inverse_link(self, raw: Tensor) -> Tensor:
        """Return the expected count."""
        return raw.exp()

    def link(self, predictions: Tensor) -> Tensor:
        """Return raw outputs of which the inverse link makes these predictions."""
        return predictions.clamp(min=_LEAST).log()


REGRESSION_OBJECTIVES: dict[str, type[_Regression]] = {
    "squared_error": SquaredError,
    "absolute_error": AbsoluteError,
    "huber": Huber,
    "quantile": Quantile,
    "poisson": Poisson,
}
