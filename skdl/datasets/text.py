"""Loaders of text, and reviews made by rule."""

import gzip
import lzma
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from skdl.datasets._files import Origin, as_asked, find_file, fresh_generator

_OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open}

_PARTS = "the train, valid and test part each as text packed by xz, a line a line"
_PTB = Origin(
    "Penn Treebank as Mikolov prepared it, ptb.{train,valid,test}.txt",
    "https://www.fit.vut.cz/person/imikolov/public/rnnlm/simple-examples.tgz",
    _PARTS,
    "skdl.datasets.make_reviews",
)
_WIKITEXT2 = Origin(
    "WikiText-2, Merity et al. 2016",
    "https://huggingface.co/datasets/Salesforce/wikitext, wikitext-2-v1",
    _PARTS,
    "skdl.datasets.make_reviews",
)
_REVIEWS = Origin(
    "Review polarity 2.0, Pang & Lee 2004",
    "https://www.cs.cornell.edu/people/pabo/movie-review-data/",
    "a table with text, label (pos, neg) and fold (0 to 9)",
    "skdl.datasets.make_reviews",
)


def read_lines(
    path: str | os.PathLike, *, encoding: str = "utf-8", errors: str = "strict"
) -> Iterator[str]:
    r"""Read a text file line by line, for a language model: a document is a line.

    Parameters
    ----------
    path : str or path
        A text file, or one packed as ``.gz`` or ``.xz``.
    encoding, errors : str, default="utf-8", "strict"
        As in ``open``.

    Yields
    ------
    str
        A line without its end; empty lines too.

    Raises
    ------
    FileNotFoundError
        If there is no such file.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "poem.txt"
    ...     _ = path.write_text("one line\nanother\n")
    ...     print(list(read_lines(path)))
    ['one line', 'another']
    """
    opener = _OPENERS.get(Path(path).suffix, open)
    with opener(path, "rt", encoding=encoding, errors=errors) as file:
        for line in file:
            yield line.rstrip("\r\n")


def _load_parts(name: str, origin: Origin) -> Bunch:
    parts = {
        part: list(read_lines(find_file(f"{name}.{part}.txt.xz", origin)))
        for part in ("train", "valid", "test")
    }
    return Bunch(**parts, DESCR=origin.description)


def load_ptb() -> Bunch:
    """Load the Penn Treebank as Mikolov prepared it: 10,000 words, a sentence a line.

    Returns
    -------
    Bunch
        `train`, `valid` and `test`, lists of lines.

    Examples
    --------
    >>> from skdl.datasets import load_ptb
    >>> texts = load_ptb().train  # doctest: +SKIP
    """
    return _load_parts("ptb", _PTB)


def load_wikitext2() -> Bunch:
    """Load WikiText-2: articles with 33,278 words, a paragraph a line.

    Returns
    -------
    Bunch
        `train`, `valid` and `test`, lists of lines.

    References
    ----------
    Merity et al. 2016, arXiv 1609.07843.

    Examples
    --------
    >>> from skdl.datasets import load_wikitext2
    >>> texts = load_wikitext2().train  # doctest: +SKIP
    """
    return _load_parts("wikitext2", _WIKITEXT2)


def load_movie_reviews(*, return_X_y: bool = False) -> Any:
    """Load 2,000 film reviews, half of them positive.

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` in place of a Bunch.

    Returns
    -------
    Bunch, or (data, target) with ``return_X_y=True``
        `data` is the text, `target` "pos" or "neg"; the Bunch also has `fold`, the ten
        folds of Pang & Lee 2004.

    Examples
    --------
    >>> from skdl.datasets import load_movie_reviews
    >>> texts, labels = load_movie_reviews(return_X_y=True)  # doctest: +SKIP
    """
    frame = pd.read_parquet(find_file("movie_reviews.parquet", _REVIEWS))
    reviews = Bunch(
        data=frame["text"],
        target=frame["label"],
        fold=frame["fold"],
        DESCR=_REVIEWS.description,
    )
    return as_asked(reviews, return_X_y)


_ASPECTS = (
    "acting", "plot", "music", "dialogue", "ending", "pacing", "script", "cast",
    "camera work", "opening", "humour", "direction",
)  # fmt: skip
_PRAISE = (
    "wonderful", "brilliant", "moving", "superb", "witty", "charming", "fresh",
    "gripping", "delightful", "clever",
)  # fmt: skip
_BLAME = (
    "dull", "awful", "clumsy", "tedious", "lifeless", "predictable", "weak", "messy",
    "shallow", "annoying",
)  # fmt: skip
_PLAIN = ("long", "quiet", "unusual", "simple", "strange", "dark", "loud", "short")
_SENTENCES = (
    "the {aspect} is {word} .",
    "the {aspect} of this {kind} is {word} and {other} .",
    "i found the {aspect} {word} .",
    "a {word} {kind} with a {other} {aspect} .",
    "most of the {aspect} is {other} , but the {aspect2} is {word} .",
    "what stays with you is the {word} {aspect} .",
)
_KINDS = ("film", "movie", "comedy", "drama", "thriller", "story")


def make_reviews(
    n_samples: int = 1000,
    *,
    random_state: int | np.random.RandomState | None = None,
    return_X_y: bool = False,
) -> Any:
    """Make film reviews by rule: what stands in where `load_movie_reviews` has no file.

    Each has three to eight sentences about acting, plot and the like. One in five
    sentences says the opposite of what the review as a whole says.

    Parameters
    ----------
    n_samples : int, default=1000
        Reviews.
    random_state : int, RandomState instance or None, default=None
        An int makes the same reviews each time; None takes fresh entropy.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` in place of a Bunch.

    Returns
    -------
    Bunch or tuple
        `data` is the text, `target` "pos" or "neg", both Series.

    Examples
    --------
    >>> from skdl.datasets import make_reviews
    >>> texts, labels = make_reviews(3, random_state=0, return_X_y=True)
    >>> labels.tolist()
    ['neg', 'pos', 'pos']
    """
    rng = fresh_generator(random_state)
    labels = rng.choice(["neg", "pos"], size=n_samples)
    texts = [_review(label == "pos", rng) for label in labels]
    reviews = Bunch(
        data=pd.Series(texts, name="text"),
        target=pd.Series(labels, name="label"),
        DESCR="generated",
    )
    return as_asked(reviews, return_X_y)


def _review(is_good: bool, rng: np.random.RandomState) -> str:
    sentences = []
    for _ in range(rng.randint(3, 9)):
        praised = is_good != (rng.random_sample() < 0.2)
        aspect, aspect2 = rng.choice(_ASPECTS, size=2, replace=False)
        sentences.append(
            rng.choice(_SENTENCES).format(
                aspect=aspect,
                aspect2=aspect2,
                word=rng.choice(_PRAISE if praised else _BLAME),
                other=rng.choice(_PLAIN),
                kind=rng.choice(_KINDS),
            )
        )
    return " ".join(sentences)
