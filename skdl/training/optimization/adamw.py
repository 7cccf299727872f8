"""AdamW whose steps cost little more than their arithmetic."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

# The first call of each, as torch wraps it, imports all of its compiler, which takes a
# second and which nothing here needs.
_ADD_PARAM_GROUP = inspect.unwrap(Optimizer.add_param_group)
_STATE_DICT = inspect.unwrap(Optimizer.state_dict)
_LOAD_STATE_DICT = inspect.unwrap(Optimizer.load_state_dict)


@dataclass(frozen=True)
class _Group:
    """The tensors of a parameter group, in the order in which the kernel takes them."""

    parameters: list[Tensor]
    means: list[Tensor]
    squares: list[Tensor]
    steps: list[Tensor]


class LeanAdamW(torch.optim.AdamW):
    """Adam with decoupled decay (Loshchilov & Hutter 2019, algorithm 2), on the CPU.

    It takes the steps of `torch.optim.AdamW` with ``fused=True``, bit for bit, and has
    the same state. What it leaves out is looking up and sorting all tensors anew in
    every step, which for small networks takes longer than the step itself, and the
    import of torch's compiler in the first.

    Attributes
    ----------
    grad_scale : Tensor of shape () or None
        What the next steps divide gradients by, as they read them.

    Examples
    --------
    >>> import torch
    >>> weight = torch.nn.Parameter(torch.ones(3))
    >>> optimizer = LeanAdamW([weight], lr=0.1, weight_decay=0.0)
    >>> weight.grad = torch.ones(3)
    >>> optimizer.step()
    >>> weight.detach()
    tensor([0.9000, 0.9000, 0.9000])
    """

    grad_scale: Tensor | None = None

    def __init__(self, params: Any, **options: Any) -> None:
        super().__init__(params, **options, fused=True)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group; the tensors are gathered anew."""
        self._gathered: list[_Group] = []
        _ADD_PARAM_GROUP(self, param_group)

    def state_dict(self) -> dict[str, Any]:
        """Return the state."""
        return _STATE_DICT(self)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take a state."""
        _LOAD_STATE_DICT(self, state_dict)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take a state; the tensors are gathered anew."""
        self._gathered = []
        super().__setstate__(state)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take a step."""
        gradients = [[p.grad for p in g["params"]] for g in self.param_groups]
        if closure is not None or any(g is None for part in gradients for g in part):
            return super().step(closure)
        if not self._gathered:
            if any(g.is_sparse for part in gradients for g in part):
                return super().step()  # which refuses them
            self._gathered = [self._gather(group) for group in self.param_groups]
        for group, tensors, part in zip(
            self.param_groups, self._gathered, gradients, strict=True
        ):
            torch._foreach_add_(tensors.steps, 1)
            torch._fused_adamw_(
                tensors.parameters,
                part,
                tensors.means,
                tensors.squares,
                [],
                tensors.steps,
                lr=group["lr"],
                beta1=group["betas"][0],
                beta2=group["betas"][1],
                weight_decay=group["weight_decay"],
                eps=group["eps"],
                amsgrad=False,
                maximize=False,
                grad_scale=self.grad_scale,
            )
        return None

    def _gather(self, group: dict[str, Any]) -> _Group:
        for p in group["params"]:
            if not self.state[p]:
                self.state[p] = {
                    "step": torch.zeros((), dtype=torch.float32, device=p.device),
                    "exp_avg": torch.zeros_like(p),
                    "exp_avg_sq": torch.zeros_like(p),
                }
        states = [self.state[p] for p in group["params"]]
        return _Group(
            list(group["params"]),
            [s["exp_avg"] for s in states],
            [s["exp_avg_sq"] for s in states],
            [s["step"] for s in states],
        )
