"""Batches of a text for a language model: parallel streams, cut into windows."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skdl.data.batches import Batch
from skdl.randomness import generator_on

_SHORTEST = 5  # tokens of a window
_SPREAD = 5.0  # standard deviation of the length of a window
_HALVED = 0.05  # share of windows that are about half as long
_RUN = 5000  # tokens of the documents that stay together
_AT_ONCE = 1 << 18  # tokens whose places are worked out at a time


def n_windows(length: int, bptt: int, *, variable: bool = False) -> int:
    """Return the windows of about `bptt` tokens that `length` tokens are cut into.

    Parameters
    ----------
    length : int
        Tokens of a stream.
    bptt, variable
        As in `StreamBatches`.

    Returns
    -------
    int
        At least one, and no more than there are tokens.

    Examples
    --------
    >>> n_windows(1000, 35)
    29
    """
    if not variable:
        return max(1, -(-length // bptt))
    mean = bptt * (1 - _HALVED / 2)
    return max(1, min(length, round(length / mean)))


def longest_window(bptt: int, *, variable: bool = False) -> int:
    """Return a length that hardly any window exceeds.

    Parameters
    ----------
    bptt, variable
        As in `StreamBatches`.

    Returns
    -------
    int
        Where lengths vary, four standard deviations above `bptt`.

    Examples
    --------
    >>> longest_window(35), longest_window(35, variable=True)
    (35, 55)
    """
    return bptt + round(4 * _SPREAD) if variable else bptt


class _Rows:
    """Tokens side by side, (L + 1, B), of which slices are read when they are wanted.

    Parameters
    ----------
    ids, first, lengths, batch_size, device
        As `StreamBatches` takes them.
    """

    def __init__(
        self,
        ids: np.ndarray,
        first: int,
        lengths: np.ndarray | None,
        batch_size: int,
        device: torch.device | str,
    ) -> None:
        length = len(ids) // batch_size
        self._ids, self._first, self._device = ids, first, device
        self._streams = length * np.arange(batch_size) - 1
        self.shape = length + 1, batch_size
        self._ends = np.array([len(ids)]) if lengths is None else _ends_of_runs(lengths)
        self._order = np.arange(len(self._ends))

    @property
    def n_runs(self) -> int:
        """Runs of documents that stay together."""
        return len(self._ends)

    def put_in_order(self, order: np.ndarray) -> None:
        """Let the text go on from run to run in another order."""
        self._order = order

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> Tensor:
        start, end, _ = rows.indices(len(self))
        found = np.empty((end - start, self.shape[1]), dtype=np.int64)
        step = max(1, _AT_ONCE // self.shape[1])
        for first in range(start, end, step):
            part = found[first - start : first - start + step]
            places = self._streams + np.arange(first, first + len(part))[:, None]
            part[:] = self._ids[self._in_text(places)]
            part[places < 0] = self._first
        return torch.from_numpy(found).to(self._device)

    def _in_text(self, places: np.ndarray) -> np.ndarray:
        """Return where in the ids stands what comes at some places of the order."""
        if self.n_runs == 1:
            return places
        sizes = np.diff(self._ends, prepend=0)[self._order]
        ends = sizes.cumsum()
        moved = self._ends[self._order] - ends
        return places + moved[np.searchsorted(ends, places, side="right")]

    def tensors(self) -> list[Tensor]:
        """Return all tokens, as they stand in the file."""
        return [torch.from_numpy(self._ids)]


def _ends_of_runs(lengths: np.ndarray) -> np.ndarray:
    """Return where runs of whole documents end, each of about `_RUN` tokens."""
    ends = lengths.cumsum()
    group = (ends - 1) // _RUN
    return ends[np.flatnonzero(np.diff(group, append=group[-1] + 1))]


class StreamBatches:
    """A text as `batch_size` parallel streams, in windows of about `bptt` tokens.

    Each stream is a part of the text, read from its beginning to its end in an epoch.
    With `lengths` runs of documents are put in another order before each epoch, so that
    other windows are read side by side; within a run the text goes on as it stands. The
    inputs of a batch are tokens (T, B), the target those that follow them; both
    are views of one tensor.

    Parameters
    ----------
    ids : ndarray of int of shape (n_tokens,)
        The text; of a memory map only the windows are in memory.
    first : int
        The token before the text.
    lengths : ndarray of int of shape (n_documents,), default=None
        Tokens of the documents.
    batch_size : int
        Streams. The last tokens that do not fill all streams are left out.
    bptt : int
        Tokens of a window.
    variable : bool, default=False
        Whether the lengths of windows are random (Merity et al. 2017, section 5): about
        `bptt`, one in twenty about half of it. `lr_factor` is then proportional to the
        length of the window just given.
    device : torch.device
        Where the tokens are kept.
    """

    batch_dim = 1  # rows are streams

    def __init__(
        self,
        ids: np.ndarray,
        first: int,
        *,
        lengths: np.ndarray | None = None,
        batch_size: int,
        bptt: int,
        variable: bool = False,
        device: torch.device | str = "cpu",
    ) -> None:
        self._text = _Rows(ids, first, lengths, batch_size, device)
        self._in_memory = not isinstance(ids, np.memmap)
        self._rows: Any = self._text[:] if self._in_memory else self._text  # (L + 1, B)
        self._variable = variable
        self._cut(bptt)
        self.lr_factor = 1.0

    def _cut(self, bptt: int) -> None:
        """Cut the streams into windows of about `bptt` tokens."""
        self._bptt = bptt
        length = len(self._rows) - 1
        self._n_windows = n_windows(length, bptt, variable=self._variable)

    def shorten(self) -> None:
        """Halve the length of the windows."""
        self._cut(max(1, self._bptt // 2))

    def tensors(self) -> list[Tensor]:
        """Return the streams."""
        return [self._rows] if isinstance(self._rows, Tensor) else self._rows.tensors()

    def __len__(self) -> int:
        return self._n_windows

    @property
    def n_tokens(self) -> int:
        """Tokens that are predicted in an epoch."""
        return (len(self._rows) - 1) * self._rows.shape[1]

    def __iter__(self) -> Iterator[Batch]:
        self._shuffle()
        start = 0
        for length in self._draw():
            end = start + length
            self.lr_factor = length / self._bptt if self._variable else 1.0
            window = self._rows[start : end + 1]
            yield (window[:-1],), window[1:], None
            start = end

    def _shuffle(self) -> None:
        """Put the runs in another order."""
        if self._text.n_runs == 1:
            return
        generator = generator_on(torch.device("cpu"))
        order = torch.randperm(self._text.n_runs, generator=generator)
        self._text.put_in_order(order.numpy())
        if self._in_memory:
            self._rows = None  # twice would be too much
            self._rows = self._text[:]

    def _draw(self) -> list[int]:
        """Return the lengths of an epoch's windows; their number is always the same."""
        n, total = self._n_windows, len(self._rows) - 1
        if not self._variable or n == 1 or total < 2 * n * _SHORTEST:
            size, longer = divmod(total, n)
            return [size + 1] * longer + [size] * (n - longer)
        generator = generator_on(torch.device("cpu"))
        halved = torch.rand(n, generator=generator) < _HALVED
        wanted = torch.where(halved, self._bptt / 2, float(self._bptt))
        spread = _SPREAD * torch.randn(n, generator=generator)
        wanted = (wanted + spread).clamp(min=_SHORTEST)
        ends = (wanted.cumsum(0) * (total / wanted.sum())).round().long()
        ends[-1] = total
        lengths = torch.diff(ends, prepend=ends.new_zeros(1))
        return lengths.tolist()
