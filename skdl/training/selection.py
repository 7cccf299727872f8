"""Settings of a pack's members: the best weights of each, and a mixture of them.

Members of a pack may be trained in several ways, a setting each. Every setting has
members that are blind to each part of the rows, so that it predicts all rows out of
fold. What counts is how settings do together: a mixture is chosen from these
predictions one by one, with replacement (Caruana et al. 2004, section 2).
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from skdl.training.crossing import OutOfFold

# Settings that are chosen, one of them more than once maybe.
_ROUNDS = 20


def chosen(predictions: Sequence[Tensor], loss: Callable[[Tensor], float]) -> list[int]:
    """Return how often each of some predictions is in the mean of the lowest loss.

    Parameters
    ----------
    predictions : sequence of Tensor
        Of one shape.
    loss : callable
        Takes a mean of some of them.

    Returns
    -------
    list of int
        One a prediction.

    Examples
    --------
    >>> import torch
    >>> given = [torch.tensor([x]) for x in (0.0, 4.0, 9.0)]
    >>> chosen(given, lambda mean: float((mean - 1) ** 2))
    [3, 1, 0]
    """
    total: Any = 0.0
    order: list[int] = []
    lowest, best = math.inf, 0
    for n in range(1, _ROUNDS + 1):
        losses = [loss((total + p) / n) for p in predictions]
        losses = [x if math.isfinite(x) else math.inf for x in losses]
        order.append(min(range(len(losses)), key=losses.__getitem__))
        total = total + predictions[order[-1]]
        if losses[order[-1]] < lowest:
            lowest, best = losses[order[-1]], n
    kept = order[: max(best, 1)]
    return [kept.count(i) for i in range(len(predictions))]


class BestOfEach:
    """Looks at a pack whose members have several settings, and keeps the best of each.

    Parameters
    ----------
    looks : sequence of OutOfFold
        At the members of each setting.
    members : sequence of list of int
        Which these are.
    all_members : OutOfFold
        At all of them.
    tensors : list of Tensor
        What the members have of their own, (M, ...); views of the network's.

    Attributes
    ----------
    losses : list of float
        The lowest of each setting.
    best : list of int
        The look at which it was.
    """

    def __init__(
        self,
        looks: Sequence[OutOfFold],
        members: Sequence[list[int]],
        all_members: OutOfFold,
        tensors: list[Tensor],
    ) -> None:
        self._looks, self._members, self._all = list(looks), list(members), all_members
        self._tensors = tensors
        self._number = 0
        self.losses = [math.inf] * len(members)
        self.best = [0] * len(members)
        self._kept: list[list[Tensor]] = [[] for _ in members]
        self._predictions: list[Tensor] = []

    def __call__(self) -> tuple[float, float]:
        """Return loss and score of what would be chosen now."""
        self._number += 1
        raw = self._all.raw()
        self._all.calibrated_loss(raw)  # columns are judged at its temperature
        self._predictions = self._predictions or [torch.empty(0)] * len(self._looks)
        for i, (look, members) in enumerate(
            zip(self._looks, self._members, strict=True)
        ):
            own = raw[members]
            loss = look.calibrated_loss(own)
            if loss < self.losses[i] or not self._kept[i]:
                self.losses[i], self.best[i] = loss, self._number
                self._kept[i] = [tensor[members].clone() for tensor in self._tensors]
                self._predictions[i] = look.predictions(own, look.temperature)
        mixture = self._mixture(self.chosen())
        return self._all.loss_of(mixture), self._all.score(mixture)

    def _mixture(self, counts: Sequence[int]) -> Tensor:
        pairs = zip(self._predictions, counts, strict=True)
        return torch.stack([p * n for p, n in pairs if n]).sum(0) / sum(counts)

    def chosen(self) -> list[int]:
        """Return how often each setting is in the mixture of the lowest loss."""
        return chosen(self._predictions, self._all.loss_of)

    @torch.no_grad()
    def restore(self) -> None:
        """Give the network the best weights of each setting."""
        for members, kept in zip(self._members, self._kept, strict=True):
            for tensor, best in zip(self._tensors, kept, strict=True):
                tensor[members] = best
