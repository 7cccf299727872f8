"""Dropout: what it does to values, gradients and pickles."""

import pickle

import pytest
import torch

from skdl.networks import Dropout
from skdl.networks.dropout import _dropped
from skdl.randomness import Randomness, drawing_from


def test_dropout_zeroes_the_asked_share_and_keeps_the_mean():
    torch.manual_seed(0)
    dropped = Dropout(0.3)(torch.ones(500, 400))
    assert (dropped == 0).float().mean() == pytest.approx(0.3, abs=0.005)
    assert dropped.mean() == pytest.approx(1.0, abs=0.01)
    assert dropped.unique().tolist() == pytest.approx([0, 1 / 0.7])


def test_masks_differ_from_call_to_call_also_across_pools():
    layer, ones = Dropout(0.5), torch.ones(64, 64)
    seen = {layer(ones).numpy().tobytes() for _ in range(200)}
    assert len(seen) == 200


def test_neighbouring_values_are_dropped_independently():
    torch.manual_seed(0)
    layer, ones = Dropout(0.5), torch.ones(32, 64)
    masks = torch.stack([layer(ones) for _ in range(500)]).flatten(1)  # (500, 2048)
    pairs = (masks[:, 1:] * masks[:, :-1]).mean()  # E = 1 where independent
    assert pairs == pytest.approx(1.0, abs=0.02)


def test_evaluation_changes_nothing():
    x = torch.randn(5, 7)
    assert torch.equal(Dropout(0.5).eval()(x), x)


def test_gradient_flows_through_kept_values_only():
    x = torch.ones(20, 20, requires_grad=True)
    dropped = Dropout(0.5)(x)
    dropped.sum().backward()
    assert torch.equal(x.grad, dropped.detach())


def test_masks_follow_torchs_seed():
    x = torch.ones(30, 30)
    results = []
    for _ in range(2):
        torch.manual_seed(3)
        layer = Dropout(0.5)
        results.append([layer(x) for _ in range(3)])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_a_pickle_does_not_hold_the_pool():
    layer = Dropout(0.5)
    layer(torch.ones(100, 100))
    assert len(pickle.dumps(layer)) < 2000


def test_large_inputs_get_a_pool_that_is_large_enough():
    dropped = Dropout(0.5)(torch.ones(1000, 1000))
    assert dropped.shape == (1000, 1000)
    assert (dropped == 0).float().mean() == pytest.approx(0.5, abs=0.01)


def test_on_a_gpu_values_are_dropped_by_the_fits_generator_too():
    x = torch.ones(300, 400, requires_grad=True)  # the same on a CPU
    cpu, found = torch.device("cpu"), []
    for global_seed in (1, 2):
        torch.manual_seed(global_seed)
        with drawing_from(Randomness(0, cpu)):
            found.append(_dropped(x, 0.3))
    assert torch.equal(*found)
    assert (found[0] == 0).float().mean() == pytest.approx(0.3, abs=0.005)
    assert found[0].unique().tolist() == pytest.approx([0, 1 / 0.7])
    found[0].sum().backward()
    assert torch.equal(x.grad, found[0].detach())
