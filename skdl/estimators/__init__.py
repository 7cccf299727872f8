"""Estimators: what a user calls."""

from skdl.estimators.tables.embedding import (
    EntityEmbeddingClassifier,
    EntityEmbeddingRegressor,
)
from skdl.estimators.tables.neural import NeuralClassifier, NeuralRegressor
from skdl.estimators.tables.transformer import EmbeddingTransformer
from skdl.estimators.text.text_lm import TextLM

__all__ = [
    "EmbeddingTransformer",
    "EntityEmbeddingClassifier",
    "EntityEmbeddingRegressor",
    "NeuralClassifier",
    "NeuralRegressor",
    "TextLM",
]
