"""Rows that stay in the machine's memory, of which a GPU gets a batch ahead."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from skdl.data.batches import Batch, batch_sizes
from skdl.randomness import generator_on


class PinnedBatches:
    """A data set that is larger than the card: batches are copied while it trains.

    A batch is gathered into pinned memory, from which a second stream copies it while
    the first still works on the batch before.

    Parameters
    ----------
    inputs : tuple of Tensor
        Each with one row a sample, on the CPU.
    target : Tensor
        Likewise.
    weight : Tensor of shape (n_rows,) or None
        Weights of the rows.
    batch_size : int
        Rows in a batch.
    device : torch.device
        Where training runs.
    shuffle : bool, default=True
        Whether each epoch has an order of its own, from the fit's generator.
    lane : Lane, optional
        What copies.
    """

    lr_factor = 1.0
    batch_dim = 0

    def __init__(
        self,
        inputs: tuple[Tensor, ...],
        target: Tensor,
        weight: Tensor | None,
        *,
        batch_size: int,
        device: torch.device,
        shuffle: bool = True,
        lane: "Lane | None" = None,
    ) -> None:
        self._tensors = [*inputs, target, *([] if weight is None else [weight])]
        self._n_inputs, self._shuffle = len(inputs), shuffle
        self._sizes = batch_sizes(len(target), batch_size)
        self._lane = lane or Lane(device)

    def __len__(self) -> int:
        return len(self._sizes)

    def tensors(self) -> list[Tensor]:
        """Return inputs, target and weight of all rows."""
        return self._tensors

    def __iter__(self) -> Iterator[Batch]:
        n_rows = len(self._tensors[0])
        order = torch.arange(n_rows)
        if self._shuffle:
            order = torch.randperm(n_rows, generator=generator_on(order.device))
        upcoming: Any = None
        for rows in order.split(self._sizes):
            sent, upcoming = upcoming, self._lane.send(self._tensors, rows)
            if sent is not None:
                yield self._batch(self._lane.arrived(sent))
        yield self._batch(self._lane.arrived(upcoming))

    def _batch(self, tensors: list[Tensor]) -> Batch:
        inputs, rest = tensors[: self._n_inputs], tensors[self._n_inputs :]
        return tuple(inputs), rest[0], rest[1] if len(rest) > 1 else None


class Lane:
    """Copies rows to a GPU beside what it computes.

    Parameters
    ----------
    device : torch.device
        The GPU.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)

    def send(self, tensors: list[Tensor], rows: Tensor) -> tuple[list[Tensor], Any]:
        """Begin to copy some rows; return what `arrived` takes."""
        found = []
        with torch.cuda.stream(self._stream):
            for tensor in tensors:
                shape = (len(rows), *tensor.shape[1:])
                # Its memory is used anew once what copies from it is done.
                pinned = torch.empty(shape, dtype=tensor.dtype, pin_memory=True)
                torch.index_select(tensor, 0, rows, out=pinned)
                found.append(pinned.to(self._device, non_blocking=True))
            return found, self._stream.record_event()

    def arrived(self, sent: tuple[list[Tensor], Any]) -> list[Tensor]:
        """Return rows that what is computed next may use."""
        tensors, event = sent
        current = torch.cuda.current_stream(self._device)
        current.wait_event(event)
        for tensor in tensors:
            tensor.record_stream(current)
        return tensors
