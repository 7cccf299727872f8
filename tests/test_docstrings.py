"""Public names are described in numpydoc's form, with an example that runs."""

import pytest

import skdl
from skdl import datasets

validate = pytest.importorskip(
    "numpydoc.validate", reason="the extra docs is not installed"
).validate

NO_CALLABLES = {"__version__", "datasets", "TRUSTED_TYPES"}
NAMES = [f"skdl.{name}" for name in skdl.__all__ if name not in NO_CALLABLES]
NAMES += [f"skdl.datasets.{name}" for name in datasets.__all__]

# Not asked for: an extended summary and See Also.
LEFT = {"ES01", "SA01"}
# Attributes of a dataclass that nobody makes by hand.
OF_RESULTS = {"skdl.LRFindResult": {"PR01"}}


@pytest.mark.parametrize("name", NAMES)
def test_docstrings_are_numpydocs(name):
    left = LEFT | OF_RESULTS.get(name, set())
    found = {code: text for code, text in validate(name)["errors"] if code not in left}
    assert not found
