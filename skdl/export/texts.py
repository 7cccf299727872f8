"""Texts to tokens, and tokens to numbers of what is counted, in ONNX."""

from typing import Any

import numpy as np

from skdl.data.analyzers import WORDS_AND_MARKS, CharAnalyzer, WordAnalyzer
from skdl.data.ngrams import NgramCounter
from skdl.data.text import TextEncoder
from skdl.export.nodes import Nodes, looked_up

# Inputs: texts as they are where the file can cut them itself, else their tokens.
TEXTS, TOKENS, TOKENS_TO_READ = "texts", "tokens", "tokens_to_read"
# Of onnxruntime itself, which the ONNX standard lacks.
RUNTIME = "com.microsoft"
# Behind the last token of a text that is shorter than others.
PADDING = ""
NONE = -1
# What Python's \w and \s match, as RE2 has to be told it.
_WORD = r"\p{L}\p{N}_"
_SPACE = (
    r"\t-\r\x1c-\x20\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}"
    r"\x{205f}\x{3000}"
)
_PATTERNS = {
    WORDS_AND_MARKS: rf"[{_WORD}]+(?:['\x{{2019}}][{_WORD}]+)*|[^{_WORD}{_SPACE}]",
    None: rf"[^{_SPACE}]+",
}
# That of glibc whatever is installed; only the sizes of letters are asked of it.
_LOCALE = "C.UTF-8"


class TokenNodes:
    """Adds what cuts texts; those that are cut alike are cut once.

    Parameters
    ----------
    nodes : Nodes
        What it adds to.
    """

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self._texts: str | None = None
        self._cut: dict[tuple[str, bool], str] = {}

    def add(self, encoder: TextEncoder, given: str) -> str:
        """Return ids of tokens (n, T), -1 behind the last one; T is at least 1.

        Parameters
        ----------
        encoder : TextEncoder
            Its tokens.
        given : str
            The input of tokens where the file cannot cut texts as the encoder does.
        """
        nodes, tokens = self._nodes, encoder.tokens
        if PADDING in tokens:
            raise ValueError(
                "The analyzer makes empty tokens, which to_onnx does not know: leave "
                "them out."
            )
        # A text with half of a surrogate pair can be no input either.
        ids = [i for i, token in enumerate(tokens) if _can_be_written(token)]
        return nodes.learned(
            "LabelEncoder",
            self._tokens(encoder, given),
            keys_strings=[*(tokens[i] for i in ids), PADDING],
            values_int64s=[*ids, NONE],
            default_int64=encoder.unknown_id,
        )

    def _tokens(self, encoder: TextEncoder, given: str) -> str:
        """Return tokens (n, T), with some padding behind each text's."""
        nodes, pattern = self._nodes, pattern_of(encoder)
        if pattern is None:
            return self._padded(nodes.input(given, "STRING", "tokens"))
        key = (pattern, encoder.lowercase)
        if key not in self._cut:
            if self._texts is None:
                flat = nodes.constant([-1], np.int64)
                given = nodes.input(TEXTS, "STRING", 1)
                self._texts = nodes.add("Reshape", given, flat)
            texts = self._texts
            if encoder.lowercase:
                how: dict[str, Any] = {"case_change_action": "LOWER"}
                texts = nodes.add("StringNormalizer", texts, locale=_LOCALE, **how)
            cut = nodes.add(
                "Tokenizer",
                texts,
                domain=RUNTIME,
                tokenexp=pattern,
                pad_value=PADDING,
                mark=0,
                mincharnum=1,
            )
            self._cut[key] = self._padded(cut)
        return self._cut[key]

    def _padded(self, tokens: str) -> str:
        """Add a column of padding to tokens (n, T), of which there may be none."""
        nodes = self._nodes
        n = nodes.add("Slice", nodes.add("Shape", tokens), *_range(nodes, 0, 1))
        shape = nodes.add("Concat", n, nodes.constant([1], np.int64), axis=0)
        padding = nodes.add("Expand", nodes.constant([PADDING]), shape)
        return nodes.add("Concat", tokens, padding, axis=1)


def pattern_of(encoder: TextEncoder) -> str | None:
    """Return the expression by which a file cuts texts; None where it cannot."""
    analyzer = encoder.analyzer
    if isinstance(analyzer, CharAnalyzer):
        return "(?s)."
    if isinstance(analyzer, WordAnalyzer):
        return _PATTERNS.get(analyzer.pattern)
    return None


def padded_tokens(encoder: TextEncoder, texts: list[str]) -> np.ndarray:
    """Return the tokens of texts as an input (n, T) of a file."""
    rows = encoder.cut(texts)
    width = max(map(len, rows))
    padded = [[*row, *[PADDING] * (width - len(row))] for row in rows]
    return np.array(padded, dtype=object).reshape(len(rows), width)


def add_counted(nodes: Nodes, counter: NgramCounter, ids: str) -> str:
    """Return the columns of counts that runs of tokens stand for, (n, S).

    Parameters
    ----------
    nodes : Nodes
        What it adds to.
    counter : NgramCounter
        Which runs are counted.
    ids : str
        Tokens (n, T), -1 where there is none.
    """
    none = nodes.constant(NONE, np.int64)
    before, found = "", []
    for n, level in enumerate(counter.levels, 1):
        keys = ids if n == 1 else _keys(nodes, counter, before, ids)
        before = looked_up(nodes, keys, level.keys, range(len(level.keys)), NONE)
        if n >= counter.n_range[0]:
            column = nodes.add("Add", before, nodes.constant(level.first, np.int64))
            counted = nodes.add("Greater", before, none)
            found.append(nodes.add("Where", counted, column, none))
    return nodes.add("Concat", *found, axis=1)


def _keys(nodes: Nodes, counter: NgramCounter, before: str, ids: str) -> str:
    """Return keys of runs, of which `before` are the numbers but for the last token.

    -1 where there can be none.
    """
    none, first = nodes.constant(NONE, np.int64), nodes.constant([0, 1, 0, 0], np.int64)
    moved = nodes.add("Pad", before, first, none)  # to the token behind each run
    axis = nodes.constant([1], np.int64)
    moved = nodes.add("Slice", moved, *_range(nodes, 0, -1), axis)
    scaled = nodes.add("Mul", moved, nodes.constant(counter.n_tokens, np.int64))
    keys = nodes.add("Add", scaled, ids)
    there = [nodes.add("Greater", part, none) for part in (moved, ids)]
    return nodes.add("Where", nodes.add("And", *there), keys, none)


def _range(nodes: Nodes, start: int, end: int) -> tuple[str, str]:
    return nodes.constant([start], np.int64), nodes.constant([end], np.int64)


def _can_be_written(token: str) -> bool:
    """Tell whether a token is without halves of surrogate pairs."""
    try:
        token.encode()
    except UnicodeEncodeError:
        return False
    return True
