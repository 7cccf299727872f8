"""Running a trained network over many rows in bounded memory."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from skdl.training.objectives import Objective

# Matrix products of a few rows go through other kernels than those of many. With rows
# padded to a multiple of this, a row's prediction has the same bits whatever other
# rows are predicted with it (8 is enough for AVX2, not for AVX-512).
_ROW_MULTIPLE = 16


def _pad(tensor: Tensor, rows: int) -> Tensor:
    """Append rows of zeros."""
    if rows == 0:
        return tensor
    return torch.cat([tensor, tensor.new_zeros((rows, *tensor.shape[1:]))])


@torch.inference_mode()
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
    """
    if network.training:
        network.eval()
    result: Tensor | None = None
    start = 0
    for inputs in chunks:
        n = len(inputs[0])
        raw = network(*(_pad(t, -n % _ROW_MULTIPLE).to(device) for t in inputs))
        output = link(raw[:n].float())
        if len(output) == n_rows:
            return output.cpu()
        if result is None:
            result = torch.empty((n_rows, *output.shape[1:]), dtype=output.dtype)
        result[start : start + len(output)] = output
        start += len(output)
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
    losses, rows, predictions, targets = [], [], [], []
    for inputs, target, weight in batches:
        raw = network(*inputs).float()
        losses.append(objective.loss(raw, target, weight))
        rows.append(len(target))
        predictions.append(objective.inverse_link(raw))
        targets.append(target)
    share = torch.tensor(rows, dtype=torch.float32, device=losses[0].device)
    loss = (torch.stack(losses) * share).sum() / share.sum()
    return loss.item(), score(torch.cat(predictions), torch.cat(targets))
