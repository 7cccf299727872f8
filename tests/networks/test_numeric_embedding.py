"""Vectors of numbers."""

import pytest
import torch

from skdl.networks.numeric_embedding import CosineEmbedding, PiecewiseLinearEmbedding

M, N_BINS, DIM = 3, [5, 2], 4


def by_hand(embedding, positions):
    """Return what the bins below a number, and part of its own, add up to."""
    vectors = torch.zeros(M, len(positions), len(N_BINS), DIM)
    for m in range(M):
        for b, row in enumerate(positions.tolist()):
            for c, t in enumerate(row):
                total = embedding.bias[m, c, 0].clone()
                for j in range(N_BINS[c]):
                    total += min(max(t - j, 0.0), 1.0) * embedding.weight[m, c, j]
                vectors[m, b, c] = torch.where(total > 0, total, 0.01 * total)
    return vectors.flatten(2)


@pytest.fixture
def embedding():
    torch.manual_seed(0)
    return PiecewiseLinearEmbedding(M, N_BINS, DIM, slope=0.01)


POSITIONS = torch.tensor([[0.0, 0.0], [0.5, 2.0], [3.25, 1.5], [5.0, 0.1]])


def test_full_bins_count_whole_and_the_own_bin_by_its_fraction(embedding):
    with torch.no_grad():
        torch.testing.assert_close(embedding(POSITIONS), by_hand(embedding, POSITIONS))


def test_no_bin_is_dead(embedding):
    """Where all entries were zero nothing would be learned of the numbers there."""
    with torch.no_grad():
        embedding.bias.fill_(-10.0)
    embedding(POSITIONS).sum().backward()
    assert (embedding.bias.grad != 0).all()


def test_one_of_a_file_from_before_there_was_a_slope_has_none(embedding):
    state = embedding.__dict__.copy()
    del state["slope"]
    old = PiecewiseLinearEmbedding.__new__(PiecewiseLinearEmbedding)
    old.__setstate__(state)
    with torch.no_grad():
        torch.testing.assert_close(old(POSITIONS), embedding(POSITIONS).clamp(min=0))


def test_members_with_rows_of_their_own_get_the_same_vectors(embedding):
    own = POSITIONS.expand(M, -1, -1).clone()
    own[1] = POSITIONS.flip(0)
    found, shared = embedding(own), embedding(POSITIONS)
    torch.testing.assert_close(found[0], shared[0])
    torch.testing.assert_close(found[1], shared[1].flip(0))


def test_bins_that_a_column_does_not_have_learn_nothing(embedding):
    embedding(POSITIONS).sum().backward()
    assert not embedding.weight.grad[:, 1, 2:].any()
    assert embedding.weight.grad[:, 1, :2].any()


def test_the_positions_are_left_as_they_are(embedding):
    given = POSITIONS.clone()
    embedding(given)
    torch.testing.assert_close(given, POSITIONS, rtol=0, atol=0)


def test_vectors_neither_vanish_nor_explode_with_the_number_of_bins():
    torch.manual_seed(0)
    for n_bins in (1, 8, 128):
        embedding = PiecewiseLinearEmbedding(M, [n_bins], 64)
        spread = embedding(n_bins * torch.rand(256, 1)).std()
        assert 0.1 < spread < 1.5


def test_cosines_are_those_of_their_frequencies_and_phases():
    torch.manual_seed(0)
    embedding = CosineEmbedding(M, [0, 2], DIM, scale=0.5)
    with torch.no_grad():
        embedding.amplitude.normal_()
        embedding.offset.normal_()
        x = torch.randn(5, 3)
        angle = 2 * torch.pi * (embedding.frequency[2, 0, 1] * x[4, 2])
        angle += 2 * torch.pi * embedding.phase[2, 0, 1]
        expected = embedding.amplitude[2, 0, 1] * torch.cos(angle)
        expected += embedding.offset[2, 0, 1]
        torch.testing.assert_close(embedding(x)[2, 4, DIM:], expected)
        own = x.expand(M, -1, -1)
        torch.testing.assert_close(embedding(own), embedding(x))
    assert embedding.frequency.abs().max() <= 1.5


def test_cosines_of_numbers_in_new_units_are_what_they_were():
    torch.manual_seed(0)
    embedding = CosineEmbedding(M, [2, 0], DIM, scale=0.5)
    x = torch.randn(5, 3)
    embedding.set_range(x[:3].amin(0), x[:3].amax(0))
    expected = embedding(x)
    slope, shift = torch.tensor([2.0, 1.0, 0.5]), torch.tensor([1.0, 0.0, -3.0])
    embedding.rescale(slope, shift)
    torch.testing.assert_close(embedding((x - shift) / slope), expected)


def test_a_number_beyond_the_range_counts_as_its_end():
    torch.manual_seed(0)
    embedding = CosineEmbedding(M, [0, 2], DIM, scale=0.5)
    low, high = torch.tensor([-1.0, 0.0, -2.0]), torch.tensor([1.0, 0.0, 3.0])
    within = torch.stack([low, high, low / 2])
    free = embedding(within)
    embedding.set_range(low, high)
    assert embedding.has_range(low, high)
    assert not embedding.has_range(low, 2 * high)
    assert torch.equal(embedding(within), free)
    beyond = torch.stack([10 * low, 10 * high, low / 2])
    assert torch.equal(embedding(beyond), free)


def test_a_file_from_before_there_were_ranges_takes_any_number():
    torch.manual_seed(0)
    embedding = CosineEmbedding(M, [0], DIM)
    state = embedding.__getstate__()
    state["_buffers"] = {"columns": embedding.columns}
    old = CosineEmbedding.__new__(CosineEmbedding)
    old.__setstate__(state)
    x = 1e3 * torch.randn(5, 1)
    assert torch.equal(old(x), embedding(x))
