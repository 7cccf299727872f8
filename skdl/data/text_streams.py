"""Texts that are read one after the other, and their ids in a file where they are many.

Texts are strings of an iterable, lines of files, or a column of Parquet files.
"""

import gzip
import lzma
import os
import tempfile
from array import array
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from skdl.data.open_rows import is_function
from skdl.data.text import (
    END,
    NO_DOCUMENTS,
    TextEncoder,
    TokenStream,
    not_a_text,
)

# Ids that are written at a time, and that are kept in memory where there are no more.
_CHUNK, _IN_MEMORY = 1 << 20, 1 << 24
# Tokens that are counted at most.
_MOST_COUNTED = 1 << 22
_OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open}
_PARQUET = (".parquet", ".pq")


class TextStream:
    """Texts that are read each time they are iterated.

    Parameters
    ----------
    texts : callable
        Returns an iterable of them.
    """

    def __init__(self, texts: Callable[[], Iterable[Any]]) -> None:
        self._texts = texts

    def __iter__(self) -> Iterator[str]:
        for i, text in enumerate(self._texts()):
            if not isinstance(text, str):
                raise ValueError(
                    f"X must hold strings, but one is none, {not_a_text(i, text)}"
                )
            yield text

    def parted(self, share: float, seed: int) -> tuple["TextStream", "TextStream"]:
        """Return the texts without a share of them, and that share.

        By a hash of their numbers, so that both can be read without the other.
        """

        def chosen(which: bool) -> Iterator[str]:
            drawn = np.random.Generator(np.random.Philox(seed))
            found = False
            for text in self:
                if (drawn.random() < share) is which:
                    found = True
                    yield text
            if not found:
                raise ValueError(
                    "early_stopping=True needs documents to hold out, of which X has "
                    "too few; give more, or X_val."
                )

        return TextStream(lambda: chosen(False)), TextStream(lambda: chosen(True))


def text_stream(X: Any, *, once: bool = True) -> TextStream | None:
    """Return the stream that an input is; None of texts that are in memory.

    Parameters
    ----------
    X : object
        A `pathlib.Path` of a text file or of Parquet, a list of these, a generator, an
        object that gives texts whenever it is iterated, or a function that does when
        it is called.
    once : bool, default=True
        Whether the texts are read once: a generator cannot do more.
    """
    if isinstance(X, TextStream):
        return X
    if is_function(X):
        return TextStream(X)
    paths = [X] if isinstance(X, os.PathLike) else X
    if isinstance(paths, list | tuple) and len(paths):
        if all(isinstance(path, os.PathLike) for path in paths):
            return TextStream(lambda: _texts_of(paths))
        return None
    sized = ("__len__", "shape", "__array__", "to_pylist", "__arrow_c_stream__")
    if not isinstance(X, Iterable) or any(hasattr(X, name) for name in sized):
        return None
    if isinstance(X, Iterator) and not once:
        return None
    return TextStream(lambda: X)


def _texts_of(paths: Iterable[Any]) -> Iterator[str]:
    for given in paths:
        path = Path(given)
        if path.suffix in _PARQUET or path.is_dir():
            from skdl.data.parquet import texts_of_parquet

            yield from texts_of_parquet(path)
        else:
            yield from _lines_of(path)


def _lines_of(path: Path) -> Iterator[str]:
    opener = _OPENERS.get(path.suffix, open)
    with opener(path, "rt", encoding="utf-8") as file:
        try:
            for line in file:
                yield line.rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{path} is no text in UTF-8 ({error}): read it with "
                "skdl.datasets.read_lines(path, encoding=...)."
            ) from error


class _Ids:
    """Ids of tokens that come one after the other, in a file where they are many."""

    def __init__(self) -> None:
        self._parts: list[np.ndarray] = []
        self._file: Any = None
        self._n = 0
        self._lengths = array("q")

    def add(self, ids: np.ndarray, lengths: array) -> None:
        """Append the ids of whole documents."""
        self._lengths.extend(lengths)
        self._n += len(ids)
        self._parts.append(ids)
        if self._file is None and self._n > _IN_MEMORY:
            # It has no name, and is gone with the last that maps it.
            self._file = tempfile.TemporaryFile(prefix="skdl-ids-")  # noqa: SIM115
        if self._file is not None:
            for part in self._parts:
                self._file.write(part)
            self._parts = []

    def stream(self, new_ids: np.ndarray | None = None) -> TokenStream:
        """Return all of them, each replaced by a new one if these are given."""
        if not self._lengths:
            raise ValueError(NO_DOCUMENTS)
        if self._file is None:
            ids = np.concatenate(self._parts)
        else:
            self._file.flush()
            ids = np.memmap(self._file, dtype=np.int32, mode="r+", shape=(self._n,))
            self._file.close()  # the map stays
        if new_ids is not None:
            for start in range(0, self._n, _CHUNK):
                part = ids[start : start + _CHUNK]
                part[:] = new_ids[part]
        return TokenStream(ids, np.frombuffer(self._lengths, dtype=np.int64))


class _Counts:
    """How often tokens occur; the rarest are forgotten where there are too many.

    Parameters
    ----------
    index : dict
        Ids by token, which new tokens get. Those that are forgotten and come again get
        others.
    n_always : int
        Tokens that are not forgotten.
    """

    def __init__(self, index: dict[str, int], n_always: int) -> None:
        self._index, self._n_always = index, n_always
        self._of_id = np.zeros(0, dtype=np.int64)

    def add(self, ids: np.ndarray) -> None:
        """Count ids, and forget if need be."""
        found = np.bincount(ids)
        if len(found) > len(self._of_id):
            self._of_id = np.pad(self._of_id, (0, len(found) - len(self._of_id)))
        self._of_id[: len(found)] += found
        if len(self._index) > _MOST_COUNTED:
            self._forget()

    def _forget(self) -> None:
        """Keep the more frequent half of the tokens."""
        counts = self._of_id[np.fromiter(self._index.values(), np.int64)]
        counts[: self._n_always] = counts.max() + 1
        order = np.argsort(-counts, kind="stable")
        gone = set(order[_MOST_COUNTED // 2 :].tolist())
        for token in [t for i, t in enumerate(self._index) if i in gone]:
            del self._index[token]

    def ranked(self, encoder: TextEncoder) -> np.ndarray:
        """Let an encoder choose its vocabulary; return the new id of each id."""
        ids = np.fromiter(self._index.values(), np.int64)
        counts = np.zeros(max(len(self._of_id), ids.max() + 1), dtype=np.int64)
        counts[: len(self._of_id)] = self._of_id
        known = counts[ids]
        known[1] += counts.sum() - known.sum()  # the second is <unk>
        new = encoder.rank(list(self._index), known, self._n_always)
        found = np.full(len(counts), encoder.unknown_id, dtype=np.int32)
        found[ids] = new
        return found


def fitted_stream(encoder: TextEncoder, texts: TextStream) -> TokenStream:
    """Learn an encoder's vocabulary and return the ids, in one pass over the texts.

    The vocabulary is that of the same texts in memory, unless there are more than some
    four million different tokens, of which the rarest are forgotten on the way.
    """
    index, n_always = encoder.new_index(_cased(encoder, texts))
    counts, ids = _Counts(index, n_always), _Ids()
    for part, lengths in _encoded(encoder, texts, index):
        counts.add(part)
        ids.add(part, lengths)
    return ids.stream(counts.ranked(encoder))


def encoded_stream(encoder: TextEncoder, texts: TextStream) -> TokenStream:
    """Return the ids of texts; new tokens are ``<unk>``."""
    ids = _Ids()
    for part, lengths in _encoded(encoder, texts, encoder.index):
        ids.add(part, lengths)
    return ids.stream()


def _cased(encoder: TextEncoder, texts: TextStream) -> TextStream:
    return TextStream(lambda: map(str.lower, texts)) if encoder.lowercase else texts


def _encoded(
    encoder: TextEncoder, texts: TextStream, index: dict[str, int]
) -> Iterator[tuple[np.ndarray, array]]:
    """Yield the ids of some documents, and their lengths."""
    ids, lengths, end = array("i"), array("q"), index[END]
    lookup, before = index.__getitem__, 0
    for text in _cased(encoder, texts):
        ids.extend(map(lookup, encoder.analyzer(text)))
        ids.append(end)
        lengths.append(len(ids) - before)
        before = len(ids)
        if before >= _CHUNK:
            yield np.array(ids, dtype=np.int32), lengths
            ids, lengths, before = array("i"), array("q"), 0
    if lengths:
        yield np.array(ids, dtype=np.int32), lengths
