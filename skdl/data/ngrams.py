"""Counts of words and of runs of words, sparse, from streams of ids."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from skdl.data.text import TokenStream

_NONE = -1  # in place of a run's number: it is not counted


@dataclass(frozen=True)
class _Runs:
    """Runs of one length that are counted: those that are frequent enough.

    Attributes
    ----------
    keys : ndarray of int64 of shape (n_runs,)
        Rising; the number of all but the last token times the number of tokens, plus
        the last token.
    first : int
        Column of the first of them.
    """

    keys: np.ndarray
    first: int

    def at(self, places: np.ndarray, keys: np.ndarray, length: int) -> np.ndarray:
        """Return the number of the run that ends at each place of a stream.

        -1 where it is not counted.
        """
        numbers = np.full(length, _NONE, dtype=np.int64)
        if len(self.keys):
            found = np.searchsorted(self.keys, keys).clip(max=len(self.keys) - 1)
            numbers[places] = np.where(self.keys[found] == keys, found, _NONE)
        return numbers


class NgramCounter:
    """Counts tokens, and runs of them, in documents.

    A run is counted if it occurs in enough documents, and everything in it does. Runs
    do not go over the end of a document or over what is unknown.

    Parameters
    ----------
    n_range : tuple of two int
        Lengths of the shortest and the longest runs.
    n_tokens : int
        Tokens that there are.
    left_out : tuple of int
        Tokens that are not counted: ``<eos>`` and ``<unk>``.
    min_documents : int, default=1
        In how many documents a run has to occur.

    Attributes
    ----------
    n_columns : int
        Runs that are counted.
    n_words : int
        How many of them are single tokens; they are the first ones.

    Examples
    --------
    >>> from skdl.data.analyzers import WordAnalyzer
    >>> from skdl.data.text import TextEncoder
    >>> encoder = TextEncoder(WordAnalyzer())
    >>> stream = encoder.fit_transform(["a b a", "b a"])
    >>> counter = NgramCounter(
    ...     (1, 2), len(encoder.tokens), (encoder.end_id, encoder.unknown_id)
    ... )
    >>> counter.fit_transform(stream).toarray().tolist()
    [[2.0, 1.0, 1.0, 1.0], [1.0, 1.0, 0.0, 1.0]]
    >>> [" ".join(encoder.tokens[i] for i in run) for run in counter.runs()]
    ['a', 'b', 'a b', 'b a']
    """

    def __init__(
        self,
        n_range: tuple[int, int],
        n_tokens: int,
        left_out: tuple[int, ...],
        *,
        min_documents: int = 1,
    ) -> None:
        self.n_range = n_range
        self.n_tokens = n_tokens
        self.left_out = left_out
        self.min_documents = min_documents

    def fit_transform(self, stream: TokenStream) -> sparse.csr_matrix:
        """Choose what is counted, and count it."""
        self._levels: list[_Runs] = []
        shape = len(stream.lengths), self._learn(stream)
        return self._counted(stream, shape)

    @property
    def levels(self) -> list[_Runs]:
        """The counted runs of each length, from single tokens on."""
        return self._levels

    @property
    def n_columns(self) -> int:
        """Runs that are counted."""
        shown = self._levels[self.n_range[0] - 1 :]
        return sum(len(level.keys) for level in shown)

    @property
    def n_words(self) -> int:
        """Columns of single tokens."""
        return len(self._levels[0].keys) if self.n_range[0] == 1 else 0

    def transform(self, stream: TokenStream) -> sparse.csr_matrix:
        """Return the counts of documents (n_documents, n_columns), float32."""
        return self._counted(stream, (len(stream.lengths), self.n_columns))

    def runs(self) -> list[tuple[int, ...]]:
        """Return the tokens of each column."""
        found: list[tuple[int, ...]] = []
        before: list[tuple[int, ...]] = [()]
        for n, level in enumerate(self._levels, 1):
            heads, last = np.divmod(level.keys, self.n_tokens)
            pairs = zip(heads.tolist(), last.tolist(), strict=True)
            before = [(*before[head], token) for head, token in pairs]
            if n >= self.n_range[0]:
                found += before
        return found

    def _learn(self, stream: TokenStream) -> int:
        """Choose the runs; return how many columns they make."""
        documents, first = _documents(stream), 0
        numbers = np.zeros(len(stream), dtype=np.int64)
        for n in range(1, self.n_range[1] + 1):
            keys, places = self._keys(stream.ids, numbers, n)
            level = _Runs(_frequent(keys, documents[places], self.min_documents), first)
            self._levels.append(level)
            first += len(level.keys) if n >= self.n_range[0] else 0
            numbers = level.at(places, keys, len(stream))
        return first

    def _keys(
        self, ids: np.ndarray, numbers: np.ndarray, n: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return keys of runs of length `n`, and where in the stream they end."""
        counted = ~np.isin(ids, self.left_out)
        if n == 1:
            places = np.flatnonzero(counted)
            return ids[places].astype(np.int64), places
        counted[1:] &= numbers[:-1] != _NONE
        counted[:1] = False
        places = np.flatnonzero(counted)
        return numbers[places - 1] * self.n_tokens + ids[places], places

    def _counted(
        self, stream: TokenStream, shape: tuple[int, int]
    ) -> sparse.csr_matrix:
        documents = _documents(stream)
        numbers = np.zeros(len(stream), dtype=np.int64)
        rows, columns = [], []
        for n, level in enumerate(self._levels, 1):
            keys, places = self._keys(stream.ids, numbers, n)
            numbers = level.at(places, keys, len(stream))
            if n >= self.n_range[0]:
                seen = np.flatnonzero(numbers != _NONE)
                rows.append(documents[seen])
                columns.append(numbers[seen] + level.first)
        where = np.concatenate(rows), np.concatenate(columns)
        ones = np.ones(len(where[0]), dtype=np.float32)
        return sparse.coo_matrix((ones, where), shape=shape).tocsr()


def _documents(stream: TokenStream) -> np.ndarray:
    """Return the document of each token."""
    return np.repeat(np.arange(len(stream.lengths)), stream.lengths)


def _frequent(keys: np.ndarray, documents: np.ndarray, least: int) -> np.ndarray:
    """Return the keys that occur in enough documents, rising."""
    unique, inverse = np.unique(keys, return_inverse=True)
    n_documents = int(documents.max(initial=0)) + 1
    pairs = np.unique(inverse.astype(np.int64) * n_documents + documents)
    return unique[np.bincount(pairs // n_documents, minlength=len(unique)) >= least]
