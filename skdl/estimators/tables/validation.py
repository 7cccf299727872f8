"""What `validation` is, and what cannot be given together with it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import is_classifier
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import HasMethods, Interval, RealNotInt, StrOptions
from sklearn.utils.validation import _num_samples

from skdl.data.folds import FoldNumbers, blind_rows, hashed_folds
from skdl.data.streamed import is_long
from skdl.estimators.core.rows import Rows
from skdl.estimators.core.state import draw_seed
from skdl.estimators.tables.recipe import default_folds, given_parameters

# What `fit` takes to validate on.
HELD_OUT = ("X_val", "y_val", "sample_weight_val")

# Networks of a pack at most: each fold has one.
MOST_FOLDS = 64

# Parameters that say what a cross-fitted pack finds out by itself, or cannot do.
_INSTEAD = {
    "network": "a pack has dense networks: use hidden_layer_sizes and activation",
    "early_stopping": "the out-of-fold loss says when to stop",
    "schedule": "the rate stays constant, and the weights are averaged",
    "weight_averaging": "the weights are averaged anyway",
    "warm_start": "a pack goes on by partial_fit, and fit begins anew",
    "fine_tuning": "a pack begins anew",
    "checkpoint": "a pack's training is not written to files",
}


# What `validation` may be.
CHOICES = [
    Interval(RealNotInt, 0, 1, closed="neither"),
    Interval(Integral, 2, None, closed="left"),
    StrOptions({"auto", "last"}),
    HasMethods(["split", "get_n_splits"]),
    list,
    tuple,
    None,
]

# Networks, and rows from which on there are several, where `validation` is "auto".
_NETWORKS, FEWEST_ROWS = 4, 20


def folds_for(estimator: Any, held_out: Mapping[str, Any]) -> Any:
    """Return what folds a fit has, as `validation` says it; None trains one network.

    Parameters
    ----------
    estimator : estimator
        Its parameters say.
    held_out : mapping
        What `fit` was given to validate on, by name; None where it was not.

    Returns
    -------
    int, "last", splitter or None
        With "auto" and an `X_val` a number of networks, all blind to these rows.

    Raises
    ------
    ValueError
        If folds are asked for that something else that is given goes against.
    """
    validation = estimator.validation
    if validation is None or isinstance(validation, RealNotInt):
        return None
    if isinstance(validation, list | tuple | type):
        validation = _as_splitter(validation)
    reasons = _reasons_against(estimator, held_out)
    if is_auto(validation):
        if held_out.get("X_val") is not None:
            reasons = _reasons_against_rows(estimator, reasons)
        ours = estimator.max_epochs is None and not reasons
        return _NETWORKS if ours else None
    for what, reason in (reasons | _reasons_of_looks(estimator)).items():
        refuse(estimator, what, reason)
    if isinstance(validation, Integral):
        check_number_of_folds(validation)
    return validation


def _as_splitter(validation: Any) -> Any:
    """Return splits that are given one by one as a splitter; refuse what is none."""
    if isinstance(validation, type):
        raise ValueError(
            f"validation is the class {validation.__name__}: give one of these "
            f"splitters, such as {validation.__name__}()."
        )
    lengths = {len(split) if hasattr(split, "__len__") else 0 for split in validation}
    if lengths != {2}:
        raise ValueError(
            f"validation is a {said(validation)} that does not hold splits: each "
            "must be a pair of training and held-out positions, as the `split` of a "
            "splitter gives them."
        )
    return _Splits(validation)


@dataclass(frozen=True, repr=False)
class _Splits:
    """Splits that are given one by one, as a splitter."""

    splits: list | tuple

    def __repr__(self) -> str:
        return said(self.splits)

    def split(self, X: Any = None, y: Any = None, groups: Any = None) -> Iterator[Any]:
        """Give the splits, whatever the rows."""
        return iter(self.splits)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return how many there are."""
        return len(self.splits)


def said(validation: Any) -> str:
    """Return how a message names what was given; positions would fill a page."""
    if isinstance(validation, list | tuple):
        return f"{type(validation).__name__} of {len(validation)}"
    return repr(validation)


def folds_by_rows(estimator: Any, n_rows: int) -> int | None:
    """Return how many folds there are where nobody has said it; None where one has.

    Parameters
    ----------
    estimator : estimator
        Has seen the columns.
    n_rows : int
        Rows with a weight.
    """
    if estimator.diversity is not None or not is_auto(estimator.validation):
        return None
    shape = n_rows, estimator.n_features_in_
    n_folds = default_folds(*shape, is_classifier(estimator))
    # Fewer networks than folds are wanted; more of them take the folds in turn.
    are_fewer = 1 < estimator.n_estimators < n_folds
    return None if are_fewer else n_folds


def has_folds(estimator: Any) -> bool:
    """Tell whether `fit` trains a pack where it is given enough rows and no `X_val`."""
    validation = estimator.validation
    if is_auto(validation):
        return folds_for(estimator, {}) is not None
    return not (validation is None or isinstance(validation, RealNotInt))


def is_auto(validation: Any) -> bool:
    """Tell whether nobody has said what to validate on."""
    return isinstance(validation, str) and validation == "auto"


def _reasons_against(estimator: Any, held_out: Mapping[str, Any]) -> dict[str, str]:
    """Return what is given that does not go with folds, and why."""
    given = given_parameters(estimator)
    reasons = {f"{k}={given[k]!r}": why for k, why in _INSTEAD.items() if k in given}
    if isinstance(estimator.lr, str):
        reason = "it has a rate that goes with its training; give a number"
        reasons[f"lr={estimator.lr!r}"] = reason
    named = [name for name, value in held_out.items() if value is not None]
    return reasons | dict.fromkeys(named, "folds of X are held out")


def _reasons_against_rows(estimator: Any, reasons: dict[str, str]) -> dict[str, str]:
    """Return what does not go with networks that are stopped by `X_val`."""
    also = {*HELD_OUT, "early_stopping=True"}
    rest = {what: why for what, why in reasons.items() if what not in also}
    return rest | _reasons_of_looks(estimator)


def _reasons_of_looks(estimator: Any) -> dict[str, str]:
    """Return why epochs do not say when a pack has to stop, if they are given."""
    given = "n_iter_no_change" in given_parameters(estimator)
    why = "it counts epochs, but it is looks at the out-of-fold loss that say when"
    return {"n_iter_no_change": f"{why} to stop"} if given else {}


def check_one_network(estimator: Any) -> None:
    """Refuse what only networks with folds have.

    Raises
    ------
    ValueError
    """
    if estimator.diversity is not None:
        raise ValueError(
            f"diversity={estimator.diversity!r} needs networks that are blind to "
            "folds, but here one network is trained on all rows: set validation=4 and "
            "call fit with at least 20 rows, or leave diversity at None."
        )


def refuse(estimator: Any, what: str, reason: str) -> None:
    """Raise the error that something cannot go with `validation`."""
    raise ValueError(
        f"{what} cannot go with validation={said(estimator.validation)}: {reason}. "
        "Leave one of the two out."
    )


def is_for_one_network(rows: Rows, held_out: Rows | None) -> bool:
    """Tell whether one network is trained on rows by default.

    Few rows make no folds. Rows that are read piece by piece are not looked at with
    others, each of which would be run through all networks.
    """
    if held_out is None:
        return len(rows) < FEWEST_ROWS
    few = min(len(rows), len(held_out)) < FEWEST_ROWS
    return few or is_long(rows.X) or is_long(held_out.X)


def check_number_of_folds(n_folds: int) -> None:
    """Refuse more folds than a pack has networks."""
    if n_folds > MOST_FOLDS:
        raise ValueError(
            f"validation gives {n_folds} folds, and each would have a network of its "
            f"own: give at most {MOST_FOLDS}."
        )


def check_groups(groups: Any, X: Any) -> np.ndarray | None:
    """Return the groups of the rows (n,), or None.

    Raises
    ------
    ValueError
        If there are not as many as rows, or some are missing.
    """
    if groups is None:
        return None
    wanted = f"groups must name the group of each of the {X.shape[0]} rows of X, but "
    shape = np.shape(groups)
    if len(shape) != 1 and not (len(shape) == 2 and shape[1] == 1):
        raise ValueError(f"{wanted}has the shape {shape}.")
    groups = column_or_1d(groups)
    if len(groups) != X.shape[0]:
        raise ValueError(f"{wanted}has {len(groups)} entries.")
    missing = np.count_nonzero(pd.isna(groups))
    if missing:
        raise ValueError(
            f"groups has {missing} missing entries: give each row a group."
        )
    return groups


def _rows_with_weight(rows: Rows) -> np.ndarray:
    if rows.weight is None:
        return np.arange(len(rows))
    return np.flatnonzero(rows.weight > 0)


def blind_to_others(estimator: Any, rows: Rows, n_members: int) -> tuple:
    """Return the rows that have a weight, none of which any member is blind to.

    Returns
    -------
    kept : ndarray of int
    blind : ndarray of bool, shape (n_kept, n_members)
    """
    kept = _rows_with_weight(rows)
    n_members = max(estimator.n_estimators, n_members)
    return kept, np.zeros((len(kept), n_members), dtype=bool)


def draw_blind_rows(
    estimator: Any,
    rows: Rows,
    validation: Any,
    groups: np.ndarray | None,
    rng: np.random.RandomState,
    X: Any,
) -> tuple[np.ndarray | slice, np.ndarray | FoldNumbers]:
    """Return which rows have a weight, and to which of these each member is blind.

    A splitter splits all rows, since it may know them by their positions, and sees `X`
    as `fit` was given it, and the groups themselves, since values may have an order.
    Other folds are made of the rows that have a weight, and of groups as numbers. Where
    there are more rows than memory may hold, folds are drawn by a hash.

    Returns
    -------
    kept : ndarray of int, or slice
    blind : ndarray of bool, shape (n_kept, n_members), or FoldNumbers
    """
    least = estimator.n_estimators
    numbers = None if groups is None else pd.factorize(groups)[0]
    if is_long(rows.X):
        some: Any = slice(None)
        if rows.weight is not None and not (rows.weight > 0).all():
            some = _rows_with_weight(rows)
        n_rows = len(rows.y[some])
        numbers = None if numbers is None else numbers[some]
        return some, _hashed(n_rows, least, validation, numbers, rng)
    kept = _rows_with_weight(rows)
    if hasattr(validation, "get_n_splits"):
        of_all = blind_rows(
            len(rows),
            least,
            validation,
            rng,
            strata=rows.y,
            groups=groups,
            X=X if _has_rows(X, len(rows)) else None,
        )
        blind = of_all[kept]
    else:
        strata = estimator._strata(rows.y)
        blind = blind_rows(
            len(kept),
            least,
            validation,
            rng,
            strata=None if strata is None else strata[kept],
            groups=None if numbers is None else numbers[kept],
        )
    if not blind.any():
        raise ValueError(
            f"validation={validation!r} holds out only rows of weight zero, so that "
            "nothing can be validated. Give other folds or weights."
        )
    if blind.shape[1] > least:
        check_number_of_folds(blind.shape[1])
    return kept, blind


def _has_rows(X: Any, n_rows: int) -> bool:
    """Tell whether X holds so many rows, and does not name where they are."""
    try:
        return bool(_num_samples(X) == n_rows)
    except (TypeError, ValueError):
        return False


def _hashed(
    n_rows: int,
    n_members: int,
    validation: Any,
    groups: np.ndarray | None,
    rng: np.random.RandomState,
) -> FoldNumbers:
    """Draw folds of more rows than are looked at in memory."""
    if hasattr(validation, "get_n_splits"):
        raise ValueError(
            f"validation={validation!r} needs all rows in memory, but these are "
            f"{n_rows:,} that are read piece by piece: give a number of folds, and "
            "groups= where rows belong together, or validation='last'."
        )
    return hashed_folds(n_rows, n_members, validation, draw_seed(rng), groups)
