"""Each kind of model is fitted once."""

import pytest

from tests.persistence.models import MODELS, changes, fitted, global_state


@pytest.fixture(scope="session")
def imported():
    """Once in a process: torch imports sympy in the first step, which adds a filter."""
    fitted("dense")


@pytest.fixture(scope="session", params=MODELS)
def fit(request, imported):
    """What a fit has changed beside the model; the model, rows, the method to ask."""
    before = global_state()
    found = fitted(request.param)
    return changes(before), found


@pytest.fixture(scope="session")
def case(fit):
    """A fitted model, rows, and the method to ask."""
    return fit[1]


@pytest.fixture(scope="session")
def dense():
    return fitted("dense")[0]
