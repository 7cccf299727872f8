"""The encoder that a TextLM's parameters describe."""

from typing import Any

from skdl.data.analyzers import resolve_analyzer
from skdl.data.text import TextEncoder


def new_encoder(settings: Any) -> TextEncoder:
    """Return the encoder that a TextLM's parameters describe, not yet fitted."""
    analyzer = resolve_analyzer(
        settings.analyzer,
        token_pattern=settings.token_pattern,
        min_frequency=settings.min_frequency,
        max_vocab=settings.max_vocab,
    )
    return TextEncoder(
        analyzer,
        lowercase=settings.lowercase,
        min_frequency=1 if settings.analyzer == "bpe" else settings.min_frequency,
        max_vocab=settings.max_vocab,
    )
