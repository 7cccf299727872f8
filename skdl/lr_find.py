"""The learning-rate range test for an estimator or a pipeline that ends in one."""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np

from skdl.display import LRFindDisplay
from skdl.estimators.core.auto_lr import DEFAULT_SUGGESTION
from skdl.estimators.core.lr_sweep import LRSweep, sweep_estimator


@dataclass(frozen=True)
class LRFindResult(LRSweep):
    """What a learning-rate range test found; see `lr_find`.

    Attributes
    ----------
    lrs, losses, smoothed_losses : ndarray of shape (n_steps,)
        The rate of each step, the loss there, and the loss smoothed, without what is
        due to the batches: those that cost the network more before the test, too.
    suggestions : dict of str to float
        What each rule suggests: "minimum" (a tenth of the rate at the lowest loss),
        "steepest" (where the loss falls fastest), "valley" (the middle of the longest
        fall) and "slide" (half the rate midway between the lowest loss and the point
        where the loss, rising again, has lost a third of what it gained for good).
    suggested_by : str
        The rule that `suggestion` follows.
    suggestion : float
        The rate to use.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdl import NeuralClassifier, lr_find
    >>> result = lr_find(
    ...     NeuralClassifier(random_state=0), *load_digits(return_X_y=True)
    ... )
    >>> sorted(result.suggestions)
    ['minimum', 'slide', 'steepest', 'valley']
    """

    def plot(self, ax: Any = None) -> LRFindDisplay:
        """Draw the curve and mark the suggestion.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            As for `LRFindDisplay.plot`.

        Returns
        -------
        LRFindDisplay
            With attributes `ax_` and `figure_`.
        """
        return LRFindDisplay.from_result(self).plot(ax=ax)

    def __repr__(self) -> str:
        others = ", ".join(f"{k}={v:.2g}" for k, v in self.suggestions.items())
        return (
            f"LRFindResult(suggestion={self.suggestion:.2g}, "
            f"steps={len(self.lrs)}, {others})"
        )

    def _repr_png_(self) -> bytes | None:
        """Draw the curve for a notebook, where matplotlib is there."""
        try:
            from matplotlib.figure import Figure
        except ImportError:
            return None
        picture = io.BytesIO()
        figure = Figure(figsize=(6.4, 4.0), layout="constrained")
        self.plot(ax=figure.subplots())
        figure.savefig(picture, format="png")
        return picture.getvalue()


def lr_find(
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
) -> LRFindResult:
    """Find a learning rate: raise it step by step until the loss gets worse.

    A copy of the network that `fit` would start with is trained for `num_iter` steps
    while the rate grows exponentially from `min_lr` to `max_lr`; it stops early when
    the loss diverges. Neither the estimator nor the global random state is changed,
    and nothing is written to disk.

    Parameters
    ----------
    estimator : estimator, Pipeline or search
        An estimator of skdl, or a Pipeline that ends in one, whose earlier steps are
        fitted on `X` and `y` for the test. Of a search such as GridSearchCV its
        estimator, once fitted its best one. Fitted or not; with ``warm_start=True`` a
        fitted estimator's test starts from its weights.
    X : array-like of shape (n_samples, n_features)
        Training inputs.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Training targets.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the samples.
    min_lr, max_lr : float, default=1e-7, 10
        First and last learning rate.
    num_iter : int, default=100
        Steps between them, at least 10. Short data are gone through several times.
    suggest : {"slide", "minimum", "steepest", "valley"}, default="slide"
        The rule that `suggestion` follows. "slide" came closest to the best rate of a
        grid in ``benchmarks/lr_find.py``. "minimum" is the classic rule: find the
        lowest loss and go back by one order of magnitude.
    random_state : int, RandomState instance or None, default=None
        Replaces the estimator's `random_state` for the test; None leaves that.

    Returns
    -------
    LRFindResult
        With `lrs`, `losses`, `suggestion` and `plot()`.

    Raises
    ------
    TypeError
        If there is no network to sweep.
    ValueError
        If the range is empty, there are fewer than 10 steps, or the loss is not finite
        at the first of them.

    Warns
    -----
    ConvergenceWarning
        If the curve is flat, too short, or lowest at its edge.

    References
    ----------
    Smith 2017, "Cyclical learning rates for training neural networks", section 3.3,
    arXiv 1506.01186.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdl import NeuralClassifier, lr_find
    >>> X, y = load_digits(return_X_y=True)
    >>> result = lr_find(NeuralClassifier(random_state=0), X, y)
    >>> 1e-3 < result.suggestion < 0.1
    True
    """
    found = sweep_estimator(
        estimator,
        X,
        y,
        sample_weight=sample_weight,
        min_lr=min_lr,
        max_lr=max_lr,
        num_iter=num_iter,
        suggest=suggest,
        random_state=random_state,
    )
    return LRFindResult(**vars(found))
