"""Muon beside what it is written to be, step by step."""

import copy

import pytest
import torch
from torch import nn

from skdl.networks.embedding import EntityEmbedding
from skdl.networks.language_model import LanguageModel
from skdl.networks.mlp import MLP
from skdl.networks.numeric_embedding import PiecewiseLinearEmbedding
from skdl.networks.packed import PackedMLP
from skdl.networks.packed_embedding import PackedEmbedding, PackedEmbeddingNetwork
from skdl.training.optimization.muon import Muon, orthogonalized, split_matrices
from skdl.training.optimization.optimizers import parameter_groups

LR, DECAY, MOMENTUM = 0.01, 0.1, 0.9


def singular_values(matrices):
    return torch.linalg.svdvals(matrices)


@pytest.mark.parametrize("shape", [(3, 8, 8), (2, 5, 40), (2, 40, 5)])
def test_matrices_become_nearly_orthogonal_and_keep_their_directions(shape):
    torch.manual_seed(0)
    matrices = torch.randn(shape)
    found = orthogonalized(matrices)
    values = singular_values(found)
    assert values.min() > 0.3
    assert values.max() < 1.3
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    inner = left.mT @ found @ right.mT  # diagonal where the directions are the same
    diagonal = torch.diagonal(inner, dim1=1, dim2=2)
    torch.testing.assert_close(inner, torch.diag_embed(diagonal), atol=1e-3, rtol=0)


def test_matrices_of_a_batch_do_not_see_each_other_and_zeros_stay():
    torch.manual_seed(0)
    matrices = torch.randn(3, 6, 4)
    matrices[1] = 0
    found = orthogonalized(matrices)
    torch.testing.assert_close(found[2:], orthogonalized(matrices[2:] * 100))
    assert not found[1].any()


def by_hand(weight, gradients):
    """Take the steps on one matrix with torch's own Newton-Schulz, in float32."""
    mean = torch.zeros_like(weight)
    for gradient in gradients:
        mean = MOMENTUM * mean + (1 - MOMENTUM) * gradient
        x = (1 - MOMENTUM) * gradient + MOMENTUM * mean
        x = x / x.norm()
        for _ in range(5):
            gram = x @ x.T
            x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
        rate = LR * 0.2 * max(weight.shape) ** 0.5
        weight = weight * (1 - LR * DECAY) - rate * x
    return weight


def test_three_steps_on_stacks_and_single_matrices_are_those_written_out_by_hand():
    torch.manual_seed(0)
    stack, single = torch.randn(3, 6, 9), torch.randn(6, 9)
    wide = torch.randn(3, 9, 9)
    weights = [nn.Parameter(w.clone()) for w in (stack, single, wide)]
    gradients = [[torch.randn_like(w) for w in weights] for _ in range(3)]
    optimizer = Muon(
        [{"params": weights, "muon": True}],
        lr=LR,
        weight_decay=DECAY,
        momentum=MOMENTUM,
    )
    for step in gradients:
        for weight, gradient in zip(weights, step, strict=True):
            weight.grad = gradient.clone()
        optimizer.step()
    for m in range(3):
        for i, start in ((0, stack), (2, wide)):
            expected = by_hand(start[m], [step[i][m] for step in gradients])
            torch.testing.assert_close(weights[i][m].data, expected, atol=1e-4, rtol=0)
    expected = by_hand(single, [step[1] for step in gradients])
    torch.testing.assert_close(weights[1].data, expected, atol=1e-4, rtol=0)


def test_it_moves_as_torchs_own_does():
    torch.manual_seed(0)
    start = torch.randn(32, 16)
    ours, theirs = (nn.Parameter(start.clone()) for _ in range(2))
    options = {"lr": LR, "weight_decay": DECAY, "momentum": MOMENTUM}
    pair = [
        Muon([{"params": [ours], "muon": True}], **options),
        torch.optim.Muon([theirs], adjust_lr_fn="match_rms_adamw", **options),
    ]
    for _ in range(3):
        ours.grad = torch.randn_like(start)
        theirs.grad = ours.grad.clone()
        for optimizer in pair:
            optimizer.step()
    moved, reference = ours.detach() - start, theirs.detach() - start
    assert (moved - reference).norm() < 0.05 * reference.norm()  # theirs is bfloat16


def test_a_step_has_entries_as_large_as_those_of_adamw():
    torch.manual_seed(0)
    weight = nn.Parameter(torch.zeros(4, 64, 256))
    weight.grad = torch.randn_like(weight)
    Muon([{"params": [weight], "muon": True}], lr=1.0).step()
    assert 0.1 < weight.detach().square().mean().sqrt() < 0.3


def trained(network, optimizer, steps=3):
    torch.manual_seed(1)
    for _ in range(steps):
        optimizer.zero_grad()
        network(torch.randn(8, 6)).square().mean().backward()
        optimizer.step()
    return [p.detach().clone() for p in network.parameters()]


def muon_of(network, lr=LR):
    groups = split_matrices(network, parameter_groups(network, DECAY))
    return Muon(groups, lr=lr)


def test_all_else_takes_the_steps_of_adamw():
    torch.manual_seed(0)
    network = PackedMLP(3, 6, 2, hidden_layer_sizes=())  # its one matrix is the last
    same = copy.deepcopy(network)
    reference = torch.optim.AdamW(parameter_groups(same, DECAY), lr=LR, fused=True)
    ours = trained(network, muon_of(network))
    theirs = trained(same, reference)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


def test_hidden_matrices_are_those_before_the_last_layer_and_no_embeddings():
    network = PackedEmbeddingNetwork(
        PackedMLP(3, 3 + 8 + 2, 1, hidden_layer_sizes=(16, 8)),
        PackedEmbedding(3, [5], [3], [0]),
        PiecewiseLinearEmbedding(3, [4, 4], 4),
    )
    groups = split_matrices(network, parameter_groups(network, DECAY))
    shapes = [p.shape for g in groups if g["muon"] for p in g["params"]]
    assert sorted(shapes) == [(3, 13, 16), (3, 16, 8)]
    everything = [p for g in groups for p in g["params"]]
    assert len(everything) == len(list(network.parameters()))
    assert {g["weight_decay"] for g in groups if g["muon"]} == {DECAY}


def test_a_plain_network_is_split_in_the_same_way():
    network = nn.Sequential(EntityEmbedding([5], [3], [0]), MLP(3, 1))
    groups = split_matrices(network, parameter_groups(network, DECAY))
    shapes = [p.shape for g in groups if g["muon"] for p in g["params"]]
    assert sorted(shapes) == [(128, 256), (256, 3)]


@pytest.mark.parametrize("tied", [True, False])
def test_the_softmax_of_a_language_model_is_no_hidden_matrix(tied):
    network = LanguageModel(
        50, embedding_dim=6, hidden_size=8, num_layers=1, cutoffs=[9], tie_weights=tied
    )
    groups = split_matrices(network, parameter_groups(network, DECAY))
    layer = network.recurrent.layers[0]
    found = {id(p) for g in groups if g["muon"] for p in g["params"]}
    assert found == {id(layer.weight_ih), id(layer.weight_hh)}


def test_training_goes_on_from_a_saved_state_as_if_it_had_not_stopped():
    torch.manual_seed(0)
    network = MLP(6, 2, hidden_layer_sizes=(8, 8))
    optimizer = muon_of(network)
    trained(network, optimizer)
    again = copy.deepcopy(network)
    resumed = muon_of(again, lr=1.0)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    ours, theirs = trained(network, optimizer), trained(again, resumed)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


def test_a_rate_set_on_the_groups_reaches_both():
    torch.manual_seed(0)
    network = MLP(6, 2, hidden_layer_sizes=(8,))
    optimizer = muon_of(network)
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    before = [p.detach().clone() for p in network.parameters()]
    torch.testing.assert_close(trained(network, optimizer), before, rtol=0, atol=0)


def test_parameters_without_a_gradient_are_left_alone():
    network = MLP(6, 2, hidden_layer_sizes=(8,))
    optimizer = muon_of(network)
    before = [p.detach().clone() for p in network.parameters()]
    optimizer.step()
    torch.testing.assert_close([p.detach() for p in network.parameters()], before)
