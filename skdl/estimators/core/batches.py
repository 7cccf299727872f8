"""From rows to batches where the network is."""

from typing import Any

import numpy as np
import torch

from skdl.data.batches import ResidentBatches, StreamedBatches
from skdl.data.picture_files import PictureFiles
from skdl.data.streamed import BlockBatches, StreamedTable
from skdl.estimators.core.rows import Rows
from skdl.training.runtime import Runtime
from skdl.training.trainer import BatchSource


def make_batches(
    rows: Rows,
    parts: Any,
    runtime: Runtime,
    batch_size: int,
    *,
    weight_scale: float = 1.0,
    shuffle: bool = True,
) -> BatchSource:
    """Encode rows and put them where the network is."""
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
    inputs = tuple(t.to(runtime.device) for t in parts.encoder.transform(rows.X))
    return ResidentBatches(
        inputs, target, weight, batch_size=batch_size, shuffle=shuffle
    )
