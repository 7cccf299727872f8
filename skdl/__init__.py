"""Deep learning that fits scikit-learn."""

from skdl._version import __version__
from skdl.display import (
    EmbeddingDisplay,
    LRFindDisplay,
    ScheduleDisplay,
    TrainingDisplay,
)
from skdl.estimators import (
    EmbeddingTransformer,
    EntityEmbeddingClassifier,
    EntityEmbeddingRegressor,
    NeuralClassifier,
    NeuralRegressor,
)
from skdl.lr_find import LRFindResult, lr_find

__all__ = [
    "EmbeddingDisplay",
    "EmbeddingTransformer",
    "EntityEmbeddingClassifier",
    "EntityEmbeddingRegressor",
    "LRFindDisplay",
    "LRFindResult",
    "NeuralClassifier",
    "NeuralRegressor",
    "ScheduleDisplay",
    "TrainingDisplay",
    "__version__",
    "lr_find",
]
