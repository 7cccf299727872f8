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
    SurpriseDisplay,
    TrainingDisplay,
    model_summary,
)
from skdl.distillation import distill
from skdl.estimators import (
    EmbeddingTransformer,
    EntityEmbeddingClassifier,
    EntityEmbeddingRegressor,
    FineTuning,
    ImageClassifier,
    ImageRegressor,
    NeuralClassifier,
    NeuralRegressor,
    TextClassifier,
    TextLM,
    TextOutlierDetector,
    TextRegressor,
)
from skdl.export import onnx_inputs, to_onnx
from skdl.lr_find import LRFindResult, lr_find
from skdl.packed_search import PackedSearchCV
from skdl.persistence import TRUSTED_TYPES, load, save, show_versions
from skdl.predict_to_parquet import predict_to_parquet
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
    "PackedSearchCV",
    "ScheduleDisplay",
    "TRUSTED_TYPES",
    "SearchSpace",
    "SurpriseDisplay",
    "TextClassifier",
    "TextLM",
    "TextOutlierDetector",
    "TextRegressor",
    "TrainingDisplay",
    "__version__",
    "datasets",
    "distill",
    "load",
    "lr_find",
    "model_summary",
    "onnx_inputs",
    "predict_to_parquet",
    "save",
    "show_versions",
    "to_onnx",
    "search_spaces",
]
