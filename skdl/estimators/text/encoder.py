"""The encoder that an estimator's parameters describe."""

from typing import Any

from skdl.data.analyzers import WORDS_AND_MARKS, resolve_analyzer
from skdl.data.text import TextEncoder


def new_encoder(settings: Any) -> TextEncoder:
    """Return the encoder that an estimator's parameters describe, not yet fitted."""
    pattern = settings.token_pattern
    analyzer = resolve_analyzer(
        settings.analyzer,
        token_pattern=WORDS_AND_MARKS if pattern == "auto" else pattern,
        min_frequency=settings.min_frequency,
        max_vocab=settings.max_vocab,
    )
    return TextEncoder(
        analyzer,
        lowercase=settings.lowercase,
        min_frequency=1 if settings.analyzer == "bpe" else settings.min_frequency,
        max_vocab=settings.max_vocab,
    )
