"""A small network from a slow model: what the model says is what the network learns."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.model_selection import ShuffleSplit, cross_val_predict
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing, check_consistent_length
from sklearn.utils.validation import has_fit_parameter

from skdl.estimators import EntityEmbeddingClassifier, EntityEmbeddingRegressor
from skdl.estimators.core.classification import ClassifierTask
from skdl.estimators.tables.cross_fitted import CrossFittedEstimator
from skdl.estimators.tables.cross_fitting import shuffled_cv

# Probabilities below are not learned by students to whom each one is a row.
_LEAST = 0.01
# What the default student is: small, since it is to be fast, with one kind of vectors
# of numbers instead of two; without dropout, since what others predict is hardly
# learned by heart.
_SMALL = {
    "hidden_layer_sizes": (128, 128),
    "dropout": 0.0,
    "numeric_embedding": "piecewise",
}
_HELD_OUT = 0.1


def distill(
    teacher: BaseEstimator,
    X: Any,
    y: Any,
    student: BaseEstimator | None = None,
    *,
    cv: Any = 5,
    label_share: float = 0.5,
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
        What learns. None is one small network, an `EntityEmbeddingClassifier` or
        `EntityEmbeddingRegressor` with two layers of 128 units and no dropout that a
        tenth of the rows stops. A classifier that is not skdl's must take
        `sample_weight`. The steps of a Pipeline before the last one learn from X and y.
    cv : int, splitter or iterable, default=5
        Folds out of which the teacher predicts; those of a number are shuffled.
    label_share : float, default=0.5
        How much the labels count beside the teacher's predictions, from 0 to 1. From
        one half on the label is the most probable class of its row, so that the
        teacher's mistakes are not learned.
    n_jobs : int, default=None
        Folds that are fitted at a time, see scikit-learn.
    random_state : int, default=None
        For the folds, and the default student.

    Returns
    -------
    estimator
        The fitted student: it predicts, is saved and exported as any other. It has no
        `oof_score_` and predicts no intervals or sets, for which it would have to be
        measured against what was observed.

    Raises
    ------
    TypeError
        If the teacher is a classifier without probabilities, or the student is of the
        other kind, a search, or takes no weights.
    ValueError
        If y has several columns, or `label_share` is out of range.

    Notes
    -----
    skdl's classifiers learn by the cross-entropy to the probabilities (Hinton et al.
    2015, arXiv 1503.02531); for others a row is several rows, one for each class that
    the teacher deems possible, weighted by its probability, which is the same loss.
    Predictions out of fold do not know the labels of their rows, so that the network
    does not learn a forest's memory.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from skdl import NeuralClassifier, distill
    >>> X, y = load_iris(return_X_y=True)
    >>> small = NeuralClassifier(hidden_layer_sizes=16, max_epochs=60, random_state=0)
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
    if student is not None:
        _check_student(student, classes)
    seed = random_state
    if seed is None:  # splitters would draw from NumPy's global generator
        seed = np.random.RandomState().randint(2**31 - 1)
    folds = shuffled_cv(cv, y, classifier=classes, random_state=seed)
    how = "predict_proba" if classes else "predict"
    said = cross_val_predict(teacher, X, y, cv=folds, method=how, n_jobs=n_jobs)
    student = _default(classes, seed) if student is None else clone(student)
    network, X = _with_steps_done(student, X, y)
    if classes:
        _teach_classes(network, X, y, said, label_share)
    else:
        network.fit(X, label_share * y + (1 - label_share) * said)
    if isinstance(network, CrossFittedEstimator):
        network._forget_scores()
    return student


def _check_student(student: Any, classes: bool) -> None:
    """Refuse what cannot learn what a teacher says.

    Raises
    ------
    TypeError
        If it is of the other kind, takes no weights or is a search.
    """
    name = type(student).__name__
    if classes != is_classifier(student):
        kinds = ("classifier", "regressor") if classes else ("regressor", "classifier")
        raise TypeError(
            f"teacher is a {kinds[0]}, so that student must be one too; {name} is a "
            f"{kinds[1]} or neither."
        )
    student = _last(student)
    if not classes or isinstance(student, ClassifierTask):
        return
    if hasattr(student, "refit"):
        raise TypeError(
            f"student must not be a search such as {name}: its folds would hold copies "
            "of the same rows, with other labels. Search on X and y first, and give "
            "what it finds best."
        )
    if not has_fit_parameter(student, "sample_weight"):
        raise TypeError(
            "student must take sample_weight in fit, by which it learns probabilities, "
            f"and {type(student).__name__} does not. Classifiers of skdl need none."
        )


def _last(student: Any) -> Any:
    """Return what predicts in a student, which may be a Pipeline."""
    return _last(student[-1]) if isinstance(student, Pipeline) else student


def _with_steps_done(student: Any, X: Any, y: np.ndarray) -> tuple[Any, Any]:
    """Fit what comes before the last step of a Pipeline on the labels.

    Returns
    -------
    last : estimator
        The last step, or the student itself; not fitted.
    X : array-like
        The rows as it gets them.
    """
    while isinstance(student, Pipeline):
        before = student[:-1]
        if len(before):
            X = before.fit_transform(X, y)
        student.steps[:-1] = before.steps  # other objects where they are cached
        student = student[-1]
    return student, X


def _default(classes: bool, random_state: int) -> Any:
    """Return the student that learns where none is given."""
    kind = EntityEmbeddingClassifier if classes else EntityEmbeddingRegressor
    return kind(
        **_SMALL,
        validation=ShuffleSplit(1, test_size=_HELD_OUT, random_state=random_state),
        random_state=random_state,
    )


def _teach_classes(
    student: Any, X: Any, y: np.ndarray, said: np.ndarray, label_share: float
) -> None:
    """Fit a classifier to probabilities and labels."""
    known, codes = np.unique(y, return_inverse=True)
    target = (1 - label_share) * said
    target[np.arange(len(y)), codes] += label_share
    if isinstance(student, ClassifierTask):
        student._fit_probabilities(X, target, known)
        return
    rows, columns = np.nonzero(target >= _LEAST)
    copies = _safe_indexing(X, rows)
    student.fit(copies, known[columns], sample_weight=target[rows, columns])
