"""Texts that are held out, and how well they are predicted."""

from collections.abc import Callable

import numpy as np
import torch

from skdl.data.streams import StreamBatches
from skdl.data.text import TextEncoder, TokenStream
from skdl.data.text_streams import TextStream
from skdl.networks.language_model import Continued
from skdl.training.runtime import Runtime

# Streams that held-out text is read in after every epoch.
_HELD_OUT_STREAMS = 16

_HELD_OUT_TOKENS = 500  # of each at least


def validation(
    network: Continued,
    encoder: TextEncoder,
    held_out: TokenStream,
    runtime: Runtime,
    bptt: int,
) -> Callable[[], tuple[float, float]]:
    """Return a function that measures loss and score on held-out text."""
    n_streams = min(_HELD_OUT_STREAMS, max(1, len(held_out) // _HELD_OUT_TOKENS))
    batches = StreamBatches(
        held_out.ids,
        encoder.end_id,
        batch_size=n_streams,
        bptt=bptt,
        device=runtime.device,
    )

    @torch.no_grad()
    def validate() -> tuple[float, float]:
        network.eval()
        total = sum(
            network(*inputs).nll(target).double().sum() for inputs, target, _ in batches
        )
        loss = float(total) / batches.n_tokens
        return loss, -loss

    return validate


def split_texts(
    texts: list[str] | TextStream, fraction: float, seed: int
) -> tuple[list[str] | TextStream, list[str] | TextStream]:
    """Hold out some documents, or of a single one its end.

    Documents keep their order, since a stream may be a text line by line.
    """
    if isinstance(texts, TextStream):
        return texts.parted(fraction, seed)
    if len(texts) == 1:
        text = texts[0]
        cut = text.rfind(" ", 0, max(1, round(len(text) * (1 - fraction))))
        if cut < 1 or not text[cut:].strip():
            raise ValueError(
                "early_stopping=True needs text to hold out, but X is one document of "
                f"{len(text)} characters; give more, or X_val."
            )
        return [text[:cut]], [text[cut:]]
    n_held_out = min(len(texts) - 1, max(1, round(fraction * len(texts))))
    chosen = np.random.RandomState(seed).permutation(len(texts))[:n_held_out]
    held_out = np.zeros(len(texts), dtype=bool)
    held_out[chosen] = True
    training = [t for t, out in zip(texts, held_out, strict=True) if not out]
    return training, [t for t, out in zip(texts, held_out, strict=True) if out]
