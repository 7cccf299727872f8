"""Steps that several processes take together."""

from typing import Any

import torch
from torch import Tensor

from skdl.randomness import Randomness, drawing_from, generator_on
from skdl.training.trainer import Batch, BatchSource, Trainer


class RankTrainer(Trainer):
    """Takes steps of which each rank works through its part.

    Parameters
    ----------
    network, objective, optimizer, **options
        As `Trainer` takes them; `runtime` has ranks.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        ranks = self.runtime.ranks
        assert ranks is not None
        self._ranks = ranks
        ranks.same_weights(self.network)
        # What is dropped must not be the same in every part.
        generator = generator_on(torch.device("cpu"))
        seed = 0 if generator is None else generator.initial_seed()
        self._own = Randomness(seed + 1 + ranks.rank, self.runtime.device)

    def one_by_one(self, batch: Batch) -> Tensor:
        """Add the gradient of all ranks' parts of a batch; return their loss."""
        inputs, target, weight = batch
        dim, ranks = self.batch_dim, self._ranks
        n_rows = target.shape[dim]
        own_target = target.tensor_split(ranks.size, dim)[ranks.rank]
        share = own_target.shape[dim] / n_rows
        loss = torch.zeros((), device=target.device)
        if share:
            own = tuple(t.tensor_split(ranks.size, dim)[ranks.rank] for t in inputs)
            if weight is not None:
                weight = weight.tensor_split(ranks.size)[ranks.rank]
            with drawing_from(self._own):
                loss = super().one_by_one((own, own_target, weight)) * share
        gradients = []
        for parameter in self.parameters:
            if not parameter.requires_grad:
                continue
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            gradients.append(parameter.grad.mul_(share))
        loss = loss.detach().float().reshape(1)
        ranks.add_up([*gradients, loss])
        return loss[0]

    def run_epoch(self, batches: BatchSource, start: float, end: float) -> float:
        """Run an epoch; statistics of batch norm are the means of the ranks'."""
        if not self._epochs:
            shapes = [tuple(t.shape) for t in batches.tensors()]
            self._ranks.check_same({"rows": shapes})
        loss = super().run_epoch(batches, start, end)
        buffers = [b for b in self.network.buffers() if b.is_floating_point()]
        for buffer in buffers:
            buffer.div_(self._ranks.size)
        self._ranks.add_up(buffers)
        return loss


def new_trainer(*args: Any, **options: Any) -> Trainer:
    """Return a trainer for a runtime, which may have ranks."""
    kind = Trainer if options["runtime"].ranks is None else RankTrainer
    return kind(*args, **options)
