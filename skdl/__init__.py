"""Deep learning that fits scikit-learn."""

from skdl._version import __version__
from skdl.estimators import NeuralClassifier, NeuralRegressor

__all__ = ["NeuralClassifier", "NeuralRegressor", "__version__"]
