"""Deep learning that fits scikit-learn."""

from skdl._version import __version__
from skdl.display import LRFindDisplay, ScheduleDisplay, TrainingDisplay
from skdl.estimators import NeuralClassifier, NeuralRegressor
from skdl.lr_find import LRFindResult, lr_find

__all__ = [
    "LRFindDisplay",
    "LRFindResult",
    "NeuralClassifier",
    "NeuralRegressor",
    "ScheduleDisplay",
    "TrainingDisplay",
    "__version__",
    "lr_find",
]
