"""The encoder that an estimator's parameters describe."""

from typing import Any

from skdl.data.analyzers import WORDS_AND_MARKS, resolve_analyzer
from skdl.data.text import TextEncoder, TokenStream
from skdl.data.text_streams import TextStream, encoded_stream, fitted_stream


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


def encoded(
    encoder: TextEncoder, texts: list[str] | TextStream, *, fit: bool = False
) -> TokenStream:
    """Return the ids of texts; with `fit` the vocabulary is learned first."""
    if isinstance(texts, TextStream):
        return (fitted_stream if fit else encoded_stream)(encoder, texts)
    return encoder.fit_transform(texts) if fit else encoder.transform(texts)
