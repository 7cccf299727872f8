"""Numeric columns to a float32 tensor: robust scaling and missing values."""

import copy
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from skdl.data.statistics import ColumnStatistics
from skdl.data.streamed import StreamedTable

# Values encoded at a time: small enough to stay in a core's cache.
_CHUNK_VALUES = 1 << 17
# Rows that the quartiles are computed from, as in HistGradientBoosting's binning.
_QUARTILE_ROWS = 200_000
# Scaled values are cut here, so that their squares stay finite in float32.
FAR = 1e6
_ONE = torch.ones(())
# Scales are looked at again when there are so many times as many rows, and learned anew
# where a spread has changed by that ratio or a median has moved by that share of it.
LOOK_AGAIN = 1.25
_RATIO, _DISTANCE = 1.5, 0.5
# A scale that fewer rows have made says little: what a network has made of it is not
# worth keeping, and costs much where two rows happened to be close.
_SETTLED_ROWS = 100
# What was learned is stretched to a new scale by no more than this: with weights a
# hundred times as large networks did not learn well on, with three times they forgot.
_MOST_STRETCH = 10.0


@dataclass(frozen=True)
class Rescaling:
    """How an encoder's columns were before it was extended.

    Attributes
    ----------
    slope, shift : ndarray of shape (n_features,)
        The column was ``slope * column + shift``, on the values seen until then as
        nearly as a line has it.
    n_added : int
        Indicators of missing values that are new, at the end.
    before, after : NumericEncoder
        That encoded the columns, and encodes them.
    """

    slope: np.ndarray
    shift: np.ndarray
    n_added: int
    before: "NumericEncoder"
    after: "NumericEncoder"

    def moved(self, column: int, values: Tensor) -> Tensor:
        """Return how what was encoded as these values is encoded now."""
        raw = self.before._raw(values.double().cpu().numpy(), column)
        return torch.from_numpy(self.after._bent(raw, column)).to(values)


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
        The columns that have an indicator, in the order of the indicators.
    slope, shift : ndarray of shape (n_features,) or None
        What bent columns are multiplied by and what is added, where there has been a
        rescaling that the network could not take; see `compensated`.
    statistics : ColumnStatistics
        Of all rows that it was fitted on and extended by.
    """

    slope: np.ndarray | None = None
    shift: np.ndarray | None = None

    # Rows predicted at a time: the activations of a usual network stay in the cache.
    inference_rows = 4096

    def __init__(self, *, scale: bool = True) -> None:
        self.scale = scale

    @property
    def n_outputs(self) -> int:
        """Columns of the encoded tensor."""
        return len(self.center) + len(self.missing)

    @property
    def indicators(self) -> dict[int, int]:
        """Where among the outputs missing values are told, by column."""
        start = len(self.center)
        return {int(j): start + i for i, j in enumerate(self.missing)}

    def fit(self, X: np.ndarray, rng: np.random.RandomState):
        """Learn medians, ranges and which columns have missing values.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features) or StreamedTable
            Floating point; NaN is missing.
        rng : numpy.random.RandomState
            Draws the rows that quartiles are computed from where there are many.

        Returns
        -------
        self
        """
        if isinstance(X, StreamedTable):
            return self.fit_chunks((part for _, part in X.chunks()), *X.shape, rng)
        n_rows, n_features = X.shape
        return self.fit_chunks([X], n_rows, n_features, rng)

    def fit_chunks(
        self,
        chunks: Iterable[np.ndarray],
        n_rows: int,
        n_features: int,
        rng: np.random.RandomState,
    ):
        """Learn the same of rows that come one part after the other.

        Parameters
        ----------
        chunks : iterable of ndarray
            Of `n_rows` rows and `n_features` columns all together.
        rng : numpy.random.RandomState
            As in `fit`.

        Returns
        -------
        self
        """
        chosen = None
        if n_rows > _QUARTILE_ROWS:
            chosen = np.sort(rng.choice(n_rows, _QUARTILE_ROWS, replace=False))
        seen, first, samples = ColumnStatistics(n_features), 0, []
        for chunk in chunks:
            seen, last = seen.extended(chunk), first + len(chunk)
            if chosen is None:
                samples.append(chunk)
            else:
                a, b = np.searchsorted(chosen, [first, last])
                samples.append(chunk[chosen[a:b] - first])
            first = last
        X = samples[0] if len(samples) == 1 else np.concatenate(samples)
        self.statistics, self._looked_at = seen, n_rows
        self.center, self.factor = np.zeros(n_features), np.zeros(n_features)
        for j in range(n_features):
            column = X[:, j]
            present = column[~np.isnan(column)]
            self.center[j], self.factor[j] = _center_and_factor(present, seen, j)
        self.missing = np.flatnonzero(seen.has_missing & ~np.isnan(seen.low))
        self.fill = np.zeros(n_features)
        if not self.scale:
            self.fill = self.center
            self.center, self.factor = np.zeros(n_features), np.ones(n_features)
        return self

    def extended(self, X: np.ndarray) -> tuple["NumericEncoder", Rescaling | None]:
        """Return an encoder that has learned from more rows, and what has changed.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Floating point; NaN is missing.

        Returns
        -------
        encoder : NumericEncoder
            Its indicators are this one's, and then new ones.
        rescaling : Rescaling or None
            None where all rows are encoded as before.
        """
        result = copy.copy(self)
        before, seen = self.statistics, self.statistics.extended(X)
        result.statistics = seen
        missing = seen.has_missing & ~np.isnan(seen.low)
        missing[self.missing] = False
        added = np.flatnonzero(missing)
        result.missing = np.concatenate([self.missing, added])
        columns = np.flatnonzero(seen.varies & ~before.varies)
        if seen.n_rows >= LOOK_AGAIN * self._looked_at:
            result._looked_at = seen.n_rows
            columns = np.arange(len(seen.low))
        found = result._rescaled(self, columns, X.dtype) if self.scale else None
        if found is None and not len(added):
            return result, None
        slope, shift = found or (np.ones(len(seen.low)), np.zeros(len(seen.low)))
        return result, Rescaling(slope, shift, len(added), self, result)

    def _rescaled(
        self, before: "NumericEncoder", columns: np.ndarray, dtype: np.dtype
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """Learn some columns anew; return slope and shift of all, None for no change.

        A missing value stays what it was for the network, the median where there has
        been none.
        """
        self.center, self.factor = before.center.copy(), before.factor.copy()
        self.fill = before.fill.copy()
        slope, shift = np.ones(len(self.center)), np.zeros(len(self.center))
        changed, settled = False, before.statistics.n_rows >= _SETTLED_ROWS
        for j in columns:
            present = self.statistics.present(j).astype(dtype)
            found = _center_and_factor(present, self.statistics, j)
            found = _widened(*found, before.center[j], before.factor[j], settled)
            if _is_near(*found, before.center[j], before.factor[j]):
                continue
            changed = True
            self.center[j], self.factor[j] = found
            slope[j], shift[j] = self._line_to(before, j)
            if before.statistics.has_missing[j]:
                self.fill[j] = (before.fill[j] - shift[j]) / slope[j]
        return (slope, shift) if changed else None

    def _line_to(self, before: "NumericEncoder", column: int) -> tuple[float, float]:
        """Return slope and shift of the line to what a column was, on values seen."""
        values = before.statistics.present(column)
        if before.statistics.n_rows < _SETTLED_ROWS or not len(values):
            return 1.0, 0.0
        old, new = before._bent(values, column), self._bent(values, column)
        deviation = new - new.mean()
        variance, slope = deviation @ deviation, 1.0
        if variance > 0 and before.factor[column] > 0:
            slope = deviation @ old / variance
            slope = min(max(slope, 1 / _MOST_STRETCH), _MOST_STRETCH)
        return slope, float(old.mean() - slope * new.mean())

    def _bent(self, values: np.ndarray, column: int) -> np.ndarray:
        """Encode values of a column, in float64."""
        if not self.scale:
            return values
        z = (values - self.center[column]) * self.factor[column]
        z = np.clip(z, -FAR, FAR)
        return z / np.sqrt(1 + (z / 3) ** 2)

    def _raw(self, encoded: np.ndarray, column: int) -> np.ndarray:
        """Return the values of a column that are encoded so, in float64."""
        if not self.scale:
            return encoded
        z = encoded / np.sqrt(np.maximum(1 - (encoded / 3) ** 2, (3 / FAR) ** 2))
        return z / (self.factor[column] or 1.0) + self.center[column]

    def compensated(self, rescaling: Rescaling) -> "NumericEncoder":
        """Return an encoder whose columns are what they were before a rescaling.

        For networks that cannot take the rescaling into their weights.
        """
        result = copy.copy(self)
        slope = np.ones(len(self.center)) if self.slope is None else self.slope
        shift = np.zeros(len(self.center)) if self.shift is None else self.shift
        result.slope = slope * rescaling.slope
        result.shift = slope * rescaling.shift + shift
        return result

    def transform(self, X: np.ndarray) -> tuple[Tensor]:
        """Encode all rows at once.

        Returns
        -------
        tuple of one Tensor of shape (n_samples, n_outputs)
            float32, on the CPU.
        """
        rows = max(1, _CHUNK_VALUES // max(1, X.shape[1]))
        if 0 < X.shape[0] <= rows:
            return (self._encoded(X, *self._scales(X.dtype)),)
        encoded = torch.empty((X.shape[0], self.n_outputs), dtype=torch.float32)
        for (chunk,), out in zip(
            self.chunks(X, rows), encoded.split(rows), strict=True
        ):
            out.copy_(chunk)
        return (encoded,)

    def chunks(self, X: np.ndarray, rows: int) -> Iterator[tuple[Tensor]]:
        """Encode `rows` rows at a time."""
        scales = self._scales(X.dtype)
        for start in range(0, X.shape[0], rows):
            yield (self._encoded(X[start : start + rows], *scales),)

    def _scales(self, dtype: np.dtype) -> tuple[Tensor, Tensor]:
        # Copies: the arrays may be read-only maps of a file.
        center, factor = self.center.astype(dtype), self.factor.astype(dtype)
        return torch.from_numpy(center), torch.from_numpy(factor)

    def _encoded(self, X: np.ndarray, center: Tensor, factor: Tensor) -> Tensor:
        """Encode a few rows."""
        raw = _as_tensor(X)
        return self._filled(raw, self._scaled(raw, center, factor))

    def seen_range(self) -> tuple[Tensor, Tensor]:
        """Return how the least and the largest of each column are encoded.

        Returns
        -------
        low, high : Tensor of shape (n_features,)
            float32; the ends of float32 where no value was seen.
        """
        center, factor = torch.from_numpy(self.center), torch.from_numpy(self.factor)
        seen = self.statistics
        low, high = (
            self._scaled(torch.from_numpy(end.astype(np.float64)), center, factor)
            for end in (seen.low, seen.high)
        )
        most = torch.finfo(torch.float32).max
        return low.nan_to_num(-most), high.nan_to_num(most)

    def _scaled(self, raw: Tensor, center: Tensor, factor: Tensor) -> Tensor:
        """Scale a few rows; a missing value stays missing."""
        # Centred in the precision of the data: large offsets keep their digits.
        scaled = torch.sub(raw, center).mul_(factor)
        if not self.scale:
            return scaled.float()
        scaled = scaled.clamp_(-FAR, FAR).float()
        bend = torch.addcmul(_ONE, scaled, scaled, value=1 / 9).rsqrt_()
        return scaled.mul_(bend)

    def _filled(self, raw: Tensor, encoded: Tensor) -> Tensor:
        """Fill missing values and append the indicators."""
        total = encoded.sum().item()
        if not math.isfinite(total) and encoded.isinf().any():
            raise ValueError(
                "X holds numbers beyond 3.4e38, the largest that float32 has, in which "
                "networks compute: scale them first, or set scale_inputs=True."
            )
        has_missing = math.isnan(total)
        if has_missing:
            fill = torch.from_numpy(self.fill.astype(np.float32))
            encoded = torch.where(encoded.isnan(), fill, encoded)
        if self.slope is not None and self.shift is not None:
            slope, shift = torch.tensor(self.slope), torch.tensor(self.shift)
            encoded = encoded.mul_(slope.float()).add_(shift.float())
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
    if not chunk.flags.writeable or min(chunk.strides) < 0:
        chunk = chunk.copy()
    return torch.from_numpy(chunk)


def _center_and_factor(
    present: np.ndarray, seen: ColumnStatistics, column: int
) -> tuple[float, float]:
    """Return the median of a column and one over its spread, 0 where it has none."""
    if len(present) == 0:
        return 0.0, 0.0
    low, median, high = np.quantile(present, [0.25, 0.5, 0.75]).astype(np.float64)
    spread = high - low
    if not spread > 0:
        spread = seen.high[column] / 2 - seen.low[column] / 2
    # A spread below the resolution of the numbers around it is rounding, not data.
    resolution = np.finfo(present.dtype)
    floor = max(8 * resolution.eps * max(abs(low), abs(high)), resolution.tiny)
    return float(median), float(1 / spread) if spread > floor else 0.0


def _widened(
    center: float, factor: float, old_center: float, old_factor: float, settled: bool
) -> tuple[float, float]:
    """Return a scale on which values of an old one that is settled can be told apart.

    On a narrower one, or one far away, the bend would make them all the same.
    """
    if not settled or factor == 0 or old_factor == 0:
        return center, factor
    return center, 1 / max(1 / factor, 1 / old_factor, abs(center - old_center))


def _is_near(
    center: float, factor: float, old_center: float, old_factor: float
) -> bool:
    """Tell whether a scale is as good as another."""
    if factor == 0 or old_factor == 0:
        return factor == old_factor
    far = abs(center - old_center) * max(factor, old_factor) > _DISTANCE
    return not far and 1 / _RATIO < factor / old_factor < _RATIO
