"""How the values of a column are read: what a text, a number or a boolean means there.

Decided by the distinct values that a column was fitted on, not by their order:

- A column of numbers or truth values is *numeric*. A text is read as a number there,
  True is 1 and False is 0. So is a column of text that says nothing but true and false,
  each in one spelling.
- In every other column text is compared letter by letter: "3.10" and "3.1" stay two. A
  number equals the text that is its canonical decimal, unless the column holds texts
  that spell numbers otherwise: then the text that a number stands for cannot be told.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from skdl.data.values import (
    NUMBER,
    TEXT,
    TRUTH,
    TRUTH_WORDS,
    blurred_width,
    is_float32,
    parsed,
    spelled,
)

_TRUTHS = {"1": "True", "0": "False"}


class Distinct(NamedTuple):
    """A distinct value, what it is and says, and its rows."""

    kind: str
    text: str
    value: Any
    rows: int


def distinct(values: list[Any], rows: Iterable[int]) -> list[Distinct]:
    """Return distinct values with what they say, quickly where all are of one type."""
    kinds = set(map(type, values))
    if kinds == {str}:
        return [Distinct(TEXT, v, v, n) for v, n in zip(values, rows, strict=True)]
    if kinds == {int}:
        return [
            Distinct(NUMBER, spelled(v)[1], v, n)
            for v, n in zip(values, rows, strict=True)
        ]
    return [Distinct(*spelled(v), v, n) for v, n in zip(values, rows, strict=True)]


@dataclass(frozen=True)
class Reading:
    """What the values of a column mean.

    Attributes
    ----------
    numeric : bool
        Whether texts are read as numbers.
    linked : bool
        Where they are not, whether a number equals the text that is its decimal.
    words : dict
        There, the one text that says true and the one that says false, by "1" and "0".
    width : type or None
        Floating type that the column's numbers were rounded to, if narrower than what
        they are compared with.
    """

    numeric: bool = True
    linked: bool = True
    words: dict[str, str] = field(default_factory=dict)
    width: Any = None

    @classmethod
    def of(cls, found: list[Distinct]) -> "Reading":
        """Decide by the distinct values of a column."""
        reading = cls()._with_texts({d.text for d in found if d.kind == TEXT})
        return replace(reading, width=_width([d.value for d in found]))

    def extended(self, known: list[Any], new: list[Distinct]) -> "Reading":
        """Return the reading of a column that has got new values; its kind stays."""
        if not known:
            return Reading.of(new)
        width = self.width or _width([*known, *(d.value for d in new)])
        result = replace(self, width=width)
        if self.numeric:
            return result
        old = {text for kind, text in map(spelled, known) if kind == TEXT}
        texts = old | {d.text for d in new if d.kind == TEXT}
        return replace(result._with_texts(texts), numeric=False)

    def _with_texts(self, texts: set[str]) -> "Reading":
        words: dict[str, list[str]] = {"1": [], "0": []}
        for text in texts:
            if text.lower() in TRUTH_WORDS:
                words[TRUTH_WORDS[text.lower()]].append(text)
        spellings = {truth: w[0] for truth, w in words.items() if len(w) == 1}
        return replace(
            self,
            numeric=len(spellings) == len(texts),
            linked=all(parsed(text) in (None, text) for text in texts),
            words=spellings,
        )

    def key(self, kind: str, text: str) -> str:
        """Return the text by which a value is compared in this column."""
        if self.numeric:
            if kind != TEXT:
                return text
            return TRUTH_WORDS.get(text.lower()) or parsed(text) or text
        if kind == NUMBER:
            return text if self.linked else f"\0{text}"
        if kind == TRUTH:
            return self.words.get(text, _TRUTHS[text])
        return text

    def number_in(self, value: Any) -> Any:
        """Return the number that a value is in this column, else the value itself."""
        if self.numeric and isinstance(value, str | bytes):
            number = parsed(spelled(value)[1])
            if number is not None:
                return float(number) if "." in number else int(number)
        return value


def _width(values: list[Any]) -> Any:
    """Return the floating type that numbers seem to have been rounded to, or None."""
    floats = [v for v in values if isinstance(v, float | np.floating)]
    blurred = {w for w in map(blurred_width, floats) if w is not None}
    if blurred:
        return min(blurred, key=lambda width: np.finfo(width).nmant)
    fractions = [v for v in floats if not float(v).is_integer()]
    from_float32 = all(map(is_float32, fractions)) and any(
        str(np.float32(v)) != repr(float(v)) for v in fractions
    )
    return np.float32 if from_float32 else None
