"""AdamW on a GPU, of which a step can be captured in a CUDA graph."""

import functools
from collections.abc import Callable
from typing import Any

import torch

from skdl.kernels import has_triton, tried


class DeviceAdamW(torch.optim.AdamW):
    """Adam with decoupled decay (Loshchilov & Hutter 2019, algorithm 2), on a GPU.

    Its steps are those of `torch.optim.AdamW` with ``fused=True``, but for rounding,
    and so is its state. torch's own step cannot be captured where momentum changes from
    step to step, since its betas are part of the launch; here they are read on the
    device.

    Attributes
    ----------
    found_inf : Tensor of shape ()
        Where it is not zero no step is taken; see `DeviceGuard`.
    """

    def __init__(self, params: Any, **options: Any) -> None:
        super().__init__(params, **options, fused=True)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group; the steps are planned anew."""
        self._plan: DeviceStep | None = None
        super().add_param_group(param_group)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take a state; the steps are planned anew."""
        self._plan = None
        super().__setstate__(state)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take a step, as a graph would: its bits do not depend on what is captured."""
        parameters = _parameters_of(self)
        if closure is not None or any(p.grad is None for p in parameters):
            return super().step(closure)
        if self._plan is None:
            self._plan = self.plan()
        if self._plan is None:
            return super().step()
        self._plan.fix()
        self._plan.send_rates()
        return self._plan()

    def plan(self) -> "DeviceStep | None":
        """Return a step that a graph can capture, if there is one.

        There is none before the first step, which makes the state.
        """
        parameters = _parameters_of(self)
        plain = all(
            p.dtype == torch.float32 and p.is_contiguous() and self.state.get(p)
            for p in parameters
        )
        options = (self.param_groups[0][name] for name in ("amsgrad", "maximize"))
        if not plain or any(options) or not _has_kernel(parameters[0].device):
            return None
        return DeviceStep(self)


class DeviceStep:
    """A step that reads on the device where gradients are, and what the rates are.

    Parameters
    ----------
    optimizer : DeviceAdamW
        One that has taken a step.
    """

    def __init__(self, optimizer: DeviceAdamW) -> None:
        import skdl.training.optimization._adamw_triton as kernels

        self._kernels = kernels
        self._groups = optimizer.param_groups
        self._parameters = _parameters_of(optimizer)
        self._states = [optimizer.state[p] for p in self._parameters]
        self._steps = [state["step"] for state in self._states]
        device = self._parameters[0].device
        self._found = getattr(optimizer, "found_inf", torch.zeros((), device=device))
        self._addresses = torch.zeros(
            len(self._parameters), 5, dtype=torch.long, device=device
        )
        places = [
            (tensor, group, first, parameter.numel())
            for tensor, (group, parameter) in enumerate(
                (i, p) for i, g in enumerate(self._groups) for p in g["params"]
            )
            for first in range(0, parameter.numel(), kernels.BLOCK)
        ]
        self._places = torch.tensor(places, device=device)
        self._sent: list[tuple[float, ...]] = []
        self._rates = torch.zeros(
            len(self._groups), 4, dtype=torch.float64, device=device
        )
        self.send_rates()

    def __call__(self) -> None:
        """Take a step; the rates are those last sent."""
        torch._foreach_add_(self._steps, 1)
        eps = self._groups[0]["eps"]
        self._kernels.step(self._addresses, self._places, self._rates, self._found, eps)
        torch._foreach_sub_(self._steps, [self._found] * len(self._steps))

    def fix(self) -> None:
        """Take the gradients that parameters have now for those of the next steps."""
        rows = [
            (p, p.grad, s["exp_avg"], s["exp_avg_sq"], s["step"])
            for p, s in zip(self._parameters, self._states, strict=True)
        ]
        addresses = [[t.data_ptr() for t in row] for row in rows]
        self._addresses.copy_(torch.tensor(addresses), non_blocking=True)

    def send_rates(self) -> None:
        """Bring rates, betas and decays to the device, if they have changed."""
        rates = [
            (group["lr"], *group["betas"], group["weight_decay"])
            for group in self._groups
        ]
        if rates != self._sent:
            self._sent = rates
            values = torch.tensor(rates, dtype=torch.float64)
            self._rates.copy_(values, non_blocking=True)


def _parameters_of(optimizer: torch.optim.Optimizer) -> list[Any]:
    return [p for group in optimizer.param_groups for p in group["params"]]


@functools.cache
def _has_kernel(device: torch.device) -> bool:
    """Tell whether the kernel runs on a device and does what it should."""
    if not has_triton():
        return False
    verified = tried(
        lambda: _verified(device),
        "AdamW",
        device,
        "torch's own takes its place, outside of the graph of a step, which is slower. "
        "Triton needs a C compiler, and a version that fits this torch.",
    )
    return verified is not None


def _verified(device: torch.device) -> bool:
    """Take steps beside torch's optimizer; raise if they differ."""
    waves = torch.arange(3000, device=device).mul(0.37).sin()
    pair = []
    for is_ours in (False, True):
        parameters = [
            torch.nn.Parameter(waves.clone()),
            torch.nn.Parameter(waves[:7].clone()),
        ]
        options = {"lr": 0.01, "betas": (0.8, 0.9), "weight_decay": 0.1}
        optimizer = DeviceAdamW([{"params": [p]} for p in parameters], **options)
        for i in range(4):
            for p in parameters:
                p.grad = waves[: len(p)].roll(i)
            if i and is_ours:
                step = DeviceStep(optimizer)
                step.fix()
                step()
            else:
                torch.optim.AdamW.step(optimizer)
        pair.append(parameters)
    for expected, found in zip(*pair, strict=True):
        torch.testing.assert_close(found, expected)
    return True
