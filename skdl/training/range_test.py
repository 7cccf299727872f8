"""The learning-rate range test: a sweep of rates and what its curve suggests.

Smith 2017, "Cyclical learning rates for training neural networks", section 3.3
(arXiv 1506.01186).
"""

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, repeat

import numpy as np
import torch
from torch import Tensor

from skdl.training.ranks import agreed
from skdl.training.trainer import Batch, BatchSource, Trainer

# A smoothed loss this many times the lowest one means that training has diverged.
_DIVERGED = 4.0
# How many times the noise of a curve may be chance.
_STRAYS = 4
# Memory of the running mean that smooths the losses, in steps about 1 / (1 - memory).
_MEMORY = 0.9


@dataclass(frozen=True)
class Curve:
    """The steps of a sweep, fewer than planned where training diverged before.

    Attributes
    ----------
    lrs, losses : ndarray of shape (n_steps,)
        The rate and the loss of each step; finite.
    baselines : ndarray of shape (n_steps,)
        What the network as it was before the first step loses on the same batches.
    """

    lrs: np.ndarray
    losses: np.ndarray
    baselines: np.ndarray

    def smoothed(self) -> np.ndarray:
        """Return the losses smoothed, less what is due to easy and hard batches."""
        losses = smooth_losses(self.losses)
        if not np.isfinite(self.baselines).all():
            return losses
        return _evened_out(losses, smooth_losses(self.baselines))


def _evened_out(losses: np.ndarray, baselines: np.ndarray) -> np.ndarray:
    """Return smoothed losses less what is due to easy and hard batches.

    A batch of few rows whose targets are far out costs an untrained network more, and a
    trained one, too. What hardness explains of the squared errors of noise goes by the
    square of their ratio on the same batches; that much of it is taken out.
    """
    mean = baselines.mean()
    if not (np.isfinite(mean) and mean > 0):
        return losses
    share = np.clip(losses / np.where(baselines > 0, baselines, np.inf), 0, 1) ** 2
    return losses - share * (baselines - mean)


def sweep(
    trainer: Trainer,
    batches: BatchSource,
    *,
    min_lr: float,
    max_lr: float,
    num_iter: int,
) -> Curve:
    """Train while the rate grows exponentially, until the loss diverges.

    Parameters
    ----------
    trainer : Trainer
        Its network is changed; hand over a copy.
    batches : BatchSource
        Gone through as often as needed.
    min_lr, max_lr : float
        First and last rate.
    num_iter : int
        Steps from one to the other.

    Returns
    -------
    Curve
    """
    rates = np.geomspace(min_lr, max_lr, num_iter)
    losses: list[float] = []
    baselines: list[float] = []
    loss_before = _loss_before(trainer)
    has_diverged = _Divergence(num_iter)
    trainer.begin_epoch(batches.batch_dim)
    with trainer.drawing():
        for rate, batch in zip(rates, _endless(batches), strict=False):
            trainer.set_lr(float(rate))
            loss = trainer.step(batch).item()
            if not math.isfinite(loss) or trainer.guard.dropped:
                break
            losses.append(loss)
            baselines.append(loss_before(batch))
            if has_diverged(loss, baselines[-1]) and len(losses) > num_iter // 10:
                break
    return Curve(rates[: len(losses)], np.array(losses), np.array(baselines))


def _loss_before(trainer: Trainer) -> Callable[[Batch], float]:
    """Return what tells the loss of the network as it is now, whatever it learns."""
    network = copy.deepcopy(trainer.network).eval()

    @torch.no_grad()
    def loss_of(batch: Batch, share: float) -> Tensor:
        return trainer.loss_of(network, batch)

    def loss(batch: Batch) -> float:  # in parts where memory is short
        memory, dim = trainer.runtime.memory, trainer.batch_dim
        return memory.gradients(batch, dim, network, loss_of).item()

    return agreed(loss, trainer.runtime.ranks)


def _endless(batches: BatchSource) -> Iterator[Batch]:
    return chain.from_iterable(repeat(batches))


class _Smoother:
    """An exponential running mean, corrected for its start."""

    def __init__(self) -> None:
        self._mean = 0.0
        self._share = 0.0

    def __call__(self, value: float) -> float:
        self._mean = _MEMORY * self._mean + (1 - _MEMORY) * value
        self._share = _MEMORY * self._share + (1 - _MEMORY)
        return self._mean / self._share


class _Divergence:
    """Tells whether the loss has risen far above its lowest, whatever the batches."""

    def __init__(self, num_iter: int) -> None:
        self._smoothers = _Smoother(), _Smoother()
        self._smoothed = np.empty((2, num_iter))  # losses and baselines
        self._n_seen = 0

    def __call__(self, *loss_and_baseline: float) -> bool:
        pairs = zip(self._smoothers, loss_and_baseline, strict=True)
        self._smoothed[:, self._n_seen] = [smooth(value) for smooth, value in pairs]
        self._n_seen += 1
        losses = _evened_out(*self._smoothed[:, : self._n_seen])
        return bool(losses[-1] > _DIVERGED * abs(losses.min()))


def smooth_losses(losses: np.ndarray) -> np.ndarray:
    """Smooth a curve with a Gaussian window, which does not shift its lowest point.

    Parameters
    ----------
    losses : ndarray of shape (n,)
        Raw losses.

    Returns
    -------
    ndarray of shape (n,)
        The window's standard deviation is a fortieth of the curve, at least one step.
    """
    width = max(1.0, len(losses) / 40)
    steps = np.arange(len(losses))
    window = np.exp(-0.5 * ((steps[:, None] - steps) / width) ** 2)  # (n, n)
    return window @ losses / window.sum(axis=1)


# What a curve suggests. Each rule takes rates and smoothed losses and returns the
# position of the rate, which may lie between two steps.


def _minimum(lrs: np.ndarray, losses: np.ndarray) -> float:
    """Return a tenth of the rate at the lowest loss."""
    return float(lrs[losses.argmin()]) / 10


def _steepest(lrs: np.ndarray, losses: np.ndarray) -> float:
    """Return the rate at which the loss falls fastest, before its lowest point."""
    end = max(int(losses.argmin()), 1) + 1
    slope = np.gradient(losses, np.log(lrs))
    return float(lrs[slope[:end].argmin()])


def _valley(lrs: np.ndarray, losses: np.ndarray) -> float:
    """Return the middle of the longest run of falling losses."""
    best_start = best_end = start = 0
    for i in range(1, len(losses) + 1):
        if i == len(losses) or losses[i] >= losses[i - 1]:
            if i - 1 - start > best_end - best_start:
                best_start, best_end = start, i - 1
            start = i
    return float(np.sqrt(lrs[best_start] * lrs[best_end]))


def _slide(lrs: np.ndarray, losses: np.ndarray) -> float:
    """Return half the rate midway between lowest loss and a third of the gain lost.

    Where the loss explodes is much the same from seed to seed; where exactly it is
    lowest is not. The middle, on the logarithmic scale, is steadier than either. What
    a curve strays by is no loss: it must be lost for good, and be more than that.
    """
    lowest = int(losses.argmin())
    gain = losses[: lowest + 1].max() - losses[lowest]
    little = max(gain / 3, _STRAYS * _noise(losses))
    edge = int(np.flatnonzero(losses <= losses[lowest] + little)[-1]) + 1
    return float(np.sqrt(lrs[lowest] * lrs[min(edge, len(lrs) - 1)])) / 2


SUGGESTIONS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "minimum": _minimum,
    "steepest": _steepest,
    "valley": _valley,
    "slide": _slide,
}


def suggest(lrs: np.ndarray, losses: np.ndarray) -> dict[str, float]:
    """Return the suggestion of each rule.

    Parameters
    ----------
    lrs, losses : ndarray of shape (n,)
        Rates and smoothed losses, at least two.

    Returns
    -------
    dict of str to float
    """
    return {name: rule(lrs, losses) for name, rule in SUGGESTIONS.items()}


def doubts(lrs: np.ndarray, losses: np.ndarray, num_iter: int) -> list[str]:
    """Return what speaks against trusting a curve; empty if nothing does.

    Parameters
    ----------
    lrs, losses : ndarray of shape (n,)
        Rates and smoothed losses.
    num_iter : int
        Steps that were planned.

    Returns
    -------
    list of str
    """
    found = []
    if len(lrs) < max(10, num_iter // 5):
        found.append(
            f"the loss diverged after {len(lrs)} of {num_iter} steps: lower min_lr"
        )
        return found
    lowest = int(losses.argmin())
    fall = losses[: lowest + 1].max() - losses[lowest]
    if fall < max(0.02 * abs(losses[0]), _STRAYS * _noise(losses)):
        found.append("the loss hardly falls anywhere: the curve is flat")
    elif lowest < len(losses) // 10:
        found.append("the loss is lowest at the first rates: lower min_lr")
    elif lowest == len(losses) - 1 and len(lrs) == num_iter:
        found.append("the loss still falls at the last rate: raise max_lr")
    return found


def _noise(losses: np.ndarray) -> float:
    """Return how far a curve strays from a straight line where rates are low."""
    start = losses[: max(3, len(losses) // 3)]
    steps = np.arange(len(start))
    line = np.polynomial.Polynomial.fit(steps, start, deg=1)
    return float((start - line(steps)).std())
