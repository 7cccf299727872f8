"""Numeric columns to a float32 tensor: robust scaling and missing values."""

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

# Values encoded at a time: small enough to stay in a core's cache.
_CHUNK_VALUES = 1 << 17
# Rows that the quartiles are computed from, as in HistGradientBoosting's binning.
_QUARTILE_ROWS = 200_000
# Scaled values are cut here, so that their squares stay finite in float32.
_FAR = 1e6
_ONE = torch.ones(())


class NumericEncoder:
    """Scale numeric columns robustly and fill their missing values.

    Each column is centred on its median and divided by its interquartile range (by
    half its range where that is zero), then bent smoothly toward +-3 by
    ``x / sqrt(1 + (x / 3)^2)``, so that outliers cannot dominate (RealMLP, Holzmueller
    et al. 2024, arXiv 2407.04491, section 3). A missing value becomes the median, and
    every column with missing values in the data that it was fitted on gets one more
    column that is 1 where the value is missing.

    Parameters
    ----------
    scale : bool, default=True
        Whether to scale. Without it only missing values are filled.

    Attributes
    ----------
    center, factor, fill : ndarray of shape (n_features,)
        ``(x - center) * factor`` is the scaled value; `fill` is put where it is NaN.
    missing : ndarray of int
        The columns that have an indicator.
    """

    # Rows predicted at a time: the activations of a usual network stay in the cache.
    inference_rows = 4096

    def __init__(self, *, scale: bool = True) -> None:
        self.scale = scale

    @property
    def n_outputs(self) -> int:
        """Columns of the encoded tensor."""
        return len(self.center) + len(self.missing)

    def fit(self, X: np.ndarray, rng: np.random.RandomState):
        """Learn medians, ranges and which columns have missing values.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Floating point; NaN is missing.
        rng : numpy.random.RandomState
            Draws the rows that quartiles are computed from where there are many.

        Returns
        -------
        self
        """
        n_rows, n_features = X.shape
        missing = np.zeros(n_features, dtype=bool)
        if n_rows > _QUARTILE_ROWS:
            for j in range(n_features):
                missing[j] = np.isnan(X[:, j]).any()
            X = X[np.sort(rng.choice(n_rows, _QUARTILE_ROWS, replace=False))]
        statistics = np.empty((n_features, 3))
        for j in range(n_features):
            column = X[:, j]
            present = column[~np.isnan(column)]
            missing[j] |= len(present) < len(column)
            statistics[j] = _center_and_factor(present)
        center, factor, empty = statistics.T
        missing &= empty == 0
        self.missing = np.flatnonzero(missing)
        if self.scale:
            self.center, self.factor = center, factor
            self.fill = np.zeros(n_features)
        else:
            self.center = np.zeros(n_features)
            self.factor = np.ones(n_features)
            self.fill = center
        return self

    def transform(self, X: np.ndarray) -> tuple[Tensor]:
        """Encode all rows at once.

        Returns
        -------
        tuple of one Tensor of shape (n_samples, n_outputs)
            float32, on the CPU.
        """
        encoded = torch.empty((X.shape[0], self.n_outputs), dtype=torch.float32)
        rows = max(1, _CHUNK_VALUES // max(1, X.shape[1]))
        for (chunk,), out in zip(
            self.chunks(X, rows), encoded.split(rows), strict=True
        ):
            out.copy_(chunk)
        return (encoded,)

    def chunks(self, X: np.ndarray, rows: int) -> Iterator[tuple[Tensor]]:
        """Encode `rows` rows at a time."""
        # Copies: the arrays may be read-only maps of a file.
        center, factor, fill = (
            _as_tensor(a.astype(X.dtype)) for a in (self.center, self.factor, self.fill)
        )
        for start in range(0, X.shape[0], rows):
            raw = _as_tensor(X[start : start + rows])
            encoded = self._scaled(raw, center, factor)
            yield (self._filled(raw, encoded, fill),)

    def _scaled(self, raw: Tensor, center: Tensor, factor: Tensor) -> Tensor:
        """Scale a few rows; a missing value stays missing."""
        # Centred in the precision of the data: large offsets keep their digits.
        scaled = torch.sub(raw, center).mul_(factor)
        if not self.scale:
            return scaled.float()
        scaled = scaled.clamp_(-_FAR, _FAR).float()
        bend = torch.addcmul(_ONE, scaled, scaled, value=1 / 9).rsqrt_()
        return scaled.mul_(bend)

    def _filled(self, raw: Tensor, encoded: Tensor, fill: Tensor) -> Tensor:
        """Fill missing values and append the indicators."""
        total = encoded.sum().item()
        if not math.isfinite(total) and encoded.isinf().any():
            raise ValueError(
                "X holds numbers beyond 3.4e38, the largest that float32 has, in which "
                "networks compute: scale them first, or set scale_inputs=True."
            )
        has_missing = math.isnan(total)
        if has_missing:
            encoded = torch.where(encoded.isnan(), fill.float(), encoded)
        if not len(self.missing):
            return encoded
        columns = torch.from_numpy(np.array(self.missing))
        if has_missing:
            indicators = raw[:, columns].isnan().float()
        else:
            indicators = encoded.new_zeros((len(encoded), len(columns)))
        return torch.cat([encoded, indicators], dim=1)


def _as_tensor(chunk: np.ndarray) -> Tensor:
    """Make a tensor, without a copy where torch can share the memory."""
    if not chunk.flags.writeable or any(stride < 0 for stride in chunk.strides):
        chunk = chunk.copy()
    return torch.from_numpy(chunk)


def _center_and_factor(present: np.ndarray) -> tuple[float, float, float]:
    """Return median, one over the spread, and 1 where there is no value at all."""
    if len(present) == 0:
        return 0.0, 0.0, 1.0
    low, median, high = np.quantile(present, [0.25, 0.5, 0.75]).astype(np.float64)
    spread = high - low
    if not spread > 0:
        spread = present.max() / 2 - present.min() / 2
    # A spread below the resolution of the numbers around it is rounding, not data.
    resolution = np.finfo(present.dtype)
    floor = max(8 * resolution.eps * max(abs(low), abs(high)), resolution.tiny)
    return float(median), float(1 / spread) if spread > floor else 0.0, 0.0
