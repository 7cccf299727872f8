"""The reading branch: a language model's layers, trained on labels with care."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from skdl.data.documents import DocumentBatches
from skdl.data.text import TextEncoder, TokenStream
from skdl.estimators.core.fitting import FittedParts, train_parts
from skdl.estimators.text.labelled_texts import LabelledTexts
from skdl.networks.text_reader import TextReader
from skdl.training.loop import Outcome
from skdl.training.runtime import Runtime
from skdl.training.surroundings import own_settings
from skdl.training.text.documents import document_vectors

# Texts in a batch where that is left to us: few labels need many steps.
_BATCH_SIZE = 32


def new_parts(settings: Any, lm: Any, objective: Any, runtime: Runtime) -> FittedParts:
    """Return what is trained: a copy of the language model's layers, and a new head."""
    network = TextReader(
        copy.deepcopy(lm.network_),
        objective.n_outputs,
        dropout=float(settings.dropout),
        bptt=int(settings.bptt),
    )
    return FittedParts(lm._lm_encoder, None, objective, network.to(runtime.device))


def reader_batches(
    settings: Any, parts: FittedParts, labelled: LabelledTexts, runtime: Runtime
) -> tuple[DocumentBatches, float]:
    """Return the batches to train on, and about the multiplications of a step."""
    encoder: TextEncoder = parts.encoder
    size = settings.batch_size
    size = _BATCH_SIZE if size == "auto" else int(size)
    batches = DocumentBatches(
        encoder.transform(labelled.texts),
        encoder.end_id,
        labelled.target.to(runtime.device),
        torch.from_numpy(labelled.scaled_weight().astype(np.float32)).to(
            runtime.device
        ),
        batch_size=size,
    )
    weights = sum(p.numel() for p in parts.network.parameters() if p.ndim > 1)
    return batches, 3.0 * weights * size * int(settings.bptt)


def train_reader(
    settings: Any,
    parts: FittedParts,
    training: LabelledTexts,
    held_out: LabelledTexts,
    runtime: Runtime,
    score: Callable[..., float],
    *,
    reporter: Any,
    checkpoint: Any,
) -> Outcome:
    """Train the network of `parts` in place; see `train_parts`."""
    encoder: TextEncoder = parts.encoder
    batches, work = reader_batches(settings, parts, training, runtime)
    stream = encoder.transform(held_out.texts)
    weight = torch.from_numpy(held_out.scaled_weight())
    target = held_out.target
    target = target.double() if target.is_floating_point() else target

    def validate() -> tuple[float, float]:
        raw = raw_outputs(parts.network, stream, encoder.end_id).double()
        loss = parts.objective.loss(raw, target, weight)
        return float(loss), score(parts.objective.inverse_link(raw), target, weight)

    return train_parts(
        settings,
        parts,
        batches,
        runtime,
        work=work,
        validate=validate,
        reporter=reporter,
        checkpoint=checkpoint,
    )


@own_settings(training=False)
def raw_outputs(network: nn.Module, stream: TokenStream, first: int) -> Tensor:
    """Return raw outputs (n, K) of documents, read without padding; on the CPU."""
    reading, head = network.get_submodule("reading"), network.get_submodule("head")
    vectors = document_vectors(reading, stream.ids, stream.lengths, first)
    device = next(network.parameters()).device
    with torch.inference_mode():
        return head.eval()(torch.from_numpy(vectors).to(device)).cpu()
