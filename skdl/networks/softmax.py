"""A softmax over many classes that never holds all scores of a batch.

With `cutoffs` it is an adaptive softmax (Grave et al. 2017, arXiv 1609.04309): rare
classes stand in clusters that are only looked into where their class is one of them.
Torch's own has projections and so cannot share its weight with an embedding; here
clusters are slices of the one weight.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

# Scores that are held at once.
_CHUNK = 1 << 21


class TiedSoftmax(nn.Module):
    """Log-probabilities of classes, given a vector for each of them.

    Parameters
    ----------
    weight : nn.Parameter of shape (V, H)
        A vector of each class; may be the weight of an embedding.
    cutoffs : sequence of int, default=()
        First class of every cluster, rising. Classes go by frequency. None makes a
        plain softmax.

    Examples
    --------
    >>> import torch
    >>> softmax = TiedSoftmax(torch.nn.Parameter(torch.zeros(6, 2)), cutoffs=[2, 4])
    >>> softmax.log_prob(torch.zeros(1, 2)).exp().sum().round(decimals=4).item()
    1.0
    """

    def __init__(self, weight: nn.Parameter, cutoffs: Sequence[int] = ()) -> None:
        super().__init__()
        self.weight = weight
        self.cutoffs = list(cutoffs)
        n_classes, width = weight.shape
        self.bounds = [*self.cutoffs, n_classes]
        self.bias = nn.Parameter(torch.zeros(n_classes))
        n_clusters = len(self.cutoffs)
        self.cluster_weight = nn.Parameter(torch.zeros(n_clusters, width))
        self.cluster_bias = nn.Parameter(torch.zeros(n_clusters))

    @torch.no_grad()
    def begin_at(self, counts: Tensor) -> None:
        """Let biases say how frequent classes are, which need not be learned then.

        Parameters
        ----------
        counts : Tensor of shape (V,)
            How often each class occurs; one that does not counts as seen once.
        """
        scores = counts.clamp(min=1).to(self.bias.dtype).log()
        scores -= scores.logsumexp(0)
        self.bias.copy_(scores)
        for i, (start, end) in enumerate(itertools.pairwise(self.bounds)):
            cluster = scores[start:end].logsumexp(0)
            self.cluster_bias[i] = cluster
            self.bias[start:end] -= cluster

    def mean_nll(self, hidden: Tensor, target: Tensor) -> Tensor:
        """Return the mean negative log-likelihood; `hidden` (N, H), `target` (N,).

        The gradient is made together with the loss, a chunk at a time. It is exact, and
        in the precision that autocast asks for.
        """
        if not torch.is_grad_enabled():
            return self.nll(hidden, target).mean()
        return _MeanNLL.apply(
            hidden,
            self.weight,
            self.bias,
            self.cluster_weight,
            self.cluster_bias,
            target,
            self.bounds,
        )

    @torch.no_grad()
    def nll(self, hidden: Tensor, target: Tensor) -> Tensor:
        """Return the negative log-likelihood of each target (N,), without gradient."""
        weight, bias = self._head()
        result = torch.empty_like(target, dtype=torch.float32)
        head_target = _head_target(target, self.bounds)
        for rows in _chunks(len(hidden), len(weight), hidden.device):
            scores = torch.addmm(bias, hidden[rows], weight.T).float()
            result[rows] = _nll(scores, head_target[rows])
        for start, end, members in _clusters(target, self.bounds):
            for part in _chunks(len(members), end - start, hidden.device):
                chosen = members[part]
                scores = torch.addmm(
                    self.bias[start:end], hidden[chosen], self.weight[start:end].T
                ).float()
                result[chosen] += _nll(scores, target[chosen] - start)
        return result

    def _head(self) -> tuple[Tensor, Tensor]:
        """Return weight and bias of frequent classes and clusters."""
        first = self.bounds[0]
        weight = torch.cat([self.weight[:first], self.cluster_weight])
        return weight, torch.cat([self.bias[:first], self.cluster_bias])

    @torch.no_grad()
    def log_prob(self, hidden: Tensor) -> Tensor:
        """Return the log-probability of every class (N, V), exactly."""
        weight, bias = self._head()
        head = torch.addmm(bias, hidden, weight.T).float().log_softmax(1)
        first = self.bounds[0]
        parts = [head[:, :first]]
        for i, (start, end) in enumerate(
            zip(self.bounds[:-1], self.bounds[1:], strict=True)
        ):
            scores = torch.addmm(
                self.bias[start:end], hidden, self.weight[start:end].T
            ).float()
            parts.append(scores.log_softmax(1) + head[:, first + i : first + i + 1])
        return torch.cat(parts, 1)

    def extra_repr(self) -> str:
        """Show classes and clusters."""
        clusters = f", cutoffs={self.cutoffs}" if self.cutoffs else ""
        return f"n_classes={len(self.weight)}{clusters}"


def _nll(scores: Tensor, target: Tensor) -> Tensor:
    highest = scores.amax(1, keepdim=True)
    chosen = scores.gather(1, target[:, None]) - highest
    return (scores - highest).exp_().sum(1).log_() - chosen[:, 0]


def _chunks(n_rows: int, width: int, device: torch.device) -> Iterator[slice]:
    """Cut rows so that a chunk of their scores is small."""
    size = max(1, _CHUNK * (16 if device.type == "cuda" else 1) // max(1, width))
    for start in range(0, n_rows, size):
        yield slice(start, start + size)


def _head_target(target: Tensor, bounds: Sequence[int]) -> Tensor:
    """Put the place of its cluster for every rare class."""
    result = target
    for i, start in enumerate(bounds[:-1]):
        result = torch.where(target >= start, bounds[0] + i, result)
    return result


def _clusters(
    target: Tensor, bounds: Sequence[int]
) -> Iterator[tuple[int, int, Tensor]]:
    """Yield first and last class of every cluster and the rows that are in it."""
    for start, end in itertools.pairwise(bounds):
        members = ((target >= start) & (target < end)).nonzero()[:, 0]
        yield start, end, members


def _product_into(result: Tensor, a: Tensor, b: Tensor) -> None:
    """Write a product of matrices, without a copy of it where the types are alike."""
    if result.dtype == a.dtype:
        torch.mm(a, b, out=result)
    else:
        result.copy_(a @ b)


class _MeanNLL(torch.autograd.Function):
    """Loss and gradient in one go, so that scores are made once and not kept."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, *arguments: Any) -> Tensor:
        weight, bias, cluster_weight, cluster_bias, target, bounds = arguments
        device = hidden.device.type
        dtype = hidden.dtype
        if torch.is_autocast_enabled(device):
            dtype = torch.get_autocast_dtype(device)
        with torch.autocast(device, enabled=False):
            parts = _Parts(hidden, dtype)
            d_weight, d_bias = torch.empty_like(weight), torch.empty_like(bias)
            if len(bounds) == 1:
                parts.add(slice(None), weight, bias, target, d_weight, d_bias)
                d_clusters = torch.empty_like(cluster_weight), cluster_bias
            else:
                first = bounds[0]
                head = torch.cat([weight[:first], cluster_weight])
                head_bias = torch.cat([bias[:first], cluster_bias])
                d_head, d_head_bias = torch.empty_like(head), head_bias.clone()
                places = _head_target(target, bounds)
                parts.add(slice(None), head, head_bias, places, d_head, d_head_bias)
                d_weight[:first], d_bias[:first] = d_head[:first], d_head_bias[:first]
                d_clusters = d_head[first:].clone(), d_head_bias[first:].clone()
            for start, end, members in _clusters(target, bounds):
                parts.add(
                    members,
                    weight[start:end],
                    bias[start:end],
                    target[members] - start,
                    d_weight[start:end],
                    d_bias[start:end],
                )
        ctx.gradients = [parts.d_hidden.to(hidden.dtype), d_weight, d_bias, *d_clusters]
        return parts.loss

    @staticmethod
    def backward(ctx: Any, scale: Tensor) -> tuple:
        gradients, ctx.gradients = ctx.gradients, None
        if scale.device.type != "cpu" or scale != 1:
            gradients = [g * scale.to(g.dtype) for g in gradients]
        return (*gradients, None, None)


class _Parts:
    """The softmaxes that make up the loss."""

    def __init__(self, hidden: Tensor, dtype: torch.dtype) -> None:
        self._hidden = hidden.to(dtype)
        self._share = 1.0 / len(hidden)
        self.d_hidden = torch.zeros_like(self._hidden)
        self.loss = torch.zeros((), device=hidden.device)

    def add(
        self,
        rows: slice | Tensor,
        weight: Tensor,
        bias: Tensor,
        target: Tensor,
        d_weight: Tensor,
        d_bias: Tensor,
    ) -> None:
        """Add a softmax over some rows, and write the gradient of weight and bias."""
        hidden = self._hidden[rows]
        if len(hidden) == 0:
            d_weight.zero_()
            d_bias.zero_()
            return
        weight, bias = weight.to(hidden.dtype), bias.to(hidden.dtype)
        d_hidden = torch.empty_like(hidden)
        for i, part in enumerate(_chunks(len(hidden), len(weight), hidden.device)):
            p = torch.softmax(torch.addmm(bias, hidden[part], weight.T), 1)
            place = target[part, None]
            right = p.gather(1, place).float().clamp_(min=1e-37)
            self.loss -= right.log_().sum() * self._share
            p.scatter_add_(1, place, p.new_full(place.shape, -1.0))
            p *= self._share
            torch.mm(p, weight, out=d_hidden[part])
            if i == 0:
                _product_into(d_weight, p.T, hidden[part])
                d_bias.copy_(p.sum(0))
            else:
                d_weight += p.T @ hidden[part]
                d_bias += p.sum(0)
        if isinstance(rows, slice):
            self.d_hidden[rows] += d_hidden
        else:  # without duplicates
            self.d_hidden.index_add_(0, rows, d_hidden)
