"""Packed embeddings: lookups, what is hidden, and the networks on top of them."""

import pickle

import pytest
import torch

from skdl.networks.embedding import EntityEmbedding
from skdl.networks.numeric_embedding import CosineEmbedding, PiecewiseLinearEmbedding
from skdl.networks.packed import PackedMLP, PackedRandomEffects
from skdl.networks.packed_embedding import PackedEmbedding, PackedEmbeddingNetwork

M = 3
SIZES, DIMS = [5, 4, 9], [3, 2, 4]
INDICES = torch.tensor([[0, 5, 9], [4, 8, 17], [4, 6, 12], [2, 6, 9]]).int()


def pack_and_members(dims=DIMS):
    torch.manual_seed(0)
    pack = PackedEmbedding(M, SIZES, dims, [0, 1, 2])
    torch.manual_seed(0)
    return pack, [EntityEmbedding(SIZES, dims, [0, 1, 2]) for _ in range(M)]


@pytest.mark.parametrize("dims", [DIMS, [4, 4, 4]])
def test_one_lookup_gives_the_vectors_and_gradients_of_every_member(dims):
    pack, members = pack_and_members(dims)
    found = pack(INDICES)
    expected = torch.stack([member(INDICES) for member in members])
    torch.testing.assert_close(found, expected)
    upstream = torch.randn_like(found)
    (found * upstream).sum().backward()
    (expected * upstream).sum().backward()
    gradients = torch.stack([member.table.weight.grad for member in members])
    torch.testing.assert_close(pack.table.grad, gradients)
    assert pack.n_outputs == members[0].n_outputs


def test_members_may_have_rows_of_their_own():
    pack, members = pack_and_members()
    own = torch.stack([INDICES, INDICES.flip(0), INDICES[[1, 1, 1, 1]]])
    expected = [member(part) for member, part in zip(members, own, strict=True)]
    torch.testing.assert_close(pack(own), torch.stack(expected))


def test_a_members_vectors_can_be_taken_out():
    pack, members = pack_and_members()
    for found, expected in zip(pack.parts(1), members[1].parts(), strict=True):
        torch.testing.assert_close(found, expected)


def test_each_member_hides_and_drops_values_of_its_own():
    torch.manual_seed(0)
    pack = PackedEmbedding(M, [5], [4], [0], unknown_rate=0.5)
    indices = torch.full((64, 1), 3)
    unknown = pack.table[:, :1].detach()
    hidden = (pack(indices) == unknown).all(2)
    assert 0.3 < hidden.float().mean() < 0.7
    assert not torch.equal(hidden[0], hidden[1])
    pack.eval()
    assert not (pack(indices) == unknown).all(2).any()
    dropping = PackedEmbedding(M, [5], [4], [0], dropout=0.5)
    dropped = dropping(indices) == 0
    assert 0.3 < dropped.float().mean() < 0.7
    assert not torch.equal(dropped[0], dropped[1])


@pytest.mark.parametrize("rate", [0.5, [0.5] * M])
def test_entries_of_some_columns_alone_are_dropped(rate):
    torch.manual_seed(0)
    pack = PackedEmbedding(
        M, [5, 4], [3, 2], [0, 1, 0], dropout=rate, drops=[False, True, False]
    )
    indices = torch.tensor([[2, 7, 3]]).expand(64, 3)
    is_zero = pack(indices) == 0
    assert 0.3 < is_zero[..., 3:5].float().mean() < 0.7
    assert not is_zero[..., :3].any()
    assert not is_zero[..., 5:].any()
    assert not (pickle.loads(pickle.dumps(pack)).eval()(indices) == 0).any()


@pytest.mark.parametrize("piecewise", [True, False])
@pytest.mark.parametrize("cosine", [True, False])
def test_categories_and_numbers_reach_the_outputs_of_their_member_only(
    piecewise, cosine
):
    torch.manual_seed(0)
    width = sum(DIMS) + 2 + 8 * (piecewise + cosine)
    network = PackedEmbeddingNetwork(
        PackedMLP(M, width, 2, hidden_layer_sizes=(8,)),
        PackedEmbedding(M, SIZES, DIMS, [0, 1, 2]),
        PiecewiseLinearEmbedding(M, [5, 2], 4) if piecewise else None,
        CosineEmbedding(M, [0, 1], 4) if cosine else None,
    )
    numbers = torch.rand(4, 2)
    positions = [numbers] if piecewise else []
    raw = network.each(INDICES, numbers, *positions)
    assert raw.shape == (M, 4, 2)
    raw[1].sum().backward()
    for parameter in network.parameters():
        assert not parameter.grad[0].any()
        assert parameter.grad[1].any()
    torch.testing.assert_close(
        network(INDICES, numbers, *positions), raw.transpose(0, 1).flatten(1)
    )


def test_a_network_of_numbers_alone_and_one_with_effects():
    numbers = torch.rand(4, 2)
    alone = PackedEmbeddingNetwork(PackedMLP(M, 2, 1))
    assert alone(torch.zeros(4, 0).int(), numbers).shape == (4, M)
    effects = PackedRandomEffects(M, [3], 1)
    torch.nn.init.ones_(effects.table)
    network = PackedEmbeddingNetwork(
        PackedMLP(M, sum(DIMS), 1), PackedEmbedding(M, SIZES, DIMS, [0, 1, 2])
    )
    groups = torch.tensor([[0], [1], [2], [3]])
    without = network(INDICES, numbers[:, :0])
    network.effects = effects
    found = network(INDICES, numbers[:, :0], groups)
    torch.testing.assert_close(found[1:], without[1:] + 1)
    torch.testing.assert_close(found[0], without[0])  # a group never seen


def test_a_pack_without_categories_has_vectors_of_no_entries():
    embedding = PackedEmbedding(2, [], [], [], dropout=0.2, drops=[])
    assert embedding(torch.zeros((3, 0), dtype=torch.int32)).shape == (2, 3, 0)
