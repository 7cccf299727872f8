"""Rows that stay in the machine's memory, of which a GPU gets a batch ahead."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from skdl.data.batches import Batch, RowBatches, as_batch
from skdl.randomness import generator_on


class PinnedBatches(RowBatches):
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
        super().__init__(target, weight, batch_size, shuffle)
        self._inputs = inputs
        self._lane = lane or Lane(device)

    def tensors(self) -> list[Tensor]:
        """Return inputs, target and weight of all rows."""
        return [*self._inputs, *super().tensors()]

    def __iter__(self) -> Iterator[Batch]:
        tensors, n_rows = self.tensors(), len(self._target)
        order = torch.arange(n_rows)
        if self._shuffle:
            order = torch.randperm(n_rows, generator=generator_on(order.device))
        upcoming: Any = None
        for rows in order.split(self._sizes):
            sent, upcoming = upcoming, self._lane.send(tensors, rows)
            if sent is not None:
                yield as_batch(self._lane.arrived(sent), len(self._inputs))
        yield as_batch(self._lane.arrived(upcoming), len(self._inputs))


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
