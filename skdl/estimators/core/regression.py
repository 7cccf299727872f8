"""What makes an estimator a regressor: its parameters, methods and target."""

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
import torch
from sklearn.base import RegressorMixin
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils._param_validation import Interval, StrOptions

from skdl.estimators.core.constructor import parameters
from skdl.estimators.core.inputs import plain
from skdl.estimators.core.labels import labels_as_given
from skdl.estimators.core.quantiles import QuantileTarget, several
from skdl.estimators.core.rows import Rows
from skdl.estimators.core.targets import (
    RealTarget,
    check_real_y,
)
from skdl.estimators.core.wrong_names import answers_names
from skdl.training.objectives import (
    REGRESSION_OBJECTIVES,
    Objective,
    Quantiles,
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
    quantile : float or sequence of float
        The quantile that ``loss="quantile"`` predicts, in (0, 1); or several in rising
        order such as ``[0.05, 0.5, 0.95]``, of one target, by one network: `predict`
        then has a column for each, none crosses another, and `score` is D^2 of the
        pinball loss.
    """

    loss: str = "squared_error"
    quantile: float | Sequence[float] = 0.5

    _constraints = {
        "loss": [StrOptions(set(REGRESSION_OBJECTIVES))],
        "quantile": [Interval(Real, 0, 1, closed="neither"), "array-like"],
    }


class Regression(RegressorMixin):
    """Regression on one or many targets."""

    _score_name = "R^2"

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
            float64: means, medians, quantiles or expected counts, as `loss` has it; of
            several quantiles (n_samples, n_quantiles).
        """
        output = self._predict_output(X)
        return self._target.decode(output)

    @answers_names
    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R^2 of the predictions; of several quantiles D^2.

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
        float
            1 at best, 0 for what is no better than constants. D^2 is the mean over the
            quantiles of the share by which the pinball loss is lower than that of the
            best constant (compare `sklearn.metrics.d2_pinball_score`).
        """
        if not isinstance(getattr(self, "_target", None), QuantileTarget):
            return super().score(X, y, sample_weight)
        output = self._predict_output(X)
        y = self._check_target(column_or_1d(labels_as_given(plain(y))))
        check_consistent_length(output, y, sample_weight)
        weight = None
        if sample_weight is not None:
            weight = torch.from_numpy(np.array(plain(sample_weight), dtype=np.float64))
        return self._target.score(
            torch.from_numpy(output), self._target.encode(y), weight
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        # Of columns of numbers a family for pictures makes little.
        tags.regressor_tags.poor_score = getattr(self, "_wants_pictures", False)
        return tags

    def _check_parameters(self) -> None:
        super()._check_parameters()  # type: ignore[misc]
        is_given = several(self.quantile) or self.quantile != 0.5
        if is_given and self.loss != "quantile":
            raise ValueError(
                f"quantile={self.quantile!r} is predicted with loss='quantile', but "
                f"the loss is {self.loss!r}: set loss='quantile', or leave quantile "
                "at 0.5."
            )

    def _check_target(self, y: Any) -> np.ndarray:
        y = check_real_y(y, type(self).__name__)
        if self._quantiles and y.ndim > 1:
            raise ValueError(
                f"Several quantiles are of one target, but y has {y.shape[1]} columns: "
                "fit one estimator for each column, or give one quantile."
            )
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
        if self._quantiles:
            return QuantileTarget(self._quantiles)
        return RealTarget(REGRESSION_OBJECTIVES[self.loss].target_scaling)

    @property
    def _quantiles(self) -> list[float] | None:
        """The quantiles to predict, where there are several."""
        return several(self.quantile) if self.loss == "quantile" else None

    def _new_objective(self, target: RealTarget) -> Objective:
        if isinstance(target, QuantileTarget):
            return Quantiles(target.quantiles)
        options = {"quantile": self.quantile} if self.loss == "quantile" else {}
        return REGRESSION_OBJECTIVES[self.loss](target.n_outputs, **options)


class RegressorTask(Regression):
    """Regression that goes on with more samples, call by call."""

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
