"""Optimization steps, and epochs of them.

A `Trainer` does not know what the network is or where the batches come from, so that
tables, images, text and the learning-rate range test all use it.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from skdl.training.foreign import lent_where_needed
from skdl.training.graphs import step_graphs
from skdl.training.objectives import Objective
from skdl.training.optimization.averaging import WeightAverage
from skdl.training.optimization.clipping import clip_gradients
from skdl.training.optimization.device_adamw import DeviceAdamW, DeviceStep
from skdl.training.optimization.freezing import Freezing
from skdl.training.optimization.schedules import Schedule
from skdl.training.runtime import Runtime
from skdl.training.survival.not_finite import DeviceGuard, StepGuard, takes_found_inf
from skdl.training.survival.snapshot import copied

Batch = tuple[tuple[Tensor, ...], Tensor, Tensor | None]


class BatchSource(Protocol):
    """Gives the batches of one epoch each time it is iterated.

    Attributes
    ----------
    lr_factor : float
        What the learning rate is multiplied by in the step on the batch just given.
    batch_dim : int
        The dimension of inputs and target that counts the rows of a batch.
    """

    lr_factor: float
    batch_dim: int

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""

    def tensors(self) -> list[Tensor]:
        """Return what there is of all rows; a checkpoint is only for the same."""

    def __iter__(self) -> Iterator[Batch]:
        """Yield `(inputs, target, weight)`, already on the network's device."""


class Trainer:
    """Takes optimization steps.

    A batch that does not fit into memory is worked through in parts (`MemoryLimit`); a
    step whose loss or gradient is not finite is dropped (`StepGuard`).

    Parameters
    ----------
    network : nn.Module
        On the runtime's device.
    objective : Objective
        Gives the loss.
    optimizer : torch.optim.Optimizer
        Over the network's parameters.
    lr : float
        The rate that the schedule multiplies.
    schedule : Schedule
        Learning rate and momentum by progress.
    runtime : Runtime
        Gives the precision.
    clip_grad_norm : float or None, default=None
        Largest Euclidean norm of the gradient of all parameters together.
    average : WeightAverage or None, default=None
        Updated after every step; validated and kept in place of the last weights.
    freezing : Freezing or None, default=None
        Layers that are not trained, by epoch.
    guard : StepGuard or None, default=None
        What tells which steps to take, where that is not one that suits the optimizer.
    """

    def __init__(
        self,
        network: nn.Module,
        objective: Objective,
        optimizer: torch.optim.Optimizer,
        *,
        lr: float,
        schedule: Schedule,
        runtime: Runtime,
        clip_grad_norm: float | None = None,
        average: WeightAverage | None = None,
        freezing: Freezing | None = None,
        guard: StepGuard | None = None,
    ) -> None:
        self.network = network
        self.objective = objective
        self.optimizer = optimizer
        self.lr = lr
        self.schedule = schedule
        self.runtime = runtime
        self.clip_grad_norm = clip_grad_norm
        self.average = average
        self.freezing = freezing
        device = runtime.device
        self.guard = guard or StepGuard(device)
        if guard is None and device.type == "cuda" and takes_found_inf(optimizer):
            self.guard = DeviceGuard(optimizer, device)
        self._graphs = step_graphs(network, runtime, is_frozen=freezing is not None)
        self.steps = 0  # of this epoch
        self.batch_dim = 0
        self._epochs = 0
        self._good: dict[str, Any] | None = None
        live = list(network.state_dict().values())  # share the network's storage
        if average is not None:
            live += average.mean
        self._live = [t for t in live if t.is_floating_point()]
        self._lr = lr
        self._groups = optimizer.param_groups
        for group in self._groups:
            group.setdefault("lr_factor", 1.0)
        self.parameters: Sequence[Tensor] = [
            p for group in self._groups for p in group["params"]
        ]
        self._momenta = [_momentum_of(group) for group in self._groups]

    @property
    def current_lr(self) -> float:
        """The rate of the last step, as scheduled."""
        return self._lr

    def set_lr(self, lr: float) -> None:
        """Set the rate of the next steps; layers may have a fraction of it."""
        self._lr = lr
        for group in self._groups:
            group["lr"] = lr * group["lr_factor"]

    def set_progress(self, progress: float, lr_factor: float = 1.0) -> None:
        """Set rate and momentum to where the schedule has them at `progress`."""
        scheduled = self.lr * self.schedule.lr(progress)
        self.set_lr(scheduled * lr_factor)
        self._lr = scheduled  # what is told does not swing with the batches
        if self.schedule.momentum is not None:
            self._set_momentum(self.schedule.momentum(progress))

    def _set_momentum(self, offset: float) -> None:
        for group, momentum in zip(self._groups, self._momenta, strict=True):
            if not momentum:
                continue
            cycled = min(max(momentum + offset, 0.0), 0.99)
            if "betas" in group:
                group["betas"] = (cycled, group["betas"][1])
            else:
                group["momentum"] = cycled

    def step(self, batch: Batch) -> Tensor:
        """Take one step and return the batch's mean loss, on the device."""
        for parameter in self.parameters:
            parameter.grad = None
        if self._graphs is None or self.runtime.memory.most_rows is not None:
            loss, is_taken = self.one_by_one(batch), False
        else:
            loss, is_taken = self._graphs.step(batch, self)
        if is_taken or self._update(loss):
            if self.average is not None:
                self.average.update()
        else:
            self._mend_statistics()
        return loss

    def one_by_one(self, batch: Batch) -> Tensor:
        """Add the gradient of a batch to parameters without one; return its loss.

        It goes in parts where memory is short.
        """
        return self.runtime.memory.gradients(
            batch, self.batch_dim, self.network, self.backward
        )

    def backward(self, batch: Batch, share: float) -> Tensor:
        """Add the gradient of a share of the loss; return the loss."""
        loss = self.loss_of(self.network, batch)
        (loss if share == 1 else loss * share).backward()
        return loss.detach()

    def loss_of(self, network: nn.Module, batch: Batch) -> Tensor:
        """Return the mean loss of a network, this one or another, on a batch."""
        inputs, target, weight = batch
        with self.runtime.autocast():
            return self.objective.loss(network(*inputs), target, weight)

    def _update(self, loss: Tensor) -> bool:
        """Let the optimizer step, if all is finite; tell whether it did."""
        seen = _clipped(self.optimizer, self.parameters, self.clip_grad_norm)
        if not self.guard.allows(loss, seen):
            return False
        self.optimizer.step()
        return True

    def device_update(self) -> "DeviceUpdate | None":
        """Return what follows the gradients, if the device can do it alone."""
        if not isinstance(self.optimizer, DeviceAdamW):
            return None
        plan = self.optimizer.plan() if isinstance(self.guard, DeviceGuard) else None
        if plan is None:
            return None
        clip = partial(_clipped, self.optimizer, self.parameters, self.clip_grad_norm)
        return DeviceUpdate(self.guard, clip, plan)

    def begin_epoch(self, batch_dim: int = 0) -> None:
        """Put the network into training mode, but for what is frozen."""
        self._epochs += 1
        self.batch_dim = batch_dim
        self.network.train()
        if self.freezing is not None:
            self.freezing.begin_epoch(self._epochs)

    def drawing(self) -> AbstractContextManager:
        """Let steps inside draw from torch's global generators, if they may do so."""
        return lent_where_needed(self.network, self.optimizer)

    def run_epoch(self, batches: BatchSource, start: float, end: float) -> float:
        """Take a step on every batch while progress goes from `start` to `end`.

        Returns
        -------
        float
            The mean loss over the batches, each at its own step, without the steps that
            were dropped; NaN if training has to go back to where it was good.
        """
        self.begin_epoch(batches.batch_dim)
        self.guard.begin_epoch()
        n_steps = len(batches)
        with self.drawing():
            for i, batch in enumerate(batches):
                progress = start + (end - start) * i / n_steps
                self.set_progress(progress, batches.lr_factor)
                self.step(batch)
                self.steps = i + 1
                if self.guard.is_lost():
                    break
        loss = self.guard.mean_loss()
        if self.guard.dropped:
            self._mend_statistics()
        return loss if self._is_finite() else math.nan

    # Where to go back to.

    def state_dict(self) -> dict[str, Any]:
        """Return the state that training goes on from, not copied."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average and self.average.state_dict(),
            "epochs": self._epochs,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state; what is kept of it is a copy."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(copied(state["optimizer"]))
        self._groups = self.optimizer.param_groups
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self._epochs = state["epochs"]
        if self._graphs is not None:
            self._graphs.forget()
        self.guard.reset()

    def keep(self) -> dict[str, Any]:
        """Remember the present state as good, and return what is remembered."""
        self._good = copied(self.state_dict())
        return self._good

    def forget(self) -> None:
        """Take the present state for good without a copy: going back stays here."""
        self._good = None

    def go_back(self) -> None:
        """Return to the last state that was good."""
        if self._good is not None:
            self.load_state_dict(self._good)

    def _is_finite(self) -> bool:
        """Tell whether weights, statistics and their mean are finite."""
        sums = [t.sum() for t in self._live]
        return not sums or bool(torch.isfinite(torch.stack(sums)).all())

    @torch.no_grad()
    def _mend_statistics(self) -> None:
        """Take good values for running statistics that saw what was not finite."""
        if self._good is None:
            return
        for name, buffer in self.network.named_buffers():
            good = self._good["network"].get(name)
            if good is not None and not torch.isfinite(buffer).all():
                buffer.copy_(good)


class DeviceUpdate:
    """What follows the gradients of a step where the device does it alone.

    Parameters
    ----------
    guard : DeviceGuard
        Tells on the device whether the step is taken.
    clip : callable
        Clips gradients; returns what the guard looks at.
    plan : DeviceStep
        The optimizer's step.
    """

    def __init__(
        self, guard: StepGuard, clip: Callable[[], list[Tensor]], plan: DeviceStep
    ) -> None:
        self._guard, self._clip, self._plan = guard, clip, plan
        self.fix, self.prepare = plan.fix, plan.send_rates

    def __call__(self, loss: Tensor) -> None:
        """Clip, look, and step."""
        self._guard.allows(loss, self._clip())
        self._plan()


def _clipped(
    optimizer: torch.optim.Optimizer, parameters: Sequence[Tensor], limit: float | None
) -> list[Tensor]:
    """Clip the gradients; return what tells whether they are finite."""
    if limit is None:
        return [p.grad for p in parameters if p.grad is not None]
    return [clip_gradients(optimizer, parameters, limit)]


def _momentum_of(group: dict) -> float:
    return float(group["betas"][0] if "betas" in group else group.get("momentum", 0.0))
