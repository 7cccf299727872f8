"""The range test of an estimator or a pipeline: what `lr_find` and its picture run."""

import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline

from skdl.estimators.core.auto_lr import DEFAULT_SUGGESTION
from skdl.estimators.core.checks import is_count, is_number
from skdl.estimators.core.network_estimator import NetworkEstimator
from skdl.estimators.core.user_warnings import warn_user
from skdl.training import range_test


@dataclass(frozen=True)
class LRSweep:
    """What a range test found; `skdl.LRFindResult` describes the attributes."""

    lrs: np.ndarray = field(repr=False)
    losses: np.ndarray = field(repr=False)
    smoothed_losses: np.ndarray = field(repr=False)
    suggestions: dict[str, float]
    suggested_by: str

    @property
    def suggestion(self) -> float:
        """The rate to use."""
        return self.suggestions[self.suggested_by]


def sweep_estimator(
    estimator: Any,
    X: Any,
    y: Any = None,
    *,
    sample_weight: Any = None,
    min_lr: float = 1e-7,
    max_lr: float = 10.0,
    num_iter: int = 100,
    suggest: str = DEFAULT_SUGGESTION,
    random_state: int | np.random.RandomState | None = None,
) -> LRSweep:
    """Run the range test on a copy; `skdl.lr_find` describes the parameters."""
    _check_range(min_lr, max_lr, num_iter, suggest)
    final, X = _network_and_inputs(estimator, X, y)
    if random_state is not None:
        final.set_params(random_state=random_state)
    curve = final._sweep_lr(
        X, y, sample_weight, min_lr=min_lr, max_lr=max_lr, num_iter=num_iter
    )
    if len(curve.losses) < 2:
        raise ValueError(
            f"The loss is not finite at min_lr={min_lr:g} already; lower min_lr, or "
            "check the data and the network for overflow."
        )
    smoothed = curve.smoothed()
    for doubt in range_test.doubts(curve.lrs, smoothed, num_iter):
        warn_user(f"The suggestion of lr_find may be off: {doubt}.", ConvergenceWarning)
    suggestions = range_test.suggest(curve.lrs, smoothed)
    return LRSweep(curve.lrs, curve.losses, smoothed, suggestions, suggest)


def _check_range(min_lr: float, max_lr: float, num_iter: int, suggest: str) -> None:
    if not (is_number(min_lr) and is_number(max_lr) and 0 < min_lr < max_lr):
        raise ValueError(
            "min_lr must be positive and below max_lr, both finite numbers, got "
            f"min_lr={min_lr!r} and max_lr={max_lr!r}."
        )
    if not is_count(num_iter) or num_iter < 10:
        raise ValueError(
            f"num_iter must be at least 10, got {num_iter!r}: it counts steps."
        )
    if not isinstance(suggest, str) or suggest not in range_test.SUGGESTIONS:
        raise ValueError(
            f"suggest must be one of {sorted(range_test.SUGGESTIONS)}, got {suggest!r}."
        )


def _network_and_inputs(estimator: Any, X: Any, y: Any) -> tuple[NetworkEstimator, Any]:
    """Return a copy of the estimator with the network, and what goes into it."""
    if isinstance(estimator, BaseSearchCV):  # fitted: with the best parameters
        estimator = getattr(estimator, "best_estimator_", estimator.estimator)
    if isinstance(estimator, Pipeline):
        _check_network(estimator.steps[-1][1], "the last step of the Pipeline")
        if len(estimator.steps) > 1:
            X = clone(estimator[:-1]).fit_transform(X, y)
        estimator = estimator.steps[-1][1]
    _check_network(estimator, "the estimator")
    keeps_weights = estimator.warm_start and estimator.__sklearn_is_fitted__()
    return (copy.deepcopy(estimator) if keeps_weights else clone(estimator)), X


def _check_network(estimator: Any, what: str) -> None:
    if not isinstance(estimator, NetworkEstimator):
        advice = ""
        if isinstance(estimator, TransformedTargetRegressor):
            advice = " Give its regressor, with y as that is given it."
        raise TypeError(
            f"lr_find needs an estimator of skdl, or a Pipeline or search of one, but "
            f"{what} is {type(estimator).__name__}, which has no network to sweep."
            f"{advice}"
        )
