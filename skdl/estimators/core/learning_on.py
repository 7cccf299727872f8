"""What was learned from the data of earlier calls goes on being learned.

Scales of inputs and targets change with the rows that come; the network is changed
with them, so that it predicts what it did.
"""

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from skdl.data.numeric import Rescaling
from skdl.networks.folding import rescale_inputs, rescale_outputs, takes_inputs_anew

# Rows on which it is tried whether a network's outputs have followed.
TRIAL_ROWS = 8


def with_new_scales(
    encoder: Any, rescaling: Rescaling | None, network: nn.Module, names: Any
) -> tuple[Any, nn.Module]:
    """Return encoder and network that go together after a change of the scales.

    Parameters
    ----------
    encoder : encoder
        Extended by new rows.
    rescaling : Rescaling or None
        What has changed.
    network : nn.Module
        Left as it is; what is returned is a copy of it where its weights take the
        change. A user's network does not: the encoder makes up for it.
    names : sequence
        Of the numeric columns, for the message.

    Raises
    ------
    ValueError
        If a user's network would need more inputs.
    """
    if rescaling is None:
        return encoder, network
    if takes_inputs_anew(network):
        network = copy.deepcopy(network)
        slope, shift = map(torch.from_numpy, (rescaling.slope, rescaling.shift))
        how = rescaling.moved, rescaling.after.indicators
        rescale_inputs(network, slope, shift, rescaling.n_added, *how)
        return encoder, network
    if rescaling.n_added:
        added = [names[j] for j in encoder.missing[-rescaling.n_added :]]
        raise ValueError(
            f"X has missing values in {added}, where all rows so far had a value (or "
            "none had); such a column needs one more input, which a network of your "
            "own cannot be given once it is built. Fill them before, or give the first "
            "call rows with missing values in every column that may have some."
        )
    return encoder.compensated(rescaling), network


def with_new_target(
    change: tuple[np.ndarray, np.ndarray],
    network: nn.Module,
    trial: tuple[Tensor, ...],
) -> nn.Module | None:
    """Return a copy of a network whose raw outputs are in a target's new units.

    Parameters
    ----------
    change : tuple of two ndarray of shape (n_outputs,)
        A raw output becomes ``scale * output + shift``.
    network : nn.Module
        In evaluation mode.
    trial : tuple of Tensor
        Inputs of a few rows.

    Returns
    -------
    nn.Module or None
        None if the outputs do not follow.
    """
    scale, shift = map(torch.from_numpy, change)
    changed = copy.deepcopy(network).eval()
    if not rescale_outputs(changed, scale, shift):
        return None
    device = next(network.parameters()).device
    inputs = tuple(t.to(device) for t in trial)
    with torch.inference_mode():
        before, after = network(*inputs).cpu(), changed(*inputs).cpu()
    times = before.shape[1] // len(scale)  # members of an ensemble
    expected = before.double() * scale.repeat(times) + shift.repeat(times)
    tolerance = 1e-4 * (1 + expected.abs().max())
    return changed if (after - expected).abs().max() <= tolerance else None
