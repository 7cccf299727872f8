"""Training that is looked at out of fold, more and more seldom, until it is best.

Between two looks lies what the training loop takes for an epoch. Since each look comes
a quarter later than the one before, few of them serve a training of any length.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from skdl.training.blind import BlindRows
from skdl.training.calibration import best_temperature
from skdl.training.objectives import BinaryCrossEntropy, CrossEntropy, Objective
from skdl.training.optimization.schedules import Schedule
from skdl.training.trainer import Batch, BatchSource

# Temperatures that are tried at a look: the best is found to a hundredth.
_TRIED = 14


def looks(first: int, growth: float, n_steps: int) -> list[int]:
    """Return after which steps a training is looked at; the last step is one.

    Examples
    --------
    >>> looks(100, 1.5, 400)
    [100, 150, 225, 337, 400]
    """
    found, at = [], float(first)
    while int(at) < n_steps:
        found.append(int(at))
        at = max(at * growth, at + 1)
    return [*found, n_steps]


def warmed_up(share: float) -> Schedule:
    """Return a schedule that rises linearly over a share of training, then stays."""
    return Schedule(lambda progress: min(1.0, max(progress / share, 0.01)))


class Stretches:
    """Batches without end, given in stretches of so many steps as lie between looks.

    Parameters
    ----------
    batches : BatchSource
        An epoch of them after another.
    steps : sequence of int
        After how many steps each stretch ends.
    """

    lr_factor = 1.0

    def __init__(self, batches: BatchSource, steps: list[int]) -> None:
        self._batches = batches
        self.steps = steps
        self.batch_dim = batches.batch_dim
        self._number = -1
        self._epoch: Iterator[Batch] = iter(())

    def begin(self) -> None:
        """Go on to the next stretch; until then the same one is given."""
        self._number += 1

    def __len__(self) -> int:
        """Return the steps of the present stretch."""
        number = max(0, self._number)
        start = self.steps[number - 1] if number else 0
        return self.steps[number] - start

    def tensors(self) -> list[Tensor]:
        """Return what there is of all rows."""
        return self._batches.tensors()

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches of the present stretch."""
        for _ in range(len(self)):
            batch = next(self._epoch, None)
            if batch is None:
                self._epoch = iter(self._batches)
                batch = next(self._epoch)
            yield batch


class OutOfFold:
    """Looks at the members of a pack on the rows that each is blind to.

    Parameters
    ----------
    network : nn.Module
        The members, with a method `each` that returns their raw outputs (M, B, K).
    blind : BlindRows
        Which rows these are.
    member : Objective
        Of each member.
    inputs : tuple of Tensor
        Of all rows.
    target : Tensor
        Likewise.
    weight, score_weight : Tensor of shape (n_rows,) or None
        Of the rows in the loss, and in the score.
    score : callable
        Takes predictions, targets and weights; higher is better.
    prepare : callable
        Called before each look.
    calibrates : bool, default=False
        Whether networks are looked at with the temperature that suits them: networks
        of too much certainty may yet be those that know most (arXiv 2501.19195).

    Attributes
    ----------
    member : Objective
        As it was given.
    temperature : float
        Of the last look; 1 if nothing calibrates.
    """

    def __init__(
        self,
        network: nn.Module,
        blind: BlindRows,
        member: Objective,
        inputs: tuple[Tensor, ...],
        target: Tensor,
        *,
        weight: Tensor | None,
        score_weight: Tensor | None,
        score: Callable[[Tensor, Tensor, Tensor | None], float],
        prepare: Callable[[], None],
        calibrates: bool = False,
    ) -> None:
        self._network = network
        self._blind = blind
        self.member = member
        self._inputs = inputs
        self.target = target
        self._weight = weight
        self.score_weight = score_weight
        self.score_of = score
        self._prepare = prepare
        self._calibrates = calibrates
        self.temperature = 1.0

    def __call__(self) -> tuple[float, float]:
        """Return loss and score."""
        raw = self.raw()
        loss = self.calibrated_loss(raw)
        return loss, self.score(self.predictions(raw, self.temperature))

    def calibrated_loss(self, raw: Tensor) -> float:
        """Set the temperature of raw outputs, and return their loss at it."""
        if self._calibrates:
            self.temperature = best_temperature(partial(self.loss, raw), _TRIED)
        return self.loss(raw, self.temperature)

    @torch.no_grad()
    def raw(self) -> Tensor:
        """Return the raw outputs of each member for its rows, (M, most, K)."""
        self._prepare()
        self._network.eval()
        each: Any = self._network.each
        return self._blind.raw(each, self._inputs)

    def loss(self, raw: Tensor, temperature: float = 1.0) -> float:
        """Return the loss of raw outputs that are divided by a temperature."""
        return self._blind.loss(
            self.member, raw / temperature, self.target, self._weight
        ).item()

    def loss_of(self, predictions: Tensor) -> float:
        """Return the loss of predictions (n_rows, K) on the rows that have one."""
        rows = torch.nonzero(self._blind.counts).flatten()
        member: Any = self.member
        raw = member.link(predictions[rows])
        weight = None if self._weight is None else self._weight[rows]
        if weight is not None:
            weight = weight / weight.mean()
        return member.loss(raw, self.target[rows], weight).item()

    def uninformed_loss(self) -> float:
        """Return the loss of predicting how frequent classes or labels are, or means.

        Numbers are standardised, so that zero is about what one predicts of them.
        """
        member, target = self.member, self.target
        shape = (*self._blind.rows.shape, member.n_outputs)
        if not isinstance(member, CrossEntropy | BinaryCrossEntropy):
            return self.loss(torch.zeros((), device=target.device).expand(shape))
        one_of_several = isinstance(member, CrossEntropy)
        if target.ndim == 1:
            target = functional.one_hot(target, member.n_outputs)
        weight = torch.ones(len(target)) if self._weight is None else self._weight
        weight = weight.to(target.device, torch.float64)
        share = (target.double() * weight[:, None]).sum(0) / weight.sum()
        share = share.clamp(1e-9, 1 - 1e-9)
        logits = share.log() if one_of_several else share.logit()
        return self.loss(logits.float().expand(shape))

    def predictions(self, raw: Tensor, temperature: float = 1.0) -> Tensor:
        """Return predictions (n_rows, K); NaN of rows that no member is blind to."""
        return self._blind.predictions(self.member, raw / temperature)

    def with_added(self, raw: Tensor, added: Tensor) -> Tensor:
        """Return raw outputs to which something is added, (n_rows, K) of all rows."""
        return raw + added[self._blind.rows].to(raw)

    @torch.no_grad()
    def predict(
        self, inputs: tuple[Tensor, ...], blind: Tensor, temperature: float
    ) -> Tensor:
        """Return the predictions for other rows, (n_rows, K).

        `blind` (n_rows, n_members) is True where a member has not learned from a row.
        """
        rows = BlindRows(blind)
        each: Any = self._network.each
        raw = rows.raw(each, inputs)
        return rows.predictions(self.member, raw / temperature)

    def by_fold(
        self, raw: Tensor, temperature: float = 1.0
    ) -> list[tuple[list[int], Tensor, Tensor]]:
        """Return members, rows and predictions of each fold; see `BlindRows`."""
        return self._blind.by_fold(self.member, raw / temperature)

    def score(self, predictions: Tensor) -> float:
        """Return the score on the rows that have a prediction."""
        rows = torch.nonzero(self._blind.counts).flatten()
        weight = self.score_weight
        return self.score_of(
            predictions[rows],
            self.target[rows],
            None if weight is None else weight[rows],
        )
