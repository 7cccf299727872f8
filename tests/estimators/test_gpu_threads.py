"""Fits in threads on a GPU, as far as it promises bits: sums there are of one order."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from tests.estimators.test_threads import FITS, bits

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="needs a GPU; tests of CPUs are beside it"
)
# Without embeddings, LSTMs and convolutions, whose gradients' sums vary.
EXACT = [
    "dense",
    "regressor",
    "several",
    "partial_fit",
    "own network",
    "own network, noisy",
    "own optimizer",
]


@pytest.mark.parametrize("kind", EXACT)
def test_a_fit_in_a_thread_has_the_bits_that_it_has_alone(kind):
    """Alone its steps are captured in a graph, and beside another they are not."""
    alone = bits(FITS[kind])
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(bits, [FITS[kind]] * 4))
    assert found == [alone] * 4


@pytest.mark.parametrize("kind", EXACT)
def test_generators_of_torch_are_left_as_they_were(kind):
    found = []
    for seed in (1, 2):  # nor do bits depend on it
        torch.manual_seed(seed)
        before = [torch.get_rng_state(), torch.cuda.get_rng_state()]
        found.append(bits(FITS[kind]))
        after = [torch.get_rng_state(), torch.cuda.get_rng_state()]
        assert all(torch.equal(*pair) for pair in zip(before, after, strict=True))
    assert found[0] == found[1]
