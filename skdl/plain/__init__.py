"""Fitted objects as one text and numbered arrays, and back."""

from skdl.plain.reading import unpacked
from skdl.plain.writing import packed

__all__ = ["packed", "unpacked"]
