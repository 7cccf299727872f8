"""Whose random numbers a fit draws: its own, and of torch's global ones only on loan.

Torch has one global generator for each device and all threads. Two fits that drew from
it in two threads would take each other's numbers, and the caller's. So each fit has
generators of its own; `generator_on` hands out those of the fit that runs in the
present thread, and whatever of skdl draws asks for them.

Code that is not skdl's, such as a user's network, may draw from the global generators
all the same. While it runs they are lent to it by `lent_generators`: one fit at a time,
in the state that this fit left them in, and given back as they were.
"""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor


class Randomness:
    """The generators of one fit.

    Parameters
    ----------
    seed : int
        What all of them are seeded with.
    device : torch.device
        Where the fit runs; there is always a generator on the CPU too.

    Examples
    --------
    >>> import torch
    >>> cpu = torch.device("cpu")
    >>> with drawing_from(Randomness(0, cpu)):
    ...     first = torch.rand(3, generator=generator_on(cpu))
    >>> with drawing_from(Randomness(0, cpu)):
    ...     again = torch.rand(3, generator=generator_on(cpu))
    >>> bool((first == again).all())
    True
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        own = torch.Generator().manual_seed(seed)
        self._own = {"cpu": own}
        # What is drawn on loan must not be what is drawn from the own generators.
        other = int(torch.randint(1 << 31, (), generator=own))
        if device.type != "cpu":
            self._own[device.type] = torch.Generator(device).manual_seed(seed)
        # The state of each global generator, as this fit left it, is kept in a twin.
        self._lent = [
            (generator, torch.Generator(generator.device).manual_seed(other))
            for generator in _global_generators(device)
        ]
        self._has_loan = False

    def generator(self, device: torch.device) -> torch.Generator | None:
        """Return the generator on a device; None, which is torch's own, elsewhere."""
        return self._own.get(device.type)

    def generators(self) -> list[torch.Generator]:
        """Return all generators whose states make up where the fit is."""
        # During a loan it goes on in the global ones, and the twins stay behind.
        lent = (real if self._has_loan else twin for real, twin in self._lent)
        return [*self._own.values(), *lent]

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Have the global generators inside; wait while another fit has them."""
        with _loans:
            if self._has_loan:  # already, further out in this thread
                yield
                return
            before = [(generator, generator.get_state()) for generator, _ in self._lent]
            try:
                self._has_loan = True
                for generator, twin in self._lent:
                    generator.set_state(twin.get_state())
                yield
            finally:
                for generator, twin in self._lent:
                    twin.set_state(generator.get_state())
                for generator, state in before:
                    generator.set_state(state)
                self._has_loan = False


_loans = threading.RLock()
_current: ContextVar[Randomness | None] = ContextVar("skdl_randomness", default=None)
_side_by_side: ContextVar[tuple[Randomness, ...]] = ContextVar(
    "skdl_side_by_side", default=()
)


def _free_the_loan() -> None:
    """Give a forked child a lock that no thread holds which it does not have."""
    global _loans
    _loans = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_free_the_loan)


@contextmanager
def drawing_from(randomness: Randomness) -> Iterator[None]:
    """Draw from these generators inside, in this thread."""
    token = _current.set(randomness)
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def drawing_side_by_side(streams: Sequence[Randomness]) -> Iterator[None]:
    """Draw inside for several fits that are trained as one; each has its own stream."""
    token = _side_by_side.set(tuple(streams))
    try:
        with drawing_from(streams[0]):
            yield
    finally:
        _side_by_side.reset(token)


def generators_side_by_side(device: torch.device) -> list[torch.Generator | None]:
    """Return what each of the fits that are trained as one draws from on a device.

    Raises
    ------
    RuntimeError
        Outside of `drawing_side_by_side`.
    """
    streams = _side_by_side.get()
    if not streams:
        raise RuntimeError("Only fits that are trained side by side have streams.")
    return [stream.generator(device) for stream in streams]


def generator_on(device: torch.device) -> torch.Generator | None:
    """Return what to draw from on a device: the fit's generator, else torch's own.

    Parameters
    ----------
    device : torch.device
        Where the numbers are wanted.

    Returns
    -------
    torch.Generator or None
        None, outside of a fit, is torch's global generator of the device.
    """
    current = _current.get()
    return None if current is None else current.generator(device)


def generators_on(device: torch.device) -> list[torch.Generator]:
    """Return what this thread's fits draw from on a device, but torch's own.

    Those that are trained as one have one for each stream.
    """
    found = [stream.generator(device) for stream in _streams()]
    return [generator for generator in found if generator is not None]


def _streams() -> tuple[Randomness, ...]:
    """Return whose numbers are drawn now; a fit inside of others has its own."""
    current, together = _current.get(), _side_by_side.get()
    if current is None:
        return ()
    return together if current in together else (current,)


def is_in_fit() -> bool:
    """Tell whether a fit runs in the present thread."""
    return _current.get() is not None


@contextmanager
def lent_generators() -> Iterator[None]:
    """Run code inside that may draw from torch's global generators.

    Inside of a fit they are in a state of the fit's own, which goes on from loan to
    loan, and afterwards as they were; fits in other threads take turns. Outside of a
    fit nothing is done.
    """
    current = _current.get()
    if current is None:
        yield
        return
    with current.lent():
        yield


def random_states(device: torch.device) -> list[Tensor]:
    """Return the states of what a fit on a device draws from."""
    return [generator.get_state() for generator in _drawn_from(device)]


def set_random_states(states: list[Tensor], device: torch.device) -> None:
    """Go on drawing from where `random_states` was."""
    for generator, state in zip(_drawn_from(device), states, strict=True):
        generator.set_state(state)


def _drawn_from(device: torch.device) -> list[torch.Generator]:
    streams = _streams()
    if not streams:
        return _global_generators(device)
    return [generator for stream in streams for generator in stream.generators()]


def _global_generators(device: torch.device) -> list[torch.Generator]:
    """Return torch's own generators on the CPU and on a CUDA device."""
    generators = [torch.default_generator]
    if device.type == "cuda":
        index = device.index
        if index is None:
            index = torch.cuda.current_device()
        generators.append(torch.cuda.default_generators[index])
    return generators
