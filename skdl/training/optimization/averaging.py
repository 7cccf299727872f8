"""A running mean of the weights, which often predicts better than the last ones."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

# Share of a training's steps that the mean remembers.
_SHARE = 0.1


class WeightAverage:
    """An exponential moving average of a network's weights (Polyak & Juditsky 1992).

    Parameters
    ----------
    network : nn.Module
        Its floating-point weights and buffers are averaged.
    n_steps : int
        Steps of the whole training; the mean remembers about a tenth of them.

    Attributes
    ----------
    mean : list of Tensor
        Of each weight and buffer.
    """

    def __init__(self, network: nn.Module, n_steps: int) -> None:
        state = network.state_dict().values()
        self._live = [t for t in state if t.is_floating_point()]
        self.mean = [t.clone() for t in self._live]
        self._horizon = max(1.0, _SHARE * n_steps)
        self._step = 0

    @torch.no_grad()
    def update(self) -> None:
        """Take the weights after one more step into the mean."""
        self._step += 1
        share = 1 / min(self._horizon, self._step)  # a plain mean at first
        torch._foreach_lerp_(self.mean, self._live, share)

    def observe(self, validation_loss: float) -> None:
        """Take the loss on held-out data after an epoch."""

    def state_dict(self) -> dict[str, Any]:
        """Return the mean and where it stands, not copied."""
        return {"mean": self.mean, "step": self._step}

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take the mean from a state."""
        for mean, saved in zip(self.mean, state["mean"], strict=True):
            mean.copy_(saved)
        self._step = state["step"]

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange the network's weights and their mean."""
        for mean, live in zip(self.mean, self._live, strict=True):
            kept = live.clone()
            live.copy_(mean)
            mean.copy_(kept)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Give the network the mean inside, and its own weights back afterwards."""
        self.swap()
        try:
            yield
        finally:
            self.swap()


class TriggeredAverage(WeightAverage):
    """The plain mean of the weights from where the validation loss stops falling on.

    NT-ASGD (Merity et al. 2017, arXiv 1708.02182, section 4): the mean begins when the
    loss is above the lowest one of the epochs more than `patience` ago. Until then the
    network's own weights count.

    Parameters
    ----------
    network : nn.Module
        Its floating-point weights and buffers are averaged.
    patience : int, default=5
        Epochs whose losses are not compared.
    """

    def __init__(self, network: nn.Module, patience: int = 5) -> None:
        super().__init__(network, n_steps=0)
        self._horizon = math.inf
        self._patience = patience
        self._losses: list[float] = []
        self.started = False

    def update(self) -> None:
        """Take the weights into the mean, once it has begun."""
        if self.started:
            super().update()

    @torch.no_grad()
    def observe(self, validation_loss: float) -> None:
        """Begin the mean if the loss has stopped falling."""
        earlier = self._losses[: len(self._losses) - self._patience]
        self._losses.append(validation_loss)
        if self.started or not earlier or validation_loss <= min(earlier):
            return
        self.started = True
        for mean, live in zip(self.mean, self._live, strict=True):
            mean.copy_(live)

    def state_dict(self) -> dict[str, Any]:
        """Return the mean and where it stands, not copied."""
        where = {"losses": self._losses, "started": self.started}
        return {**super().state_dict(), **where}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take the mean from a state."""
        super().load_state_dict(state)
        self._losses, self.started = list(state["losses"]), state["started"]

    def swap(self) -> None:
        """Exchange the network's weights and their mean, once it has begun."""
        if self.started:
            super().swap()
