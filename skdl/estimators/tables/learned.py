"""What the networks of a pack are trained for, and what they are looked at with."""

from dataclasses import replace
from typing import Any

from torch import Tensor

from skdl.training.histogram import MeanBesideHistogram
from skdl.training.objectives import (
    BinaryCrossEntropy,
    CrossEntropy,
    Objective,
    SquaredError,
)

# Targets at most that have histograms.
_MOST_TARGETS = 8


def learned_beside(member: Any, target: Tensor, n_bins: int) -> Objective:
    """Return what a network is trained for, which may have more outputs than it tells.

    Parameters
    ----------
    member : Objective
        What it predicts.
    target : Tensor
        Of the training rows.
    n_bins : int
        Bins of the histogram that a mean is learned beside; 0 for none.
    """
    is_mean = type(member) is SquaredError and member.n_outputs <= _MOST_TARGETS
    if not (n_bins and is_mean):
        return member
    return MeanBesideHistogram(member, target, n_bins)


def without_smoothing(member: Any) -> Any:
    """Return an objective whose loss is that of the labels as they are."""
    if isinstance(member, CrossEntropy | BinaryCrossEntropy):
        return replace(member, label_smoothing=0.0)
    return member
