"""Muon: hidden matrices take steps in which every direction counts alike.

The momentum of a matrix is replaced by the orthogonal matrix nearest to it, which
Newton-Schulz iterations approach by products alone (Jordan et al. 2024, Muon). All
matrices of one shape, of every member of a pack and of every layer, go through them
as one batch. Whatever is not a hidden matrix is left to AdamW.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from skdl.training.optimization.adamw import LeanAdamW

# The quintic polynomial of the iterations: its slope at zero is as high as it can be
# while all singular values end between .7 and 1.2.
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5
# Entries of a step have this root mean square, as those of AdamW's have (Liu et al.
# 2025, arXiv 2502.16982, section 2.2), so that both take the same learning rate.
_RMS = 0.2
_SMALLEST = 1e-7


def orthogonalized(matrices: Tensor, iterations: int = _ITERATIONS) -> Tensor:
    """Return about the nearest orthogonal matrices.

    Parameters
    ----------
    matrices : Tensor of shape (N, R, C)
        Each is worked on by itself; a matrix of zeros stays one.
    iterations : int, default=5
        Newton-Schulz iterations.

    Returns
    -------
    Tensor of shape (N, R, C)
        All singular values that are not nearly zero are near one.
    """
    a, b, c = _COEFFICIENTS
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices  # the smaller side makes the products
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=_SMALLEST)
    for _ in range(iterations):
        gram = torch.bmm(x, x.mT)
        update = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        x = torch.baddbmm(x, update, x, beta=a)
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Muon for the groups that say so, AdamW for the others.

    Parameters
    ----------
    params : iterable of dict
        Parameter groups. Those with ``"muon": True`` hold matrices, or stacks of them
        whose last two dimensions are a matrix.
    lr : float
        Of both; a step of Muon has entries as large as one of AdamW.
    betas : pair of float, default=(0.9, 0.999)
        Of AdamW.
    weight_decay : float, default=0.0
        Decoupled decay of both.
    momentum : float, default=0.95
        Of Muon, in Nesterov's form.

    Examples
    --------
    >>> import torch
    >>> weight = torch.nn.Parameter(torch.zeros(4, 4))
    >>> optimizer = Muon([{"params": [weight], "muon": True}], lr=0.1)
    >>> weight.grad = torch.eye(4)
    >>> optimizer.step()
    >>> bool((weight.diag() < -0.02).all())
    True
    """

    def __init__(
        self,
        params: Iterable[dict[str, Any]],
        lr: float,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        weight_decay: float = 0.0,
        momentum: float = 0.95,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": 1e-8,
            "weight_decay": weight_decay,
            "muon_momentum": momentum,
            "muon": False,
        }
        super().__init__(params, defaults)
        self._share_with_adamw()

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take a state; AdamW gets its part anew."""
        super().__setstate__(state)
        self._share_with_adamw()

    def _share_with_adamw(self) -> None:
        """Give AdamW its groups and the state, both of which stay this optimizer's."""
        rest = [group for group in self.param_groups if not group["muon"]]
        self._adamw = None
        if rest:
            fused = all(p.device.type == "cpu" for g in rest for p in g["params"])
            kind: Any = LeanAdamW if fused else torch.optim.AdamW
            self._adamw = kind(rest, lr=self.defaults["lr"])
            self._adamw.param_groups = rest
            self._adamw.state = self.state

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take a step."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            if group["muon"]:
                self._step(group)
        if self._adamw is not None:
            self._adamw.step()
        return loss

    def _step(self, group: dict[str, Any]) -> None:
        """Take a step on matrices."""
        momentum = group["muon_momentum"]
        by_shape: dict[torch.Size, list[Tensor]] = {}
        for parameter in group["params"]:
            if parameter.grad is not None:
                by_shape.setdefault(parameter.shape[-2:], []).append(parameter)
        for (rows, columns), parameters in by_shape.items():
            updates = [self._looked_ahead(p, momentum) for p in parameters]
            flat = [u.reshape(-1, rows, columns) for u in updates]
            steps = orthogonalized(torch.cat(flat) if len(flat) > 1 else flat[0])
            rate = group["lr"] * _RMS * math.sqrt(max(rows, columns))
            keep = 1 - group["lr"] * group["weight_decay"]
            sizes = [len(f) for f in flat]
            for parameter, step in zip(parameters, steps.split(sizes), strict=True):
                parameter.mul_(keep).sub_(step.view_as(parameter), alpha=rate)

    def _looked_ahead(self, parameter: Tensor, momentum: float) -> Tensor:
        """Take the gradient into the momentum; return that of Nesterov."""
        gradient, state = parameter.grad, self.state[parameter]
        assert gradient is not None  # those without one have been left out
        if not state:
            state["mean"] = torch.zeros_like(parameter)
        state["mean"].lerp_(gradient, 1 - momentum)
        return gradient.lerp(state["mean"], momentum)


def split_matrices(
    network: nn.Module, groups: Iterable[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Part the hidden matrices from all other parameters of each group.

    Parameters
    ----------
    network : nn.Module
        Hidden matrices are parameters of two dimensions, besides those that a module
        says count what is stacked (`pack_dims`), of modules that are no embedding,
        have no decay of their own and are not the last with such a parameter; but not
        the weight of an embedding that another module shares.
    groups : iterable of dict
        Parameter groups of the network.

    Returns
    -------
    list of dict
        Groups with the same options, and `muon`.
    """
    hidden = {id(parameter) for parameter in _hidden_matrices(network)}
    found = []
    for group in groups:
        for muon in (True, False):
            chosen = [p for p in group["params"] if (id(p) in hidden) == muon]
            if chosen:
                found.append({**group, "params": chosen, "muon": muon})
    return found


def _hidden_matrices(network: nn.Module) -> list[nn.Parameter]:
    modules = list(network.modules())
    tables = [m for m in modules if isinstance(m, nn.Embedding | nn.EmbeddingBag)]
    others = [m for m in modules if getattr(m, "weight_decay", None) is None]
    shared = {id(m.weight) for m in tables}
    found = [
        [
            parameter
            for parameter in module.parameters(recurse=False)
            if parameter.ndim - getattr(module, "pack_dims", 0) == 2
            and id(parameter) not in shared
        ]
        for module in others
    ]
    found = [matrices for matrices in found if matrices]
    return [matrix for matrices in found[:-1] for matrix in matrices]
