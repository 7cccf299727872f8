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
        gathered = self._gathered
        if closure is not None or not gathered or _any_is_none(gradients):
            found = [[g for g in part if g is not None] for part in gradients]
            if closure is not None or any(g.is_sparse for part in found for g in part):
                return super().step(closure)  # which refuses sparse ones
            gathered = [self._gather(group) for group in self.param_groups]
            self._gathered = [] if _any_is_none(gradients) else gathered
            gradients = found
        for group, tensors, part in zip(
            self.param_groups, gathered, gradients, strict=True
        ):
            if not part:
                continue
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
        """Return the tensors of parameters that have a gradient."""
        learning = [p for p in group["params"] if p.grad is not None]
        for p in learning:
            if not self.state[p]:
                self.state[p] = {
                    "step": torch.zeros((), dtype=torch.float32, device=p.device),
                    "exp_avg": torch.zeros_like(p),
                    "exp_avg_sq": torch.zeros_like(p),
                }
        states = [self.state[p] for p in learning]
        return _Group(
            learning,
            [s["exp_avg"] for s in states],
            [s["exp_avg_sq"] for s in states],
            [s["step"] for s in states],
        )


def _any_is_none(gradients: list[list[Tensor | None]]) -> bool:
    return any(g is None for part in gradients for g in part)
