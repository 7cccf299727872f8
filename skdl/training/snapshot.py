"""Copies of a network's weights to go back to."""

import torch
from torch import nn


class Snapshot:
    """The weights and buffers of a network as they were at the last `save`."""

    def __init__(self, network: nn.Module) -> None:
        self._live = list(network.state_dict().values())  # share the network's storage
        self._saved = [tensor.clone() for tensor in self._live]

    def save(self) -> None:
        """Remember the present state."""
        for saved, live in zip(self._saved, self._live, strict=True):
            saved.copy_(live)

    @torch.no_grad()
    def restore(self) -> None:
        """Put the remembered state back into the network."""
        for saved, live in zip(self._saved, self._live, strict=True):
            live.copy_(saved)

    def live_is_finite(self) -> bool:
        """Tell whether the network's present state holds finite numbers only."""
        sums = [t.sum() for t in self._live if t.is_floating_point()]
        return not sums or bool(torch.isfinite(torch.stack(sums)).all())
