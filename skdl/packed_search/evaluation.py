"""Scores of candidates on folds: trained side by side where that goes, else alone."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from joblib import effective_n_jobs
from sklearn.base import clone
from sklearn.model_selection._validation import (
    _check_method_params,
    _fit_and_score,
    _score,
)
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _num_samples

from skdl.estimators.core.user_warnings import warn_user
from skdl.estimators.tables.prepared import (
    Member,
    prepare,
    reason_to_fit_alone,
    share_equal_rows,
)
from skdl.estimators.tables.side_by_side import packs_of, train_side_by_side

# What `fit` may be given of the rows where they are trained side by side.
_METADATA = {"sample_weight"}


@dataclass
class Evaluation:
    """How candidates are fitted and scored.

    Attributes
    ----------
    estimator : estimator
        Cloned for each fit.
    X, y : array-like
        All rows.
    splits : list of tuple
        Training and test rows of each fold.
    scorers : callable
        As scikit-learn's searches have them.
    fit_params, score_params : dict
        What `fit` and the scorers are given besides; of all rows.
    error_score : float or "raise"
        Score of a fit that fails.
    return_train_score : bool
        Whether training rows are scored too.
    n_jobs : int or None
        Threads that train packs, and processes that fit what is not packed.
    verbose : int
        As scikit-learn's.
    """

    estimator: Any
    X: Any
    y: Any
    splits: list[tuple]
    scorers: Any
    fit_params: dict[str, Any]
    score_params: dict[str, Any]
    error_score: Any
    return_train_score: bool
    n_jobs: int | None
    verbose: int

    def __call__(self, candidates: Sequence[dict]) -> list[dict[str, Any]]:
        """Return a result for each candidate and fold, those of a candidate together.

        Warns
        -----
        UserWarning
            If some fits cannot be trained side by side because of their parameters.
        """
        fits = list(product(candidates, self.splits))
        results: dict[int, dict[str, Any]] = {}
        for pack in self._packs(fits):
            results |= pack
        alone = [number for number in range(len(fits)) if number not in results]
        found = Parallel(n_jobs=self.n_jobs)(
            delayed(_fit_and_score)(
                clone(self.estimator),
                self.X,
                self.y,
                parameters=fits[number][0],
                train=fits[number][1][0],
                test=fits[number][1][1],
                scorer=self.scorers,
                fit_params=self.fit_params,
                score_params=self.score_params,
                return_train_score=self.return_train_score,
                return_n_test_samples=True,
                return_times=True,
                error_score=self.error_score,
                verbose=self.verbose,
            )
            for number in alone
        )
        results |= dict(zip(alone, found, strict=True))
        return [results[number] for number in range(len(fits))]

    def _packs(self, fits: list[tuple]) -> list[dict[int, dict[str, Any]]]:
        """Return the results of what is trained side by side."""
        started = time.perf_counter()
        reasons = [self._reason(parameters) for parameters, _ in fits]
        self._tell([reason for reason in reasons if reason])
        members = []
        for number, (parameters, (train, _)) in enumerate(fits):
            if reasons[number] is None:
                members += self._prepared(number, parameters, train)
        share_equal_rows(members)
        preparing = (time.perf_counter() - started) / max(1, len(members))
        packs = self._by_thread(packs_of(members))
        if self.verbose and packs:
            sizes = ", ".join(str(len(pack)) for pack in packs)
            print(f"Training {len(members)} networks in packs of {sizes}")
        return Parallel(n_jobs=self.n_jobs, prefer="threads")(
            delayed(self._results)(pack, fits, preparing) for pack in packs
        )

    def _reason(self, parameters: dict) -> str | None:
        """Return why a candidate is fitted alone; "" where its fit will say."""
        unusual = [
            name
            for name, value in self.fit_params.items()
            if name not in _METADATA and value is not None
        ]
        if unusual:
            return f"fit is given {unusual[0]}"
        try:
            return reason_to_fit_alone(self._with(parameters))
        except Exception:
            return ""

    def _with(self, parameters: dict) -> Any:
        return clone(self.estimator).set_params(**clone(parameters, safe=False))

    def _tell(self, reasons: list[str]) -> None:
        """Warn of what is fitted one by one."""
        if reasons:
            n_fits = len(reasons)
            warn_user(
                f"{n_fits} fits of this search are trained one by one, not side by "
                f"side: {reasons[0]}.",
                UserWarning,
            )

    def _prepared(self, number: int, parameters: dict, train: Any) -> list[Member]:
        """Return a member in a list; an empty one if its fit fails."""
        estimator = self._with(parameters)
        X, y = _safe_split(estimator, self.X, self.y, train)
        given = _check_method_params(self.X, params=self.fit_params, indices=train)
        try:
            return [prepare(number, estimator, X, y, given.get("sample_weight"))]
        except Exception:  # it is fitted alone, which tells of it as it should
            return []

    def _by_thread(self, packs: list[list[Member]]) -> list[list[Member]]:
        """Cut packs so that each thread has something to do."""
        n_threads = effective_n_jobs(self.n_jobs)
        parts = -(-n_threads // max(1, len(packs)))
        return [
            part
            for pack in packs
            for part in (pack[i::parts] for i in range(parts))
            if part
        ]

    def _results(
        self, pack: list[Member], fits: list[tuple], preparing: float
    ) -> dict[int, dict[str, Any]]:
        """Train a pack and score its members."""
        started = time.perf_counter()
        well = train_side_by_side(pack)
        seconds = (time.perf_counter() - started) / len(pack) + preparing
        found = {}
        for member in well:
            parameters, split = fits[member.number]
            found[member.number] = self._result(member.estimator, split, seconds)
            if self.verbose > 1:
                print(f"[CV] {parameters}: {found[member.number]['test_scores']}")
        return found

    def _result(
        self, estimator: Any, split: tuple, fit_seconds: float
    ) -> dict[str, Any]:
        """Return what scikit-learn has for a fit."""
        train, test = split
        X_test, y_test = _safe_split(estimator, self.X, self.y, test, train)
        started = time.perf_counter()
        scores = self._score(estimator, X_test, y_test, test)
        result = {
            "fit_error": None,
            "test_scores": scores,
            "n_test_samples": _num_samples(X_test),
            "fit_time": fit_seconds,
            "score_time": time.perf_counter() - started,
        }
        if self.return_train_score:
            X_train, y_train = _safe_split(estimator, self.X, self.y, train)
            scores = self._score(estimator, X_train, y_train, train)
            result["train_scores"] = scores
        return result

    def _score(self, estimator: Any, X: Any, y: Any, rows: Any) -> Any:
        given = _check_method_params(self.X, params=self.score_params, indices=rows)
        return _score(estimator, X, y, self.scorers, given, self.error_score)
