"""Weights at the start: torch's layers and distributions, the fit's generator."""

import math

import pytest
import torch
from torch import nn

from skdl.networks.conv import ConvNet
from skdl.networks.embedding import EntityEmbedding
from skdl.networks.initialization import conv3x3, linear
from skdl.networks.language_model import LanguageModel
from skdl.networks.mlp import MLP, OutputLayer
from skdl.randomness import Randomness, drawing_from

BUILT = {
    "mlp": lambda: MLP(5, 3, hidden_layer_sizes=(8,)),
    "mlp, tanh": lambda: MLP(5, 3, hidden_layer_sizes=(8,), activation="tanh"),
    "mlp, selu": lambda: MLP(5, 3, hidden_layer_sizes=(8,), activation="selu"),
    "conv": lambda: ConvNet(1, 3, image_shape=(8, 8)),
    "embedding": lambda: EntityEmbedding([5, 4], [3, 2], [0, 1]),
    "lstm": lambda: LanguageModel(9, embedding_dim=4, hidden_size=6, num_layers=2),
    "qrnn": lambda: LanguageModel(
        9,
        embedding_dim=4,
        hidden_size=6,
        num_layers=2,
        cell="qrnn",
        tie_weights=False,
    ),
}


@pytest.mark.parametrize("kind", BUILT)
def test_networks_begin_as_the_seed_says_and_leave_torchs_generator_alone(kind):
    def weights(seed):
        with drawing_from(Randomness(seed, torch.device("cpu"))):
            state = BUILT[kind]().state_dict()
        return [t.tolist() for t in state.values()]

    found = []
    for global_seed in (1, 2):
        torch.manual_seed(global_seed)
        before = torch.get_rng_state()
        found.append(weights(0))
        assert torch.equal(torch.get_rng_state(), before)
    assert found[0] == found[1] != weights(1)


def test_linear_layers_are_torchs_own_with_its_distribution():
    layer, plain = linear(400, 300), nn.Linear(400, 300)
    assert type(layer) is nn.Linear
    for ours, torchs in ((layer.weight, plain.weight), (layer.bias, plain.bias)):
        assert ours.requires_grad
        assert ours.shape == torchs.shape
        assert ours.abs().max() <= 1 / 20
        assert ours.std().item() == pytest.approx(torchs.std().item(), rel=0.15)
        assert ours.mean().item() == pytest.approx(0, abs=0.006)


def test_convolutions_are_torchs_own_and_keep_the_variance_of_the_gradient():
    layer = conv3x3(40, 60, stride=2)
    assert type(layer) is nn.Conv2d
    assert layer.bias is None
    assert layer.stride == (2, 2)
    expected = math.sqrt(2 / (60 * 9))
    assert layer.weight.std().item() == pytest.approx(expected, rel=0.05)


def test_hidden_layers_are_drawn_for_their_activation_and_outputs_begin_at_no_bias():
    bounds = {"relu": math.sqrt(6 / 300), "tanh": math.sqrt(6 / 700)}
    for activation, bound in bounds.items():
        network = MLP(300, 5, hidden_layer_sizes=(400,), activation=activation)
        hidden, output = network[0], network[-1]
        assert type(hidden) is nn.Linear
        assert bound * 0.98 < hidden.weight.abs().max() <= bound
        assert hidden.bias.abs().max() == 0
        assert isinstance(output, OutputLayer)
        assert 0.95 / 20 < output.weight.abs().max() <= 1 / 20
        assert output.bias.abs().max() == 0
