"""Which window a language model is trained on: candidates, and the rule that chooses.

The question is how far back gradients should go. Memory sets a limit, and so does the
number of steps: a window twice as long is half as many updates, and with few of them,
in an epoch or in the whole training, the loss is far from where it could be. What
speaks for a longer window is speed: what a step costs whatever its length (clipping,
the optimizer, launching kernels) is spread over more tokens. A few percent of speed are
a few percent of the tokens, half the updates may be far more, so the rule is: of what
fits into memory, leaves enough steps and keeps the loss finite, the fewest tokens a
step that are not slow, that is within 5% of the fastest.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

WINDOWS = (35, 70, 140, 280)
SHORT_WINDOWS = (10, 20)  # tried where no other fits
BATCH_SIZES = {"cpu": (10, 20, 40, 80), "cuda": (20, 40, 80, 160)}
SMALL_BATCH_SIZES = (1, 2, 5)  # likewise

FEWEST_STEPS = 200  # of an epoch
FEWEST_IN_ALL = 2000  # of all epochs
_ENOUGH = f"{FEWEST_STEPS} steps an epoch and {FEWEST_IN_ALL} in all"
SLOWER = 0.05  # than the fastest that is not yet slow


@dataclass
class Candidate:
    """A window and what is known of it.

    Attributes
    ----------
    bptt, batch_size : int
        Tokens of a window and streams.
    steps : int
        Steps of an epoch.
    enough_steps : bool
        Whether they are `FEWEST_STEPS`, and in all epochs `FEWEST_IN_ALL`.
    memory_bytes : int
        Bytes that training takes at its peak, by formula.
    fits : bool
        Whether the device has as much.
    predicted_tokens_per_second : float
        By formula.
    tokens_per_second : float or None
        Measured, where that was done.
    finite : bool or None
        Whether the loss stayed finite when that was tried.
    chosen : bool
        Whether it is the one.
    reason : str
        Why it is, or is not.
    """

    bptt: int
    batch_size: int
    steps: int
    enough_steps: bool
    memory_bytes: int
    fits: bool
    predicted_tokens_per_second: float
    tokens_per_second: float | None = None
    finite: bool | None = None
    chosen: bool = False
    reason: str = ""

    @property
    def tokens(self) -> int:
        """Tokens of a step."""
        return self.bptt * self.batch_size

    @property
    def speed(self) -> float:
        """Tokens a second: measured, or else predicted."""
        return self.tokens_per_second or self.predicted_tokens_per_second


class Cost(Protocol):
    """What a step takes; see `LanguageModelCost`."""

    def step_bytes(self, *, batch_size: int, bptt: int) -> int:
        """Return the bytes that training takes at its peak."""

    def tokens_per_second(self, *, batch_size: int, bptt: int) -> float:
        """Return about how many tokens are trained on in a second."""


def candidates(
    n_tokens: int,
    cost: Cost,
    memory: float,
    *,
    bptt: int | None,
    batch_size: int | None,
    steps: Callable[[int, int], int],
    longest: Callable[[int], int],
    max_epochs: int = 10,
    device_type: str = "cpu",
) -> list[Candidate]:
    """Return the windows to choose from.

    Parameters
    ----------
    n_tokens : int
        Tokens of the text.
    cost : Cost
        What a step takes.
    memory : float
        Bytes that it may take.
    bptt, batch_size : int or None
        Given, or None where they are to be chosen.
    steps : callable
        Takes `batch_size` and `bptt`, returns the steps of an epoch.
    longest : callable
        Takes `bptt`, returns the tokens of the longest window.
    max_epochs : int, default=10
        Epochs of the training.
    device_type : str, default="cpu"
        Which batch sizes are tried.

    Returns
    -------
    list of Candidate
        At least one. Short windows and small batches are among them where no other
        fits into memory or leaves enough steps.
    """
    fewest = max(FEWEST_STEPS, FEWEST_IN_ALL / max_epochs)

    def combine(windows: list[int], batches: list[int]) -> list[Candidate]:
        return [
            Candidate(
                b,
                s,
                n_steps := steps(s, b),
                n_steps >= fewest,
                needed := cost.step_bytes(batch_size=s, bptt=longest(b)),
                needed <= memory,
                cost.tokens_per_second(batch_size=s, bptt=b),
            )
            for s in batches
            for b in windows
        ]

    usual = BATCH_SIZES.get(device_type, BATCH_SIZES["cpu"])
    windows = list(WINDOWS) if bptt is None else [bptt]
    batches = list(usual) if batch_size is None else [batch_size]
    found = combine(windows, batches)
    if any(_usable(candidate) for candidate in found):
        return found
    if batch_size is None:
        batches = [*SMALL_BATCH_SIZES, *usual]
    if bptt is None:
        whole = max(1, n_tokens // batches[0])  # all of a stream
        shortest = min(SHORT_WINDOWS[0], whole)
        windows = sorted({shortest, *SHORT_WINDOWS, *WINDOWS})
    found = combine(windows, batches)
    return [c for c in found if c.tokens <= n_tokens] or found[:1]


def _usable(candidate: Candidate) -> bool:
    return candidate.fits and candidate.enough_steps


def choose(
    found: list[Candidate],
    *,
    measure: Callable[[list[Candidate]], float] | None = None,
    check: Callable[[Candidate], None] | None = None,
) -> Candidate:
    """Choose a window and write down why.

    Parameters
    ----------
    found : list of Candidate
        What there is to choose from; its reasons are written.
    measure : callable, optional
        Sets `tokens_per_second`, `finite` and, if memory did not suffice, `fits` of
        candidates, and returns by what share measured speeds are uncertain. Without it
        the predicted speeds decide.
    check : callable, optional
        Sets `finite` and `fits` of the one that would be chosen.

    Returns
    -------
    Candidate
        Of those that fit, leave enough steps and are finite, the one with the fewest
        tokens a step that is at most `SLOWER` slower than the fastest, as far as that
        can be told; of two alike, that with the longer window. If none leaves enough
        steps, the one with the most; if none is finite or fits, the one
        that needs the least memory.
    """
    usable = [c for c in found if _usable(c)]
    share = 1 - SLOWER
    if measure is not None and len(usable) > 1:
        share -= measure(usable)
    while alive := [c for c in usable if _alive(c)]:
        slow = share * max(c.speed for c in alive)
        near = [c for c in alive if c.speed >= slow]
        best = min(near, key=lambda c: (c.tokens, -c.bptt))
        if _stands(best, check):
            return _explain(found, best, _reason(best, alive), slow)
    few = [c for c in found if _alive(c)]
    for candidate in sorted(few, key=lambda c: (-c.steps, c.tokens, -c.bptt)):
        if _stands(candidate, check):
            reason = f"the most steps an epoch; none that trains has {_ENOUGH}"
            return _explain(found, candidate, reason)
    best = min(found, key=lambda c: (c.memory_bytes, c.bptt))
    reason = "the smallest; none fits into memory"
    if any(c.finite is False for c in found):
        reason = "the smallest; the loss is not finite with any, lower lr"
    return _explain(found, best, reason)


def _alive(candidate: Candidate) -> bool:
    return candidate.fits and candidate.finite is not False


def _stands(candidate: Candidate, check: Callable[[Candidate], None] | None) -> bool:
    """Tell whether a candidate trains, after trying where that was not done yet."""
    if candidate.finite is None and check is not None:
        check(candidate)
    return _alive(candidate)


def _reason(best: Candidate, alive: list[Candidate]) -> str:
    if len(alive) == 1:
        return "the only one that is left"
    fastest = max(c.speed for c in alive)
    if best.speed == fastest:
        return "the fastest, with the fewest tokens a step"
    behind = 1 - best.speed / fastest
    return f"the fewest tokens a step; {behind:.0%} slower than the fastest"


def _explain(
    found: list[Candidate], best: Candidate, reason: str, slow: float = 0.0
) -> Candidate:
    """Write down why one is chosen and the others are not; below `slow` is slow."""
    for candidate in found:
        candidate.reason = _against(candidate, best, slow)
    best.chosen, best.reason = True, reason
    return best


def _against(candidate: Candidate, best: Candidate, slow: float) -> str:
    if not candidate.fits:
        return "does not fit into memory"
    if candidate.finite is False:
        return "the loss is not finite"
    if not candidate.enough_steps:
        return f"fewer than {_ENOUGH}"
    if candidate.speed < slow:
        return "slower than the fastest by more than is allowed"
    if candidate.tokens == best.tokens:
        return "as many tokens a step, in shorter windows"
    return "more tokens a step, and not much faster"
