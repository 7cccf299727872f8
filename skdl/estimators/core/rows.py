"""Training and held-out rows: weights, validation split, checks that need both."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import _check_sample_weight

# Weights beyond it, and all of them below its inverse, are brought to 1: weights count
# relative to each other.
_LARGE = 1e20


@dataclass
class Rows:
    """Validated inputs and targets of the same rows, and their weights if any.

    `weight` is for the loss; `score_weight` leaves out what the task adds to it.
    """

    X: Any
    y: np.ndarray
    weight: np.ndarray | None = None
    score_weight: np.ndarray | None = None

    def __len__(self) -> int:
        return self.X.shape[0]

    def take(self, index: np.ndarray) -> "Rows":
        """Return some of the rows."""
        weights = (
            None if weight is None else weight[index]
            for weight in (self.weight, self.score_weight)
        )
        return Rows(self.X[index], self.y[index], *weights)

    def without_zero_weights(self) -> "Rows":
        """Leave out rows of zero weight: they are as good as absent."""
        if self.weight is None or (self.weight > 0).all():
            return self
        return self.take(np.flatnonzero(self.weight > 0))


def weighing(rows: Rows, what: str) -> Rows:
    """Return the rows that have a weight.

    Raises
    ------
    ValueError
        If there is none.
    """
    found = rows.without_zero_weights()
    if len(rows) and not len(found):
        raise ValueError(
            f"All {len(rows)} {what} have weight zero, by sample weights and "
            "class_weight together; there is nothing to compute a loss from."
        )
    return found


def check_weight(sample_weight: Any, X: Any) -> np.ndarray | None:
    """Return the weights as float64 (n,), or None."""
    if sample_weight is None:
        return None
    weight = _check_sample_weight(
        sample_weight, X, dtype=np.float64, ensure_non_negative=True
    )
    largest = weight.max(initial=0.0)
    if largest and not 1 / _LARGE < largest < _LARGE:
        weight = weight / largest  # their sum is finite, and float32 holds them
    return weight


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
