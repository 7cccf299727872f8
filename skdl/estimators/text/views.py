"""What a linear model sees of texts: counts of words, weighted in several ways."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy import sparse
from sklearn.utils.extmath import randomized_svd

_TOPICS = 100  # directions in which words go together
_SMOOTHING = 1.0  # of log-count ratios, in documents


@dataclass(frozen=True)
class Read:
    """What is known of some texts.

    Attributes
    ----------
    counts : csr_matrix of shape (n_texts, n_runs)
        Of words and runs of words; those of single words are the first columns.
    n_words : int
        How many columns these are.
    vectors : ndarray of shape (n_texts, width) or None
        What a language model makes of them.
    """

    counts: sparse.csr_matrix
    n_words: int
    vectors: np.ndarray | None = None


class View:
    """One way to make features of texts.

    `learn` sees texts without their labels, `features` makes what does not depend on
    labels, `weighted` what a linear model for one column of the target gets.

    Attributes
    ----------
    name : str
        What it is called in reports.
    strengths : tuple of float
        Inverse strengths of the L2 penalty that are tried, rising.
    first : int
        Which of them is tried first.
    """

    name: ClassVar[str]
    strengths: ClassVar[tuple[float, ...]]
    first: ClassVar[int]
    by_label = False
    unit_length = False

    def learn(self, read: Read, seed: int) -> None:
        """Learn what there is to learn from texts alone."""

    def features(self, read: Read) -> Any:
        """Return the features of texts, sparse or dense."""
        raise NotImplementedError

    def ratios(self, features: Any, y: np.ndarray, weight: np.ndarray) -> Any:
        """Return how much more often features go with each column than without it.

        Log-count ratios (Wang & Manning 2012, "Baselines and bigrams", section 2.1).

        Parameters
        ----------
        features : csr_matrix of shape (n, d)
            Of the training texts.
        y : ndarray of shape (n, K)
            Zeros and ones.
        weight : ndarray of shape (n,)
            Of the texts.

        Returns
        -------
        ndarray of shape (d, K), or None
            None where the view does not weigh its features by labels.
        """
        if not self.by_label:
            return None
        w = weight[:, None]
        with_it = _SMOOTHING + features.T @ (w * y)
        without = _SMOOTHING + features.T @ (w * (1 - y))
        return np.log(with_it / with_it.sum(0)) - np.log(without / without.sum(0))

    def weighted(self, features: Any, ratio: np.ndarray | None) -> Any:
        """Return the features of texts for one column of the target."""
        if ratio is None:
            return features
        product = features.multiply(ratio).tocsr()
        return _of_unit_length(product) if self.unit_length else product

    def outputs(
        self, features: Any, ratios: np.ndarray | None, coef: np.ndarray
    ) -> np.ndarray:
        """Return what linear models (d, K) make of features, without intercepts."""
        if ratios is None:
            return np.asarray(features @ coef, dtype=np.float64)
        raw = np.asarray(features @ (ratios * coef), dtype=np.float64)
        if self.unit_length:
            squares = features.multiply(features) @ ratios**2
            raw /= np.sqrt(np.maximum(squares, np.finfo(np.float64).tiny))
        return raw

    def kept(self, coef: np.ndarray) -> np.ndarray:
        """Return the coefficients that `outputs` is to use once all is fitted."""
        return coef.astype(np.float32)


class Presence(View):
    """Which words and runs of words there are."""

    name = "presence"
    strengths = (0.1, 1.0, 10.0, 100.0)
    first = 2

    def __init__(self, by_label: bool) -> None:
        self.by_label = by_label
        if not by_label:  # the features are not made small by their ratios
            self.strengths = (0.001, 0.01, 0.1, 1.0)  # type: ignore[misc]

    def features(self, read: Read) -> sparse.csr_matrix:
        """Return ones."""
        found = read.counts.astype(np.float64)
        found.data[:] = 1.0
        return found


class Weighted(View):
    """How often words and runs are there, the rare ones more: TF-IDF."""

    name = "tf-idf"
    strengths = (1.0, 10.0, 100.0, 1000.0, 10000.0)
    first = 2
    unit_length = True

    def __init__(self, by_label: bool) -> None:
        self.by_label = by_label

    def learn(self, read: Read, seed: int) -> None:
        """Learn how rare they are."""
        counts = self._columns(read)
        documents = np.bincount(counts.indices, minlength=counts.shape[1])
        self._idf = np.log((1 + counts.shape[0]) / (1 + documents)) + 1

    def features(self, read: Read) -> sparse.csr_matrix:
        """Return rows of length one."""
        found = self._columns(read).astype(np.float64)
        found.data = (1 + np.log(found.data)) * self._idf[found.indices]
        return _of_unit_length(found)

    def _columns(self, read: Read) -> sparse.csr_matrix:
        return read.counts


class Topics(Weighted):
    """Directions in which words go together, from all texts, labelled or not.

    Deerwester et al. 1990, "Indexing by latent semantic analysis".
    """

    name = "topics"
    strengths = (0.1, 1.0, 10.0, 100.0, 1000.0)
    unit_length = False

    def __init__(self) -> None:
        super().__init__(by_label=False)
        self._axes: np.ndarray | None = None

    def learn(self, read: Read, seed: int) -> None:
        """Learn the directions."""
        super().learn(read, seed)
        words = super().features(read)
        n = min(_TOPICS, min(words.shape) // 2)
        self._axes = np.zeros((0, words.shape[1]))
        if n:
            self._axes = randomized_svd(words, n, n_iter=5, random_state=seed)[2]

    def features(self, read: Read) -> Any:
        """Return where texts are along the directions; once fitted, their words."""
        words = super().features(read)
        return words if self._axes is None else np.asarray(words @ self._axes.T)

    def kept(self, coef: np.ndarray) -> np.ndarray:
        """Return the coefficients of words: the directions are not needed any more."""
        assert self._axes is not None
        on_words, self._axes = self._axes.T @ coef, None
        return on_words.astype(np.float32)

    def _columns(self, read: Read) -> sparse.csr_matrix:
        return read.counts[:, : read.n_words]


class Vectors(View):
    """What a language model makes of a text, standardised."""

    name = "language model"
    strengths = (1e-4, 1e-3, 1e-2, 1e-1)
    first = 2

    def learn(self, read: Read, seed: int) -> None:
        """Learn means and spreads."""
        assert read.vectors is not None
        self._mean = read.vectors.mean(0, dtype=np.float64)
        spread = read.vectors.std(0, dtype=np.float64)
        self._spread = np.where(spread > 0, spread, 1.0)

    def features(self, read: Read) -> np.ndarray:
        """Return the standardised vectors."""
        return (read.vectors - self._mean) / self._spread


def _of_unit_length(rows: sparse.csr_matrix) -> sparse.csr_matrix:
    """Return rows of length one; those of zeros stay."""
    squares = np.asarray(rows.multiply(rows).sum(axis=1)).ravel()
    lengths = np.sqrt(np.where(squares > 0, squares, 1.0))
    return sparse.diags(1 / lengths) @ rows
