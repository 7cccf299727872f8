"""Optimizers: hand-computed steps and which parameters are decayed."""

import functools

import pytest
import torch
from torch import nn

from skdl.networks.embedding import EntityEmbedding
from skdl.networks.packed import PackedMLP
from skdl.networks.packed_embedding import PackedEmbedding
from skdl.training.optimization.optimizers import (
    OptimizerSettings,
    build_optimizer,
    parameter_groups,
)

LR, DECAY, START, GRADIENT = 0.1, 0.5, 2.0, 0.3


def one_step(name, gradient=GRADIENT, **options):
    """Take one step on a single weight from START and return where it ends."""
    network = nn.Linear(1, 1, bias=False)
    nn.init.constant_(network.weight, START)
    settings = OptimizerSettings(lr=LR, weight_decay=DECAY, **options)
    optimizer = build_optimizer(name, network, settings)
    network.weight.grad = torch.full((1, 1), gradient)
    optimizer.step()
    return network.weight.item()


def test_adamw_decays_the_weight_itself_by_lr_times_decay():
    # First step of Adam: the normalised gradient is its sign.
    assert one_step("adamw") == pytest.approx(START * (1 - LR * DECAY) - LR, rel=1e-5)


def test_adam_adds_the_decay_to_the_gradient_where_normalisation_swallows_it():
    assert one_step("adam") == pytest.approx(START - LR, rel=1e-5)
    # Where decay and gradient oppose each other, their sum decides the sign.
    assert one_step("adam", gradient=-0.5) == pytest.approx(START - LR, rel=1e-5)
    assert one_step("adamw", gradient=-0.5) == pytest.approx(
        START * (1 - LR * DECAY) + LR, rel=1e-5
    )


def test_sgd_takes_nesterov_momentum():
    gradient = GRADIENT + DECAY * START
    expected = START - LR * (gradient + 0.9 * gradient)
    assert one_step("sgd", momentum=0.9) == pytest.approx(expected, rel=1e-5)
    assert one_step("sgd", momentum=0.0) == pytest.approx(START - LR * gradient)


def test_biases_norms_and_embeddings_are_not_decayed():
    network = nn.ModuleDict(
        {
            "embedding": nn.Embedding(3, 2),
            "linear": nn.Linear(2, 2),
            "norm": nn.BatchNorm1d(2),
        }
    )
    optimizer = build_optimizer("adamw", network, OptimizerSettings(0.1, DECAY))
    decayed = [
        p for g in optimizer.param_groups if g["weight_decay"] for p in g["params"]
    ]
    assert [id(p) for p in decayed] == [id(network["linear"].weight)]
    everything = [p for g in optimizer.param_groups for p in g["params"]]
    assert len(everything) == len(list(network.parameters()))


def test_parameters_of_no_entries_are_left_out():
    # What torch computes of their gradient on a GPU reads memory that is not there.
    pack = PackedEmbedding(3, [5], [0], [0])
    assert parameter_groups(pack, 0.1) == []
    vectors = pack(torch.tensor([[2], [1]]))
    assert vectors.shape == (3, 2, 0)
    assert not vectors.requires_grad
    alone = EntityEmbedding([5], [0], [0])
    assert alone(torch.tensor([[2], [1]])).shape == (2, 0)


def test_frozen_parameters_are_left_out():
    network = nn.Linear(2, 2)
    network.weight.requires_grad_(False)
    optimizer = build_optimizer("adamw", network, OptimizerSettings(0.1, DECAY))
    assert [p for g in optimizer.param_groups for p in g["params"]] == [network.bias]


def test_a_torch_class_gets_the_settings_that_it_takes():
    network = nn.Linear(2, 2)
    settings = OptimizerSettings(0.1, 0.2, momentum=0.7)
    optimizer = build_optimizer(torch.optim.RMSprop, network, settings)
    assert isinstance(optimizer, torch.optim.RMSprop)
    assert {g["lr"] for g in optimizer.param_groups} == {0.1}
    assert {g["momentum"] for g in optimizer.param_groups} == {0.7}
    assert {g["weight_decay"] for g in optimizer.param_groups} == {0.0, 0.2}


def test_a_partial_keeps_what_it_sets():
    network = nn.Linear(2, 2)
    partial = functools.partial(torch.optim.SGD, momentum=0.3, weight_decay=0.7)
    optimizer = build_optimizer(partial, network, OptimizerSettings(0.1, 0.2))
    assert {g["momentum"] for g in optimizer.param_groups} == {0.3}
    assert {g["weight_decay"] for g in optimizer.param_groups} == {0.7}


def test_something_that_is_no_optimizer_is_refused():
    with pytest.raises(TypeError, match=r"torch\.optim\.Optimizer"):
        build_optimizer(lambda params, lr: None, nn.Linear(1, 1), OptimizerSettings(1))


def test_earlier_layers_have_a_fraction_of_the_rate():
    network = nn.Sequential(
        nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2), nn.Linear(2, 1)
    )
    settings = OptimizerSettings(lr=LR, weight_decay=DECAY, layer_lr_decay=0.5)
    groups = build_optimizer("adamw", network, settings).param_groups
    factors = {id(p): g["lr_factor"] for g in groups for p in g["params"]}
    layers = [network[0], network[2], network[3]]
    assert [factors[id(layer.weight)] for layer in layers] == [0.25, 0.5, 1.0]
    assert [factors[id(layer.bias)] for layer in layers] == [0.25, 0.5, 1.0]


def test_stacked_biases_are_told_from_matrices():
    stack = PackedMLP(3, 4, 2, hidden_layer_sizes=(8,))
    groups = build_optimizer("adamw", stack, OptimizerSettings(0.1, DECAY)).param_groups
    decayed = [p.ndim for g in groups if g["weight_decay"] for p in g["params"]]
    assert decayed == [3, 3]
    kept = [p.ndim for g in groups if not g["weight_decay"] for p in g["params"]]
    assert kept == [2, 2]
