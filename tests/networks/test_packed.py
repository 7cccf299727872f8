"""A pack computes what its members would compute one by one."""

import pytest
import torch
from torch import nn

from skdl.networks.dropout import Dropout
from skdl.networks.ensemble import Ensemble
from skdl.networks.mlp import MLP
from skdl.networks.packed import (
    PackedBatchNorm,
    PackedLinear,
    PackedMLP,
    PackedRandomEffects,
)
from skdl.networks.packed_members import of_members
from skdl.networks.packed_settings import PackedDropout, with_slopes
from skdl.networks.random_effects import RandomEffects

M, B, F, K = 3, 12, 7, 2
OPTIONS = [
    {"hidden_layer_sizes": (16, 8)},
    {"hidden_layer_sizes": ()},
    {"hidden_layer_sizes": (16,), "activation": "silu", "dropout": 0.2},
    {"hidden_layer_sizes": (16, 8), "batch_norm": True},
]


def pack_and_members(**options):
    """Build a pack and the networks that start as its members do."""
    torch.manual_seed(0)
    pack = PackedMLP(M, F, K, **options)
    torch.manual_seed(0)
    return pack, [MLP(F, K, **options) for _ in range(M)]


@pytest.mark.parametrize("options", OPTIONS)
def test_a_member_starts_as_a_network_of_its_own_would(options):
    pack, members = pack_and_members(**options)
    x = torch.randn(B, F)
    pack.eval()
    expected = torch.stack([member.eval()(x) for member in members])
    torch.testing.assert_close(pack.each(x), expected)


@pytest.mark.parametrize("options", [OPTIONS[0], OPTIONS[1], OPTIONS[3]])
def test_a_member_has_the_gradient_of_a_network_of_its_own(options):
    pack, members = pack_and_members(**options)
    x, upstream = torch.randn(B, F), torch.randn(M, B, K)
    (pack.each(x) * upstream).sum().backward()
    for member, part in zip(members, upstream, strict=True):
        (member(x) * part).sum().backward()
    places = [i for i, m in enumerate(members[0]) if isinstance(m, nn.Linear)]
    for i in places:
        expected = torch.stack([member[i].weight.grad.T for member in members])
        torch.testing.assert_close(pack.layers[i].weight.grad, expected)
        if members[0][i].bias is not None:
            expected = torch.stack([member[i].bias.grad for member in members])
            torch.testing.assert_close(pack.layers[i].bias.grad, expected)


def test_the_outputs_stand_side_by_side_as_those_of_an_ensemble():
    pack, members = pack_and_members()
    x = torch.randn(B, F)
    torch.testing.assert_close(pack(x), Ensemble(members)(x))
    assert pack(x).is_contiguous()


def test_members_may_have_rows_of_their_own():
    pack, members = pack_and_members()
    x = torch.randn(M, B, F)
    expected = [member(part) for member, part in zip(members, x, strict=True)]
    torch.testing.assert_close(pack.each(x), torch.stack(expected))


def test_members_drop_units_of_their_own():
    pack, _ = pack_and_members(hidden_layer_sizes=(512,), dropout=0.5)
    with torch.no_grad():
        for parameter in pack.parameters():
            parameter.copy_(parameter[:1].expand_as(parameter))
    pack.train()
    hidden = pack.layers[:-1](torch.ones(1, F))[:, 0]
    assert isinstance(pack.layers[2], Dropout)
    assert not torch.equal(hidden[0] == 0, hidden[1] == 0)


@pytest.mark.parametrize("options", [OPTIONS[0], OPTIONS[3]])
def test_some_members_alone_compute_what_they_did(options):
    options = options | {"activation": "silu", "dropout": [0.1, 0.0, 0.2]}
    pack = PackedMLP(M, F, K, **options)
    pack.layers = with_slopes(pack.layers, [1.0, 2.0, 3.0])
    x = torch.randn(B, F)
    pack(x)  # statistics of batch norm
    some = of_members(pack.eval(), [2, 0])
    torch.testing.assert_close(some.each(x), pack.each(x)[[2, 0]])
    assert some.n_members == 2
    rates = [m.rates for m in some.modules() if isinstance(m, PackedDropout)]
    assert rates
    assert all(of_each == [0.2, 0.1] for of_each in rates)
    assert some.train()(x).shape == (B, 2 * K)
    elsewhere = of_members(pack.to("meta"), [0]).state_dict().values()
    assert {t.device.type for t in elsewhere} == {"meta"}


def test_each_member_drops_its_own_share():
    dropped = PackedDropout([0.0, 0.5, 0.5, 0.9])(torch.ones(4, 100, 100))
    zeros = (dropped == 0).float().mean((1, 2))
    torch.testing.assert_close(
        zeros, torch.tensor([0.0, 0.5, 0.5, 0.9]), atol=0.03, rtol=0
    )
    assert not torch.equal(dropped[1], dropped[2])


def test_batch_norm_normalises_each_member_over_the_batch():
    norm = PackedBatchNorm(M, 5)
    normalised = norm(torch.randn(M, 200, 5) * 3 + torch.arange(M).view(-1, 1, 1))
    torch.testing.assert_close(normalised.mean(1), torch.zeros(M, 5), atol=1e-5, rtol=0)
    torch.testing.assert_close(
        normalised.std(1, correction=0), torch.ones(M, 5), atol=1e-3, rtol=0
    )


def test_layers_without_bias_stay_without():
    pack = PackedLinear(nn.Linear(4, 20, bias=False) for _ in range(M))
    assert pack.bias is None
    assert pack(torch.zeros(B, 4)).shape == (M, B, 20)


def test_random_effects_are_those_of_each_member_and_new_groups_have_none():
    pack = PackedRandomEffects(M, [3, 2], K)
    members = [RandomEffects([3, 2], K) for _ in range(M)]
    with torch.no_grad():
        for i, member in enumerate(members):
            member.table[1:].normal_()
            pack.table[i] = member.table
    groups = torch.tensor([[1, 4], [0, 5], [3, 0]], dtype=torch.int32)
    found = pack(groups)
    expected = torch.stack([member(groups) for member in members])
    torch.testing.assert_close(found, expected)
    found.sum().backward()
    assert not pack.table.grad[:, 0].any()
    own = groups.expand(M, -1, -1).clone()
    torch.testing.assert_close(pack(own), expected)


@pytest.mark.parametrize("n_outputs", [1, 2, 5, 7, 10, 26])
def test_gradients_have_the_same_bits_for_any_number_of_threads(n_outputs):
    torch.manual_seed(0)
    pack = PackedMLP(4, 32, n_outputs, hidden_layer_sizes=(256, 256))
    x, upstream = torch.randn(200, 32), torch.randn(200, 4 * n_outputs)
    allowed = torch.get_num_threads()
    gradients = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            pack.zero_grad()
            (pack(x) * upstream).sum().backward()
            gradients.append([p.grad.clone() for p in pack.parameters()])
    finally:
        torch.set_num_threads(allowed)
    for one, two in zip(*gradients, strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=0)


@pytest.mark.parametrize("n_outputs", [1, 3, 26])
def test_a_rows_outputs_have_the_same_bits_whatever_rows_are_with_it(n_outputs):
    torch.manual_seed(0)
    pack = PackedMLP(4, 30, n_outputs, hidden_layer_sizes=(256, 256)).eval()
    x = torch.randn(2048, 30)
    with torch.inference_mode():
        everything = pack(x)
        for n in (16, 48, 256, 1008):  # rows are padded to multiples of 16
            torch.testing.assert_close(pack(x[:n]), everything[:n], rtol=0, atol=0)


@pytest.mark.kernels
@pytest.mark.parametrize("n_inputs", [3, 8, 23, 38, 256])
def test_a_row_has_the_same_bits_whatever_rows_are_beside_it(n_inputs):
    torch.manual_seed(0)
    x = torch.randn(96, n_inputs)
    for n_outputs in (1, 2, 3, 5, 7, 8, 10, 16, 100):
        layers = (nn.Linear(n_inputs, n_outputs) for _ in range(M))
        pack = PackedLinear(layers).eval()
        with torch.inference_mode():
            whole = pack(x)
            for row in range(0, 96, 5):
                alone = pack(torch.cat([x[row : row + 1], torch.zeros(15, n_inputs)]))
                assert torch.equal(alone[:, 0], whole[:, row])
