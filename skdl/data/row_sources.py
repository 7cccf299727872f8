"""Rows that are read piece by piece, as often as they are wanted.

A source tells its pieces (row groups of files, frames of a list) and how many rows each
has, and reads them in any order, or always in the same where it has no other.
"""

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import pandas as pd

from skdl.data.containers import as_pandas, is_frame

# Rows of an array or a query that are read at a time.
ROWS_AT_A_TIME = 1 << 16


class RowSource(Protocol):
    """Rows in pieces."""

    @property
    def names(self) -> list[Any] | None:
        """Names of the columns; None of an array."""

    @property
    def sizes(self) -> list[int]:
        """Rows of each piece."""

    @property
    def has_order(self) -> bool:
        """Whether pieces can only be read in their order."""

    def read(self, order: Sequence[int]) -> Iterator[tuple[int, Any]]:
        """Yield the number of a piece and a frame of its next rows, piece by piece."""

    def column(self, name: Any) -> np.ndarray:
        """Return a column of all rows."""

    def without(self, names: Sequence[Any]) -> "RowSource":
        """Return the source without some of its columns."""


class ArrayRows:
    """The rows of an array that may be larger than memory, such as a memory map."""

    names = None
    has_order = False

    def __init__(self, array: np.ndarray) -> None:
        self._array = array
        whole, rest = divmod(len(array), ROWS_AT_A_TIME)
        self.sizes = [ROWS_AT_A_TIME] * whole + [rest] * bool(rest)

    def read(self, order: Sequence[int]) -> Iterator[tuple[int, Any]]:
        """Yield pieces, as plain arrays."""
        for piece in order:
            rows = self._array[piece * ROWS_AT_A_TIME : (piece + 1) * ROWS_AT_A_TIME]
            yield piece, np.array(rows)

    def column(self, name: Any) -> np.ndarray:
        """Refuse: columns of an array have no names."""
        raise ValueError(f"X is an array, so y must be one too, not {name!r}.")

    def without(self, names: Sequence[Any]) -> "ArrayRows":
        """Return itself: there are no names."""
        return self


class FrameRows:
    """Frames that are given one after the other, as often as they are asked for.

    Parameters
    ----------
    frames : callable
        Returns an iterable of frames of any library, with the same columns.
    """

    has_order = True

    def __init__(self, frames: Callable[[], Iterable[Any]]) -> None:
        self._frames = frames
        self.names: list[Any] | None = None
        self.sizes: list[int] = []
        self._samples: list[int] = []
        for frame in self._given():
            if self.names is None:
                self.names = list(frame.columns)
            if {*frame.columns} != {*self.names}:
                raise ValueError(
                    f"All frames must have the same columns: the first has {self.names}"
                    f", frame {len(self.sizes)} has {list(frame.columns)}."
                )
            self.sizes.append(len(frame))
            self._samples.append(_sampled(frame[self.names]))
        if self.names is None:
            raise ValueError("X gives no frame: there are no rows to learn from.")
        if not any(self.sizes):
            raise ValueError(
                f"The {len(self.sizes)} frames of X hold no rows to learn from."
            )
        self._all_names = self.names

    def _given(self) -> Iterator[pd.DataFrame]:
        frames = self._frames()
        if not isinstance(frames, Iterable):
            raise TypeError(
                "X must give data frames, one for each part of the rows, but returned "
                f"a {type(frames).__name__}."
            )
        for frame in frames:
            if not is_frame(frame) and not hasattr(frame, "schema"):
                raise TypeError(
                    "X must give data frames, one for each part of the rows, but gave "
                    f"a {type(frame).__name__}."
                )
            yield as_pandas(frame)

    def read(self, order: Sequence[int]) -> Iterator[tuple[int, Any]]:
        """Yield frames in their order."""
        n_read = 0
        for piece, frame in enumerate(self._given()):
            n_read += 1
            if not self._is_as_before(piece, frame):
                n_read = -1
                break
            if len(frame):
                yield piece, frame[self.names]
        if n_read != len(self.sizes):
            raise ValueError(
                "X did not give the same rows again: training goes over them several "
                "times, so that each iteration must begin anew and be like the first. "
                "Do not shuffle; sort what a query returns in no order."
            )

    def _is_as_before(self, piece: int, frame: pd.DataFrame) -> bool:
        """Tell whether a frame is, as far as some of its rows say, what it was."""
        if piece >= len(self.sizes) or len(frame) != self.sizes[piece]:
            return False
        if {*frame.columns} != {*self._all_names}:
            return False
        return _sampled(frame[self._all_names]) == self._samples[piece]

    def column(self, name: Any) -> np.ndarray:
        """Return a column of all rows."""
        check_column(name, self.names)
        frames = self.read(range(len(self.sizes)))
        return np.concatenate([frame[name].to_numpy() for _, frame in frames])

    def without(self, names: Sequence[Any]) -> "FrameRows":
        """Return the source without some of its columns."""
        result = copy.copy(self)
        result.names = [name for name in self.names or [] if name not in names]
        return result


def _sampled(frame: pd.DataFrame) -> int:
    """Return a number that tells frames apart by three of their rows."""
    rows = sorted({0, len(frame) // 2, len(frame) - 1}) if len(frame) else []
    return hash(tuple(map(str, frame.iloc[rows].to_numpy(object).ravel())))


def check_column(name: Any, names: Sequence[Any] | None) -> None:
    """Refuse the name of a column that is not there."""
    if names is None or name not in names:
        raise ValueError(f"There is no column {name!r} in X; it has {names}.")
