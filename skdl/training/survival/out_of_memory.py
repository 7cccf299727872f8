"""Batches that do not fit into memory are worked through in parts."""

import gc
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import torch
from torch import Tensor

from skdl.training.survival.device_memory import is_out_of_memory

Batch = tuple[tuple[Tensor, ...], Tensor, Tensor | None]


class MemoryLimit:
    """How many rows of a batch go through a network at once: all, until that fails.

    When memory runs out, the batch is halved until its parts fit; gradients of the
    parts are added up, weighted by their rows, so that the step is that of the whole
    batch within rounding. What fitted is kept for the batches that follow. Layers that
    look at a whole batch see a part: batch norm standardises by the part's statistics,
    and dropout draws masks anew for every part.

    Parameters
    ----------
    splits : bool, default=True
        False lets the error go on up: whether a batch fits is what is asked.

    Attributes
    ----------
    most_rows : int or None
        Rows of a part at most; None while whole batches fit.
    """

    def __init__(self, *, splits: bool = True) -> None:
        self._splits = splits
        self.most_rows: int | None = None
        self._warned = False

    def gradients(
        self,
        batch: Batch,
        dim: int,
        network: Any,
        backward: Callable[[Batch, float], Tensor],
    ) -> Tensor:
        """Add the gradient of a batch to a network without one; return its mean loss.

        Parameters
        ----------
        batch : tuple
            Inputs, target and weight.
        dim : int
            The dimension of inputs and target that counts rows.
        network : nn.Module
            If it has an attribute `carried_states`, a list of tuples of tensors (rows,
            ...) or None, each part gets its rows of them.
        backward : callable
            Takes a batch and the share of its loss in the whole, adds the gradient and
            returns the loss.

        Raises
        ------
        MemoryError
            If a single row does not fit.
        """
        n = batch[1].shape[dim]
        states = getattr(network, "carried_states", None)
        while True:
            rows = n if self.most_rows is None else min(n, self.most_rows)
            cause = None
            try:
                if rows == n:
                    return backward(batch, 1.0)
                loss = _in_parts(batch, dim, network, backward, math.ceil(n / rows))
                self._warn(n, rows)
                return loss
            except (RuntimeError, MemoryError, OSError) as error:
                if not (self._splits and is_out_of_memory(error)):
                    raise
                cause = str(error)
            # Not before here are the tensors free that the error's frames held.
            _release(network, states)
            if rows == 1:
                raise MemoryError(
                    "Memory runs out in training even with one row at a time: make the "
                    f"network or its inputs smaller. ({cause})"
                )
            self.most_rows = (rows + 1) // 2

    def _warn(self, n: int, rows: int) -> None:
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"Memory ran out on a batch of {n} rows. Batches now go through the "
                f"network in parts of at most {rows} rows whose gradients are added "
                f"up; batch_size={rows} would avoid it.",
                RuntimeWarning,
                stacklevel=2,
            )


class RowLimit:
    """How many rows go through a network at once when nothing is learned from them.

    Where memory runs out, rows are halved until they fit; what fitted is kept for the
    rows that follow.

    Parameters
    ----------
    doing : str
        What the rows are for, in an error.
    multiple : int, default=1
        Rows that are not split further, and whose multiples parts have.
    """

    def __init__(self, doing: str, multiple: int = 1) -> None:
        self._doing, self._multiple = doing, multiple
        self._most_rows: int | None = None

    def apply(
        self,
        function: Callable[[tuple[Tensor, ...]], Tensor],
        inputs: tuple[Tensor, ...],
    ) -> Tensor:
        """Return what a function makes of rows, part by part if need be.

        Parameters
        ----------
        function : callable
            Takes some rows of the inputs, and returns a tensor with as many rows.
        inputs : tuple of Tensor
            With the same number of rows.

        Raises
        ------
        MemoryError
            If the fewest rows do not fit.
        """
        n = inputs[0].shape[0]
        while True:
            rows = n if self._most_rows is None else min(n, self._most_rows)
            try:
                if rows == n:
                    return function(inputs)
                parts = zip(*(t.split(rows) for t in inputs), strict=True)
                return torch.cat([function(part) for part in parts])
            except (RuntimeError, MemoryError, OSError) as error:
                if not is_out_of_memory(error):
                    raise
                cause = str(error)
            # Not before here are the tensors free that the error's frames held.
            _collect()
            if rows <= self._multiple:
                raise MemoryError(
                    f"Memory runs out while {self._doing} even with {rows} rows at a "
                    f"time: make the network or its inputs smaller. ({cause})"
                )
            halves = rows // 2 // self._multiple * self._multiple
            self._most_rows = max(self._multiple, halves)


@contextmanager
def as_memory_error(doing: str) -> Iterator[None]:
    """Raise a MemoryError where what is inside finds too little memory.

    Torch and its libraries raise errors of other kinds.

    Parameters
    ----------
    doing : str
        What is inside, such as "predicting".
    """
    try:
        yield
    except (RuntimeError, OSError) as error:
        raise_memory_error(error, doing)


def raise_memory_error(error: Exception, doing: str) -> NoReturn:
    """Raise an error again, as a MemoryError if that is what it means."""
    if not is_out_of_memory(error):
        raise error
    raise MemoryError(
        f"Memory runs out while {doing}: give fewer rows, make the network or its "
        f"inputs smaller, or free memory. ({error})"
    ) from error


def _in_parts(
    batch: Batch,
    dim: int,
    network: Any,
    backward: Callable[[Batch, float], Tensor],
    n_parts: int,
) -> Tensor:
    """Add up the gradients of parts of a batch; return the whole batch's mean loss."""
    inputs, target, weight = batch
    pieces = [t.tensor_split(n_parts, dim) for t in (*inputs, target)]
    weights: Sequence[Tensor | None] = [None] * n_parts
    if weight is not None:
        weights = weight.tensor_split(n_parts, min(dim, weight.ndim - 1))
    carries = hasattr(network, "carried_states")
    before = _split_states(network.carried_states, n_parts) if carries else []
    n, after = target.shape[dim], []
    total: Any = 0.0
    for i, part_weight in enumerate(weights):
        *part, part_target = (piece[i] for piece in pieces)
        share = part_target.shape[dim] / n
        if carries:
            network.carried_states = before[i]
        total = total + backward((tuple(part), part_target, part_weight), share) * share
        if carries:
            after.append(network.carried_states)
    if carries:
        network.carried_states = [
            tuple(torch.cat(tensors) for tensors in zip(*layer, strict=True))
            for layer in zip(*after, strict=True)
        ]
    return total


def _split_states(states: Any, n_parts: int) -> list[Any]:
    """Return the states of each part's rows."""
    if states is None:
        return [None] * n_parts
    layers = [[t.tensor_split(n_parts) for t in layer] for layer in states]
    return [[tuple(t[i] for t in layer) for layer in layers] for i in range(n_parts)]


def _release(network: Any, states: Any) -> None:
    """Free what a failed attempt has left, and undo what it has carried on."""
    for parameter in network.parameters():
        parameter.grad = None
    if hasattr(network, "carried_states"):
        network.carried_states = states
    _collect()


def _collect() -> None:
    """Give back what nothing holds any more."""
    gc.collect()
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
