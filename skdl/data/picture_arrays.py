"""Pictures in arrays of any layout to one: (n, channels, height, width)."""

import copy
import math
import warnings
from collections.abc import Iterator, Sequence
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

_MOST_CHANNELS = 4
# Pixels in a chunk of pictures: activations of a network stay small beside the data.
_CHUNK_PIXELS = 1 << 18
# Pictures that mean and spread are computed from.
_STATISTICS_ROWS = 2_000
# From so many pictures on means and spreads are settled.
_SETTLED_ROWS = 100
# How far beyond the training data, as a share of its range, values are no surprise.
_TOLERANCE = 0.1


class PictureShape(NamedTuple):
    """Channels, height and width of every picture."""

    channels: int
    height: int
    width: int

    def __str__(self) -> str:
        return f"{self.height} x {self.width} with {self.channels} channel(s)"


def parse_shape(image_shape: Sequence[int]) -> tuple[tuple[int, int], int | None, bool]:
    """Return height and width, channels if given, and whether channels come last.

    Raises
    ------
    ValueError
        If it is not two or three positive integers, of which one of three is at most 4.
    """
    counts = list(image_shape)
    whole = all(isinstance(n, Integral) and n < 2**31 for n in counts)
    shape = tuple(int(n) for n in counts) if whole else ()
    if len(shape) == 2 and min(shape) > 0:
        return shape, None, True
    if len(shape) == 3 and min(shape) > 0:
        if shape[2] <= _MOST_CHANNELS:
            return shape[:2], shape[2], True
        if shape[0] <= _MOST_CHANNELS:
            return shape[1:], shape[0], False
    raise ValueError(
        "image_shape must be (height, width), (height, width, channels) or (channels, "
        f"height, width) with at most {_MOST_CHANNELS} channels, got {image_shape!r}."
    )


def to_channels_first(X: np.ndarray, image_shape: Sequence[int] | None) -> np.ndarray:
    """Return pictures as (n, channels, height, width), uint8 or float32.

    Parameters
    ----------
    X : ndarray of 2, 3 or 4 dimensions
        Flattened rows, grey pictures, or pictures with channels last or first.
    image_shape : sequence of int or None
        As a user gives it.

    Raises
    ------
    ValueError
        If the layout cannot be told or does not match `image_shape`.
    """
    if X.ndim == 2:
        pictures = _from_rows(X, image_shape)
    elif X.ndim == 3:
        pictures = X[:, None]
    elif X.ndim == 4:
        pictures = X.transpose(0, 3, 1, 2) if _channels_last(X, image_shape) else X
    else:
        raise ValueError(
            "Pictures must be rows, (n, height, width), (n, height, width, channels) "
            f"or (n, channels, height, width), got an array of shape {X.shape}."
        )
    if image_shape is not None:
        size, channels, _ = parse_shape(image_shape)
        if pictures.shape[2:] != size or channels not in (None, pictures.shape[1]):
            raise ValueError(
                f"image_shape={tuple(image_shape)} does not match pictures of "
                f"{PictureShape(*pictures.shape[1:])}."
            )
    if not pictures.size:
        raise ValueError(f"X holds pictures without pixels: its shape is {X.shape}.")
    kind = np.uint8 if pictures.dtype in (np.uint8, np.bool_) else np.float32
    with np.errstate(over="ignore"):
        result = np.ascontiguousarray(pictures, dtype=kind)
    if pictures.dtype == np.float64 and np.isinf(result).any():
        raise ValueError(
            "X holds values beyond 3.4e38, the largest that float32 has, in which "
            "pictures are kept; divide them first."
        )
    return result


def _from_rows(X: np.ndarray, image_shape: Sequence[int] | None) -> np.ndarray:
    n, columns = X.shape
    if image_shape is None:
        side = math.isqrt(columns)
        if side * side == columns:
            return X.reshape(n, 1, side, side)
        warnings.warn(
            f"X has {columns} columns, which make no square picture; each row is taken "
            f"for a strip of 1 x {columns} pixels. Give image_shape=(height, width) or "
            "(height, width, channels).",
            UserWarning,
            stacklevel=2,
        )
        return X.reshape(n, 1, 1, columns)
    (height, width), channels, last = parse_shape(image_shape)
    channels = channels or 1
    if columns != height * width * channels:
        raise ValueError(
            f"image_shape={tuple(image_shape)} makes {height * width * channels} "
            f"columns, but X has {columns}."
        )
    if last:
        return X.reshape(n, height, width, channels).transpose(0, 3, 1, 2)
    return X.reshape(n, channels, height, width)


def _channels_last(X: np.ndarray, image_shape: Sequence[int] | None) -> bool:
    if image_shape is not None and X.shape[1:] == tuple(image_shape):
        return parse_shape(image_shape)[2]
    if X.shape[3] <= _MOST_CHANNELS:
        return True
    if X.shape[1] <= _MOST_CHANNELS:
        return False
    raise ValueError(
        f"X has shape {X.shape}, and neither its second nor its last axis has at most "
        f"{_MOST_CHANNELS} entries, as channels have."
    )


class PictureEncoder:
    """Pictures to tensors; their bytes stay bytes until they are on the device.

    Parameters
    ----------
    scale : bool, default=True
        Whether `mean` and `spread` are those of the training data. Without it bytes
        are divided by 255 and floats left as they are.

    Attributes
    ----------
    shape : PictureShape
        Of every picture.
    mean, spread : list of float
        Of each channel.
    low, high : float
        Smallest and largest value.
    is_bytes : bool
        Whether the training pictures were bytes.
    """

    def __init__(self, *, scale: bool = True) -> None:
        self.scale = scale

    @property
    def inference_rows(self) -> int:
        """Pictures to predict at a time."""
        return max(8, _CHUNK_PIXELS // (self.shape.height * self.shape.width))

    def fit(self, X: Any, rng: np.random.RandomState):
        """Learn shape, range, means and spreads.

        Parameters
        ----------
        X : ndarray or PictureFiles of shape (n, channels, height, width)
            The training pictures.
        rng : numpy.random.RandomState
            Draws the pictures that are looked at where there are many.

        Returns
        -------
        self
        """
        self.shape = PictureShape(*X.shape[1:])
        some = X
        if X.shape[0] > _STATISTICS_ROWS:
            some = X[np.sort(rng.choice(X.shape[0], _STATISTICS_ROWS, replace=False))]
        sample = read(some)
        self.is_bytes = sample.dtype == np.uint8
        whole = sample if not isinstance(X, np.ndarray) else X
        self.low, self.high = float(whole.min()), float(whole.max())
        n_channels = self.shape.channels
        self.mean = [0.0] * n_channels
        self.spread = [255.0 if self.is_bytes else 1.0] * n_channels
        self.n_rows, self._moments = X.shape[0], _moments(sample)
        if self.scale:
            self.mean, found = self._moments
            self.spread = [s if self._is_spread(s) else 1.0 for s in found]
        return self

    def _is_spread(self, spread: float) -> bool:
        return spread > 1e-6 * abs(self.high)

    def extended(self, X: Any) -> "PictureEncoder":
        """Return an encoder that has learned from more pictures.

        Mean and spread of a channel stay once there have been 100 pictures, but for a
        channel that had one value in all of them: it gets its spread when it first
        varies.
        """
        result = copy.copy(self)
        step = -(-X.shape[0] // _STATISTICS_ROWS)
        sample = read(X[::step])
        result.n_rows = self.n_rows + X.shape[0]
        result.low = min(self.low, float(sample.min()))
        result.high = max(self.high, float(sample.max()))
        share = X.shape[0] / result.n_rows
        result._moments = _mixed(self._moments, _moments(sample), share)
        if not self.scale:
            return result
        result.spread = list(self.spread)
        settling = self.n_rows < _SETTLED_ROWS
        if settling:
            result.mean, _ = result._moments
        spreads = zip(self._moments[1], result._moments[1], strict=True)
        for channel, (before, found) in enumerate(spreads):
            first = settling or not self._is_spread(before)
            if first and result._is_spread(found):
                result.spread[channel] = found
        return result

    def warn_of_range(self, X: np.ndarray) -> None:
        """Warn where floats are not in the range of the training pictures."""
        if not isinstance(X, np.ndarray):
            return
        low, high = float(X.min()), float(X.max())
        room = _TOLERANCE * (self.high - self.low)
        bytes_as_shares = self.is_bytes and X.dtype != np.uint8 and 0 < high <= 1
        if low < self.low - room or high > self.high + room or bytes_as_shares:
            if X.dtype == np.uint8 and self.is_bytes:
                return
            warnings.warn(
                f"The pictures hold values from {low:g} to {high:g}, those of training "
                f"from {self.low:g} to {self.high:g}. Are they in the same units?",
                UserWarning,
                stacklevel=2,
            )

    def transform(self, X: Any) -> tuple[Tensor]:
        """Return all pictures as one tensor (n, channels, height, width)."""
        return (_as_tensor(read(X)),)

    def chunks(self, X: Any, rows: int) -> Iterator[tuple[Tensor]]:
        """Return `rows` pictures at a time."""
        for start in range(0, X.shape[0], rows):
            yield (_as_tensor(read(X[start : start + rows])),)


def _moments(pictures: np.ndarray) -> tuple[list[float], list[float]]:
    """Return mean and standard deviation of each channel."""
    channels = [pictures[:, c] for c in range(pictures.shape[1])]
    # float32 has no room for the squares of large values.
    means = [float(c.mean(dtype=np.float64)) for c in channels]
    return means, [float(c.std(dtype=np.float64)) for c in channels]


def _mixed(one: tuple, other: tuple, share: float) -> tuple[list[float], list[float]]:
    """Return mean and deviation where `other` has that share of the pictures."""
    (mean, spread), (other_mean, other_spread) = np.array(one), np.array(other)
    mixed = mean + share * (other_mean - mean)
    within = spread**2 + share * (other_spread**2 - spread**2)
    between = share * (1 - share) * (other_mean - mean) ** 2
    return mixed.tolist(), np.sqrt(within + between).tolist()


def read(X: Any) -> np.ndarray:
    """Return pictures as an array, read from their files if they are in files."""
    return X if isinstance(X, np.ndarray) else X.read()


def _as_tensor(X: np.ndarray) -> Tensor:
    if not X.flags.writeable or not X.flags.c_contiguous:
        X = X.copy()
    return torch.from_numpy(X)
