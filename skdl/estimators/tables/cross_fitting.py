"""Networks that have not seen some rows: vectors for these rows, and a judgement.

What a column's vectors are worth shows on rows that did not teach them: there an
identifier or a column of noise makes the network worse than no column would.
"""

import copy
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.base import clone
from sklearn.model_selection import check_cv

from skdl.data.categories import UNKNOWN
from skdl.data.table import Table
from skdl.estimators.tables.embedding import EntityEmbeddingEstimator
from skdl.estimators.tables.frames import make_table
from skdl.estimators.tables.members import embeddings_of
from skdl.estimators.tables.shrinkage import mean_vector

# Unseen rows of a fold are judged in this many blocks or more, of at most so many rows.
_BLOCKS, _BLOCK_ROWS = 10, 8192
# Folds that judge where the user gives none, and rows from which on they do.
_FOLDS, _FEWEST_ROWS = 5, 50
# A column is harmful where its mean benefit is this many standard errors below zero.
_ERRORS = 2.0


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
    """

    model: EntityEmbeddingEstimator
    held_out: np.ndarray
    table: Table


def split_rows(
    cv: Any, frame: pd.DataFrame, y: np.ndarray, *, classifier: bool, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
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
    folds = check_cv(cv, y, classifier=classifier)
    if isinstance(cv, Integral):
        folds = type(folds)(cv, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # A class that some folds lack is no hindrance.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        return list(folds.split(frame, y))


def check_partition(
    splits: Sequence[tuple[np.ndarray, np.ndarray]], n_rows: int
) -> None:
    """Refuse folds that do not hold out each row once.

    Raises
    ------
    ValueError
        If some row would get no vectors, or several.
    """
    times = np.zeros(n_rows, dtype=np.int64)
    for _, held_out in splits:
        times += np.bincount(np.arange(n_rows)[held_out], minlength=n_rows)
    if (times != 1).any():
        raise ValueError(
            "cv must hold out each row once, so that fit_transform has vectors for it; "
            f"{(times == 0).sum()} of {n_rows} rows are never held out, and "
            f"{(times > 1).sum()} several times. Use KFold or the like, or cv=None."
        )


def _commonest(y: np.ndarray) -> int:
    """Return the rows of the most frequent class; of label indicators all rows."""
    return len(y) if y.ndim > 1 else int(np.unique(y, return_counts=True)[1].max())


def fit_folds(
    estimator: EntityEmbeddingEstimator,
    frame: pd.DataFrame,
    y: np.ndarray,
    sample_weight: np.ndarray | None,
    splits: Sequence[tuple[np.ndarray, np.ndarray]],
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
            embedding.parts(), model._encoder.vocabularies, strict=True
        ):
            mean = mean_vector(vectors, vocabulary)
            if mean is not None:
                vectors[UNKNOWN] = mean
    return network


def blanked(frame: pd.DataFrame, columns: Sequence[Any]) -> pd.DataFrame:
    """Return a frame in which some columns are all missing."""
    if not columns:
        return frame
    result = frame.copy(deep=False)
    for name in columns:
        result[name] = pd.Series([None] * len(frame), index=frame.index, dtype=object)
    return result
