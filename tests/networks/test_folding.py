"""Units of inputs and outputs change; what a network computes does not."""

import pytest
import torch
from torch import nn

from skdl.networks.embedding import EmbeddingNetwork, EntityEmbedding
from skdl.networks.ensemble import Ensemble
from skdl.networks.folding import (
    fold_gates,
    rescale_inputs,
    rescale_outputs,
    takes_inputs_anew,
)
from skdl.networks.gates import InputGates
from skdl.networks.mlp import MLP
from skdl.networks.numeric_embedding import CosineEmbedding
from skdl.networks.packed import PackedMLP
from skdl.networks.packed_embedding import PackedEmbedding, PackedEmbeddingNetwork
from skdl.networks.random_effects import RandomEffects

SLOPE = torch.tensor([0.5, 3.0, 1.0], dtype=torch.float64)
SHIFT = torch.tensor([1.0, -2.0, 0.0], dtype=torch.float64)


def mlp(n_inputs=4, **options):
    torch.manual_seed(0)
    return MLP(n_inputs, 2, **{"hidden_layer_sizes": (8, 8), **options})


NETWORKS = {
    "dense": mlp,
    "linear": lambda: mlp(hidden_layer_sizes=()),
    "batch norm": lambda: mlp(batch_norm=True),
    "several": lambda: Ensemble([mlp(), mlp(batch_norm=True)]),
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("training", [False, True])
def test_numbers_in_other_units_give_the_same_outputs(name, training):
    network = NETWORKS[name]()
    numbers, indicator = torch.randn(16, 3), torch.ones(16, 1)
    old = numbers * SLOPE.float() + SHIFT.float()
    network.train(training)
    before = network(torch.cat([old, indicator], 1))
    rescale_inputs(network, SLOPE, SHIFT, 0)
    after = network(torch.cat([numbers, indicator], 1))
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_added_inputs_have_no_effect_until_they_are_trained(name):
    network = NETWORKS[name]().eval()
    x = torch.randn(16, 4)
    before = network(x)
    one, zero = torch.ones(3), torch.zeros(3)
    rescale_inputs(network, one, zero, 2)
    after = network(torch.cat([x, torch.randn(16, 2)], 1))
    torch.testing.assert_close(after, before)
    after.sum().backward()
    members = getattr(network, "members", [network])
    assert all(m[0].weight.grad[:, 4:].abs().sum() > 0 for m in members)


def table_network():
    torch.manual_seed(0)
    embedding = EntityEmbedding([5], [2], [0])
    effects = RandomEffects([3], 2)
    nn.init.normal_(effects.table)
    effects.table.data[0] = 0
    return EmbeddingNetwork(embedding, mlp(5), effects).eval()


def test_beside_categories_only_the_numbers_are_in_other_units():
    network = table_network()
    codes, groups = torch.tensor([[2], [4]]), torch.tensor([[1], [0]])
    numbers = torch.randn(2, 3)
    before = network(codes, numbers * SLOPE.float() + SHIFT.float(), groups)
    rescale_inputs(network, SLOPE, SHIFT, 1)
    widened = torch.cat([numbers, torch.ones(2, 1)], 1)
    after = network(codes, widened, groups)
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-5)


def test_outputs_in_other_units_are_the_same_predictions():
    scale, shift = torch.tensor([0.1, 7.0]).double(), torch.tensor([3.0, 0.0]).double()
    network = table_network()
    inputs = torch.tensor([[2], [4]]), torch.randn(2, 3), torch.tensor([[1], [0]])
    before = network(*inputs)
    assert rescale_outputs(network, scale, shift)
    expected = before * scale.float() + shift.float()
    torch.testing.assert_close(network(*inputs), expected, rtol=1e-4, atol=1e-5)
    several = Ensemble([mlp(), mlp()]).eval()
    x = torch.randn(8, 4)
    expected = several(x) * scale.float().repeat(2) + shift.float().repeat(2)
    assert rescale_outputs(several, scale, shift)
    torch.testing.assert_close(several(x), expected, rtol=1e-4, atol=1e-5)


def test_a_network_of_ones_own_is_known_to_be_unknown():
    assert takes_inputs_anew(Ensemble([mlp(), mlp()]))
    assert takes_inputs_anew(table_network())
    assert not takes_inputs_anew(nn.Sequential(nn.Linear(4, 2)))
    without = nn.Sequential(nn.Linear(4, 2, bias=False))
    assert not rescale_outputs(without, torch.ones(2), torch.zeros(2))


def test_gates_go_into_the_first_layer():
    torch.manual_seed(0)
    embedding = PackedEmbedding(3, [5, 4], [3, 2], [0, 1])
    cosine, gates = CosineEmbedding(3, [0, 2], 4), InputGates(3, 5, 4, [([0, 2], 4)])
    head = PackedMLP(3, 5 + 2 * 4 + 4, 2, hidden_layer_sizes=(8,))
    network = PackedEmbeddingNetwork(head, embedding, None, cosine, gates=gates)
    nn.init.uniform_(gates.gate)
    inputs = torch.tensor([[2, 5], [0, 8]]), torch.randn(2, 4)
    before, factors = network.each(*inputs), gates.factors()
    fold_gates(network)
    assert network.gates is None
    torch.testing.assert_close(network.each(*inputs), before)
    # The vector of a number has the number's gate.
    assert (factors[:, 5:9] == factors[:, [13]]).all()
    assert (factors[:, 9:13] == factors[:, [15]]).all()
