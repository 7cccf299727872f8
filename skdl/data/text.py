"""From strings to one flat array of token ids, and back.

A stream is all documents after each other, each ended by ``<eos>``. Ids go by
frequency, so that the most frequent tokens have the lowest ones.
"""

import itertools
from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from skdl.data.analyzers import Analyzer
from skdl.data.containers import as_pandas, is_frame

UNKNOWN = "<unk>"
END = "<eos>"
NO_DOCUMENTS = "X holds no documents; at least 1 is needed."


@dataclass(frozen=True)
class TokenStream:
    """Documents as one array of ids, each ended by the id of ``<eos>``.

    Attributes
    ----------
    ids : ndarray of int32 of shape (n_tokens,)
        All documents after each other.
    lengths : ndarray of int64 of shape (n_documents,)
        Tokens of each, ``<eos>`` counted.
    """

    ids: np.ndarray
    lengths: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)


class _Known(dict):
    """Ids by token; what is not there has the id of ``<unk>``, and is not kept."""

    unknown = 0

    def __missing__(self, token: str) -> int:
        return self.unknown


class TextEncoder:
    """Learns a vocabulary and turns texts into streams of ids.

    Parameters
    ----------
    analyzer : Analyzer
        Cuts texts into tokens.
    lowercase : bool, default=False
        Whether texts are put into lower case first.
    min_frequency : int, default=1
        Rarer tokens are ``<unk>``.
    max_vocab : int or None, default=None
        Tokens that are kept at most, the most frequent ones, ``<unk>`` and ``<eos>``
        among them.

    Attributes
    ----------
    tokens : list of str
        By id; the most frequent first.
    counts : ndarray of shape (n_tokens,)
        How often each occurs in the training texts.

    Examples
    --------
    >>> from skdl.data.analyzers import WordAnalyzer
    >>> encoder = TextEncoder(WordAnalyzer())
    >>> encoder.fit_transform(["a b a", "a c"]).ids.tolist()
    [0, 2, 0, 1, 0, 3, 1]
    >>> encoder.tokens
    ['a', '<eos>', 'b', 'c', '<unk>']
    """

    def __init__(
        self,
        analyzer: Analyzer,
        *,
        lowercase: bool = False,
        min_frequency: int = 1,
        max_vocab: int | None = None,
    ) -> None:
        self.analyzer = analyzer
        self.lowercase = lowercase
        self.min_frequency = min_frequency
        self.max_vocab = max_vocab

    def fit_transform(self, texts: list[str]) -> TokenStream:
        """Learn the vocabulary and return the stream, in one pass over the texts."""
        texts = self._cased(texts)
        index, n_always = self.new_index(texts)
        stream = _stream(map(self.analyzer, texts), index)
        counts = np.bincount(stream.ids, minlength=len(index))
        new_ids = self.rank(list(index), counts, n_always)
        return TokenStream(new_ids[stream.ids], stream.lengths)

    def new_index(self, texts: Iterable[str]) -> tuple[dict[str, int], int]:
        """Return ids by token, which new tokens get, and how many are always known."""
        index: defaultdict[str, int] = defaultdict(itertools.count().__next__)
        for token in (END, UNKNOWN, *self.analyzer.fit(texts)):
            index[token]  # an id of its own, also where it does not occur
        return index, len(index)

    def rank(self, tokens: list[str], counts: np.ndarray, n_always: int) -> np.ndarray:
        """Keep the frequent tokens; return the new id of each old one."""
        kept = counts >= self.min_frequency
        kept[:n_always] = True
        order = np.argsort(-counts, kind="stable")
        order = order[kept[order]]
        if self.max_vocab is not None and len(order) > self.max_vocab:
            special = order < 2
            room = max(0, self.max_vocab - 2)
            order = order[special | (np.cumsum(~special) <= room)]
        dropped = np.ones(len(tokens), dtype=bool)
        dropped[order] = False
        counts = counts.copy()
        counts[1] += counts[dropped].sum()
        order = order[np.argsort(-counts[order], kind="stable")]  # <unk> has grown
        self.tokens = [tokens[i] for i in order]
        self.counts = counts[order]
        self._index = _Known((token, i) for i, token in enumerate(self.tokens))
        self._index.unknown = self.unknown_id = self._index[UNKNOWN]
        self.end_id = self._index[END]
        new_ids = np.full(len(tokens), self.unknown_id, dtype=np.int32)
        new_ids[order] = np.arange(len(order), dtype=np.int32)
        return new_ids

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without what follows from it."""
        return {k: v for k, v in vars(self).items() if k != "_index"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take the state."""
        vars(self).update(state)
        if "tokens" in state:
            self._index = _Known((token, i) for i, token in enumerate(self.tokens))
            self._index.unknown = self.unknown_id

    def transform(self, texts: list[str]) -> TokenStream:
        """Return the stream of texts; new tokens are ``<unk>``."""
        return _stream(map(self.analyzer, self._cased(texts)), self._index)

    def transform_cut(self, cuts: Iterable[Sequence[str]]) -> TokenStream:
        """Return the stream of texts that `cut` has been through."""
        return _stream(cuts, self._index)

    @property
    def index(self) -> dict[str, int]:
        """Ids by token."""
        return self._index

    def as_read(self, texts: list[str]) -> list[str]:
        """Return the tokens of texts as they stand there, each text's ``<eos>`` too."""
        return [token for cut in self.cut(texts) for token in (*cut, END)]

    def cut(self, texts: list[str]) -> list[Sequence[str]]:
        """Return the tokens of each text as they stand there."""
        return [self.analyzer(text) for text in self._cased(texts)]

    def id_of(self, token: str) -> int | None:
        """Return the id of a token that is known."""
        return self._index.get(token)

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text that ids stand for, up to the first ``<eos>``."""
        ids = list(ids)
        if self.end_id in ids:
            ids = ids[: ids.index(self.end_id)]
        return self.analyzer.join([self.tokens[i] for i in ids])

    def _cased(self, texts: list[str]) -> list[str]:
        return [text.lower() for text in texts] if self.lowercase else texts


def _stream(cuts: Iterable[Sequence[str]], index: dict[str, int]) -> TokenStream:
    ids, lengths, end = array("i"), array("q"), index[END]
    lookup, before = index.__getitem__, 0
    for tokens in cuts:
        ids.extend(map(lookup, tokens))
        ids.append(end)
        lengths.append(len(ids) - before)
        before = len(ids)
    return TokenStream(
        np.frombuffer(ids, dtype=np.int32), np.frombuffer(lengths, dtype=np.int64)
    )


def check_texts(X: Any, *, may_be_empty: bool = False) -> list[str]:
    """Return texts as a list of strings.

    Parameters
    ----------
    X : iterable of str
        A list, Series, array, polars column, frame of one column, or generator.
    may_be_empty : bool, default=False
        Whether there may be none at all.

    Raises
    ------
    TypeError
        If X is one string, without an order, or no iterable.
    ValueError
        If X is empty, has several columns, or holds anything but strings.
    """
    if isinstance(X, Mapping):
        raise TypeError(
            f"X must be an iterable of strings, got a {type(X).__name__}; give its "
            "texts, such as list(X.values())."
        )
    if isinstance(X, set | frozenset):
        raise TypeError(
            f"X must be an iterable of strings in an order, which a {type(X).__name__} "
            "has not: give a list, such as sorted(X)."
        )
    if isinstance(X, np.ndarray) and not X.ndim:
        X = X.item()
    if isinstance(X, bytes | bytearray):
        raise TypeError(
            f"X must be an iterable of strings, got one {type(X).__name__}. "
            f"{_advice(X)}"
        )
    if isinstance(X, str):
        raise TypeError(
            f"X must be an iterable of strings, got one {type(X).__name__}; put it into"
            " a list, or read a file with skdl.datasets.read_lines; TextLM.fit takes a "
            "pathlib.Path of one."
        )
    texts = _items(X)
    if not texts and not may_be_empty:
        raise ValueError(NO_DOCUMENTS)
    bad = [i for i, text in enumerate(texts) if not isinstance(text, str)]
    if bad:
        raise ValueError(
            f"X must hold strings, but {len(bad)} of {len(texts)} items are none, the "
            f"first {not_a_text(bad[0], texts[bad[0]])}"
        )
    return texts


def as_strings(tokens: Sequence[str]) -> Any:
    """Return tokens as an array for frames, which pandas itself would keep in UTF-8.

    That has no lone surrogates, and tokens may have them.
    """
    return pd.array(tokens, dtype=pd.StringDtype("python", na_value=np.nan))


def not_a_text(position: int, item: Any) -> str:
    """Say which item is no string, and what to do."""
    return f"at position {position}: {item!r}. {_advice(item)}"


def _items(X: Any) -> list[Any]:
    """Return what an iterable or one column holds, as Python's objects."""
    shape: tuple[int, ...] = getattr(X, "shape", ())
    if len(shape) > 1:
        if shape[1] != 1:
            raise ValueError(f"X must be one column of strings, got shape {shape}.")
        X = as_pandas(X).iloc[:, 0] if is_frame(X) else X[:, 0]
    if not isinstance(X, Iterable):
        raise TypeError(
            f"X must be an iterable of strings, got {type(X).__name__}: {X!r}."
        )
    if hasattr(X, "to_pylist"):  # of Arrow
        return X.to_pylist()
    return X.tolist() if isinstance(X, np.ndarray) else list(X)


def _advice(item: Any) -> str:
    if isinstance(item, (bytes, bytearray)):
        return "Decode bytes first: text.decode('utf-8')."
    # pandas' NA must not be compared: it is neither equal to itself nor not.
    is_nan = isinstance(item, float | np.floating) and item != item
    if is_nan or type(item).__name__ in ("NoneType", "NAType", "NaTType"):
        return "Fill missing texts first, for example with fillna('')."
    return "Turn them into strings first, for example with astype(str)."
