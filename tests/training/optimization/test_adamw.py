"""LeanAdamW takes exactly the steps of torch's AdamW."""

import copy

import pytest
import torch
from torch import nn

from skdl.training.optimization.adamw import LeanAdamW
from skdl.training.optimization.optimizers import parameter_groups


def make_pair():
    """Return the same network twice, with both optimizers."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(5, 8), nn.LayerNorm(8), nn.Linear(8, 3))
    pair = []
    for optimizer in (LeanAdamW, torch.optim.AdamW):
        twin = copy.deepcopy(network)
        options = {} if optimizer is LeanAdamW else {"fused": True}
        groups = parameter_groups(twin, 0.1)
        pair.append((twin, optimizer(groups, lr=0.05, betas=(0.8, 0.9), **options)))
    return pair


def take_steps(network, optimizer, n_steps, *, skip_bias=False):
    """Train with a rate that changes, on the same data for every network."""
    generator = torch.Generator().manual_seed(1)
    for i in range(n_steps):
        for group in optimizer.param_groups:
            group["lr"] = 0.05 / (i + 1)
        optimizer.zero_grad()
        network(torch.randn(16, 5, generator=generator)).square().sum().backward()
        if skip_bias and i % 2:
            network[0].bias.grad = None
        optimizer.step()


def assert_same(ours, theirs):
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


@pytest.mark.kernels
@pytest.mark.parametrize("skip_bias", [False, True])
def test_same_bits_as_torch_also_where_a_gradient_is_missing(skip_bias):
    (ours, lean), (theirs, plain) = make_pair()
    take_steps(ours, lean, 7, skip_bias=skip_bias)
    take_steps(theirs, plain, 7, skip_bias=skip_bias)
    assert_same(ours, theirs)


def test_a_state_loaded_later_is_the_one_used():
    (ours, lean), (theirs, plain) = make_pair()
    take_steps(ours, lean, 3)
    take_steps(theirs, plain, 3)
    take_steps(ours, lean, 2)
    lean.load_state_dict(copy.deepcopy(plain.state_dict()))
    ours.load_state_dict(theirs.state_dict())
    take_steps(ours, lean, 4)
    take_steps(theirs, plain, 4)
    assert_same(ours, theirs)


def test_a_copy_goes_on_by_itself():
    (ours, lean), _ = make_pair()
    take_steps(ours, lean, 3)
    network, optimizer = copy.deepcopy((ours, lean))
    take_steps(network, optimizer, 3)
    take_steps(ours, lean, 3)
    assert_same(ours, network)


def test_a_group_added_later_is_trained():
    (ours, lean), _ = make_pair()
    take_steps(ours, lean, 2)
    extra = nn.Parameter(torch.ones(2))
    lean.add_param_group({"params": [extra]})
    extra.grad = torch.ones(2)
    lean.step()
    lean.step()
    assert (extra < 1).all()


def test_a_closure_is_called():
    (ours, lean), _ = make_pair()
    take_steps(ours, lean, 2)
    with torch.enable_grad():
        assert lean.step(lambda: "loss") == "loss"
