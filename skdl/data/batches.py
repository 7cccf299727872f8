"""Batch sources: what gives the training loop its batches.

A batch is `(inputs, target, weight)`; `inputs` is a tuple of tensors and `weight` is
None or a tensor with one number a row.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from skdl.randomness import generator_on
from skdl.threads import alone

Batch = tuple[tuple[Tensor, ...], Tensor, Tensor | None]


def batch_sizes(n_rows: int, batch_size: int) -> list[int]:
    """Cut rows into batches whose sizes differ by one at the most.

    A short last batch would have a noisy gradient, and of one row no batch norm: there
    is none of one row beside others of two.

    Examples
    --------
    >>> batch_sizes(10, 4)
    [4, 3, 3]
    """
    n_batches = -(-n_rows // batch_size)
    if batch_size == 2:
        n_batches = max(1, n_rows // 2)
    size, longer = divmod(n_rows, n_batches)
    return [size + 1] * longer + [size] * (n_batches - longer)


def as_batch(tensors: Sequence[Tensor], n_inputs: int) -> Batch:
    """Return the batch that inputs, target and perhaps a weight, in this order, are."""
    inputs, rest = tensors[:n_inputs], tensors[n_inputs:]
    return tuple(inputs), rest[0], rest[1] if len(rest) > 1 else None


class RowBatches:
    """Targets and weights of all rows, cut into batches.

    Parameters
    ----------
    target : Tensor
        With one row a sample.
    weight : Tensor of shape (n_rows,) or None
        Weights of the rows.
    batch_size : int
        Rows in a batch.
    shuffle : bool
        Whether each epoch has an order of its own, from the fit's generator.
    """

    lr_factor = 1.0  # all batches count alike
    batch_dim = 0

    def __init__(
        self, target: Tensor, weight: Tensor | None, batch_size: int, shuffle: bool
    ) -> None:
        self._target = target
        self._weight = weight
        self._shuffle = shuffle
        self._sizes = batch_sizes(len(target), batch_size)

    def __len__(self) -> int:
        return len(self._sizes)

    def tensors(self) -> list[Tensor]:
        """Return what is in memory of all rows."""
        return [self._target] if self._weight is None else [self._target, self._weight]


class ResidentBatches(RowBatches):
    """The whole data set as tensors, shuffled once an epoch.

    One permutation and one gather an epoch, into buffers that are kept; the batches
    are views of them.

    Parameters
    ----------
    inputs : tuple of Tensor
        Each with one row a sample, all on the device where training runs.
    target : Tensor
        Likewise.
    weight : Tensor of shape (n_rows,) or None
        Weights of the rows.
    batch_size : int
        Rows in a batch.
    shuffle : bool, default=True
        Whether each epoch has an order of its own, from the fit's generator.
    """

    def __init__(
        self,
        inputs: tuple[Tensor, ...],
        target: Tensor,
        weight: Tensor | None,
        *,
        batch_size: int,
        shuffle: bool = True,
    ) -> None:
        self._inputs = inputs
        super().__init__(target, weight, batch_size, shuffle)
        self._buffers: list[Tensor] | None = None

    def tensors(self) -> list[Tensor]:
        """Return inputs, target and weight of all rows."""
        return [*self._inputs, *super().tensors()]

    def __iter__(self) -> Iterator[Batch]:
        tensors = self.tensors()
        if self._shuffle:
            tensors = self._gather(tensors)
        for parts in zip(*(t.split(self._sizes) for t in tensors), strict=True):
            yield as_batch(parts, len(self._inputs))

    def _gather(self, tensors: list[Tensor]) -> list[Tensor]:
        device = self._target.device
        order = torch.randperm(
            len(self._target), device=device, generator=generator_on(device)
        )
        if self._buffers is None:
            self._buffers = [torch.empty_like(t) for t in tensors]
        for tensor, buffer in zip(tensors, self._buffers, strict=True):
            torch.index_select(tensor, 0, order, out=buffer)
        return self._buffers


class StreamedBatches(RowBatches):
    """Inputs that are read anew for every batch, one batch ahead of training.

    Parameters
    ----------
    read : callable
        Takes the positions of rows, returns their inputs on the CPU.
    target : Tensor
        Of all rows, on the device where training runs.
    weight : Tensor of shape (n_rows,) or None
        Weights of the rows.
    batch_size : int
        Rows in a batch.
    shuffle : bool, default=True
        Whether each epoch has an order of its own, from the fit's generator.
    """

    def __init__(
        self,
        read: Callable[[np.ndarray], tuple[Tensor, ...]],
        target: Tensor,
        weight: Tensor | None,
        *,
        batch_size: int,
        shuffle: bool = True,
    ) -> None:
        self._read = read
        super().__init__(target, weight, batch_size, shuffle)

    def __iter__(self) -> Iterator[Batch]:
        n = len(self._target)
        order = torch.arange(n)
        if self._shuffle:
            order = torch.randperm(n, generator=generator_on(order.device))
        parts = order.split(self._sizes)
        with ThreadPoolExecutor(1) as ahead:
            upcoming = ahead.submit(alone, self._read, parts[0].numpy())
            for i, rows in enumerate(parts):
                inputs = upcoming.result()
                if i + 1 < len(parts):
                    following = parts[i + 1].numpy()
                    upcoming = ahead.submit(alone, self._read, following)
                device = self._target.device
                chosen = rows.to(device)
                weight = None if self._weight is None else self._weight[chosen]
                on_device = tuple(t.to(device) for t in inputs)
                yield on_device, self._target[chosen], weight
