"""An optimizer goes on from a state only where it is the state of the same thing."""

from functools import partial

import pytest
import torch
from torch import nn

from skdl.networks.mlp import MLP
from skdl.training.optimization.optimizers import OptimizerSettings, build_optimizer
from skdl.training.optimization.resuming import made_of, saved_state, take_over


def network(sizes=(4, 4), seed=0):
    torch.manual_seed(seed)
    return MLP(4, 4, hidden_layer_sizes=list(sizes))


def stepped(net, optimizer="adamw", **options):
    """Return an optimizer that has taken two steps."""
    built = build_optimizer(optimizer, net, OptimizerSettings(0.1, **options))
    for _ in range(2):
        for parameter in net.parameters():
            parameter.grad = torch.ones_like(parameter)
        built.step()
    return built


def fresh(net, optimizer="adamw", **options):
    return build_optimizer(optimizer, net, OptimizerSettings(0.1, **options))


@pytest.mark.parametrize(
    "optimizer", ["adamw", "adam", "sgd", torch.optim.RMSprop, torch.optim.NAdam]
)
def test_a_state_goes_on_to_the_same_steps(optimizer):
    first, second = network(), network()
    one, two = stepped(first, optimizer), stepped(second, optimizer)
    again = fresh(second, optimizer)
    assert take_over(again, second, saved_state(two, second)) == ""
    for built, net in ((one, first), (again, second)):
        for parameter in net.parameters():
            parameter.grad = torch.full_like(parameter, -0.5)
        built.step()
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)


def test_rate_decay_and_betas_are_those_of_now():
    net = network()
    saved = saved_state(stepped(net, weight_decay=0.1), net)
    settings = OptimizerSettings(0.02, weight_decay=0.3, betas=(0.5, 0.6))
    optimizer = build_optimizer("adamw", net, settings)
    assert take_over(optimizer, net, saved) == ""
    assert {g["lr"] for g in optimizer.param_groups} == {0.02}
    assert {g["weight_decay"] for g in optimizer.param_groups} == {0.0, 0.3}
    assert {g["betas"] for g in optimizer.param_groups} == {(0.5, 0.6)}
    assert len(optimizer.state) == len(list(net.parameters()))


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ({}, {"weight_decay": 0.1}, "grouped otherwise"),
        ({}, {"layer_lr_decay": 0.5}, "grouped otherwise"),
        ({}, {"optimizer": "sgd"}, "it was torch.optim.adamw.AdamW and is"),
        ({"optimizer": "sgd"}, {"optimizer": "adam"}, "it was"),
        ({"optimizer": "sgd"}, {"optimizer": "sgd", "momentum": 0.0}, "momentum"),
        (
            {"optimizer": torch.optim.Adam},
            {"optimizer": partial(torch.optim.Adam, amsgrad=True)},
            "options amsgrad have changed",
        ),
    ],
    ids=str,
)
def test_a_state_of_something_else_is_left_and_said_why(before, now, said):
    net = network()
    saved = saved_state(stepped(net, **before), net)
    optimizer = fresh(net, **now)
    assert said in take_over(optimizer, net, saved)
    assert not optimizer.state


def test_layers_of_one_shape_are_told_apart_by_their_names():
    class Turned(nn.Module):
        def __init__(self, names):
            super().__init__()
            for name in names:
                self.add_module(name, nn.Linear(3, 3))

    one, other = Turned("ab"), Turned("ba")
    saved = saved_state(stepped(one), one)
    assert "are others" in take_over(fresh(other), other, saved)


def test_another_network_of_other_sizes_is_refused():
    net, other = network((4, 4)), network((4, 5))
    saved = saved_state(stepped(net), net)
    assert take_over(fresh(other), other, saved)


def test_what_a_state_belongs_to_is_plain_values():
    net = network()
    shown = made_of(fresh(net), net)
    assert eval(repr(shown)) == shown
