"""How certain predictions of tables are: intervals of numbers, sets of classes."""

from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skdl.estimators.core.classification import ClassifierTask
from skdl.estimators.core.quantiles import QuantileTarget
from skdl.estimators.core.regression import RegressorTask
from skdl.estimators.core.wrong_names import answers_names
from skdl.estimators.tables.conformal import Conformal


class TableRegressorTask(RegressorTask):
    """Regression on tables."""

    @answers_names
    def predict_interval(self, X: Any, coverage: float = 0.9) -> np.ndarray:
        """Predict where a share of the targets lies.

        Each new row is predicted by the networks of every fold, and moved by what these
        were wrong by on the rows that they are blind to (CV+, Barber et al. 2021, arXiv
        1905.02928, section 3, with tails of one size), less what a training leaves to
        chance, which would count twice. The share holds in the mean over rows that are
        like those of `fit`, and not of each kind of row by itself. It does not hold for
        rows of another time: there ``validation="last"`` or a splitter by time measures
        how wrong predictions of later rows are. With ``loss="quantile"`` and several
        quantiles, those two are moved that are nearest to the ends (Romano et al. 2019,
        arXiv 1905.03222), so that intervals are longer where the target varies more.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.
        coverage : float, default=0.9
            Share of the targets that lie in their interval, in (0, 1).

        Returns
        -------
        ndarray of shape (n_samples, 2) or (n_samples, n_outputs, 2)
            Lower and upper ends; of several targets each by itself.

        Raises
        ------
        ValueError
            If the estimator was not fitted with folds as `validation`, or these held
            out too few rows for the coverage.

        Examples
        --------
        >>> from sklearn.datasets import load_diabetes
        >>> from skdl import NeuralRegressor
        >>> X, y = load_diabetes(return_X_y=True)
        >>> model = NeuralRegressor(validation=4, max_epochs=5, random_state=0)
        >>> low, high = model.fit(X[:400], y[:400]).predict_interval(X[400:]).T
        >>> bool(((low < y[400:]) & (y[400:] < high)).mean() > 0.8)
        True
        """
        known = _known(self, "predict_interval", coverage)
        each = self._predict_output(X, self._objective.each)  # (n, M, K)
        ends = [
            np.stack(known.interval(each, coverage, columns), axis=1)
            for columns in self._ends_of(each.shape[2], coverage)
        ]
        # (n, n_targets) of each end
        lower, upper = np.stack(ends, axis=1).transpose(2, 0, 1)
        both = [self._target.on_scale(end) for end in (lower, upper)]
        interval = np.stack(both, axis=-1)
        return interval[:, 0] if self._target.one_dimensional else interval

    def _ends_of(self, n_outputs: int, coverage: float) -> list[tuple[int, int]]:
        """Return of which outputs the ends of each target's interval are made."""
        if not isinstance(self._target, QuantileTarget):
            return [(k, k) for k in range(n_outputs)]
        tail, quantiles = (1 - coverage) / 2, np.array(self._target.quantiles)
        nearest = [int(np.abs(quantiles - end).argmin()) for end in (tail, 1 - tail)]
        return [(nearest[0], nearest[1])]


class TableClassifierTask(ClassifierTask):
    """Classification of tables."""

    @answers_names
    def predict_set(self, X: Any, coverage: float = 0.9) -> np.ndarray:
        """Predict sets of classes that hold the right one of a share of the rows.

        A class is left out where the networks of the folds find it less probable than
        they found the right classes of nearly all rows that they are blind to. These
        are the smallest sets of their coverage (Sadinle et al. 2019, arXiv 1609.00451),
        cross-fitted as in CV+ (Barber et al. 2021, arXiv 1905.02928). The share holds
        in the mean over rows that are like those of `fit`, and not of each class by
        itself: rare classes are covered less. No set is empty, so that where more
        predictions than `coverage` are right all sets hold one class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.
        coverage : float, default=0.9
            Share of the rows whose class is in their set, in (0, 1).

        Returns
        -------
        ndarray of bool, shape (n_samples, n_classes)
            Which classes are in the set, in the order of `classes_`.

        Raises
        ------
        ValueError
            If the estimator was not fitted with folds as `validation`, or on label
            indicators.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skdl import NeuralClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> model = NeuralClassifier(validation=4, max_epochs=9, random_state=0)
        >>> model.fit(X, y).predict_set(X[:2], coverage=0.95)
        array([[ True, False, False],
               [ True, False, False]])
        """
        known = _known(self, "predict_set", coverage)
        each = self._predict_output(X, self._objective.each)
        return known.members_of_set(each, coverage)


def _known(estimator: Any, method: str, coverage: Any) -> Conformal:
    """Return what is known of held-out rows, or say why nothing is."""
    check_is_fitted(estimator)
    if not (isinstance(coverage, Real) and 0 < coverage < 1):
        raise ValueError(
            f"coverage must be a number between 0 and 1, such as 0.9; got {coverage!r}."
        )
    if "_conformal" not in vars(estimator):
        raise ValueError(
            f"{method} needs rows that networks have not learned from: fit with folds, "
            "such as validation=4, and not on with partial_fit, after which nobody "
            "knows how wrong predictions are."
        )
    known = estimator._conformal
    if known is None:
        raise ValueError(
            f"{method} tells one class of several; for label indicators use "
            "predict_proba."
        )
    return known
