"""Networks that have not seen some rows: vectors for these rows, and a judgement.

What a column's vectors are worth shows on rows that did not teach them: there an
identifier or a column of noise makes the network worse than no column would.
"""

import copy
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.base import clone
from sklearn.model_selection import check_cv

from skdl.data.categories import UNKNOWN
from skdl.data.folds import rows_named
from skdl.data.table import Table
from skdl.estimators.core.user_warnings import warn_user
from skdl.estimators.tables.embedding import EntityEmbeddingEstimator
from skdl.estimators.tables.frames import learn_schema, make_table
from skdl.estimators.tables.members import embeddings_of
from skdl.estimators.tables.shrinkage import mean_vector
from skdl.estimators.tables.validation import FEWEST_ROWS, MOST_FOLDS, folds_for

# Unseen rows of a fold are judged in this many blocks or more, of at most so many rows.
_BLOCKS, _BLOCK_ROWS = 10, 8192
# Folds that judge where the user gives none, and rows from which on they do.
_FOLDS, _FEWEST_ROWS = 5, 50
# Rows, of many, that folds hold out where the network of all rows gives the vectors.
_ROWS_HELD_OUT = 4096
# A column is harmful where its mean benefit is this many standard errors below zero.
_ERRORS = 2.0


# Training and held-out rows.
Split = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Fold:
    """A network and the rows that it has not seen.

    Attributes
    ----------
    model : EntityEmbeddingEstimator
        Fitted on the other rows.
    held_out : ndarray of int
        Positions of the rows.
    table : Table
        These rows.
    member : int
        Which of the model's networks it is.
    """

    model: EntityEmbeddingEstimator
    held_out: np.ndarray
    table: Table
    member: int = 0


def split_rows(
    cv: Any, frame: pd.DataFrame, y: np.ndarray, *, classifier: bool, seed: int
) -> list[Split]:
    """Return training and held-out rows of each fold.

    Parameters
    ----------
    cv : int, splitter, iterable or None
        As scikit-learn takes it; the folds of a number are shuffled with `seed`. None
        is five folds, or none at all where there are too few rows.
    """
    if cv is None:
        if len(y) < _FEWEST_ROWS or (classifier and _commonest(y) < _FOLDS):
            return []
        cv = _FOLDS
    if isinstance(cv, Integral) and cv > len(y):
        raise ValueError(f"cv={cv} folds cannot be made of {len(y)} rows: give fewer.")
    folds = shuffled_cv(cv, y, classifier=classifier, random_state=seed)
    with warnings.catch_warnings():
        # A class that some folds lack is no hindrance.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        try:
            return [
                (rows_named(training, len(y)), rows_named(held_out, len(y)))
                for training, held_out in folds.split(frame, y)
            ]
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"cv={cv!r} must be a number of folds, a splitter of scikit-learn, or "
                f"pairs of training and held-out positions ({error})."
            ) from error


def shuffled_cv(
    cv: Any, y: np.ndarray, *, classifier: bool, random_state: int | None
) -> Any:
    """Return scikit-learn's splitter for `cv`; the folds of a number are shuffled."""
    folds = check_cv(cv, y, classifier=classifier)
    if isinstance(cv, Integral):
        folds = type(folds)(cv, shuffle=True, random_state=random_state)
    return folds


def check_partition(splits: Sequence[Split], n_rows: int) -> None:
    """Refuse folds that do not hold out each row once.

    Raises
    ------
    ValueError
        If some row would get no vectors, or several.
    """
    times = np.zeros(n_rows, dtype=np.int64)
    for _, held_out in splits:
        times += np.bincount(held_out, minlength=n_rows)
    if (times != 1).any():
        raise ValueError(
            "cv must hold out each row once, so that fit_transform has vectors for it; "
            f"{(times == 0).sum()} of {n_rows} rows are never held out, and "
            f"{(times > 1).sum()} several times. Use KFold or the like, or cv=None."
        )


def _commonest(y: np.ndarray) -> int:
    """Return the rows of the most frequent class; of label indicators all rows."""
    return len(y) if y.ndim > 1 else int(np.unique(y, return_counts=True)[1].max())


@dataclass(frozen=True)
class Networks:
    """What vectors are taken from.

    Attributes
    ----------
    estimator : EntityEmbeddingEstimator
        Whose first network has learned from all rows.
    folds : list of Fold
        Networks that have not seen some rows; empty where they are not kept.
    harmful : list
        Names of columns that were dropped.
    frame : pandas.DataFrame
        All rows, as the networks were given them.
    """

    estimator: EntityEmbeddingEstimator
    folds: list[Fold]
    harmful: list[Any]
    frame: pd.DataFrame


def fit_networks(
    new_estimator: Callable[[], EntityEmbeddingEstimator],
    frame: pd.DataFrame,
    y: np.ndarray,
    sample_weight: np.ndarray | None,
    splits: Sequence[Split],
    *,
    default_splits: Callable[[], Sequence[Split]],
    keep_folds: bool,
    drop_harmful: bool,
) -> Networks:
    """Fit what vectors are taken from: one pack where that goes, else fit after fit.

    Parameters
    ----------
    new_estimator : callable
        Returns an estimator to be fitted.
    frame, y, sample_weight
        All rows.
    splits : sequence
        Folds, where the user gives any.
    default_splits : callable
        Returns folds that judge columns where the user gives none.
    keep_folds : bool
        Whether the networks of the folds are wanted.
    drop_harmful : bool
        Whether columns are judged.
    """
    estimator = new_estimator()
    if _goes_as_pack(estimator, splits, len(y)):
        judged = drop_harmful and len(y) >= _FEWEST_ROWS
        if not splits and estimator.validation == "auto":
            splits = _enough_folds(y, default_splits)
        folds = _fit_pack(estimator, frame, y, sample_weight, splits, judged)
        harmful = estimator.harmful_features_
        return Networks(estimator, folds if keep_folds else [], harmful, frame)
    folds, harmful = [], []
    categorical = learn_schema(frame, estimator.categorical_features).categorical
    if categorical.any() and (keep_folds or drop_harmful):
        # What a fold holds of a column says less about it than all rows do.
        estimator.set_params(categorical_features=categorical.tolist())
        splits = splits or default_splits()
        folds = fit_folds(estimator, frame, y, sample_weight, splits)
        harmful = harmful_columns(folds, y, sample_weight) if drop_harmful else []
        if harmful:
            frame = blanked(frame, harmful)
        if harmful and keep_folds:
            folds = fit_folds(estimator, frame, y, sample_weight, splits)
    rest = {} if sample_weight is None else {"sample_weight": sample_weight}
    estimator = new_estimator().fit(frame, y, **rest)
    return Networks(estimator, folds if keep_folds else [], harmful, frame)


def _goes_as_pack(
    estimator: EntityEmbeddingEstimator, splits: Sequence[Split], n_rows: int
) -> bool:
    """Tell whether one pack can do what there would be a fit for each fold for.

    Not where the estimator trains one network, such as one of the user's own; nor
    where there are too many folds, or some do not train on all that they do not hold
    out.
    """
    if folds_for(estimator, {}) is None or len(splits) > MOST_FOLDS:
        return False
    if estimator.validation == "auto" and n_rows < FEWEST_ROWS:
        return False
    return all(len(train) + len(held_out) == n_rows for train, held_out in splits)


def _enough_folds(
    y: np.ndarray, default_splits: Callable[[], Sequence[Split]]
) -> Sequence[Split]:
    """Return as many folds as hold out the rows that columns are judged by.

    Where the network that is blind to no row gives all vectors, the others only tell
    when to stop and what does harm: of many rows a few folds do. None at all where all
    are needed, which the estimator draws by itself.
    """
    if len(y) <= _ROWS_HELD_OUT:
        return []
    splits = default_splits()
    n_folds = -(-_ROWS_HELD_OUT * len(splits) // len(y))
    return splits[:n_folds]


def _fit_pack(
    estimator: EntityEmbeddingEstimator,
    frame: pd.DataFrame,
    y: np.ndarray,
    sample_weight: np.ndarray | None,
    splits: Sequence[Split],
    drop_harmful: bool,
) -> list[Fold]:
    """Fit an estimator as a pack whose first network learns from all rows.

    Return the others, each blind to one of `splits`; without any they are blind to what
    the estimator's `validation` says, and are not returned.
    """
    folds = check_cv(splits) if splits else folds_for(estimator, {})
    estimator._fit_for_vectors(
        frame, y, sample_weight, folds, drop_harmful=drop_harmful
    )
    whole = make_table(frame, estimator._schema)
    return [
        Fold(estimator, held_out, whole[held_out], member)
        for member, (_, held_out) in enumerate(splits, start=1)
    ]


def fit_folds(
    estimator: EntityEmbeddingEstimator,
    frame: pd.DataFrame,
    y: np.ndarray,
    sample_weight: np.ndarray | None,
    splits: Sequence[Split],
) -> list[Fold]:
    """Fit a clone of an estimator for each fold."""
    folds = []
    for train, held_out in splits:
        rest = {}
        if sample_weight is not None:
            rest["sample_weight"] = sample_weight[train]
        model = clone(estimator).fit(frame.iloc[train], y[train], **rest)
        unseen = make_table(frame.iloc[held_out], model._schema)
        folds.append(Fold(model, held_out, unseen))
    return folds


def harmful_columns(
    folds: Sequence[Fold], y: np.ndarray, sample_weight: np.ndarray | None
) -> list[Any]:
    """Return the categorical columns without which unseen rows are predicted better.

    Parameters
    ----------
    folds : sequence of Fold
        Their networks and unseen rows.
    y, sample_weight : ndarray
        Of all rows.

    Returns
    -------
    list
        Names of columns whose benefit is clearly below zero.
    """
    found = []
    for fold in folds:
        rows = fold.held_out
        weight = None if sample_weight is None else sample_weight[rows]
        found.append(benefits(fold.model, fold.table, y[rows], weight))
    pooled = np.concatenate(found) if found else np.zeros((0, 0))
    if len(pooled) < 2:  # (n_blocks, n_columns)
        return []
    error = pooled.std(axis=0, ddof=1) / np.sqrt(len(pooled))
    names = folds[0].model._schema.categorical_names
    bad = pooled.mean(axis=0) < -_ERRORS * error
    return [name for name, is_bad in zip(names, bad, strict=True) if is_bad]


@torch.no_grad()
def benefits(
    model: EntityEmbeddingEstimator,
    table: Table,
    y: np.ndarray,
    weight: np.ndarray | None,
) -> np.ndarray:
    """Return how much the loss rises when a column says nothing.

    Saying nothing is having the mean of the column's vectors in every row.

    Returns
    -------
    ndarray of shape (n_blocks, n_columns)
        By blocks of the rows; below zero where the network is better off without.
    """
    if hasattr(model, "classes_") and y.ndim == 1:
        known = np.flatnonzero(np.isin(y, model.classes_))
        table, y = table[known], y[known]
        weight = None if weight is None else weight[known]
    network, device = _mean_for_unknown(model), torch.device(model.device_)
    offsets = model._encoder.offsets[model._encoder.vocabulary_of_column]
    n_blocks = min(len(y), max(_BLOCKS, -(-len(y) // _BLOCK_ROWS)))
    rises = np.zeros((n_blocks, len(offsets)))
    if n_blocks == 0:  # no label is known to the model
        return rises
    for b, rows in enumerate(np.array_split(np.arange(len(y)), n_blocks)):
        indices, *rest = (t.to(device) for t in model._encoder.transform(table[rows]))
        target = model._target.encode(y[rows]).to(device)
        share = None
        if weight is not None:
            share = torch.from_numpy(weight[rows].astype(np.float32)).to(device)

        def loss(indices: torch.Tensor) -> float:
            raw = network(indices, *rest).float()  # noqa: B023
            return model._objective.loss(raw, target, share).item()  # noqa: B023

        with_all = loss(indices)
        for j, offset in enumerate(offsets):
            without = indices.clone()
            without[:, j] = int(offset) + UNKNOWN
            rises[b, j] = loss(without) - with_all
    return rises


def _mean_for_unknown(model: EntityEmbeddingEstimator) -> torch.nn.Module:
    """Return a copy of the network in which an unknown category has the mean vector."""
    network = copy.deepcopy(model.network_).eval()
    for embedding in embeddings_of(network):
        for vectors, vocabulary in zip(
            embedding.parts(), model._encoder.vocabularies, strict=False
        ):  # after these come the vectors of integers
            mean = mean_vector(vectors, vocabulary)
            if mean is not None:
                vectors[UNKNOWN] = mean
    return network


def tell_of_harmful(names: Sequence[Any]) -> None:
    """Warn that columns were dropped, if any were."""
    if names:
        warn_user(
            f"EmbeddingTransformer drops {list(names)}: with their vectors networks "
            "predict rows that they have not seen worse than without. "
            "drop_harmful=False keeps them.",
            UserWarning,
        )


def blanked(frame: pd.DataFrame, columns: Sequence[Any]) -> pd.DataFrame:
    """Return a frame in which some columns are all missing."""
    if not columns:
        return frame
    result = frame.copy(deep=False)
    for name in columns:
        result[name] = pd.Series([None] * len(frame), index=frame.index, dtype=object)
    return result
