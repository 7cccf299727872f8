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
from skdl.search_spaces import SearchSpace, search_spaces

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
    "SearchSpace",
    "TextLM",
    "TrainingDisplay",
    "__version__",
    "datasets",
    "lr_find",
    "search_spaces",
]
