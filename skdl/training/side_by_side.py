"""Training several networks as one, each with settings and rows of its own.

The parameters of a pack count members in their first dimension. An optimizer is given
slices of them, each of the members that have the same settings: to it they are
parameters with a group of their own, and its step on a slice is what its steps on the
members would be. What goes wrong in a member stays there.
"""

from collections.abc import Sequence
from itertools import groupby

import torch
from torch import Tensor, nn

from skdl.training.objectives import MemberMean
from skdl.training.optimization.optimizers import (
    OPTIMIZERS,
    OptimizerSettings,
    parameter_groups,
)
from skdl.training.survival.not_finite import StepGuard

# Optimizers whose step on a stack of weights is their step on each.
ELEMENTWISE = ("adamw", "adam", "sgd")


class OwnRowsMean(MemberMean):
    """The objective of members each of which has rows of its own.

    Raw outputs are (B, M * K), as a pack gives them; target and weight (M, B, ...).

    Examples
    --------
    >>> import torch
    >>> from skdl.training.objectives import SquaredError
    >>> objective = OwnRowsMean(SquaredError(1), 2)
    >>> objective.loss(torch.tensor([[1.0, 3.0]]), torch.zeros(2, 1, 1), None)
    tensor(2.5000)
    """

    def loss(self, raw: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
        """Return the members' mean loss, with the gradient of each one's own loss."""
        each = raw.view(len(raw), self.n_members, -1).transpose(0, 1)
        weight = None if weight is None else weight.flatten()
        loss = self.member.loss(each.flatten(0, 1), target.flatten(0, 1), weight)
        total = loss * self.n_members
        return total - total.detach() * (1 - 1 / self.n_members)


def by_member(tensor: Tensor, n_members: int) -> Tensor:
    """Return a view of a parameter whose first dimension counts members."""
    if tensor.ndim > 1 and len(tensor) == n_members:
        return tensor
    return tensor.view(n_members, -1)  # batch norm has all units one after the other


class Slices:
    """The parameters of a pack, cut by the settings of its members.

    Gradients of the pack are handed on to the slices as soon as they are there.

    Parameters
    ----------
    network : nn.Module
        A pack.
    settings : sequence of OptimizerSettings
        Of each member; those that are the same should stand beside each other.
    """

    def __init__(
        self, network: nn.Module, settings: Sequence[OptimizerSettings]
    ) -> None:
        self.network = network
        self.n_members = len(settings)
        runs = [(setting, len(list(same))) for setting, same in groupby(settings)]
        self.settings = [setting for setting, _ in runs]
        self.sizes = [size for _, size in runs]
        self._of: dict[int, list[nn.Parameter]] = {}
        for parameter in network.parameters():
            parts = by_member(parameter.detach(), self.n_members).split(self.sizes)
            self._of[id(parameter)] = [nn.Parameter(part) for part in parts]
            parameter.register_post_accumulate_grad_hook(self._hand_on)

    def _hand_on(self, parameter: Tensor) -> None:
        gradient, parameter.grad = parameter.grad, None
        if gradient is None:
            return
        parts = by_member(gradient, self.n_members).split(self.sizes)
        for own, part in zip(self._of[id(parameter)], parts, strict=True):
            own.grad = part if own.grad is None else own.grad + part

    def groups(self, optimizer: str) -> list[dict]:
        """Return groups of slices; rates are multiples of the trainer's."""
        found = []
        for i, setting in enumerate(self.settings):
            for group in parameter_groups(self.network, setting.weight_decay):
                own = [self._of[id(p)][i] for p in group["params"]]
                group |= {"params": own, "lr_factor": setting.lr}
                if optimizer == "sgd":
                    momentum = setting.momentum
                    group |= {"momentum": momentum, "nesterov": momentum > 0}
                else:
                    group["betas"] = setting.betas
                found.append(group)
        return found

    def by_run(self) -> list[tuple[slice, list[nn.Parameter]]]:
        """Return, for members of the same settings, which they are and their slices."""
        ends = torch.tensor(self.sizes).cumsum(0).tolist()
        return [
            (slice(end - size, end), [parts[i] for parts in self._of.values()])
            for i, (end, size) in enumerate(zip(ends, self.sizes, strict=True))
        ]


def optimizer_of(slices: Slices, optimizer: str) -> torch.optim.Optimizer:
    """Return an optimizer of `ELEMENTWISE` that takes every member's own steps.

    Its rates are right where the trainer's is one.
    """
    setting = slices.settings[0]
    built = OptimizerSettings(1.0, 0.0, setting.betas, setting.momentum)
    return OPTIMIZERS[optimizer](slices.groups(optimizer), built)


class MemberGuard(StepGuard):
    """Leaves out members whose loss or gradient is not finite; the others go on.

    What is left out gets weights of zero, so that it stays finite.

    Attributes
    ----------
    lost : Tensor of shape (M,)
        bool; which members were left out.
    """

    def __init__(self, slices: Slices, device: torch.device) -> None:
        self._slices = slices
        self.lost = torch.zeros(slices.n_members, dtype=torch.bool, device=device)
        super().__init__(device)

    def allows(self, loss: Tensor, gradients: list[Tensor]) -> bool:
        """Return True, after leaving out what must not take the step."""
        self._look_at([loss, *gradients])
        if self._found.item():
            self._found.zero_()
            self._leave_out()
        else:
            self._taken += 1
            self._total += loss.item()
        return True

    @torch.no_grad()
    def _leave_out(self) -> None:
        bad = torch.zeros_like(self.lost)
        runs = self._slices.by_run()
        for members, parts in runs:
            for part in parts:
                if part.grad is not None:
                    bad[members] |= ~part.grad.flatten(1).isfinite().all(1)
        if not bad.any():  # the loss of some member that cannot be told
            bad[:] = True
        self.lost |= bad
        for members, parts in runs:
            for part in parts:
                part[bad[members]] = 0.0
                if part.grad is not None:
                    part.grad[bad[members]] = 0.0
        for buffer in self._slices.network.buffers():
            if buffer.is_floating_point():
                buffer.nan_to_num_(0.0, 0.0, 0.0)

    def mean_loss(self) -> float:
        """Return the mean loss of the steps in which all was finite; 0 without any."""
        return self._total / max(self._taken, 1)
