"""Values to the texts by which they are compared, whatever holds them.

A number's text is its shortest decimal that round-trips at its own width, without an
exponent or trailing zeros: 17, 17.0, Decimal("17.00") and the float32 1.2 are "17" and
"1.2". Whole numbers are written exactly. Values that Python holds for equal (1, 1.0 and
Fraction(1)) have the same text.
"""

import datetime
import re
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from numbers import Number, Rational, Real
from typing import Any

import numpy as np

# What a value is read as.
NUMBER, TEXT, TRUTH = "number", "text", "truth"
DATES = (
    datetime.date,
    datetime.time,
    datetime.timedelta,
    np.datetime64,
    np.timedelta64,
)
TRUTH_WORDS = {"true": "1", "false": "0"}

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
# Digits that a number may have, written out: more than float64 has at its ends.
_DIGITS = 2_000


def spelled(value: Any) -> tuple[str, str]:
    """Return what a value is, and the text by which it is compared.

    Returns
    -------
    kind : {"number", "text", "truth"}
        A boolean is a truth value, "1" or "0".
    text : str

    Examples
    --------
    >>> spelled(17.0), spelled(Decimal("17.00")), spelled("17.0")
    (('number', '17'), ('number', '17'), ('text', '17.0'))
    >>> spelled(np.float32(1.2)), spelled(b"red"), spelled(True)
    (('number', '1.2'), ('text', 'red'), ('truth', '1'))
    """
    if type(value) is str:
        return TEXT, value
    if isinstance(value, bool | np.bool_):
        return TRUTH, "1" if value else "0"
    if isinstance(value, str):
        return TEXT, str.__str__(value)
    if isinstance(value, bytes):
        return TEXT, value.decode("utf-8", errors="surrogateescape")
    if isinstance(value, Number):
        return NUMBER, number_text(value)
    return TEXT, str(value)


def number_text(value: Any) -> str:
    """Return the canonical decimal of a number."""
    if isinstance(value, int | np.integer):
        return _whole(int(value))
    if isinstance(value, float):
        return _float_text(float(value))
    if isinstance(value, np.floating):
        if value.dtype.itemsize >= 8 or not np.isfinite(value):
            return _float_text(float(value))
        # The shortest decimal at the number's own width.
        short = float(str(value))
        return _float_text(float(value) if float(value).is_integer() else short)
    if isinstance(value, Decimal):
        return _decimal_text(value)
    if isinstance(value, Rational):
        return _fraction_text(Fraction(value))
    return str(value)


def parsed(text: str) -> str | None:
    """Return the canonical text of the number that a text spells, None for no number.

    Examples
    --------
    >>> parsed("17.0"), parsed("017"), parsed("1e3"), parsed("x")
    ('17', '17', '1000', None)
    """
    text = text.strip()
    if len(text) > _DIGITS or not _NUMBER.fullmatch(text):
        return None
    number = Decimal(text)
    nearest = float(number)
    if text.lstrip("+-").isdigit() or abs(nearest) == np.inf:
        return _decimal_text(number)
    # What a float is printed as stands for all of its digits.
    is_printed = Decimal(repr(nearest)) == number
    return _float_text(nearest) if is_printed else _plain(number)


def is_canonical(text: str) -> bool:
    """Tell whether a text is the canonical text of a number, or spells none."""
    if text.isascii() and text.isdigit():
        return text[0] != "0" or text == "0"
    return text[:1].isalpha() or parsed(text) in (None, text)


def whole_texts(values: list[int]) -> list[str]:
    """Return the canonical texts of integers."""
    try:
        return list(map(str, values))
    except ValueError:
        return list(map(_whole, values))


def sort_key(value: Any) -> tuple:
    """Order numbers by size and all else, after them, by its text."""
    kind, text = spelled(value)
    if kind == TEXT:
        return (1, Decimal(0), text)
    if "/" in text:
        above, below = text.split("/")
        return (0, Decimal(above) / Decimal(below), "")
    return (0, Decimal(text), "")


def rounded(value: Any, width: Any) -> float | None:
    """Return a number as a float of some width, None where it has none.

    Parameters
    ----------
    value : object
        Anything; a text has none.
    width : type
        A floating type of NumPy.
    """
    is_number = isinstance(value, Number) and not isinstance(value, bool)
    try:
        with np.errstate(over="ignore"):
            result = float(width(float(value))) if is_number else np.inf
    except (OverflowError, TypeError, ValueError):
        return None
    return result if np.isfinite(result) else None


def blurred_width(value: Any) -> Any:
    """Return the floating type whose rounding a value may have gone through.

    Returns
    -------
    type or None
        float32 for a float32, float64 for one so large that integers are rounded; None
        for a number that is as it was written.
    """
    if not isinstance(value, float | np.floating):
        return None
    width: Any = np.float64
    if isinstance(value, np.floating) and value.dtype.itemsize < 8:
        width = type(value)
        if not float(value).is_integer():
            return width
    return width if abs(value) >= 2.0 ** (np.finfo(width).nmant + 1) else None


def is_float32(value: Any) -> bool:
    """Tell whether a number with a fraction has no more digits than float32 has."""
    if not isinstance(value, float | np.floating) or float(value).is_integer():
        return False
    return rounded(value, np.float32) == float(value)


def plain(value: Any) -> Any:
    """Return a category as Python has it: a float32 as the decimal it is printed as."""
    if isinstance(value, np.floating) and value.dtype.itemsize < 8:
        return float(str(value))
    return value.item() if isinstance(value, np.generic) else value


def misfit(kinds: set[type]) -> type | None:
    """Return one of some types whose values cannot be compared by their text."""
    for kind in sorted(kinds, key=lambda k: k.__name__):
        if issubclass(kind, tuple | frozenset):
            return kind
        as_text = kind.__str__ is object.__str__ and kind.__repr__ is object.__repr__
        if as_text and not issubclass(kind, Enum):
            return kind
    return None


def has_dates(kinds: set[type]) -> bool:
    """Tell whether some of the types are dates, times or differences of them."""
    return any(issubclass(kind, DATES) or kind.__name__ == "Period" for kind in kinds)


def is_complex(kinds: set[type]) -> bool:
    """Tell whether some of the types are of complex numbers."""
    return any(issubclass(kind, complex | np.complexfloating) for kind in kinds)


def are_numbers(kinds: set[type]) -> bool:
    """Tell whether all types are of real numbers or truth values, and not all truth."""
    return all(
        issubclass(kind, Real | Decimal | np.bool_) for kind in kinds
    ) and not all(issubclass(kind, bool | np.bool_) for kind in kinds)


def _whole(value: int) -> str:
    try:
        return str(value)
    except ValueError:  # Python writes no more than 4300 digits
        return str(Decimal(value))


def _float_text(value: float) -> str:
    if value.is_integer():
        return str(int(value))
    text = repr(value)
    return _plain(Decimal(text)) if "e" in text else text


def _decimal_text(value: Decimal) -> str:
    if not value.is_finite() or value.adjusted() > _DIGITS:
        return str(value).lower()
    if value == value.to_integral_value():
        return _whole(int(value))
    nearest = float(value)
    return _float_text(nearest) if Decimal(nearest) == value else _plain(value)


def _fraction_text(value: Fraction) -> str:
    if value.denominator == 1:
        return _whole(value.numerator)
    nearest = float(value)
    return _float_text(nearest) if Fraction(nearest) == value else str(value)


def _plain(value: Decimal) -> str:
    """Return all digits, without an exponent and trailing zeros."""
    if value.adjusted() < -_DIGITS:
        return str(value)
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
