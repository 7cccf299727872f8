"""What a released version has written, later ones read."""

from pathlib import Path

import numpy as np
import pytest

import skdl
from skdl.persistence.files import PROTOCOL
from tests.persistence.models import MODELS, answer

FILES = sorted((Path(__file__).parent / "fixtures").glob("*.skdl"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_files_of_each_protocol_load_and_answer_as_then(path):
    kind = path.stem.split("-", 2)[2]
    _, rows, _, method = MODELS[kind]
    found = answer(skdl.load(path), rows, method)
    np.testing.assert_allclose(
        found, np.load(path.with_suffix(".npy")), rtol=1e-4, atol=1e-5
    )


def test_there_are_files_of_each_protocol():
    numbers = {int(path.stem.split("-")[1]) for path in FILES}
    assert numbers == set(range(1, PROTOCOL + 1))
