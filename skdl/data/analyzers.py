"""What cuts texts into tokens: words, characters, pieces, or a user's function."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

# Pieces that byte pair encoding learns where no bound is given.
_BPE_PIECES = 10_000

# Words, with what is behind their apostrophes (straight or curved), and marks.
WORDS_AND_MARKS = r"\w+(?:['\u2019]\w+)*|[^\w\s]"

Analyze = Callable[[str], Sequence[str]]


class Analyzer(Protocol):
    """Cuts texts into tokens and joins them again."""

    def fit(self, texts: Iterable[str]) -> list[str]:
        """Learn from the training texts; return tokens that are always known."""

    def __call__(self, text: str) -> Sequence[str]:
        """Return the tokens of a text."""

    def join(self, tokens: Sequence[str]) -> str:
        """Return the text that tokens stand for."""


class _Unfitted:
    """Cuts texts as it was made to, and learns nothing from them."""

    separator = " "

    def fit(self, texts: Iterable[str]) -> list[str]:
        """Learn nothing."""
        return []

    def join(self, tokens: Sequence[str]) -> str:
        """Return the text that tokens stand for."""
        return self.separator.join(tokens)


class WordAnalyzer(_Unfitted):
    """Cuts texts into words.

    Parameters
    ----------
    pattern : str or None, default=None
        A regular expression that matches a word; None splits at whitespace.

    Raises
    ------
    re.error
        If the pattern is no regular expression.

    Examples
    --------
    >>> WordAnalyzer()("the cat"), WordAnalyzer("[a-z]")("a-b")
    (['the', 'cat'], ['a', 'b'])
    """

    def __init__(self, pattern: str | None = None) -> None:
        self.pattern = pattern
        self._find = str.split if pattern is None else re.compile(pattern).findall

    def __call__(self, text: str) -> Sequence[str]:
        """Return the words of a text."""
        tokens = self._find(text)
        if not set(map(type, tokens)) <= {str}:
            raise ValueError(
                "token_pattern must have one group at most, which is the token then; "
                f"{self.pattern!r} has {len(tokens[0])}. (?:...) is no group."
            )
        return tokens

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without what follows from it."""
        return {"pattern": self.pattern}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take the state."""
        WordAnalyzer.__init__(self, state["pattern"])


class CharAnalyzer(_Unfitted):
    """Cuts texts into characters."""

    separator = ""

    def __call__(self, text: str) -> Sequence[str]:
        """Return the characters of a text."""
        return list(text)


class FunctionAnalyzer(_Unfitted):
    """Cuts texts with a user's function; tokens are joined by blanks."""

    def __init__(self, function: Analyze) -> None:
        self._function = function

    def __call__(self, text: str) -> Sequence[str]:
        """Return the tokens of a text.

        Raises
        ------
        ValueError
            If the function fails, or returns what are no strings.
        """
        try:
            tokens = list(self._function(text))
        except Exception as error:
            raise ValueError(
                "analyzer must be a function from a text to its tokens; it fails on "
                f"{text[:50]!r} ({type(error).__name__}: {error})."
            ) from error
        if not set(map(type, tokens)) <= {str}:
            _refuse_tokens(tokens)
        return tokens


def _refuse_tokens(tokens: list) -> None:
    """Refuse tokens of which one is no string."""
    strange = [token for token in tokens if not isinstance(token, str)]
    if strange:
        raise ValueError(
            f"analyzer must return strings, but {len(strange)} of the {len(tokens)} "
            f"tokens of a text are none, such as {strange[0]!r}."
        )


class BPEAnalyzer:
    """Byte pair encoding (Sennrich et al. 2016, arXiv 1508.07909) on bytes.

    Every text can be written in its pieces, so nothing is unknown.

    Parameters
    ----------
    n_pieces : int
        Pieces to learn, 256 for the bytes among them.
    min_frequency : int
        How often two pieces must stand side by side to become one.
    """

    def __init__(self, n_pieces: int, min_frequency: int) -> None:
        self.n_pieces = n_pieces
        self.min_frequency = min_frequency
        self._tokenizer: Any = None

    def fit(self, texts: Iterable[str]) -> list[str]:
        """Learn the pieces and return them."""
        library = _tokenizers()
        for text in texts:
            _check_encodable(text)
        tokenizer = library.ByteLevelBPETokenizer()
        tokenizer.train_from_iterator(
            texts,
            vocab_size=self.n_pieces,
            min_frequency=self.min_frequency,
            show_progress=False,
        )
        self._tokenizer = tokenizer._tokenizer
        return sorted(self._tokenizer.get_vocab())

    def __call__(self, text: str) -> Sequence[str]:
        """Return the pieces of a text."""
        _check_encodable(text)
        return self._tokenizer.encode(text).tokens

    def join(self, tokens: Sequence[str]) -> str:
        """Return the text that pieces stand for; halves of characters become �."""
        return self._tokenizer.decoder.decode(list(tokens))

    def __getstate__(self) -> dict[str, Any]:
        """Return the state, the pieces as a text in JSON."""
        known = self._tokenizer
        return {**vars(self), "_tokenizer": None if known is None else known.to_str()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take the state."""
        vars(self).update(state)
        if isinstance(self._tokenizer, str):
            self._tokenizer = _tokenizers().Tokenizer.from_str(self._tokenizer)


def _tokenizers() -> Any:
    try:
        import tokenizers
    except ImportError as error:
        raise ImportError(
            "analyzer='bpe' needs the tokenizers library: pip install 'skdl[text]'."
        ) from error
    return tokenizers


def _check_encodable(text: str) -> None:
    """Refuse half of a surrogate pair, which has no bytes."""
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"analyzer='bpe' reads the bytes of texts, but {text[:50]!r} has a lone "
            "surrogate, which has none: text.encode(errors='replace').decode() has a "
            "question mark in its place."
        ) from error


def resolve_analyzer(
    analyzer: str | Analyze,
    *,
    token_pattern: str | None = None,
    min_frequency: int = 1,
    max_vocab: int | None = None,
) -> Analyzer:
    """Return what cuts texts, not yet fitted.

    Parameters
    ----------
    analyzer : {"word", "char", "bpe"} or callable
        Names, or a function from a text to its tokens.
    token_pattern : str or None, default=None
        For words, a regular expression that matches one; None splits at whitespace.
    min_frequency, max_vocab : int
        For "bpe".

    Raises
    ------
    ValueError
        If the pattern is no regular expression.
    """
    if callable(analyzer):
        return FunctionAnalyzer(analyzer)
    if analyzer == "char":
        return CharAnalyzer()
    if analyzer == "bpe":
        return BPEAnalyzer(max_vocab or _BPE_PIECES, min_frequency)
    try:
        return WordAnalyzer(token_pattern)
    except re.error as error:
        raise ValueError(
            f"token_pattern must be a regular expression, got {token_pattern!r}: "
            f"{error}."
        ) from error
