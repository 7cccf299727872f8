"""Batches of whole documents of about the same length."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from skdl.data.batches import Batch, batch_sizes
from skdl.data.text import TokenStream
from skdl.randomness import generator_on

# Tokens at the end of a document that are read in training: others in its batch are
# padded to as many.
_LONGEST = 10_000

_SPREAD = 0.1  # of the logarithms of lengths, by which documents are mixed


class DocumentBatches:
    """Documents in batches of about the same length, mixed anew in every epoch.

    The inputs of a batch are tokens (B, T), each document at the end of its row after
    as many ``<eos>`` as it is shorter than the longest, and lengths (B,). Of a document
    of more than 10,000 tokens these are the last ones.

    Parameters
    ----------
    stream : TokenStream
        The documents.
    first : int
        What is read before a document, in place of its own ``<eos>``.
    target : Tensor
        One row a document, where training runs.
    weight : Tensor of shape (n_documents,) or None
        Of the documents.
    batch_size : int
        Documents in a batch.
    """

    lr_factor = 1.0
    batch_dim = 0

    def __init__(
        self,
        stream: TokenStream,
        first: int,
        target: Tensor,
        weight: Tensor | None,
        *,
        batch_size: int,
    ) -> None:
        self._first = first
        self._ids = torch.from_numpy(stream.ids.astype(np.int64))
        self._lengths = torch.from_numpy(np.asarray(stream.lengths, dtype=np.int64))
        self._ends = self._lengths.cumsum(0)
        self._lengths = self._lengths.clamp(max=_LONGEST)
        self._target, self._weight = target, weight
        self._sizes = batch_sizes(len(self._lengths), batch_size)

    def __len__(self) -> int:
        return len(self._sizes)

    def tensors(self) -> list[Tensor]:
        """Return what there is of all documents."""
        found = [self._ids, self._lengths, self._target]
        return found if self._weight is None else [*found, self._weight]

    def __iter__(self) -> Iterator[Batch]:
        generator = generator_on(torch.device("cpu"))
        noise = torch.randn(len(self._lengths), generator=generator)
        order = (self._lengths.log() + _SPREAD * noise).argsort()
        groups = order.split(self._sizes)
        for i in torch.randperm(len(groups), generator=generator).tolist():
            yield self._batch(groups[i])

    def _batch(self, rows: Tensor) -> Batch:
        device = self._target.device
        lengths = self._lengths[rows]
        longest = int(lengths.max())
        # What is read is one token behind: <eos> stands before the first.
        places = self._ends[rows].unsqueeze(1) - 1 + torch.arange(-longest, 0)
        before = torch.arange(longest) <= (longest - lengths).unsqueeze(1)
        ids = self._ids[places.clamp(min=0)].masked_fill(before, self._first)
        chosen = rows.to(device)
        weight = None if self._weight is None else self._weight[chosen]
        inputs = ids.to(device), lengths.to(device)
        return inputs, self._target[chosen], weight
