"""Damaged files and payloads: refused, or read to the same; nothing runs."""

import numpy as np
import pytest

from tests.properties.checks import EXAMPLES
from tests.properties.files import KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_refused_or_does_no_harm_and_payloads_do_not_run(kind, tmp_path):
    files, marker = KINDS[kind](tmp_path), tmp_path / "ran"
    refused = 0
    for seed in range(4 * EXAMPLES):
        forged = files.mutate(np.random.RandomState(seed), marker)
        found = files.read()
        assert forged or found in (None, True), seed
        assert not marker.exists(), seed
        refused += found is None
    assert refused > EXAMPLES
