"""The dense network: shapes, the start of training and the options."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from skdl.networks.dropout import Dropout
from skdl.networks.mlp import ACTIVATIONS, MLP, OutputLayer


def layers(network, kind):
    return [m for m in network.modules() if isinstance(m, kind)]


def test_layers_have_the_sizes_asked_for():
    network = MLP(7, 3, hidden_layer_sizes=(16, 8))
    sizes = [(m.in_features, m.out_features) for m in layers(network, nn.Linear)]
    assert sizes == [(7, 16), (16, 8), (8, 3)]
    assert network(torch.zeros(5, 7)).shape == (5, 3)


def test_no_hidden_layer_makes_a_linear_model():
    network = MLP(4, 2, hidden_layer_sizes=())
    assert [type(m) for m in network] == [OutputLayer]


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_the_signal_neither_dies_nor_explodes_at_the_start(activation):
    torch.manual_seed(0)
    network = MLP(64, 1, hidden_layer_sizes=(128,) * 6, activation=activation)
    hidden = network[:-1](torch.randn(256, 64))
    assert 1e-3 < hidden.std() < 10


def test_dropout_and_batch_norm_stand_where_they_are_asked_for():
    network = MLP(4, 2, hidden_layer_sizes=(8, 8), dropout=0.2, batch_norm=True)
    assert len(layers(network, Dropout)) == 2
    assert len(layers(network, nn.BatchNorm1d)) == 2
    # A bias before batch norm would be taken away by it.
    assert network[0].bias is None
    assert not layers(MLP(4, 2, dropout=0.0), Dropout)


@pytest.mark.kernels
@pytest.mark.parametrize("n_outputs", [1, 4, 5, 7, 10, 11, 13])
def test_output_layer_is_a_linear_layer_in_value_and_gradient(n_outputs):
    torch.manual_seed(0)
    layer = OutputLayer(6, n_outputs)
    x, upstream = torch.randn(9, 6), torch.randn(9, n_outputs)
    (layer(x) * upstream).sum().backward()
    expected = functional.linear(x, layer.weight, layer.bias)
    torch.testing.assert_close(layer(x), expected)
    torch.testing.assert_close(layer.weight.grad, upstream.T @ x)
    torch.testing.assert_close(layer.bias.grad, upstream.sum(0))
    layer.eval()
    torch.testing.assert_close(layer(x), expected)


@pytest.mark.kernels
@pytest.mark.parametrize("n_outputs", [2, 5, 7, 10, 26])
def test_gradients_have_the_same_bits_for_any_number_of_threads(n_outputs):
    torch.manual_seed(0)
    network = MLP(32, n_outputs)
    x, target = torch.randn(256, 32), torch.randint(n_outputs, (256,))
    allowed = torch.get_num_threads()
    gradients = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            network.zero_grad()
            functional.cross_entropy(network(x), target).backward()
            gradients.append([p.grad.clone() for p in network.parameters()])
    finally:
        torch.set_num_threads(allowed)
    for one, two in zip(*gradients, strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=0)
