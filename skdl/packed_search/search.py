"""PackedSearchCV: many candidates and folds trained as one network."""

import time
from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import _fit_context, clone, is_classifier
from sklearn.metrics._scorer import _MultimetricScorer
from sklearn.model_selection import ParameterGrid, ParameterSampler
from sklearn.model_selection._search import BaseSearchCV
from sklearn.model_selection._split import check_cv
from sklearn.model_selection._validation import (
    _insert_error_scores,
    _warn_or_raise_about_fit_failures,
)
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import _check_method_params, indexable

from skdl.estimators.core.documentation_link import DocumentationLink
from skdl.estimators.tables.streaming import refuse_stream
from skdl.packed_search.evaluation import Evaluation


class PackedSearchCV(DocumentationLink, BaseSearchCV):
    """Search over parameters whose candidates and folds are trained as one network.

    scikit-learn's `GridSearchCV`, or with `n_iter` its `RandomizedSearchCV`, for
    `NeuralClassifier`, `NeuralRegressor`, `EntityEmbeddingClassifier` and
    `EntityEmbeddingRegressor`. The networks of all candidates and folds that have the
    same shape are one pack with stacked weights: one step of a hundred small networks
    costs little more than a few of them. Each has its own rate, decay, dropout, class
    weights and rows, is stopped early where that is asked for, and ends as if it had
    been fitted alone, but for rounding.

    Candidates that differ in `lr`, `weight_decay`, `betas`, `dropout`,
    `embedding_dropout`, `class_weight` or `random_state` are trained together; those
    that differ in anything else (`hidden_layer_sizes`, `batch_size`, `max_epochs`, ...)
    or whose folds have other numbers of rows are packs of their own. What trains in a
    way of its own is fitted one by one, with a warning: folds as `validation` (set
    `max_epochs` to have one network instead), a `network` of one's own, ``lr="auto"``,
    ``optimizer="muon"``, `clip_grad_norm`, `random_effects`, `n_estimators`, Pipelines
    and estimators of other kinds. So is, without a warning, a candidate whose training
    diverges.

    Parameters
    ----------
    estimator : estimator
        What is cloned for each candidate and fold.
    param_distributions : dict or list of dicts
        Names of parameters and their values, or distributions to draw from.
    n_iter : int or None, default=None
        Candidates that are drawn; None takes all combinations of the values.
    scoring : str, callable, list, tuple, dict or None, default=None
        As in `GridSearchCV`.
    n_jobs : int or None, default=None
        Threads that train packs, and processes that fit what is trained one by one.
        Each computes with one thread of torch.
    refit : bool, str or callable, default=True
        As in `GridSearchCV`.
    cv : int, splitter, iterable or None, default=None
        As in `GridSearchCV`.
    verbose : int, default=0
        1 tells of the packs, 2 of each fit.
    error_score : "raise" or float, default=nan
        As in `GridSearchCV`.
    return_train_score : bool, default=False
        As in `GridSearchCV`.
    random_state : int, RandomState instance or None, default=None
        What candidates are drawn with, where `n_iter` is given. The networks draw from
        the estimator's own.

    Attributes
    ----------
    cv_results_ : dict of ndarrays
        As in `GridSearchCV`. Times are shares of a pack's.
    best_estimator_ : estimator
        Fitted on all rows with the best parameters.
    best_score_ : float
        Mean score of the best parameters.
    best_params_ : dict
        The best parameters.
    best_index_ : int
        Their place in `cv_results_`.
    n_splits_ : int
        Folds.
    refit_time_ : float
        Seconds that the fit on all rows took.
    scorer_ : callable or dict
        What scored.
    multimetric_ : bool
        Whether there are several scores.
    classes_ : ndarray
        The labels, of classifiers.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : ndarray of str
        Names of the columns, where X has them.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skdl import NeuralClassifier, PackedSearchCV
    >>> X, y = load_iris(return_X_y=True)
    >>> model = NeuralClassifier(hidden_layer_sizes=(16,), max_epochs=5)
    >>> grid = {"lr": [0.003, 0.03], "dropout": [0.0, 0.2]}
    >>> search = PackedSearchCV(model, grid, cv=3).fit(X, y)
    >>> sorted(search.best_params_)
    ['dropout', 'lr']
    >>> search.predict(X[:2])
    array([0, 0])
    """

    _parameter_constraints: dict = {
        **{k: v for k, v in BaseSearchCV._parameter_constraints.items()},
        "param_distributions": [dict, list],
        "n_iter": [Interval(Integral, 1, None, closed="left"), None],
        "random_state": ["random_state"],
    }
    _parameter_constraints.pop("pre_dispatch")

    def __init__(
        self,
        estimator,
        param_distributions,
        *,
        n_iter=None,
        scoring=None,
        n_jobs=None,
        refit=True,
        cv=None,
        verbose=0,
        error_score=np.nan,
        return_train_score=False,
        random_state=None,
    ):
        self.estimator = estimator
        self.param_distributions = param_distributions
        self.n_iter = n_iter
        self.scoring = scoring
        self.n_jobs = n_jobs
        self.refit = refit
        self.cv = cv
        self.verbose = verbose
        self.error_score = error_score
        self.return_train_score = return_train_score
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, **params):
        """Score all candidates on all folds, and fit the best on all rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        **params : dict
            `sample_weight` and `groups`, or what else `fit`, the scorers and the
            splitter take; see `GridSearchCV.fit`.

        Returns
        -------
        self : PackedSearchCV

        Raises
        ------
        ValueError
            If there is nothing to search over or to score, or if a fit fails and
            ``error_score="raise"``.
        """
        scorers, refit_metric = self._get_scorers()
        refuse_stream(X)
        X, y = indexable(X, y)
        params = _check_method_params(X, params=params)
        routed = self._get_routed_params_for_fit(params)
        metadata = {k: v for k, v in params.items() if k == "sample_weight"}
        seen = {"X": X, "y": y, "metadata": metadata or None}
        context = self._init_callback_context(max_subtasks=int(self.refit is not False))
        context.call_on_fit_task_begin(estimator=self, **seen)
        candidates = self._candidates()
        cv = check_cv(self.cv, y, classifier=is_classifier(self.estimator))
        splits = list(cv.split(X, y, **routed.splitter.split))
        self.n_splits_ = len(splits)
        evaluate = Evaluation(
            self.estimator,
            X,
            y,
            splits,
            scorers,
            routed.estimator.fit,
            routed.scorer.score,
            self.error_score,
            self.return_train_score,
            self.n_jobs,
            self.verbose,
        )
        found = evaluate(candidates)
        if not found:
            raise ValueError(
                "No fits were performed: param_distributions gives "
                f"{len(candidates)} candidates and cv {len(splits)} folds."
            )
        self._take_results(candidates, found, refit_metric)
        if self.refit:
            self._fit_best(context, seen, routed.estimator.fit)
        several = isinstance(scorers, _MultimetricScorer)
        self.scorer_ = scorers._scorers if several else scorers
        context.call_on_fit_task_end(estimator=self, **seen)
        return self

    def _candidates(self) -> list[dict[str, Any]]:
        if self.n_iter is not None:
            return list(
                ParameterSampler(
                    self.param_distributions,
                    self.n_iter,
                    random_state=self.random_state,
                )
            )
        given = self.param_distributions
        grids = [given] if isinstance(given, dict) else given
        for name, values in (pair for grid in grids for pair in grid.items()):
            if hasattr(values, "rvs"):
                raise ValueError(
                    "param_distributions must list values to combine them all, but "
                    f"{name!r} has a distribution: to draw candidates give n_iter."
                )
        return list(ParameterGrid(given))

    def _take_results(
        self, candidates: Sequence[dict], found: list[dict], refit_metric: str
    ) -> None:
        """Set what the scores say."""
        _warn_or_raise_about_fit_failures(found, self.error_score)
        if callable(self.scoring):
            _insert_error_scores(found, self.error_score)
        results = self._format_results(candidates, self.n_splits_, found)
        self.multimetric_ = isinstance(found[0]["test_scores"], dict)
        if callable(self.scoring) and self.multimetric_:
            self._check_refit_for_multimetric(found[0]["test_scores"])
            refit_metric = self.refit
        if self.refit or not self.multimetric_:
            self.best_index_ = self._select_best_index(
                self.refit, refit_metric, results
            )
            if not callable(self.refit):
                means = results[f"mean_test_{refit_metric}"]
                self.best_score_ = means[self.best_index_]
            self.best_params_ = results["params"][self.best_index_]
        self.cv_results_ = results

    def _fit_best(self, context: Any, seen: dict, fit_params: dict) -> None:
        """Fit the best candidate on all rows."""
        best = clone(self.best_params_, safe=False)
        self.best_estimator_ = clone(self.estimator).set_params(**best)
        inner = context.subcontext(task_name="refit-with-best-params")
        with inner.propagate_callback_context(self.best_estimator_):
            inner.call_on_fit_task_begin(estimator=self, **seen)
            started = time.perf_counter()
            self.best_estimator_.fit(seen["X"], seen["y"], **fit_params)
            self.refit_time_ = time.perf_counter() - started
        if hasattr(self.best_estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.best_estimator_.feature_names_in_
        inner.call_on_fit_task_end(estimator=self, **seen)

    def _run_search(self, evaluate_candidates, **_: Any) -> None:
        """Not used: `fit` has all candidates at once."""
