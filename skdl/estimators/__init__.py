"""Estimators: what a user calls."""

from skdl.estimators.embedding import (
    EntityEmbeddingClassifier,
    EntityEmbeddingRegressor,
)
from skdl.estimators.neural import NeuralClassifier, NeuralRegressor
from skdl.estimators.text import TextLM
from skdl.estimators.transformer import EmbeddingTransformer

__all__ = [
    "EmbeddingTransformer",
    "EntityEmbeddingClassifier",
    "EntityEmbeddingRegressor",
    "NeuralClassifier",
    "NeuralRegressor",
    "TextLM",
]
