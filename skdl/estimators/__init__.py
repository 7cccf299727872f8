"""What users call; scikit-learn's conventions live here and only here."""

from skdl.estimators.dense import NeuralClassifier, NeuralRegressor

__all__ = ["NeuralClassifier", "NeuralRegressor"]
