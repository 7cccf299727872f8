"""Tables that are read piece by piece, and batches of them."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skdl.data.batches import Batch, RowBatches, as_batch
from skdl.data.row_sources import RowSource
from skdl.randomness import generator_on
from skdl.threads import alone

# Rows that are in memory, encoded, and shuffled among each other.
BLOCK_ROWS = 1 << 19


class StreamedTable:
    """Rows of a source, or some of them, that are validated as they are read.

    Parameters
    ----------
    source : RowSource
        Where they are.
    convert : callable
        Takes a frame of rows and returns what an encoder takes.
    n_features : int
        Columns.
    kept : ndarray of bool, shape (n_rows_of_source,), optional
        Which of the source's rows there are.
    """

    ndim = 2

    def __init__(
        self,
        source: RowSource,
        convert: Callable[[Any], Any],
        n_features: int,
        kept: np.ndarray | None = None,
    ) -> None:
        self.source, self._convert, self._kept = source, convert, kept
        sizes = source.sizes
        self._starts = np.cumsum([0, *sizes])
        self.sizes = sizes
        if kept is not None:
            ends = zip(self._starts[:-1], self._starts[1:], strict=True)
            self.sizes = [int(kept[a:b].sum()) for a, b in ends]
        self.shape = (int(sum(self.sizes)), n_features)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | np.ndarray) -> Any:
        """Return the first rows, read; or a table of some rows, in their order."""
        if isinstance(rows, slice):
            _, first = next(self.chunks())
            return first[rows]
        mask = np.zeros(self._starts[-1], dtype=bool)
        own = np.arange(len(mask)) if self._kept is None else np.flatnonzero(self._kept)
        mask[own[rows]] = True
        return StreamedTable(self.source, self._convert, self.shape[1], mask)

    def chunks(self, order: Sequence[int] | None = None) -> Iterator[tuple[int, Any]]:
        """Yield the number of the first of some rows, and the rows.

        Parameters
        ----------
        order : sequence of int, optional
            Of the pieces; by default as they come.
        """
        firsts = np.cumsum([0, *self.sizes])
        n_read = np.zeros(len(self.sizes), dtype=np.int64)  # of the source's rows
        n_given = np.zeros(len(self.sizes), dtype=np.int64)
        for piece, frame in self.source.read(order or range(len(self.sizes))):
            start = self._starts[piece] + n_read[piece]
            n_read[piece] += len(frame)
            if self._kept is not None:
                kept = self._kept[start : start + len(frame)]
                if not kept.any():
                    continue
                if not kept.all():
                    frame = frame[kept]
            first = int(firsts[piece] + n_given[piece])
            n_given[piece] += len(frame)
            yield first, self._convert(frame)


def is_long(rows: Any) -> bool:
    """Tell whether rows are a stream of more than one block."""
    return isinstance(rows, StreamedTable) and len(rows) > BLOCK_ROWS


class BlockBatches(RowBatches):
    """Batches of rows that are read anew in every epoch, a block ahead of training.

    Pieces come in an order of their own in each epoch where the source can do that;
    they are joined to blocks, whose rows are shuffled. Rows that are one block stay in
    memory and are shuffled as `ResidentBatches` does it.

    Parameters
    ----------
    table : StreamedTable
        The rows.
    encode : callable
        Takes some of them, returns their inputs.
    target : Tensor
        Of all rows.
    weight : Tensor of shape (n_rows,) or None
        Weights of the rows.
    batch_size : int
        Rows in a batch.
    device : torch.device
        Where training runs.
    shuffle : bool, default=True
        Whether each epoch has an order of its own, from the fit's generator.
    block_rows : int, optional
        Rows of a block.
    """

    def __init__(
        self,
        table: StreamedTable,
        encode: Callable[[Any], tuple[Tensor, ...]],
        target: Tensor,
        weight: Tensor | None,
        *,
        batch_size: int,
        device: torch.device,
        shuffle: bool = True,
        block_rows: int | None = None,
    ) -> None:
        self._table, self._encode = table, encode
        super().__init__(target, weight, batch_size, shuffle)
        self._device = device
        self._blocks = _blocks(self._sizes, block_rows)
        self._resident: list[Tensor] | None = None

    def __iter__(self) -> Iterator[Batch]:
        if self._resident is not None:
            yield from self._batches(self._resident, self._blocks[0])
            return
        blocks = self._read(self._order())
        with ThreadPoolExecutor(1) as ahead:
            upcoming = ahead.submit(alone, next, blocks)
            for i, sizes in enumerate(self._blocks):
                block = upcoming.result()
                if i + 1 < len(self._blocks):
                    upcoming = ahead.submit(alone, next, blocks)
                elif i == 0:
                    self._resident = block
                yield from self._batches(block, sizes)

    def _order(self) -> list[int]:
        """Return the order in which pieces are read in this epoch."""
        n_pieces = len(self._table.sizes)
        if len(self._blocks) == 1 or not self._shuffle or self._table.source.has_order:
            return list(range(n_pieces))
        generator = generator_on(torch.device("cpu"))
        return torch.randperm(n_pieces, generator=generator).tolist()

    def _read(self, order: Sequence[int]) -> Iterator[list[Tensor]]:
        """Yield the inputs, targets and weights of each block."""
        parts: list[list[Tensor]] = []
        n_rows, wanted = 0, iter([sum(sizes) for sizes in self._blocks])
        size = next(wanted)
        for first, rows in self._table.chunks(order):
            inputs = self._encode(rows)
            last = first + len(inputs[0])
            part = [*inputs, *(t[first:last] for t in self.tensors())]
            while part and n_rows + len(part[0]) >= size:
                cut = size - n_rows
                parts.append([t[:cut] for t in part])
                yield [self._pinned(same) for same in zip(*parts, strict=True)]
                rest = [t[cut:] for t in part]
                part = rest if len(rest[0]) else []
                parts, n_rows, size = [], 0, next(wanted, 1 << 62)
            if part:
                parts.append(part)
                n_rows += len(part[0])

    def _pinned(self, parts: tuple[Tensor, ...]) -> Tensor:
        """Return one tensor, for a GPU where copies from it do not wait."""
        whole = torch.cat(parts)
        on_its_way = self._device.type == "cuda" and whole.device.type == "cpu"
        return whole.pin_memory() if on_its_way else whole

    def _batches(self, block: list[Tensor], sizes: list[int]) -> Iterator[Batch]:
        n_inputs = len(block) - len(self.tensors())
        block = [t.to(self._device, non_blocking=True) for t in block]
        if self._shuffle:
            order = torch.randperm(
                len(block[0]),
                device=self._device,
                generator=generator_on(self._device),
            )
            block = [t.index_select(0, order) for t in block]
        for parts in zip(*(t.split(sizes) for t in block), strict=True):
            yield as_batch(parts, n_inputs)


class BlindBatches:
    """Batches whose weights are of each row and member of a pack.

    Parameters
    ----------
    batches : BlockBatches
        Whose weights are the numbers of the rows' folds, (B,), or (B, 2) numbers and
        weights.
    scale : Tensor of shape (n_folds, n_members)
        Weight of a fold's rows in each member, zero where it is blind to them.
    """

    lr_factor = 1.0
    batch_dim = 0

    def __init__(self, batches: BlockBatches, scale: Tensor) -> None:
        self._batches, self._scale = batches, scale

    def __len__(self) -> int:
        return len(self._batches)

    def tensors(self) -> list[Tensor]:
        """Return what is in memory of all rows."""
        return self._batches.tensors()

    def __iter__(self) -> Iterator[Batch]:
        for inputs, target, fold in self._batches:
            assert fold is not None
            is_plain = fold.ndim == 1
            seen = self._scale[(fold if is_plain else fold[:, 0]).long()]
            yield inputs, target, seen if is_plain else seen * fold[:, 1:]


def _blocks(sizes: list[int], block_rows: int | None) -> list[list[int]]:
    """Share batches out to blocks of about so many rows."""
    most = block_rows or BLOCK_ROWS
    n_blocks = max(1, -(-sum(sizes) // most))
    per_block = -(-len(sizes) // n_blocks)
    return [sizes[i : i + per_block] for i in range(0, len(sizes), per_block)]
