"""Tasks: what makes an estimator a classifier or a regressor."""

from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils import compute_sample_weight
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if

from skdl.estimators.core.constructor import parameters
from skdl.estimators.core.rows import Rows
from skdl.estimators.core.targets import (
    ClassTarget,
    RealTarget,
    check_class_y,
    check_real_y,
)
from skdl.training.objectives import (
    REGRESSION_OBJECTIVES,
    BinaryCrossEntropy,
    CrossEntropy,
    Objective,
)


@parameters
class ClassifierParameters:
    """What classifiers can be told.

    Parameters
    ----------
    class_weight : dict, "balanced" or None
        Weights of the classes; "balanced" makes them count alike. They multiply
        `sample_weight`. Not for label indicators.
    label_smoothing : float
        Share of each target that is spread evenly over all classes, in [0, 1) (Szegedy
        et al. 2016, arXiv 1512.00567, section 7).
    """

    class_weight: dict | str | None = None
    label_smoothing: float = 0.0

    _constraints = {
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
    }


@parameters
class RegressorParameters:
    """What regressors can be told.

    Parameters
    ----------
    loss : str
        "squared_error" (predicts means), "absolute_error" (medians), "huber" (squared
        up to one standard deviation of the target, absolute beyond), "quantile" or
        "poisson" (expected counts, through an exponential). Targets are standardised
        inside, for "poisson" only divided by their mean.
    quantile : float
        The quantile that ``loss="quantile"`` predicts, in (0, 1).
    """

    loss: str = "squared_error"
    quantile: float = 0.5

    _constraints = {
        "loss": [StrOptions(set(REGRESSION_OBJECTIVES))],
        "quantile": [Interval(Real, 0, 1, closed="neither")],
    }


def goes_on_in_parts(estimator: Any) -> bool:
    """Tell whether a network goes on with `partial_fit`; a family may raise."""
    return estimator._goes_on_in_parts()


class ClassifierTask(ClassifierMixin):
    """Binary, multiclass and multilabel classification.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted; for label indicators the numbers of the columns.
    """

    @available_if(goes_on_in_parts)
    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ):
        """Train for one epoch on these samples, going on from the present state.

        Scaling and the filling of missing values are learned in the first call; the
        learning rate is `lr` throughout; the optimizer's state is kept.

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
        if classes is None and not fitted and np.ndim(y) < 2:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        changed = fitted and classes is not None
        if changed and not np.array_equal(np.unique(classes), self.classes_):
            raise ValueError(
                f"classes={np.unique(classes).tolist()} is not the same as in the "
                f"first call to partial_fit: {self.classes_.tolist()}."
            )
        return self._partial_fit(X, y, sample_weight, classes)

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

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            float32, in the order of `classes_`. For label indicators, the probability
            of each label by itself.
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
            float32; a probability that underflows counts as the smallest number.
        """
        probabilities = self._predict_output(X)
        return np.log(np.maximum(probabilities, np.finfo(np.float32).tiny))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _check_target(self, y: Any) -> np.ndarray:
        return check_class_y(y)

    def _new_target(self, rows: Rows, classes: Any) -> ClassTarget:
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
        weight = compute_sample_weight(self.class_weight, rows.y)
        if rows.weight is not None:
            weight = weight * rows.weight
        return Rows(rows.X, rows.y, weight, score_weight=rows.score_weight)

    def _strata(self, y: np.ndarray) -> np.ndarray | None:
        return y if y.ndim == 1 else None

    def _task_attributes(self, target: ClassTarget) -> dict[str, Any]:
        return {"classes_": target.classes}


class RegressorTask(RegressorMixin):
    """Regression on one or many targets."""

    @available_if(goes_on_in_parts)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None):
        """Train for one epoch on these samples, going on from the present state.

        The scaling of inputs and targets is learned in the first call; the learning
        rate is `lr` throughout; the optimizer's state is kept.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        self : estimator
            The fitted estimator.
        """
        self._check_parameters()
        return self._partial_fit(X, y, sample_weight)

    def predict(self, X: Any) -> np.ndarray:
        """Predict targets.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            float64: means, medians, quantiles or expected counts, as `loss` has it.
        """
        output = self._predict_output(X)
        return self._target.decode(output)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _check_target(self, y: Any) -> np.ndarray:
        y = check_real_y(y)
        if self.loss == "poisson" and ((y < 0).any() or not (y > 0).any()):
            raise ValueError(
                "loss='poisson' needs targets that are not negative and not all zero, "
                f"got values from {y.min():g} to {y.max():g}."
            )
        return y

    def _new_target(self, rows: Rows, classes: Any) -> RealTarget:
        return RealTarget(REGRESSION_OBJECTIVES[self.loss].target_scaling)

    def _new_objective(self, target: RealTarget) -> Objective:
        options = {"quantile": self.quantile} if self.loss == "quantile" else {}
        return REGRESSION_OBJECTIVES[self.loss](target.n_outputs, **options)
