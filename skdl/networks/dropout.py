"""Dropout whose masks cost nearly nothing on a CPU."""

from typing import Any

import torch
from torch import Tensor, nn

from skdl.randomness import generator_on

_POOL = 1 << 18  # smallest pool of random values, if all its masks are of use
_USES = 64  # masks taken from a pool before it is drawn anew


def kept(empty: Tensor, p: float, generator: torch.Generator | None) -> Tensor:
    """Fill a tensor with zeros, of probability `p`, and ``1 / (1 - p)`` elsewhere."""
    return empty.bernoulli_(1 - p, generator=generator).div_(1 - p)


class Dropout(nn.Module):
    """Zero each value with probability `p` and scale the others by ``1 / (1 - p)``.

    The same as ``torch.nn.Dropout`` (Srivastava et al. 2014). On a CPU, drawing a
    fresh mask costs more than the layer before it; here a mask is a window, at a
    random place, of a larger pool of random values that is drawn anew every 64 masks.

    Parameters
    ----------
    p : float, default=0.5
        Probability of a zero, in [0, 1).

    Notes
    -----
    Shapes: any, kept. Random numbers are the fit's own, outside of a fit those of
    torch's global generator.

    Examples
    --------
    >>> import torch
    >>> from skdl.networks import Dropout
    >>> dropped = Dropout(0.25)(torch.ones(100, 100))
    >>> bool((dropped == 0).float().mean().sub(0.25).abs() < 0.03)
    True
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p
        self._pool: Tensor | None = None
        self._left = 0
        self._drawn_from: Tensor | None = None  # the generator's state before

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` with some values dropped in training, unchanged otherwise."""
        if not self.training or self.p == 0:
            return x
        if x.device.type != "cpu":
            return _dropped(x, self.p)
        mask = self.mask(x.numel(), generator_on(x.device))
        return x * mask.view(x.shape).to(x.dtype)

    def mask(self, size: int, generator: torch.Generator | None) -> Tensor:
        """Return a mask of so many values, (size,) float32, on the CPU."""
        pool = self._pool
        if self._left == 0 or pool is None or len(pool) < 2 * size:
            pool = self._draw(max(min(_POOL, _USES * size), 4 * size), generator)
        self._left -= 1
        start = int(torch.randint(len(pool) - size + 1, (), generator=generator))
        return pool[start : start + size]

    def mask_on(
        self, device: torch.device, size: int, generator: torch.Generator | None
    ) -> Tensor:
        """Return a mask of so many values on a device, ones where none is dropped."""
        if self.p == 0:
            return torch.ones(size, device=device)
        if device.type == "cpu":
            return self.mask(size, generator)
        return kept(torch.empty(size, device=device), self.p, generator)

    def _draw(self, size: int, generator: torch.Generator | None) -> Tensor:
        source = torch.default_generator if generator is None else generator
        self._drawn_from = source.get_state()
        self._pool = kept(torch.empty(size), self.p, generator)
        self._left = _USES
        return self._pool

    def mask_state(self) -> dict[str, Any] | None:
        """Return what the present pool can be drawn from again; None without one."""
        if self._pool is None:
            return None
        size = len(self._pool)
        return {"from": self._drawn_from, "size": size, "left": self._left}

    def load_mask_state(self, state: dict[str, Any] | None) -> None:
        """Draw a pool again; the generator stays as it is."""
        self._pool, self._left = None, 0
        if state is None:
            return
        self._draw(state["size"], torch.Generator().set_state(state["from"]))
        self._left = state["left"]

    def train(self, mode: bool = True) -> "Dropout":
        """Switch between training and evaluation, which needs no pool."""
        if not mode:
            self._pool, self._left = None, 0
        return super().train(mode)

    def __getstate__(self) -> dict:
        """Return the state without the pool."""
        empty = {"_pool": None, "_left": 0, "_drawn_from": None}
        return {**super().__getstate__(), **empty}

    def extra_repr(self) -> str:
        """Show the probability."""
        return f"p={self.p}"


def _dropped(x: Tensor, p: float) -> Tensor:
    """Drop values on a GPU; `functional.dropout` takes no generator.

    One pass draws the mask, a byte a value; another applies it, and is differentiable.
    """
    mask = torch.empty(x.shape, dtype=torch.bool, device=x.device)
    mask.bernoulli_(1 - p, generator=generator_on(x.device))
    return torch.ops.aten.native_dropout_backward(x, mask, 1 / (1 - p))
