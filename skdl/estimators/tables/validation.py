"""What `validation` is, and what cannot be given together with it."""

from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import HasMethods, Interval, RealNotInt, StrOptions

from skdl.estimators.tables.recipe import given_parameters

# Networks of a pack at most: each fold has one.
_MOST_FOLDS = 64

# Parameters that say what a cross-fitted pack finds out by itself, or cannot do.
_INSTEAD = {
    "network": "a pack has dense networks: use hidden_layer_sizes and activation",
    "early_stopping": "the out-of-fold loss says when to stop",
    "schedule": "the rate stays constant, and the weights are averaged",
    "weight_averaging": "the weights are averaged anyway",
    "warm_start": "a pack does not go on; fit it anew",
    "fine_tuning": "a pack begins anew",
    "checkpoint": "a pack's training is not written to files",
}


# What `validation` may be beside a share of the rows.
CHOICES = [
    Interval(RealNotInt, 0, 1, closed="neither"),
    Interval(Integral, 2, None, closed="left"),
    StrOptions({"last"}),
    HasMethods(["split", "get_n_splits"]),
]


def is_cross_fitted(validation: Any) -> bool:
    """Tell whether every row is held out of some network, and not a share of them."""
    return isinstance(validation, Integral) or not isinstance(validation, Real)


def check_compatible(estimator: Any) -> None:
    """Refuse parameters that cannot be given together with `validation`.

    Raises
    ------
    ValueError
        If there is one; it is named.
    """
    given = given_parameters(estimator)
    reasons = {name: _INSTEAD[name] for name in _INSTEAD if name in given}
    if estimator.lr == "auto":
        reasons["lr"] = "it has a rate that goes with its training; give a number"
    for name, reason in reasons.items():
        refuse(estimator, f"{name}={given[name]!r}", reason)
    if isinstance(estimator.validation, Integral):
        check_number_of_folds(estimator.validation)


def refuse(estimator: Any, what: str, reason: str) -> None:
    """Raise the error that something cannot go with `validation`."""
    raise ValueError(
        f"{what} cannot go with validation={estimator.validation!r}: {reason}. Leave "
        "one of the two out."
    )


def check_number_of_folds(n_folds: int) -> None:
    """Refuse more folds than a pack has networks."""
    if n_folds > _MOST_FOLDS:
        raise ValueError(
            f"validation gives {n_folds} folds, and each would have a network of its "
            f"own: give at most {_MOST_FOLDS}."
        )


def check_groups(groups: Any, X: Any) -> np.ndarray | None:
    """Return the groups of the rows as numbers, or None.

    Raises
    ------
    ValueError
        If there are not as many as rows, or some are missing.
    """
    if groups is None:
        return None
    groups = column_or_1d(groups)
    if len(groups) != X.shape[0]:
        raise ValueError(
            f"groups must name the group of each of the {X.shape[0]} rows of X, but "
            f"has {len(groups)} entries."
        )
    codes, _ = pd.factorize(np.asarray(groups))
    if (codes < 0).any():
        raise ValueError(
            f"groups has {(codes < 0).sum()} missing entries: give each row a group."
        )
    return codes
