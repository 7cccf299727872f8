"""NeuralClassifier and NeuralRegressor: networks on numbers and pictures."""

from dataclasses import dataclass

from skdl.estimators.core.docs import fill_docstring
from skdl.estimators.core.tasks import ClassifierTask, RegressorTask
from skdl.estimators.pictures.image import PictureEstimator


@fill_docstring
@dataclass(kw_only=True, eq=False, repr=False)
class NeuralClassifier(ClassifierTask, PictureEstimator):
    """Classifier with a neural network: binary, multiclass and multilabel.

    Labels may be of any kind: strings, integers, booleans, or a matrix of label
    indicators. Inputs are scaled and missing values filled inside.

    Parameters
    ----------
    {dense}
    {pictures}
    {classifier}
    {training}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted; for label indicators the numbers of the columns.
    {fitted}

    See Also
    --------
    NeuralRegressor : The same for real targets.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skdl import NeuralClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = NeuralClassifier(random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.95
    True
    >>> model.predict_proba(X[:2]).shape
    (2, 3)
    """

    _parameter_constraints = {
        **PictureEstimator._parameter_constraints,
        **ClassifierTask._task_constraints,
    }


@fill_docstring
@dataclass(kw_only=True, eq=False, repr=False)
class NeuralRegressor(RegressorTask, PictureEstimator):
    """Regressor with a neural network, for one or many targets.

    Inputs are scaled and missing values filled inside, targets are standardised.

    Parameters
    ----------
    {dense}
    {pictures}
    {regressor}
    {training}

    Attributes
    ----------
    {fitted}

    See Also
    --------
    NeuralClassifier : The same for classes.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skdl import NeuralRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = NeuralRegressor(random_state=0).fit(X, y)
    >>> model.predict(X[:3]).shape
    (3,)
    """

    _parameter_constraints = {
        **PictureEstimator._parameter_constraints,
        **RegressorTask._task_constraints,
    }
