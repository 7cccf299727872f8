"""Arrays of any shape to a float32 tensor, scaled by their last axis."""

import copy
from collections.abc import Iterator

import numpy as np
from torch import Tensor

from skdl.data.numeric import NumericEncoder, Rescaling

# Values of a chunk of rows to predict for.
_CHUNK_VALUES = 1 << 18


class ArrayEncoder:
    """Scale arrays such as (n, steps, features): one scale for each feature.

    Everything but the last axis is taken for more rows of the same columns.

    Parameters
    ----------
    scale : bool, default=True
        Whether to scale; see `NumericEncoder`.
    """

    def __init__(self, *, scale: bool = True) -> None:
        self.columns = NumericEncoder(scale=scale)

    def fit(self, X: np.ndarray, rng: np.random.RandomState):
        """Learn the scale of each feature.

        Parameters
        ----------
        X : ndarray of shape (n_samples, ..., n_features)
            Floating point; NaN is missing.
        rng : numpy.random.RandomState
            Draws the values that quartiles are computed from where there are many.

        Returns
        -------
        self
        """
        self.between = X.shape[1:-1]
        self.columns.fit(X.reshape(-1, X.shape[-1]), rng)
        return self

    def extended(self, X: np.ndarray) -> tuple["ArrayEncoder", Rescaling | None]:
        """Return an encoder that has learned from more rows, and what has changed."""
        columns, rescaling = self.columns.extended(X.reshape(-1, X.shape[-1]))
        return self._with(columns), rescaling

    def compensated(self, rescaling: Rescaling) -> "ArrayEncoder":
        """Return an encoder whose features are what they were before a rescaling."""
        return self._with(self.columns.compensated(rescaling))

    def _with(self, columns: NumericEncoder) -> "ArrayEncoder":
        result = copy.copy(self)
        result.columns = columns
        return result

    @property
    def missing(self) -> np.ndarray:
        """The features that have an indicator."""
        return self.columns.missing

    @property
    def n_outputs(self) -> int:
        """Features of the encoded tensor."""
        return self.columns.n_outputs

    @property
    def inference_rows(self) -> int:
        """Rows predicted at a time."""
        values = int(np.prod(self.between)) * max(1, self.n_outputs)
        return max(1, min(self.columns.inference_rows, _CHUNK_VALUES // values))

    def transform(self, X: np.ndarray) -> tuple[Tensor]:
        """Encode all rows at once.

        Returns
        -------
        tuple of one Tensor of shape (n_samples, ..., n_outputs)
            float32, on the CPU.
        """
        (flat,) = self.columns.transform(X.reshape(-1, X.shape[-1]))
        return (flat.view(len(X), *self.between, self.n_outputs),)

    def chunks(self, X: np.ndarray, rows: int) -> Iterator[tuple[Tensor]]:
        """Encode `rows` rows at a time."""
        for start in range(0, len(X), rows):
            yield self.transform(X[start : start + rows])
