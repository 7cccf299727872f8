"""Which rows each network of a pack is blind to."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
)

# Of a table that is held out at its end, the share that is.
LAST = 0.2


def blind_rows(
    n_rows: int,
    n_members: int,
    validation: Any,
    rng: np.random.RandomState,
    *,
    strata: np.ndarray | None = None,
    groups: Any = None,
    X: Any = None,
) -> np.ndarray:
    """Return which rows each network is blind to.

    There is a network for every fold. More of them take the folds in turn: the first
    of these is blind to the first fold again.

    Parameters
    ----------
    n_rows : int
        Rows of the table.
    n_members : int
        Networks, if there are not more folds.
    validation : int, "last" or a splitter of scikit-learn
        A number of folds, drawn by class where there are classes and so that groups
        stay together where there are groups; the last fifth of the rows, for all
        networks; or an object with a method ``split(X, y, groups)``.
    rng : numpy.random.RandomState
        Draws the folds.
    strata : ndarray of shape (n_rows,), optional
        Classes.
    groups : array-like of shape (n_rows,), optional
        Which rows belong together.
    X : array-like of shape (n_rows, n_features), optional
        What a splitter is shown; zeros by default.

    Returns
    -------
    ndarray of bool, shape (n_rows, max(n_members, folds))

    Raises
    ------
    ValueError
        If there are no folds to draw, or a network would learn from no row.
    """
    if groups is not None and len(groups) != n_rows:
        raise ValueError(
            f"groups must name the group of each of the {n_rows} rows of X, but has "
            f"{len(groups)} entries."
        )
    if isinstance(validation, str):
        held_out = [np.arange(n_rows - max(1, int(n_rows * LAST)), n_rows)]
    elif hasattr(validation, "split"):
        held_out = _of_splitter(validation, n_rows, strata, groups, X)
    else:
        held_out = _drawn(n_rows, validation, rng, strata, groups)
    n_members = max(n_members, len(held_out))
    blind = np.zeros((n_rows, n_members), dtype=bool)
    for member in range(n_members):
        blind[held_out[member % len(held_out)], member] = True
    if blind.all(axis=0).any():
        raise ValueError(
            f"A fold holds all {n_rows} rows, so that a network would learn from none. "
            "Give more rows, or folds that leave some to learn from."
        )
    return blind


@dataclass(frozen=True)
class FoldNumbers:
    """Which rows each network is blind to, in a byte a row.

    Attributes
    ----------
    patterns : ndarray of bool, shape (n_folds, n_members)
        Which networks are blind to a fold; there may be a fold that none is blind to.
    numbers : ndarray of uint8, shape (n_rows,)
        The fold of each row.
    """

    patterns: np.ndarray
    numbers: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and networks."""
        return len(self.numbers), self.patterns.shape[1]

    def __getitem__(self, rows: Any) -> np.ndarray:
        """Return to which of some rows each network is blind."""
        return self.patterns[self.numbers[rows]]


def folds_of(blind: np.ndarray | FoldNumbers) -> int:
    """Return after how many networks the folds begin anew.

    Examples
    --------
    >>> folds_of(np.array([[True, False, True], [False, True, False]]))
    2
    """
    each = blind.patterns if isinstance(blind, FoldNumbers) else blind
    again = (each[:, 1:] == each[:, :1]).all(axis=0)
    return 1 + int(again.argmax()) if again.any() else each.shape[1]


def hashed_folds(
    n_rows: int,
    n_members: int,
    validation: int | str,
    seed: int,
    groups: np.ndarray | None = None,
) -> FoldNumbers:
    """Return folds of rows by what their numbers are hashed to, or of groups, drawn.

    Parameters
    ----------
    n_rows, n_members, validation
        As `blind_rows` takes them, but for splitters.
    seed : int
        Of the hash.
    groups : ndarray of int, shape (n_rows,), optional
        Numbers of groups, from 0 on.
    """
    if isinstance(validation, str):
        numbers = np.ones(n_rows, dtype=np.uint8)
        numbers[n_rows - int(n_rows * LAST) :] = 0
        patterns = np.repeat([[True], [False]], n_members, axis=1)
        return FoldNumbers(patterns, numbers)
    drawn = np.random.Generator(np.random.Philox(seed))
    if groups is None:
        n_folds = validation
        numbers = drawn.integers(n_folds, size=n_rows, dtype=np.uint8)
    else:
        # Few groups could be hashed to few folds: they are dealt out.
        found, groups = np.unique(groups, return_inverse=True)
        n_folds = min(validation, _several(len(found), "group"))
        numbers = (drawn.permutation(len(found)) % n_folds).astype(np.uint8)[groups]
    members = np.arange(max(n_members, n_folds))
    patterns = members % n_folds == np.arange(n_folds)[:, None]
    return FoldNumbers(patterns, numbers)


def rows_named(part: Any, n_rows: int) -> np.ndarray:
    """Return the positions of rows that a splitter names by position or mask.

    Raises
    ------
    ValueError
        If there are no such rows.
    """
    part = np.asarray(part)
    try:
        if part.ndim == 0:
            raise IndexError(f"one of them is {part.item()!r}")
        return np.arange(n_rows)[part if part.size else part.astype(int)]
    except IndexError as error:
        raise ValueError(
            f"A fold must name rows by their positions from 0 to {n_rows - 1}, since X "
            f"has {n_rows} rows, but {error}."
        ) from error


def _of_splitter(
    splitter: Any, n_rows: int, strata: np.ndarray | None, groups: Any, X: Any = None
) -> list[np.ndarray]:
    """Return the test parts of a splitter."""
    folds = splitter.split(np.zeros((n_rows, 1)) if X is None else X, strata, groups)
    held_out = [rows_named(test, n_rows) for _, test in folds]
    if not held_out or not any(map(len, held_out)):
        raise ValueError(
            f"{splitter!r} gives no rows to validate on. Give a splitter that does, or "
            "a number of folds."
        )
    return held_out


def _drawn(
    n_rows: int,
    n_folds: int,
    rng: np.random.RandomState,
    strata: np.ndarray | None,
    groups: np.ndarray | None,
) -> list[np.ndarray]:
    """Draw folds, as many as the rows or groups allow."""
    if groups is None:
        units = _several(n_rows, "sample")
    else:
        units = _several(len(np.unique(groups)), "group")
    options = {"shuffle": True, "random_state": rng.randint(2**31 - 1)}
    n_splits = min(n_folds, units)
    if strata is not None:
        strata = _common(strata, n_splits)
    if strata is None:
        kind: Any = KFold if groups is None else GroupKFold
    else:
        kind = StratifiedKFold if groups is None else StratifiedGroupKFold
    with warnings.catch_warnings():
        # A class with fewer rows than folds is not in all of them; that is no matter.
        warnings.simplefilter("ignore", UserWarning)
        splitter = kind(n_splits, **options)
        return _of_splitter(splitter, n_rows, strata, groups)


def _several(n: int, what: str) -> int:
    """Return a number, of which one would make no folds."""
    if n < 2:
        raise ValueError(
            f"Folds need at least 2 {what}s, but there is only one {what}. Give "
            + ("no groups, or other ones." if what == "group" else "more rows.")
        )
    return n


def _common(strata: np.ndarray, n_folds: int) -> np.ndarray | None:
    """Replace classes by numbers, one for all that are small; None if that is all.

    Rows of classes with fewer rows than folds are spread over the folds together.
    """
    _, numbers, counts = np.unique(strata, return_inverse=True, return_counts=True)
    numbers = np.where(counts[numbers] < n_folds, -1, numbers)
    counts = np.unique(numbers, return_counts=True)[1]
    return numbers if counts.max() >= n_folds and len(counts) > 1 else None
