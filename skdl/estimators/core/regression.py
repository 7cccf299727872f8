"""What makes an estimator a regressor: its parameters, methods and target."""

from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils._param_validation import Interval, StrOptions

from skdl.estimators.core.constructor import parameters
from skdl.estimators.core.rows import Rows
from skdl.estimators.core.targets import (
    RealTarget,
    check_real_y,
)
from skdl.estimators.core.wrong_names import answers_names
from skdl.training.objectives import (
    REGRESSION_OBJECTIVES,
    Objective,
)


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


class RegressorTask(RegressorMixin):
    """Regression on one or many targets."""

    _score_name = "R^2"

    @answers_names
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None):
        """Train for one epoch on these samples, going on from the present state.

        Scales of inputs and target, missing values and categories go on being learned.
        The learning rate is constant: `lr`, or after `fit`, so as not to undo it, `lr`
        times the mean of `schedule` over its last quarter, .087 for "one_cycle", until
        `lr` is set anew. The optimizer's state is kept.

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

    @answers_names
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
        # Of columns of numbers a family for pictures makes little.
        tags.regressor_tags.poor_score = getattr(self, "_wants_pictures", False)
        return tags

    def _check_target(self, y: Any) -> np.ndarray:
        y = check_real_y(y, type(self).__name__)
        if self.loss == "poisson" and (y < 0).any():
            raise ValueError(
                "loss='poisson' needs targets that are not negative, got values from "
                f"{y.min():g} to {y.max():g}."
            )
        return y

    def _new_target(
        self, rows: Rows, classes: Any, *, more_to_come: bool = False
    ) -> RealTarget:
        if self.loss == "poisson" and not (more_to_come or (rows.y > 0).any()):
            raise ValueError(
                "loss='poisson' needs targets that are not all zero, got nothing but "
                "zeros; their mean has no logarithm."
            )
        return RealTarget(REGRESSION_OBJECTIVES[self.loss].target_scaling)

    def _new_objective(self, target: RealTarget) -> Objective:
        options = {"quantile": self.quantile} if self.loss == "quantile" else {}
        return REGRESSION_OBJECTIVES[self.loss](target.n_outputs, **options)
