"""Warnings that point to the user's line, however deep in skdl they are given."""

import sys
import warnings
from types import FrameType

# What stands between a user's call and the work: skdl, and the wrappers that
# `with_callbacks` and `_fit_context` put around `fit` and scikit-learn around
# `transform`.
_OURS = ("skdl", "sklearn.base", "sklearn.callback", "sklearn.utils._set_output")


def warn_user(message: str, category: type[Warning]) -> None:
    """Warn at the line that called skdl."""
    level = 1
    frame: FrameType | None = sys._getframe()
    while frame is not None and _is_ours(frame.f_globals.get("__name__", "")):
        frame = frame.f_back
        level += 1
    warnings.warn(message, category, stacklevel=level)


def _is_ours(module: str) -> bool:
    return any(module == name or module.startswith(name + ".") for name in _OURS)
