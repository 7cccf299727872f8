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

# Rows of an array that are read at a time.
_ROWS = 1 << 16


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
        whole, rest = divmod(len(array), _ROWS)
        self.sizes = [_ROWS] * whole + [rest] * bool(rest)

    def read(self, order: Sequence[int]) -> Iterator[tuple[int, Any]]:
        """Yield pieces, as plain arrays."""
        for piece in order:
            rows = self._array[piece * _ROWS : (piece + 1) * _ROWS]
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
        self._left_out: list[Any] = []
        self.names: list[Any] | None = None
        self.sizes = []
        for frame in self._given():
            names = list(frame.columns)
            if self.names is None:
                self.names = names
            elif names != self.names:
                raise ValueError(
                    f"All frames must have the same columns: the first has {self.names}"
                    f", frame {len(self.sizes)} has {names}."
                )
            self.sizes.append(len(frame))
        if self.names is None:
            raise ValueError("X gives no frame: there are no rows to learn from.")

    def _given(self) -> Iterator[pd.DataFrame]:
        for frame in self._frames():
            if not is_frame(frame) and not hasattr(frame, "schema"):
                raise TypeError(
                    "X must give data frames, one for each part of the rows, but gave "
                    f"a {type(frame).__name__}."
                )
            yield as_pandas(frame).drop(columns=self._left_out)

    def read(self, order: Sequence[int]) -> Iterator[tuple[int, Any]]:
        """Yield frames in their order."""
        n_read = 0
        for piece, frame in enumerate(self._given()):
            if piece >= len(self.sizes) or len(frame) != self.sizes[piece]:
                break
            n_read += 1
            if len(frame):
                yield piece, frame
        if n_read != len(self.sizes):
            raise ValueError(
                "X did not give the same rows again: training goes over them several "
                "times, so that each iteration must begin anew and be like the first."
            )

    def column(self, name: Any) -> np.ndarray:
        """Return a column of all rows."""
        check_column(name, self.names)
        frames = self.read(range(len(self.sizes)))
        return np.concatenate([frame[name].to_numpy() for _, frame in frames])

    def without(self, names: Sequence[Any]) -> "FrameRows":
        """Return the source without some of its columns."""
        result = copy.copy(self)
        result._left_out = [*self._left_out, *names]
        result.names = [name for name in self.names or [] if name not in names]
        return result


def check_column(name: Any, names: Sequence[Any] | None) -> None:
    """Refuse the name of a column that is not there."""
    if names is None or name not in names:
        raise ValueError(f"There is no column {name!r} in X; it has {names}.")
