"""From rows to batches where the network is."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from skdl.data.batches import ResidentBatches, StreamedBatches
from skdl.data.picture_files import PictureFiles
from skdl.data.pinned import PinnedBatches
from skdl.data.streamed import BlockBatches, StreamedTable
from skdl.estimators.core.rows import Rows
from skdl.training.runtime import Runtime
from skdl.training.survival.device_memory import device_memory
from skdl.training.trainer import BatchSource

# The share of a GPU's free memory that rows may take.
_OF_FREE = 0.5


def make_batches(
    rows: Rows,
    parts: Any,
    runtime: Runtime,
    batch_size: int,
    *,
    weight_scale: float = 1.0,
    shuffle: bool = True,
) -> BatchSource:
    """Encode rows and put them where the network is, if they fit there."""
    target = parts.target.encode(rows.y).to(runtime.device)
    weight = None
    if rows.weight is not None:
        scaled = (rows.weight * weight_scale).astype(np.float32)
        weight = torch.from_numpy(scaled).to(runtime.device)
    if isinstance(rows.X, PictureFiles):  # too many to be kept in memory
        return StreamedBatches(
            lambda chosen: parts.encoder.transform(rows.X[chosen]),
            target,
            weight,
            batch_size=batch_size,
            shuffle=shuffle,
        )
    if isinstance(rows.X, StreamedTable):
        return BlockBatches(
            rows.X,
            parts.encoder.transform,
            target,
            weight,
            batch_size=batch_size,
            device=runtime.device,
            shuffle=shuffle,
        )
    inputs = parts.encoder.transform(rows.X)
    how: dict[str, Any] = {"batch_size": batch_size, "shuffle": shuffle}
    if not fits_on(runtime.device, inputs):
        on_cpu = [None if t is None else t.cpu() for t in (target, weight)]
        return PinnedBatches(inputs, *on_cpu, device=runtime.device, **how)
    inputs = tuple(t.to(runtime.device) for t in inputs)
    return ResidentBatches(inputs, target, weight, **how)


def fits_on(device: torch.device, inputs: tuple[Tensor, ...]) -> bool:
    """Tell whether a GPU has room for inputs, shuffled, and for a network."""
    if device.type != "cuda":
        return True
    n_bytes = 2 * sum(t.nbytes for t in inputs)
    return n_bytes < _OF_FREE * device_memory(device).free
