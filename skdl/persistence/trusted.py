"""Which types of a file are made without being asked."""

import importlib
import inspect
from collections.abc import Iterable
from typing import Any

from skdl import estimators
from skdl.packed_search import PackedSearchCV

# skdl's own, and what it stores of scikit-learn's that skops does not trust, for
# `skops.io.load(path, trusted=list(TRUSTED_TYPES))`. All else is plain data.
TRUSTED_TYPES: tuple[str, ...] = (
    "sklearn.metrics._scorer._PassthroughScorer",  # of a PackedSearchCV
    "sklearn.model_selection._split.ShuffleSplit",  # of what was distilled
    *sorted(
        f"{kind.__module__}.{kind.__qualname__}"
        for kind in (
            PackedSearchCV,
            *(getattr(estimators, name) for name in estimators.__all__),
        )
    ),
)

# Parts of scikit-learn that no model consists of.
_NO_PARTS = (
    "sklearn.datasets",
    "sklearn.externals",
    "sklearn.utils._mocking",
    "sklearn.utils._testing",
)
# Functions there take arrays and return numbers.
_METRICS = "sklearn.metrics."
# Of NumPy and pandas those that hold values.
_VALUES = frozenset(
    {
        *(f"numpy.{name}" for name in ("dtype", "ndarray", "matrix")),
        *(f"numpy.random._generator.{name}" for name in ("Generator",)),
        "numpy.random.mtrand.RandomState",
        "numpy.ma.MaskedArray",
        "numpy.ma.core.MaskedArray",
        "pandas.Interval",
        "pandas.Timedelta",
        "pandas.Timestamp",
        "pandas._libs.interval.Interval",
        "pandas._libs.tslibs.timedeltas.Timedelta",
        "pandas._libs.tslibs.timestamps.Timestamp",
        "pandas.core.dtypes.dtypes.CategoricalDtype",
    }
)


def untrusted(found: Iterable[str], trusted: Iterable[Any]) -> list[str]:
    """Return which names of types and functions need to be trusted by the caller.

    Parameters
    ----------
    found : iterable of str
        Full names of what skops does not make by itself.
    trusted : iterable of str or type
        What the caller trusts.

    Returns
    -------
    list of str
    """
    given = {t if isinstance(t, str) else _full_name(t) for t in trusted}
    known = given | _VALUES | set(TRUSTED_TYPES)
    return [name for name in found if name not in known and not _is_part(name)]


def _full_name(kind: Any) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _is_part(name: str) -> bool:
    """Tell whether a name is that of a class that models of scikit-learn consist of."""
    module, _, inside = name.rpartition(".")
    if not name.startswith("sklearn.") or module.startswith(_NO_PARTS):
        return False
    if ".tests" in module:
        return False
    try:
        found = getattr(importlib.import_module(module), inside, None)
    except ImportError:
        return False
    if getattr(found, "__module__", None) != module:  # only imported there
        return False
    if inspect.isclass(found):
        return not issubclass(found, BaseException)
    return inspect.isfunction(found) and name.startswith(_METRICS)
