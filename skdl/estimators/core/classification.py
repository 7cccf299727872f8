"""What makes an estimator a classifier: its parameters, methods and target."""

from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils._param_validation import Interval, StrOptions

from skdl.estimators.core.class_weight import check_class_weight, weights_of_rows
from skdl.estimators.core.constructor import parameters
from skdl.estimators.core.inputs import plain
from skdl.estimators.core.labels import check_class_y, check_classes
from skdl.estimators.core.rows import Rows, moderate
from skdl.estimators.core.targets import (
    ClassTarget,
)
from skdl.estimators.core.wrong_names import answers_names
from skdl.training.objectives import (
    BinaryCrossEntropy,
    CrossEntropy,
    Objective,
)


@parameters
class ClassWeightParameter:
    """How classes are weighed.

    Parameters
    ----------
    class_weight : dict, "balanced" or None
        Weights of the classes; "balanced" makes them count alike, by the training rows
        of all calls so far. They multiply `sample_weight`. Not for label indicators.
    """

    class_weight: dict | str | None = None

    _constraints = {"class_weight": [StrOptions({"balanced"}), dict, None]}


@parameters
class ClassifierParameters(ClassWeightParameter):
    """What classifiers that are networks can be told.

    Parameters
    ----------
    label_smoothing : float
        Share of each target that is spread evenly over all classes, in [0, 1) (Szegedy
        et al. 2016, arXiv 1512.00567, section 7).
    """

    label_smoothing: float = 0.0

    _constraints = {"label_smoothing": [Interval(Real, 0, 1, closed="left")]}


class Classification(ClassifierMixin):
    """Binary, multiclass and multilabel classification.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted; for label indicators the numbers of the columns.
    """

    _score_name = "accuracy"

    # While a fit learns from probabilities: the classes whose they are.
    _soft_classes: np.ndarray | None = None

    def _fit_probabilities(self, X: Any, probabilities: np.ndarray, classes: Any):
        """Fit with probabilities of the classes (n, K) in place of labels.

        The loss is the cross-entropy to them, scores are those of the most probable
        classes. What is fitted takes labels from then on, as any other.
        """
        self._soft_classes = np.asarray(classes)
        try:
            self.fit(X, probabilities)  # type: ignore[attr-defined]
        finally:
            vars(self).pop("_soft_classes", None)
            if "_target" in vars(self):
                self._target.harden()
        return self

    @answers_names
    def predict(self, X: Any) -> np.ndarray:
        """Predict labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            The most probable label, or indicators of the labels whose probability is
            above one half.
        """
        output = self._predict_output(X)
        return self._target.decode(output)

    @answers_names
    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            float64, in the order of `classes_`; each row sums to one. For label
            indicators, the probability of each label by itself.
        """
        return self._predict_output(X)

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Predict logarithms of probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            float64; a probability that underflows counts as the smallest number.
        """
        probabilities = self._predict_output(X)
        return np.log(np.maximum(probabilities, np.finfo(np.float64).tiny))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _check_parameters(self) -> None:
        super()._check_parameters()  # type: ignore[misc]
        check_class_weight(self.class_weight)

    def _check_target(self, y: Any) -> np.ndarray:
        return check_class_y(y) if self._soft_classes is None else y

    def _new_target(
        self, rows: Rows, classes: Any, *, more_to_come: bool = False
    ) -> ClassTarget:
        soft = self._soft_classes
        if soft is not None:
            return ClassTarget(rows.y, soft, soft=True)
        target = ClassTarget(rows.y, classes)
        if not target.multilabel and target.n_outputs < 2:
            raise ValueError(
                f"{type(self).__name__} needs samples of at least 2 classes, but the "
                f"data holds only one class: {target.classes[0]!r}."
            )
        if target.multilabel and self.class_weight is not None:
            raise ValueError(
                "class_weight is not defined for label indicators; use sample_weight."
            )
        return target

    def _new_objective(self, target: ClassTarget) -> Objective:
        kind = BinaryCrossEntropy if target.multilabel else CrossEntropy
        return kind(target.n_outputs, self.label_smoothing)

    def _weigh(self, rows: Rows, target: ClassTarget) -> Rows:
        if self.class_weight is None:
            return rows
        if isinstance(self.class_weight, str):  # "balanced"
            weight = target.balanced_weight(rows.y)
        else:
            labels = target.labels(rows.y)
            weight = weights_of_rows(self.class_weight, labels, target.classes)
        if rows.weight is not None:
            weight = weight * rows.weight
        return Rows(rows.X, rows.y, moderate(weight), score_weight=rows.score_weight)

    def _strata(self, y: np.ndarray) -> np.ndarray | None:
        return y if y.ndim == 1 else None

    def _task_attributes(self, target: ClassTarget) -> dict[str, Any]:
        return {"classes_": target.classes}


class ClassifierTask(Classification):
    """Classification that goes on with more samples, call by call."""

    @answers_names
    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ):
        """Train for one epoch on these samples, going on from the present state.

        Scales, missing values, categories and the counts of classes go on being
        learned. The learning rate is constant: `lr`, or after `fit`, so as not to undo
        it, `lr` times the mean of `schedule` over its last quarter, .087 for
        "one_cycle", until `lr` is set anew. The optimizer's state is kept.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Labels.
        classes : array-like of shape (n_classes,), default=None
            All labels that will ever come; needed in the first call, not used for
            label indicators.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        self : estimator
            The fitted estimator.
        """
        self._check_parameters()
        fitted = self.__sklearn_is_fitted__()
        if classes is None and not fitted and np.ndim(plain(y)) < 2:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        if classes is not None:
            classes = check_classes(classes)
            if fitted and not np.array_equal(classes, self.classes_):
                raise ValueError(
                    f"classes={classes.tolist()} is not the same as in the first call "
                    f"to partial_fit: {self.classes_.tolist()}."
                )
        return self._partial_fit(X, y, sample_weight, classes)
