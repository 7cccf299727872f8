"""Linear models on views of texts, and what they say of texts not learned from."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge

from skdl.estimators.text.views import Read, View

_MOST_ROWS = 20_000  # from which the penalty is chosen
_FOLDS, _FEWER_FOLDS, _MANY_ROWS = 5, 3, 5000
_CERTAIN = 10.0  # log-odds of what is always so


@dataclass(frozen=True)
class Labelled:
    """Targets of texts, as linear models get them.

    Attributes
    ----------
    y : ndarray of shape (n, K)
        A column for each class, one for two classes; or standardised real targets.
    weight : ndarray of shape (n,)
        Of the texts; their mean is about one.
    strata : ndarray of shape (n,) or None
        Classes that folds are drawn by.
    is_real : bool
        Whether they are real targets.
    """

    y: np.ndarray
    weight: np.ndarray
    strata: np.ndarray | None
    is_real: bool

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: np.ndarray) -> "Labelled":
        """Return some of the texts."""
        strata = None if self.strata is None else self.strata[rows]
        return Labelled(self.y[rows], self.weight[rows], strata, self.is_real)


def draw_folds(labelled: Labelled, rng: np.random.RandomState) -> np.ndarray:
    """Return the fold that each text is held out in, -1 for those that never are.

    Classes are spread over the folds as evenly as can be.
    """
    n = len(labelled)
    order = rng.permutation(n)[:_MOST_ROWS]
    n_folds = min(_FOLDS if n <= _MANY_ROWS else _FEWER_FOLDS, max(2, n))
    if labelled.strata is not None:
        order = order[np.argsort(labelled.strata[order], kind="stable")]
    folds = np.full(n, -1)
    folds[order] = np.arange(len(order)) % n_folds
    return folds


@dataclass
class LinearView:
    """Linear models on one view of texts.

    Attributes
    ----------
    view : View
        Makes features.
    strength : float
        Inverse strength of the penalty.
    loss : float
        Of texts that were not learned from.
    ratios : ndarray of shape (d, K) or None
        What the features are multiplied by.
    coef : ndarray of shape (d, K)
        Coefficients.
    intercept : ndarray of shape (K,)
        What is added.
    """

    view: View
    strength: float
    loss: float
    ratios: np.ndarray | None
    coef: np.ndarray
    intercept: np.ndarray

    def outputs(self, read: Read) -> np.ndarray:
        """Return log-odds, or standardised predictions, of texts (n, K)."""
        features = self.view.features(read)
        return self.view.outputs(features, self.ratios, self.coef) + self.intercept


def fit_view(
    view: View,
    read: Read,
    labelled: Labelled,
    folds: np.ndarray,
    loss: Callable[[np.ndarray], float],
) -> tuple[LinearView, np.ndarray]:
    """Choose the penalty by texts that are held out, then learn from all of them.

    Parameters
    ----------
    view : View
        That has learned from texts.
    read : Read
        The labelled texts.
    labelled : Labelled
        Their targets.
    folds : ndarray of shape (n,)
        See `draw_folds`.
    loss : callable
        Takes outputs (n_held_out, K) of the texts that are in a fold, in their order.

    Returns
    -------
    fitted : LinearView
    held_out : ndarray of shape (n_held_out, K)
        Outputs for the texts that are in a fold, by models that have not seen them.
    """
    features = view.features(read)
    drawn = folds[folds >= 0]
    parts = [
        _Part.cut(view, features, labelled, folds, f) for f in range(folds.max() + 1)
    ]

    def held_out(strength: float) -> np.ndarray:
        found = np.zeros((len(drawn), labelled.y.shape[1]))
        for fold, part in enumerate(parts):
            found[drawn == fold] = part.outputs(view, strength)
        return found

    best, outputs, lowest = _climb(held_out, loss, view.strengths, view.first)
    fitted = _fit_all(view, features, labelled, best)
    return LinearView(view, best, lowest, *fitted), outputs


@dataclass(frozen=True)
class _Part:
    """What is learned from in a fold, and what is held out."""

    training: Labelled
    ours: Any
    theirs: Any
    ratios: np.ndarray | None

    @classmethod
    def cut(
        cls, view: View, features: Any, labelled: Labelled, folds: np.ndarray, fold: int
    ) -> "_Part":
        """Cut a fold out; texts that are in none are not used at all."""
        inside = np.flatnonzero((folds != fold) & (folds >= 0))
        training, ours = labelled.take(inside), features[inside]
        ratios = view.ratios(ours, training.y, training.weight)
        return cls(training, ours, features[np.flatnonzero(folds == fold)], ratios)

    def outputs(self, view: View, strength: float) -> np.ndarray:
        """Return what models say of the texts that are held out (n, K)."""
        columns = []
        for k in range(self.training.y.shape[1]):
            ratio = None if self.ratios is None else self.ratios[:, k]
            inputs = view.weighted(self.ours, ratio)
            coef, intercept = _fit_column(inputs, self.training, k, strength)
            columns.append(view.weighted(self.theirs, ratio) @ coef + intercept)
        return np.column_stack(columns)


def _climb(
    outputs: Callable[[float], np.ndarray],
    loss: Callable[[np.ndarray], float],
    strengths: tuple[float, ...],
    first: int,
) -> tuple[float, np.ndarray, float]:
    """Go from one strength to the next while the loss falls, up and else down."""
    best = outputs(strengths[first])
    place, lowest = first, loss(best)
    for step in (1, -1):
        while 0 <= place + step < len(strengths):
            found = outputs(strengths[place + step])
            if not loss(found) < lowest:
                break
            place, best, lowest = place + step, found, loss(found)
        if place != first:
            break
    return strengths[place], best, lowest


def _fit_all(
    view: View, features: Any, labelled: Labelled, strength: float
) -> tuple[np.ndarray | None, np.ndarray, np.ndarray]:
    """Return ratios, coefficients and intercepts learned from all texts."""
    ratios = view.ratios(features, labelled.y, labelled.weight)
    found = []
    for k in range(labelled.y.shape[1]):
        ratio = None if ratios is None else ratios[:, k]
        inputs = view.weighted(features, ratio)
        found.append(_fit_column(inputs, labelled, k, strength))
    coef = np.column_stack([coef for coef, _ in found])
    if ratios is not None and not view.unit_length:
        coef, ratios = ratios * coef, None  # nothing else asks for them
    coef = view.kept(coef)
    intercept = np.array([intercept for _, intercept in found])
    return None if ratios is None else ratios.astype(np.float32), coef, intercept


def _fit_column(
    inputs: Any, labelled: Labelled, k: int, strength: float
) -> tuple[np.ndarray, float]:
    """Return coefficients and intercept of one column."""
    y, weight = labelled.y[:, k], labelled.weight
    lowest, highest = y.min(), y.max()
    if inputs.shape[1] == 0 or lowest == highest:
        return np.zeros(inputs.shape[1]), _constant(y, weight, labelled.is_real)
    if labelled.is_real:
        model: Any = Ridge(alpha=1 / strength, solver="sparse_cg", tol=1e-5)
    else:
        # It draws nothing but a seed, else from NumPy's global generator.
        model = LogisticRegression(
            C=strength, solver="liblinear", max_iter=1000, random_state=0
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(inputs, y, sample_weight=weight)
    return np.ravel(model.coef_), float(np.ravel(model.intercept_)[0])


def _constant(y: np.ndarray, weight: np.ndarray, is_real: bool) -> float:
    """Return what is said where there is nothing to go by."""
    mean = float(np.average(y, weights=weight))
    if is_real:
        return mean
    mean = min(max(mean, 1e-9), 1 - 1e-9)
    return float(np.clip(np.log(mean / (1 - mean)), -_CERTAIN, _CERTAIN))
