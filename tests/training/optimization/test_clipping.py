"""Clipping by an optimizer that scales gradients itself is clipping."""

import copy

import pytest
import torch

from skdl.training.optimization.adamw import LeanAdamW
from skdl.training.optimization.clipping import clip_gradients


def network():
    torch.manual_seed(0)
    return torch.nn.Linear(3, 2)


def steps(optimizer, model, max_norm, clip, n=4):
    """Take steps on gradients that grow, some of them too long; return the norms."""
    norms = []
    for i in range(n):
        for p in model.parameters():
            p.grad = torch.linspace(-1, 2, p.numel()).view_as(p) * 3**i
        norms.append(clip(optimizer, list(model.parameters()), max_norm).item())
        optimizer.step()
    return norms


def clip_in_place(optimizer, parameters, max_norm):
    return torch.nn.utils.clip_grad_norm_(parameters, max_norm)


@pytest.mark.kernels
@pytest.mark.parametrize("max_norm", [1e-3, 10.0, 1e6])
def test_adamw_scales_as_clipping_in_place_does(max_norm):
    ours, theirs = network(), network()
    options = {"lr": 0.1, "eps": 1e-3}
    norms = steps(
        LeanAdamW(ours.parameters(), **options), ours, max_norm, clip_gradients
    )
    expected = steps(
        torch.optim.AdamW(theirs.parameters(), **options),
        theirs,
        max_norm,
        clip_in_place,
    )
    assert norms == pytest.approx(expected)
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b)
        torch.testing.assert_close(a.grad, b.grad)  # what is seen after the step


def test_other_optimizers_get_gradients_scaled_in_place():
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    steps(optimizer, model, 1.0, clip_gradients, n=1)
    norm = torch.nn.utils.get_total_norm([p.grad for p in model.parameters()])
    assert norm == pytest.approx(1.0, rel=1e-5)


def test_a_scale_does_not_outlast_its_step():
    model = network()
    optimizer = LeanAdamW(model.parameters(), lr=0.1)
    steps(optimizer, model, 1e-3, clip_gradients, n=2)
    assert optimizer.grad_scale is not None
    steps(optimizer, model, 1e6, clip_gradients, n=1)
    assert optimizer.grad_scale is None
    steps(optimizer, model, 1e-3, clip_gradients, n=1)
    optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    steps(optimizer, model, 1e6, clip_gradients, n=1)
    assert optimizer.grad_scale is None
