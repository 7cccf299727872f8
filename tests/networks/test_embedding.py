"""An embedding is a one-hot encoding times a matrix."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from skdl.networks.embedding import EmbeddingNetwork, EntityEmbedding
from skdl.networks.ensemble import Ensemble

SIZES, DIMS = [5, 4, 9], [3, 2, 4]


@pytest.fixture
def embedding():
    torch.manual_seed(0)
    return EntityEmbedding(SIZES, DIMS, [0, 1, 2])


def one_hot_product(indices, table):
    """Return the same vectors by one-hot rows times the table, column by column."""
    columns = []
    for j, dim in enumerate(DIMS):
        hot = functional.one_hot(indices[:, j].long(), len(table)).float()
        columns.append((hot @ table)[:, :dim])
    return torch.cat(columns, dim=1)


@pytest.mark.kernels
def test_lookup_equals_one_hot_times_matrix_in_value_and_gradient(embedding):
    indices = torch.tensor([[0, 5, 9], [4, 8, 17], [4, 6, 12], [2, 6, 9]])
    upstream = torch.randn(4, sum(DIMS))
    found = embedding(indices.int())
    (found * upstream).sum().backward()
    table = embedding.table.weight.detach().clone().requires_grad_()
    expected = one_hot_product(indices, table)
    (expected * upstream).sum().backward()
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(embedding.table.weight.grad, table.grad)


def test_columns_that_share_a_vocabulary_share_rows():
    embedding = EntityEmbedding([4], [3], [0, 0])
    vectors = embedding(torch.tensor([[2, 2], [1, 3]]))
    torch.testing.assert_close(vectors[0, :3], vectors[0, 3:])
    assert embedding.n_outputs == 6


def test_what_a_narrow_column_does_not_use_stays_zero(embedding):
    optimizer = torch.optim.AdamW(embedding.parameters(), lr=0.1, weight_decay=0.0)
    indices = torch.tensor([[2, 7, 10]])
    for _ in range(3):
        optimizer.zero_grad()
        embedding(indices).square().sum().backward()
        optimizer.step()
    for part, dim in zip(embedding.parts(), DIMS, strict=True):
        assert (part[:, dim:] == 0).all()


def test_a_share_of_categories_is_unknown_in_training_and_none_after():
    torch.manual_seed(0)
    embedding = EntityEmbedding([3, 3], [1, 1], [0, 1], unknown_rate=0.25)
    nn.init.ones_(embedding.table.weight)
    with torch.no_grad():
        embedding.table.weight[[0, 3]] = -1.0  # the unknown ones
    indices = torch.tensor([[2, 5]]).expand(4000, -1)
    share = (embedding(indices) < 0).float().mean(0)
    torch.testing.assert_close(share, torch.full((2,), 0.25), atol=0.03, rtol=0)
    embedding.eval()
    assert (embedding(indices) > 0).all()


def test_growing_keeps_old_rows_and_begins_new_ones_at_the_mean(embedding):
    before = [part.clone() for part in embedding.parts()]
    embedding.grow([5, 6, 9])
    after = embedding.parts()
    torch.testing.assert_close(after[0], before[0])
    torch.testing.assert_close(after[1][:4], before[1])
    torch.testing.assert_close(after[1][4:], before[1][2:].mean(0).expand(2, -1))
    torch.testing.assert_close(after[2], before[2])
    assert embedding.unknown.tolist() == [0, 5, 11]
    assert embedding.table.weight.requires_grad


@pytest.mark.parametrize(("n_columns", "n_numbers"), [(3, 2), (3, 0), (0, 2)])
def test_vectors_and_numbers_stand_side_by_side(n_columns, n_numbers):
    embedding = EntityEmbedding(SIZES[:n_columns], DIMS[:n_columns], range(n_columns))
    width = sum(DIMS[:n_columns]) + n_numbers
    network = EmbeddingNetwork(embedding, nn.Linear(width, 2))
    offsets = torch.tensor([0, 5, 9])[:n_columns]
    indices = torch.zeros(6, n_columns, dtype=torch.int32) + offsets.int()
    assert network(indices, torch.zeros(6, n_numbers)).shape == (6, 2)


def test_members_of_an_ensemble_stand_one_after_the_other():
    members = [nn.Linear(3, 2) for _ in range(4)]
    x = torch.randn(5, 3)
    expected = torch.cat([m(x) for m in members], dim=1)
    torch.testing.assert_close(Ensemble(members)(x), expected)
