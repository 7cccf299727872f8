"""The parameters of networks on tables that may be blind to folds."""

from numbers import Integral, Real
from typing import Any

from sklearn.utils._param_validation import Interval, StrOptions

from skdl.estimators.core.checks import MOST, STEEPEST
from skdl.estimators.core.constructor import parameters
from skdl.estimators.tables.validation import CHOICES


@parameters
class CrossFittedParameters:
    """How networks on tables are trained and what they are validated on.

    Parameters
    ----------
    max_epochs : int or None
        Passes over the training data; with folds as `validation` at most so many. None
        is 20 passes of one network, and with folds as many as lower the out-of-fold
        loss.
    lr : float, "auto" or None
        Learning rate, where `schedule` is 1. "auto" finds one on the training data with
        a range test of at most 100 steps (see `lr_find`). None is .003 with folds as
        `validation`, .01 of one network.
    weight_decay : float or None
        Decay of weights; biases, normalisation layers and embeddings are not decayed.
        None is, with folds as `validation`, .2 for classes, less from 40,000 rows on,
        and .02 for numbers, and .1 of one network.
    betas : tuple of two floats or None
        Memory of the gradient, which is the momentum of "sgd", and of its square, for
        Adam and AdamW; in [0, 1). None is (.9, .95) with folds as `validation`,
        (.9, .99) of one network.
    validation : "auto", int, "last", splitter, list, float or None
        What decides how long to train. With folds several networks are trained side by
        side, each blind to another part of the rows, so that every row is predicted by
        a network that has not seen it (`oof_prediction_`); their out-of-fold loss
        decides when to stop and makes the probabilities as certain as they are right,
        and all networks together predict (see docs/tables.md). An int is a number of
        folds, drawn by class and, where `fit` is given `groups`, so that groups stay
        together; "last" is the last fifth of the rows, for tables in order of time; or
        a splitter of scikit-learn, or a list of its splits, whose held-out parts count.
        There are as many networks as folds, or `n_estimators` if that is more. A float
        is a share of the rows, stratified for classes, that one network is stopped
        early by. None trains one network on all rows. "auto" is 8 folds, or 4 below 200
        rows and where these are as good (see docs/tables.md), or where `fit` is given
        `X_val` 4 networks that learn from all of X and are validated on these; but one
        network on all rows where you say yourself how it is trained: where
        `max_epochs`, a `network` of your own, `early_stopping` without `X_val`, a
        `schedule`, `weight_averaging`, ``lr="auto"``, `warm_start`, `fine_tuning` or a
        `checkpoint` is given, none of which but `max_epochs` goes with folds, or where
        there are fewer than 20 rows. `partial_fit` begins with one network and goes on
        with what is there.
    """

    max_epochs: int | None = None
    lr: float | str | None = None
    weight_decay: float | None = None
    betas: tuple[float, float] | None = None
    validation: Any = "auto"

    _constraints = {
        "max_epochs": [Interval(Integral, 1, MOST, closed="both"), None],
        "lr": [Interval(Real, 0, STEEPEST, closed="right"), StrOptions({"auto"}), None],
        "weight_decay": [Interval(Real, 0, STEEPEST, closed="both"), None],
        "betas": ["array-like", None],
        "validation": CHOICES,
    }
