"""Held-out rows: whether they are given whole, or split off."""

from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split

from skdl.data.streamed import StreamedTable
from skdl.estimators.core.rows import Rows


def check_held_out(X_val: Any, y_val: Any, sample_weight_val: Any) -> None:
    """Refuse held-out data of which a part is missing."""
    if (X_val is None) != (y_val is None):
        given, missing = ("X_val", "y_val") if y_val is None else ("y_val", "X_val")
        raise ValueError(f"{given} was given without {missing}; pass both or none.")
    if X_val is None and sample_weight_val is not None:
        raise ValueError("sample_weight_val was given without X_val and y_val.")


def split_validation(
    rows: Rows, fraction: float, stratify: np.ndarray | None, seed: int
) -> tuple[Rows, Rows]:
    """Split off a validation part, stratified where every class has two rows.

    Parameters
    ----------
    rows : Rows
        What there is.
    fraction : float
        Share of the rows that is held out.
    stratify : ndarray of shape (n,) or None
        Class of each row.
    seed : int
        Decides which rows.

    Returns
    -------
    training, validation : Rows
    """
    if isinstance(rows.X, StreamedTable):
        return _split_by_hash(rows, fraction, seed)
    everything = np.arange(len(rows))
    if len(rows) < 2:
        raise ValueError(
            f"early_stopping=True needs at least 2 samples to hold some out, got "
            f"n_samples = {len(rows)}; give more data, or X_val and y_val."
        )
    if stratify is not None:
        counts = np.unique(stratify, return_counts=True)[1]
        held_out = int(np.ceil(fraction * len(rows)))
        enough = min(held_out, len(rows) - held_out) >= len(counts)
        if counts.min() < 2 or not enough:
            stratify = None
    training, validation = train_test_split(
        everything, test_size=fraction, stratify=stratify, random_state=seed
    )
    return rows.take(training), rows.take(validation)


def _split_by_hash(rows: Rows, fraction: float, seed: int) -> tuple[Rows, Rows]:
    """Split rows that are read piece by piece by what their numbers are hashed to."""
    shares = np.random.Generator(np.random.Philox(seed)).random(
        len(rows), dtype=np.float32
    )
    chosen = shares < fraction
    if chosen.all() or not chosen.any():
        chosen[:] = False
        chosen[int(shares.argmin())] = True
    return rows.take(np.flatnonzero(~chosen)), rows.take(np.flatnonzero(chosen))
