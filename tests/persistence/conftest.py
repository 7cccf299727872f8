"""Each kind of model is fitted once."""

import pytest

from tests.persistence.models import MODELS, fitted


@pytest.fixture(scope="session", params=MODELS)
def case(request):
    """A fitted model, rows, and the method to ask."""
    return fitted(request.param)


@pytest.fixture(scope="session")
def dense():
    return fitted("dense")[0]
