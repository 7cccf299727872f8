"""One temperature that makes probabilities as certain as they are right."""

import math
from collections.abc import Callable

# Temperatures are looked for between these. Few rows that are all predicted rightly do
# not show how certain one may be.
_COOLEST, _HOTTEST = 0.5, 50.0
_STEPS = 30
# The mean of many networks is less certain than one of them, as far as they disagree:
# much where the classes are clear, and little where the labels are noise, about which
# all networks agree. So much lower is its temperature in the limit of many networks if
# there is no noise, and by so much of the noise less so.
_SHARPER, _BY_NOISE = 0.4, 2 / 3


def best_temperature(loss: Callable[[float], float], steps: int = _STEPS) -> float:
    """Return the temperature of the lowest loss (Guo et al. 2017, arXiv 1706.04599).

    Parameters
    ----------
    loss : callable
        Takes a temperature, returns the loss on held-out rows of raw outputs divided
        by it. Has one lowest point, as log loss does.
    steps : int, default=30
        Temperatures to try; each narrows the range to .62 of it.

    Returns
    -------
    float
        Between 1/2 and 50.

    Examples
    --------
    >>> round(best_temperature(lambda t: (t - 1.3) ** 2), 3)
    1.3
    """
    golden = (math.sqrt(5) - 1) / 2
    low, high = math.log(_COOLEST), math.log(_HOTTEST)
    first, second = high - golden * (high - low), low + golden * (high - low)
    at_first, at_second = loss(math.exp(first)), loss(math.exp(second))
    for _ in range(steps):
        if at_first <= at_second:
            high, second, at_second = second, first, at_first
            first = high - golden * (high - low)
            at_first = loss(math.exp(first))
        else:
            low, first, at_first = first, second, at_second
            second = low + golden * (high - low)
            at_second = loss(math.exp(second))
    return math.exp((low + high) / 2)


def sharpening(loss: float, uninformed: float, n_members: int) -> float:
    """Return the temperature of a mean of networks, that of a single one being 1.

    No row shows it, since each is held out of some of the networks only.

    Parameters
    ----------
    loss : float
        Log loss of single networks on held-out rows.
    uninformed : float
        That of the classes' frequencies.
    n_members : int
        Networks.

    Examples
    --------
    >>> round(sharpening(0.1, 1.0, 4), 3), sharpening(0.9, 1.0, 4)
    (0.75, 1.0)
    """
    noise = min(1.0, loss / uninformed) if uninformed > 0 else 1.0
    return 1 - max(0.0, _SHARPER - _BY_NOISE * noise) * (1 - 1 / n_members)
