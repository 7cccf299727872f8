"""A small network from a slow model: what the model says is what the network learns."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.model_selection import cross_val_predict
from sklearn.utils import _safe_indexing, check_consistent_length

from skdl.estimators import EntityEmbeddingClassifier, EntityEmbeddingRegressor
from skdl.estimators.tables.cross_fitted import CrossFittedEstimator
from skdl.estimators.tables.cross_fitting import shuffled_cv
from skdl.estimators.tables.validation import folds_for

# Probabilities below are not learned: each one is a row.
_LEAST = 0.01


def distill(
    teacher: BaseEstimator,
    X: Any,
    y: Any,
    student: BaseEstimator | None = None,
    *,
    cv: Any = 5,
    label_share: float = 0.3,
    n_jobs: int | None = None,
    random_state: int | None = None,
) -> Any:
    """Return a network that has learned what a slow model says of rows it has not seen.

    Parameters
    ----------
    teacher : classifier with `predict_proba`, or regressor
        Any of scikit-learn's kind: a stack, a forest of gigabytes, a foundation model.
        Clones of it are fitted on the folds.
    X : DataFrame or array-like of shape (n_samples, n_features)
        Training rows.
    y : array-like of shape (n_samples,)
        Labels or targets.
    student : estimator, default=None
        What learns, with `sample_weight` where there are classes. None is an
        `EntityEmbeddingClassifier` or `EntityEmbeddingRegressor`.
    cv : int, splitter or iterable, default=5
        Folds out of which the teacher predicts; those of a number are shuffled.
    label_share : float, default=0.3
        How much the labels count beside the teacher's predictions, from 0 to 1.
    n_jobs : int, default=None
        Folds that are fitted at a time, see scikit-learn.
    random_state : int, default=None
        For the folds, and the default student.

    Returns
    -------
    estimator
        The fitted student: it predicts, is saved and exported as any other.

    Raises
    ------
    TypeError
        If the teacher is a classifier without probabilities.
    ValueError
        If y has several columns, or `label_share` is out of range.

    Notes
    -----
    A row is learned as several, one for each class that the teacher deems possible,
    weighted by its probability, which is the cross-entropy to the probabilities
    (Hinton et al. 2015, arXiv 1503.02531). Predictions out of fold do not know the
    labels of their rows, so that the network does not learn a forest's memory.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from skdl import NeuralClassifier, distill
    >>> X, y = load_iris(return_X_y=True)
    >>> small = NeuralClassifier(hidden_layer_sizes=16, max_epochs=20, random_state=0)
    >>> forest = RandomForestClassifier(20, random_state=0)
    >>> distill(forest, X, y, small, cv=3, random_state=0).score(X, y) > 0.9
    True
    """
    y = np.asarray(y)
    if y.ndim != 1:
        raise ValueError(f"y must be one column of labels or targets, got {y.shape}.")
    if not 0 <= label_share <= 1:
        raise ValueError(f"label_share must be from 0 to 1, got {label_share!r}.")
    check_consistent_length(X, y)
    classes = is_classifier(teacher)
    if classes and not hasattr(teacher, "predict_proba"):
        raise TypeError(
            f"teacher must have predict_proba, which {type(teacher).__name__} has not: "
            "wrap it in sklearn.calibration.CalibratedClassifierCV."
        )
    folds = shuffled_cv(cv, y, classifier=classes, random_state=random_state)
    how = "predict_proba" if classes else "predict"
    said = cross_val_predict(teacher, X, y, cv=folds, method=how, n_jobs=n_jobs)
    if student is None:
        kind = EntityEmbeddingClassifier if classes else EntityEmbeddingRegressor
        student = kind(random_state=random_state)
    student = clone(student)
    if not classes:
        return student.fit(X, label_share * y + (1 - label_share) * said)
    rows, labels, weight = _soft_rows(said, y, label_share)
    groups = {} if not _takes_groups(student) else {"groups": rows}
    copies = _safe_indexing(X, rows)
    return student.fit(copies, labels, sample_weight=weight, **groups)


def _takes_groups(student: Any) -> bool:
    """Tell whether a student holds out rows, whose copies groups keep together."""
    return (
        isinstance(student, CrossFittedEstimator) and folds_for(student, {}) is not None
    )


def _soft_rows(
    said: np.ndarray, y: np.ndarray, label_share: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rows, labels and weights that mean the same as probabilities."""
    known, codes = np.unique(y, return_inverse=True)
    weight = (1 - label_share) * said
    weight[np.arange(len(y)), codes] += label_share
    rows, columns = np.nonzero(weight >= _LEAST)
    return rows, known[columns], weight[rows, columns]
