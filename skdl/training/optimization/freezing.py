"""Layers that stay as they are, for all of training or for its first epochs."""

import re
from collections.abc import Sequence

from torch import nn

ALL_BUT_LAST = "all_but_last"

# What other networks are wrapped in here; names are those of the network inside.
_WRAPPERS = re.compile(r"^(members\.\d+(\.|$))?(body(\.|$))?")


class Freezing:
    """Keeps layers from being trained.

    A frozen layer gets no gradient, and its batch norms keep the statistics they have.

    Parameters
    ----------
    network : nn.Module
        Whose layers are frozen.
    names : str or sequence of str
        Names of modules of the network, which stand for all that they hold;
        "all_but_last" freezes all layers but the last one.
    thaw : int, "gradual" or None, default=None
        After how many epochs everything is trained; "gradual" thaws one more of the
        frozen layers after every epoch, the last one first (Howard & Ruder 2018, arXiv
        1801.06146, section 3.3). None keeps them frozen.

    Raises
    ------
    ValueError
        If there is no module of that name.
    """

    def __init__(
        self,
        network: nn.Module,
        names: str | Sequence[str],
        thaw: int | str | None = None,
    ) -> None:
        self.network = network
        self.thaw = thaw
        layers = [
            (_WRAPPERS.sub("", name), module)
            for name, module in network.named_modules()
            if any(True for _ in module.parameters(recurse=False))
        ]
        self._frozen = _chosen(layers, names, network)
        own = [
            [p for p in module.parameters(recurse=False) if p.requires_grad]
            for module in self._frozen
        ]
        self._parameters = own

    def begin_epoch(self, epoch: int) -> None:
        """Freeze what is frozen in this epoch, the first being 1."""
        n_frozen = len(self._frozen)
        if self.thaw == "gradual":
            n_frozen = max(0, n_frozen - (epoch - 1))
        elif self.thaw is not None and epoch > int(self.thaw):
            n_frozen = 0
        for i, (module, parameters) in enumerate(
            zip(self._frozen, self._parameters, strict=True)
        ):
            module.train(i >= n_frozen)
            for parameter in parameters:
                parameter.requires_grad_(i >= n_frozen)

    def release(self) -> None:
        """Make everything trainable again that was."""
        for parameters in self._parameters:
            for parameter in parameters:
                parameter.requires_grad_(True)


def _chosen(
    layers: list[tuple[str, nn.Module]], names: str | Sequence[str], network: nn.Module
) -> list[nn.Module]:
    if names == ALL_BUT_LAST:
        return [module for name, module in layers if name != layers[-1][0]]
    wanted = [names] if isinstance(names, str) else list(names)
    everything = {_WRAPPERS.sub("", name) for name, _ in network.named_modules()}
    absent = [name for name in wanted if name not in everything or not name]
    if absent:
        known = sorted(name for name in everything if name and "." not in name)
        raise ValueError(
            f"freeze names {absent}, which are no modules of the network; its "
            f"outermost ones are {known}."
        )
    return [
        module
        for name, module in layers
        if any(name == w or name.startswith(w + ".") for w in wanted)
    ]
