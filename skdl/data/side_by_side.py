"""Batches of several fits that are trained as one, each with rows of its own."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from skdl.data.batches import Batch, batch_sizes
from skdl.randomness import generators_side_by_side


class BatchesSideBySide:
    """Batches (M, B, ...) of members that have equally many rows.

    Members with the same rows share them, and members of one stream their order; a
    batch is gathered when it is due, so that nothing is in memory once for each member.

    Parameters
    ----------
    data : sequence of list of Tensor
        Inputs, target and, where there are any, weights, of different sets of rows.
    data_of_member : sequence of int
        Which of them each member has.
    streams : sequence of int
        Which of the streams of `drawing_side_by_side` orders its rows.
    n_inputs : int
        How many of the tensors are inputs.
    batch_size : int
        Rows of a batch in each member.
    """

    lr_factor = 1.0
    batch_dim = 1

    def __init__(
        self,
        data: Sequence[Sequence[Tensor]],
        data_of_member: Sequence[int],
        streams: Sequence[int],
        *,
        n_inputs: int,
        batch_size: int,
    ) -> None:
        self._tensors = [torch.cat(same) for same in zip(*data, strict=True)]
        self._n_inputs, self._n_rows = n_inputs, len(data[0][0])
        device = self._tensors[0].device
        first = torch.tensor(list(data_of_member), device=device) * self._n_rows
        self._first_rows = first.unsqueeze(1)  # (M, 1)
        self._streams = torch.tensor(list(streams), device=device)
        self._sizes = batch_sizes(self._n_rows, batch_size)

    def __len__(self) -> int:
        return len(self._sizes)

    def tensors(self) -> list[Tensor]:
        """Return what is in memory of all rows."""
        return self._tensors

    def __iter__(self) -> Iterator[Batch]:
        device = self._first_rows.device
        orders = torch.stack(
            [
                torch.randperm(self._n_rows, device=device, generator=generator)
                for generator in generators_side_by_side(device)
            ]
        )
        for order in orders.split(self._sizes, dim=1):  # (S, B)
            rows = order.index_select(0, self._streams) + self._first_rows
            found = [
                t.index_select(0, rows.flatten()).view(*rows.shape, *t.shape[1:])
                for t in self._tensors
            ]
            inputs, rest = found[: self._n_inputs], found[self._n_inputs :]
            yield tuple(inputs), rest[0], rest[1] if len(rest) > 1 else None
