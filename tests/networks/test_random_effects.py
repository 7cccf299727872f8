"""Intercepts of groups."""

import torch
from torch import nn

from skdl.networks.embedding import EmbeddingNetwork, EntityEmbedding
from skdl.networks.random_effects import RandomEffects
from skdl.training.optimization.optimizers import OptimizerSettings, build_optimizer


def filled(effects):
    with torch.no_grad():
        effects.table[1:].normal_()
    return effects


def test_intercepts_of_all_factors_are_added():
    effects = filled(RandomEffects([3, 2], 2))
    found = effects(torch.tensor([[3, 4], [1, 5]]))
    expected = effects.table[[3, 1]] + effects.table[[4, 5]]
    torch.testing.assert_close(found, expected)


def test_new_groups_add_nothing_and_never_learn():
    effects = filled(RandomEffects([3, 2], 1))
    out = effects(torch.tensor([[0, 0], [2, 0]]))
    assert out[0].item() == 0
    assert out[1].item() == effects.table[2].item()
    out.sum().backward()
    assert effects.table.grad.flatten().tolist() == [0, 0, 1, 0, 0, 0]


def test_growing_keeps_what_was_learned():
    effects = filled(RandomEffects([3, 2], 1))
    before = effects.table.detach().clone()
    effects.grow([4, 4])
    after = effects.table.detach()
    assert after.shape == (9, 1)
    torch.testing.assert_close(after[[0, 1, 2, 3]], before[:4])
    torch.testing.assert_close(after[[5, 6]], before[4:])
    assert (after[[4, 7, 8]] == 0).all()
    assert effects.table.requires_grad


def test_effects_are_added_to_the_outputs_of_the_head():
    embedding = EntityEmbedding([5], [3], [0])
    effects = filled(RandomEffects([4], 2))
    network = EmbeddingNetwork(embedding, nn.Linear(3, 2), effects)
    indices, numbers = torch.tensor([[2], [2]]), torch.zeros(2, 0)
    out = network(indices, numbers, torch.tensor([[0], [3]]))
    torch.testing.assert_close(out[1] - out[0], effects.table[3])
    assert list(dict(network.named_children())) == ["embedding", "effects", "head"]


def test_intercepts_have_a_decay_of_their_own():
    network = EmbeddingNetwork(
        EntityEmbedding([5], [3], [0]), nn.Linear(3, 1), RandomEffects([4], 1)
    )
    optimizer = build_optimizer(
        "adamw", network, OptimizerSettings(lr=0.1, weight_decay=0.01)
    )
    decay = {
        id(p): g["weight_decay"] for g in optimizer.param_groups for p in g["params"]
    }
    assert decay[id(network.effects.table)] == RandomEffects.weight_decay
    assert decay[id(network.embedding.table.weight)] == 0
    assert decay[id(network.head.weight)] == 0.01
