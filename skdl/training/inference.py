"""Running a trained network over many rows in bounded memory."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from skdl.threads import threads_here
from skdl.training.captures import computing_on
from skdl.training.foreign import lent_where_needed
from skdl.training.objectives import Objective
from skdl.training.surroundings import are_usual, own_settings
from skdl.training.survival.out_of_memory import RowLimit, raise_memory_error

# Matrix products of a few rows go through other kernels than those of many. With rows
# padded to a multiple of this, a row's prediction has the same bits whatever other
# rows are predicted with it (8 is enough for AVX2, not for AVX-512). Large packs take
# one row without padding.
_ROW_MULTIPLE = 16


def _alone(network: nn.Module, n_rows: int, device: torch.device) -> Any:
    """Return what computes one row by itself; None where rows are to be padded."""
    if n_rows != 1 or device.type != "cpu":
        return None
    found = getattr(type(network), "function_of_one_row", None)  # packs have it
    return None if found is None else found(network)


def _pad(tensor: Tensor, rows: int) -> Tensor:
    """Append rows of zeros."""
    if rows == 0:
        return tensor
    if not tensor.numel():  # torch 2.6 does not pad what has no columns
        return tensor.new_zeros(len(tensor) + rows, *tensor.shape[1:])
    return torch.constant_pad_nd(tensor, (0, 0) * (tensor.ndim - 1) + (0, rows))


def infer(
    network: nn.Module,
    chunks: Iterable[tuple[Tensor, ...]],
    n_rows: int,
    *,
    device: torch.device,
    link: Callable[[Tensor], Tensor],
) -> Tensor:
    """Run a network over chunks of rows.

    Parameters
    ----------
    network : nn.Module
        Put into evaluation mode if it is not.
    chunks : iterable of tuple of Tensor
        The inputs, a few thousand rows at a time, on any device.
    n_rows : int
        Rows in all chunks together.
    device : torch.device
        Where the network lives.
    link : callable
        Applied to the raw output of each chunk, usually an objective's inverse link.

    Returns
    -------
    Tensor of shape (n_rows, ...)
        Of the type that the link returns, and on the CPU.

    Raises
    ------
    MemoryError
        If memory runs out even with the fewest rows at a time.
    """
    threads_here()
    if network.training:
        network.eval()
    if are_usual():
        with computing_on(device), torch.inference_mode():
            return _infer(network, chunks, n_rows, device, link)
    with own_settings(training=False), computing_on(device), torch.inference_mode():
        return _infer(network, chunks, n_rows, device, link)


def _single_at_least(raw: Tensor) -> Tensor:
    """Return raw outputs as float32; means that were made in float64 stay so."""
    return raw if raw.dtype == torch.float64 else raw.float()


def _infer(
    network: nn.Module,
    chunks: Iterable[tuple[Tensor, ...]],
    n_rows: int,
    device: torch.device,
    link: Callable[[Tensor], Tensor],
) -> Tensor:
    def predict(inputs: tuple[Tensor, ...]) -> Tensor:
        n = inputs[0].shape[0]
        alone = _alone(network, n, device)
        if alone is not None:
            return link(_single_at_least(alone(*inputs)))
        raw = network(*(_pad(t, -n % _ROW_MULTIPLE).to(device) for t in inputs))
        return link(_single_at_least(raw[:n]))

    limit = RowLimit("predicting", _ROW_MULTIPLE)
    result: Tensor | None = None
    start = 0
    try:
        with lent_where_needed(network):
            for inputs in chunks:
                output = limit.apply(predict, inputs)
                if output.shape[0] == n_rows:
                    return output.cpu()
                if result is None:
                    shape = (n_rows, *output.shape[1:])
                    result = torch.empty(shape, dtype=output.dtype, device="cpu")
                result[start : start + len(output)] = output
                start += len(output)
    except (RuntimeError, OSError) as error:  # chunks are made here, too
        raise_memory_error(error, "predicting")
    if result is None:
        raise ValueError("There are no rows to run the network on.")
    return result


@torch.no_grad()
def evaluate(
    network: nn.Module,
    batches: Iterable[tuple[tuple[Tensor, ...], Tensor, Tensor | None]],
    objective: Objective,
    score: Callable[[Tensor, Tensor], float],
) -> tuple[float, float]:
    """Return the loss and the score of a network on held-out batches.

    Parameters
    ----------
    network : nn.Module
        Left in evaluation mode.
    batches : iterable of (inputs, target, weight)
        Held-out data, where the network lives.
    objective : Objective
        Gives the loss and the inverse link.
    score : callable
        Takes predictions and targets of all rows; higher is better.

    Returns
    -------
    loss, score : float
    """
    network.eval()
    limit = RowLimit("validating")
    losses, rows, predictions, targets = [], [], [], []
    with lent_where_needed(network):
        for inputs, target, weight in batches:
            raw = limit.apply(lambda part: network(*part).float(), inputs)
            losses.append(objective.loss(raw, target, weight))
            rows.append(len(target))
            predictions.append(objective.inverse_link(raw))
            targets.append(target)
    share = torch.tensor(rows, dtype=torch.float32, device=losses[0].device)
    loss = (torch.stack(losses) * share).sum() / share.sum()
    return loss.item(), score(torch.cat(predictions), torch.cat(targets))
