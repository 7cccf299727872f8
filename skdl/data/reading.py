"""How the values of a column are read: what a text, a number or a boolean means there.

Decided by the distinct values that a column was fitted on, not by their order:

- A column of numbers or truth values is *numeric*. A text is read as a number there,
  True is 1 and False is 0. So is a column of text that says nothing but true and false,
  each in one spelling.
- In every other column text is compared letter by letter: "3.10" and "3.1" stay two. A
  number equals the text that is its canonical decimal, unless the column holds texts
  that spell numbers otherwise: then the text that a number stands for cannot be told.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from skdl.data.values import (
    NUMBER,
    TEXT,
    TRUTH,
    TRUTH_WORDS,
    blurred_width,
    is_canonical,
    is_float32,
    parsed,
    spelled,
    whole_texts,
)

_TRUTHS = {"1": "True", "0": "False"}


@dataclass(frozen=True)
class Distinct:
    """Distinct values, what they are and say, and their rows.

    Attributes
    ----------
    kinds, texts : list of str
        As `spelled` returns them.
    values : list
        The values.
    rows : list of int
        How many rows each has.
    """

    kinds: list[str]
    texts: list[str]
    values: list[Any]
    rows: list[int]

    @classmethod
    def of(cls, values: list[Any], rows: Sequence[int] = ()) -> "Distinct":
        """Look at values one by one, but not where all are texts or all integers."""
        types = set(map(type, values))
        if types == {str}:
            return cls([TEXT] * len(values), values, values, list(rows))
        if types == {int}:
            return cls([NUMBER] * len(values), whole_texts(values), values, list(rows))
        found = [spelled(value) for value in values]
        kinds, texts = [kind for kind, _ in found], [text for _, text in found]
        return cls(kinds, texts, values, list(rows))

    def __add__(self, other: "Distinct") -> "Distinct":
        return Distinct(
            self.kinds + other.kinds,
            self.texts + other.texts,
            self.values + other.values,
            self.rows + other.rows,
        )

    def take(self, positions: Sequence[int]) -> "Distinct":
        """Return some of them."""
        return Distinct(
            [self.kinds[i] for i in positions],
            [self.texts[i] for i in positions],
            [self.values[i] for i in positions],
            [self.rows[i] for i in positions],
        )

    @property
    def written(self) -> set[str]:
        """The texts among them."""
        kinds = set(self.kinds)
        if kinds <= {TEXT}:
            return set(self.texts)
        pairs = zip(self.kinds, self.texts, strict=True)
        return {text for kind, text in pairs if kind == TEXT}


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
    def of(cls, found: Distinct) -> "Reading":
        """Decide by the distinct values of a column."""
        reading = cls()._with_texts(found.written)
        return replace(reading, width=_width(found.values))

    def extended(self, known: list[Any], new: Distinct) -> "Reading":
        """Return the reading of a column that has got new values; its kind stays."""
        if not known:
            return Reading.of(new)
        result = replace(self, width=self.width or _width([*known, *new.values]))
        if self.numeric:
            return result
        texts = Distinct.of(known).written | new.written
        return replace(result._with_texts(texts), numeric=False)

    def _with_texts(self, texts: set[str]) -> "Reading":
        words: dict[str, list[str]] = {"1": [], "0": []}
        for text in texts:
            if len(text) < 6 and text.lower() in TRUTH_WORDS:
                words[TRUTH_WORDS[text.lower()]].append(text)
        spellings = {truth: w[0] for truth, w in words.items() if len(w) == 1}
        return replace(
            self,
            numeric=len(spellings) == len(texts),
            linked=all(map(is_canonical, texts)),
            words=spellings,
        )

    def keys(self, found: Distinct) -> list[str]:
        """Return the text by which each of some values is compared."""
        kinds = set(found.kinds)
        unchanged = {NUMBER, TRUTH} if self.numeric else {TEXT}
        if kinds <= unchanged or (kinds <= {NUMBER} and self.linked):
            return found.texts
        return list(map(self.key, found.kinds, found.texts))

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
    if set(map(type, values)) <= {int, str}:
        return None
    floats = [v for v in values if isinstance(v, float | np.floating)]
    blurred = {w for w in map(blurred_width, floats) if w is not None}
    if blurred:
        return min(blurred, key=lambda width: np.finfo(width).nmant)
    fractions = [v for v in floats if not float(v).is_integer()]
    from_float32 = all(map(is_float32, fractions)) and any(
        str(np.float32(v)) != repr(float(v)) for v in fractions
    )
    return np.float32 if from_float32 else None
