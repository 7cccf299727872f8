"""Loaders of text."""

import gzip
import lzma
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.utils import Bunch

from skdl.datasets._files import as_asked, find_file

_OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open}


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


def _load_parts(name: str, origin: str) -> Bunch:
    parts = {
        part: list(read_lines(find_file(f"{name}.{part}.txt.xz", origin)))
        for part in ("train", "valid", "test")
    }
    return Bunch(**parts, DESCR=origin)


def load_ptb() -> Bunch:
    """Load the Penn Treebank as Mikolov prepared it: 10,000 words, a sentence a line.

    Returns
    -------
    Bunch
        `train`, `valid` and `test`, lists of lines.
    """
    return _load_parts("ptb", "Penn Treebank, Mikolov 2010")


def load_wikitext2() -> Bunch:
    """Load WikiText-2: articles with 33,278 words, a paragraph a line.

    Returns
    -------
    Bunch
        `train`, `valid` and `test`, lists of lines.

    References
    ----------
    Merity et al. 2016, arXiv 1609.07843.
    """
    return _load_parts("wikitext2", "WikiText-2, Merity et al. 2016")


def load_movie_reviews(*, return_X_y: bool = False) -> Any:
    """Load 2,000 film reviews, half of them positive.

    Returns
    -------
    Bunch, or (data, target) with ``return_X_y=True``
        `data` is the text, `target` "pos" or "neg"; the Bunch also has `fold`, the ten
        folds of Pang & Lee 2004.
    """
    origin = "Review polarity 2.0, Pang & Lee 2004"
    frame = pd.read_parquet(find_file("movie_reviews.parquet", origin))
    reviews = Bunch(
        data=frame["text"], target=frame["label"], fold=frame["fold"], DESCR=origin
    )
    return as_asked(reviews, return_X_y)
