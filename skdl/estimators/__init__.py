"""Estimators: what a user calls."""

from skdl.estimators.core.fine_tuning import FineTuning
from skdl.estimators.pictures.image_classifier import ImageClassifier
from skdl.estimators.pictures.image_regressor import ImageRegressor
from skdl.estimators.tables.entity_embedding_classifier import (
    EntityEmbeddingClassifier,
)
from skdl.estimators.tables.entity_embedding_regressor import EntityEmbeddingRegressor
from skdl.estimators.tables.neural_classifier import NeuralClassifier
from skdl.estimators.tables.neural_regressor import NeuralRegressor
from skdl.estimators.tables.transformer import EmbeddingTransformer
from skdl.estimators.text.text_classifier import TextClassifier
from skdl.estimators.text.text_lm import TextLM
from skdl.estimators.text.text_outlier_detector import TextOutlierDetector
from skdl.estimators.text.text_regressor import TextRegressor

__all__ = [
    "EmbeddingTransformer",
    "EntityEmbeddingClassifier",
    "EntityEmbeddingRegressor",
    "FineTuning",
    "ImageClassifier",
    "ImageRegressor",
    "NeuralClassifier",
    "NeuralRegressor",
    "TextClassifier",
    "TextLM",
    "TextOutlierDetector",
    "TextRegressor",
]
