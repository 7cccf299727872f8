"""What is told of a language model's training: perplexities and speeds."""

import math
from typing import Any

import pandas as pd

from skdl.training.loop import EpochRecord


def progress_details(record: EpochRecord, n_tokens: int) -> list[str]:
    """Return what the progress line shows of an epoch of `n_tokens`."""
    seconds = record.training_seconds or record.seconds
    shown = [f"perplexity {_perplexity(record.loss):.1f}"]
    if record.validation_loss is not None:
        shown = [f"validation perplexity {_perplexity(record.validation_loss):.1f}"]
    return [*shown, f"{n_tokens / max(seconds, 1e-9):,.0f} tokens/s"]


def _perplexity(loss: float) -> float:
    return math.exp(min(loss, 700.0))


def language_history(records: list[EpochRecord], n_tokens: int) -> list[dict[str, Any]]:
    """Return the records of a training with perplexities and tokens a second."""
    history = pd.DataFrame([record.as_row() for record in records])
    training = "training_seconds" if "training_seconds" in history else "seconds"
    history["perplexity"] = history["loss"].map(_perplexity)
    history["tokens_per_second"] = n_tokens / history[training].clip(lower=1e-9)
    if "validation_loss" in history:
        history["validation_perplexity"] = history["validation_loss"].map(_perplexity)
    return history.to_dict("records")
