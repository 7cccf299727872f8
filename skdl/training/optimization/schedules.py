"""Learning-rate schedules: pure functions of training progress.

Progress runs from 0 at the first step to 1 after the last. A schedule gives the
factor by which the learning rate is multiplied and, where it cycles the momentum
too, what is added to it. To add one, write a function of progress and an entry in
`SCHEDULES`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any


@dataclass(frozen=True)
class Schedule:
    """A learning-rate factor and, if momentum is cycled, its offset, by progress."""

    lr: Callable[[float], float]
    momentum: Callable[[float], float] | None = None


def _anneal(start: float, end: float, fraction: float) -> float:
    """Go from `start` to `end` along half a cosine."""
    return end + (start - end) * (1 + math.cos(math.pi * fraction)) / 2


_WARMUP = 0.25
_START = 1 / 25
_END = 1e-4
_LATE_POINTS = 32


def one_cycle(progress: float) -> float:
    """Rise for a quarter of the way, then fall to nearly zero (Smith 2018, section 5).

    Both parts follow a cosine, as fastai draws them (arXiv 1803.09820).
    """
    if progress < _WARMUP:
        return _anneal(_START, 1.0, progress / _WARMUP)
    return _anneal(1.0, _END, (progress - _WARMUP) / (1 - _WARMUP))


def one_cycle_momentum(progress: float) -> float:
    """Lower the momentum while the learning rate is high: +.05, -.05, +.05."""
    if progress < _WARMUP:
        return _anneal(0.05, -0.05, progress / _WARMUP)
    return _anneal(-0.05, 0.05, (progress - _WARMUP) / (1 - _WARMUP))


def cosine(progress: float) -> float:
    """Fall from 1 to 0 along half a cosine (Loshchilov & Hutter 2017, equation 5)."""
    return _anneal(1.0, 0.0, progress)


def warm_restarts(progress: float) -> float:
    """Three cosine falls, each twice as long as the one before it (SGDR, section 3)."""
    position = min(progress, 1.0) * 7.0  # in units of the first cycle: 1 + 2 + 4
    start, length = 0.0, 1.0
    while position >= start + length and length < 4:
        start, length = start + length, length * 2
    return _anneal(1.0, 0.0, (position - start) / length)


def flat_cosine(progress: float) -> float:
    """Stay at 1 for 72% of the way, then fall to 0 along half a cosine."""
    flat = 0.72
    return 1.0 if progress < flat else _anneal(1.0, 0.0, (progress - flat) / (1 - flat))


def constant(progress: float) -> float:
    """Stay at 1."""
    return 1.0


SCHEDULES: dict[str, Schedule] = {
    "one_cycle": Schedule(one_cycle, one_cycle_momentum),
    "cosine": Schedule(cosine),
    "warm_restarts": Schedule(warm_restarts),
    "flat_cosine": Schedule(flat_cosine),
    "constant": Schedule(constant),
}


def resolve_schedule(schedule: str | Callable[[float], float]) -> Schedule:
    """Return the named schedule, or wrap a function of progress.

    What the function returns is checked at every step.
    """
    if isinstance(schedule, str):
        return SCHEDULES[schedule]
    return Schedule(partial(_checked, schedule))


def check_schedule(schedule: str | Callable[[float], float]) -> None:
    """Try a function of progress at the beginning, half way and at the end.

    Raises
    ------
    ValueError
        If it fails, or returns what is no factor.
    """
    if isinstance(schedule, str):
        return
    for progress in (0.0, 0.5, 1.0):
        try:
            factor = schedule(progress)
        except Exception as error:
            raise ValueError(
                f"schedule must be a function that takes progress in [0, 1] and "
                f"returns the factor of lr; it fails at {progress:g} "
                f"({type(error).__name__}: {error})."
            ) from error
        _factor(factor, progress)


def _checked(schedule: Callable[[float], float], progress: float) -> float:
    """Return the factor of a user's schedule, if it is one."""
    return _factor(schedule(progress), progress)


def _factor(factor: Any, progress: float) -> float:
    try:
        value = math.nan if isinstance(factor, str) else float(factor)
    except (TypeError, ValueError):
        value = math.nan
    if not 0 <= value < math.inf:
        raise ValueError(
            "schedule must return the factor of lr, a finite number that is not "
            f"negative; at progress {progress:g} it returned {factor!r}."
        )
    return value


def late_rate(schedule: Schedule) -> float:
    """Return the mean factor of the learning rate over the last quarter of training.

    At that rate what training has ended with is refined, and not undone.

    Examples
    --------
    >>> round(late_rate(SCHEDULES["one_cycle"]), 3)
    0.087
    >>> late_rate(SCHEDULES["constant"])
    1.0
    """
    points = [0.75 + 0.25 * (i + 0.5) / _LATE_POINTS for i in range(_LATE_POINTS)]
    return sum(schedule.lr(progress) for progress in points) / _LATE_POINTS
