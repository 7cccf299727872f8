"""Turning vectors: to their principal axes, and to the axes of other vectors.

A network's vectors are only defined up to a change of axes, which its first layer
undoes. Vectors of networks trained on different folds mean the same only after one has
been turned to the other.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from skdl.data.categories import FIRST
from skdl.estimators.tables.vectors import ColumnVectors, Vectors


def as_used(vectors: Vectors, weights: Sequence[np.ndarray]) -> Vectors:
    """Stretch each column's vectors to the distances that the first layer gives them.

    Parameters
    ----------
    vectors : Vectors
        Of a network.
    weights : sequence of ndarray of shape (n_units, dim)
        What the first layer multiplies each column's vectors with.

    Returns
    -------
    Vectors
        ``v @ sqrt(W.T @ W)``, as far from each other as ``W @ v`` are.
    """
    by_column = {}
    for (name, column), W in zip(vectors.by_column.items(), weights, strict=True):
        squares, axes = np.linalg.eigh(W.T.astype(np.float64) @ W)
        stretch = (axes * np.sqrt(np.maximum(squares, 0))) @ axes.T
        stretched = (column.vectors @ stretch).astype(np.float32)
        by_column[name] = replace(column, vectors=stretched)
    return replace(vectors, by_column=by_column)


def principal_axes(vectors: Vectors) -> Vectors:
    """Centre each column's vectors and turn them to their principal axes."""
    return replace(
        vectors,
        by_column={name: _to_axes(v) for name, v in vectors.by_column.items()},
    )


def _to_axes(column: ColumnVectors) -> ColumnVectors:
    weight = column.vocabulary.counts.astype(np.float64)
    if weight.sum() == 0 or column.vectors.shape[1] == 0:
        return column
    X = column.vectors.astype(np.float64)
    X = X - np.average(X, axis=0, weights=weight)
    _, axes = np.linalg.eigh((X * weight[:, None]).T @ X)
    axes = axes[:, ::-1]  # the largest first
    axes = axes * np.where(axes[np.abs(axes).argmax(0), range(len(axes))] < 0, -1, 1)
    return replace(column, vectors=(X @ axes).astype(np.float32))


def align(moved: Vectors, fixed: Vectors) -> Vectors:
    """Turn each column's vectors to those of the same categories in `fixed`.

    The best rotation, reflection and shift (orthogonal Procrustes, Schoenemann 1966),
    weighted by how often a category occurs.

    Parameters
    ----------
    moved, fixed : Vectors
        Of the same columns, learned from different rows.

    Returns
    -------
    Vectors
        In the axes of `fixed`, and with its choice of what to keep.
    """
    by_column = {
        name: _turned(column, fixed.by_column[name])
        for name, column in moved.by_column.items()
    }
    return replace(moved, by_column=by_column, keep_rest=fixed.keep_rest)


def _turned(moved: ColumnVectors, fixed: ColumnVectors) -> ColumnVectors:
    pairs = [
        (FIRST + i, fixed.vocabulary.code(category))
        for i, category in enumerate(moved.vocabulary.categories)
    ]
    if not moved.vectors.shape[1]:  # the column was dropped
        return moved
    if not pairs:  # all missing: what missing and unknown ones have tells no fold
        return replace(moved, vectors=fixed.vectors[: len(moved.vectors)])
    rows, partners = (np.array(p, dtype=np.int64) for p in zip(*pairs, strict=True))
    weight = np.sqrt(moved.vocabulary.counts[rows].astype(np.float64))[:, None]
    A, B = (v.vectors.astype(np.float64) for v in (moved, fixed))
    dim = B.shape[1]
    A = _as_wide(A, dim)
    share = weight**2 / (weight**2).sum()
    mean_a, mean_b = (share * A[rows]).sum(0), (share * B[partners]).sum(0)
    U, _, Vt = np.linalg.svd(
        (weight * (A[rows] - mean_a)).T @ (weight * (B[partners] - mean_b))
    )
    turned = (A - mean_a) @ (U @ Vt) + mean_b
    return replace(moved, vectors=turned.astype(np.float32))


def _as_wide(A: np.ndarray, dim: int) -> np.ndarray:
    """Append zeros, or leave out what has least variance; folds may lack categories."""
    if A.shape[1] < dim:
        return np.pad(A, ((0, 0), (0, dim - A.shape[1])))
    if A.shape[1] > dim:
        _, _, axes = np.linalg.svd(A - A.mean(0), full_matrices=False)
        return A @ axes[:dim].T
    return A
