"""Deep learning that fits scikit-learn."""

from skdl import datasets
from skdl._version import __version__
from skdl.display import (
    ActivationMapDisplay,
    BpttDisplay,
    ConfusedPairsDisplay,
    EmbeddingDisplay,
    LRFindDisplay,
    MistakesDisplay,
    ScheduleDisplay,
    TrainingDisplay,
    model_summary,
)
from skdl.estimators import (
    EmbeddingTransformer,
    EntityEmbeddingClassifier,
    EntityEmbeddingRegressor,
    FineTuning,
    ImageClassifier,
    ImageRegressor,
    NeuralClassifier,
    NeuralRegressor,
    TextLM,
)
from skdl.lr_find import LRFindResult, lr_find

__all__ = [
    "ActivationMapDisplay",
    "BpttDisplay",
    "ConfusedPairsDisplay",
    "EmbeddingDisplay",
    "EmbeddingTransformer",
    "EntityEmbeddingClassifier",
    "EntityEmbeddingRegressor",
    "FineTuning",
    "ImageClassifier",
    "ImageRegressor",
    "LRFindDisplay",
    "LRFindResult",
    "MistakesDisplay",
    "NeuralClassifier",
    "NeuralRegressor",
    "ScheduleDisplay",
    "TextLM",
    "TrainingDisplay",
    "__version__",
    "datasets",
    "lr_find",
    "model_summary",
]
