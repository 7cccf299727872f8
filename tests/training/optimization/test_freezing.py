"""Frozen layers stay as they are, for as long as they are frozen."""

import pytest
import torch
from torch import nn

from skdl.training.optimization.freezing import Freezing


@pytest.fixture
def network():
    return nn.Sequential(
        nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 4), nn.Linear(4, 2)
    )


def trained(network):
    return [all(p.requires_grad for p in network[i].parameters()) for i in range(4)]


def test_named_layers_are_frozen_with_their_statistics(network):
    network.train()
    freezing = Freezing(network, ["0", "1"])
    freezing.begin_epoch(1)
    assert trained(network) == [False, False, True, True]
    before = network[1].running_mean.clone()
    network(torch.randn(8, 3))
    assert torch.equal(network[1].running_mean, before)
    freezing.release()
    assert all(trained(network))


def test_all_but_the_last_layer(network):
    Freezing(network, "all_but_last").begin_epoch(1)
    assert trained(network) == [False, False, False, True]


def test_everything_thaws_after_some_epochs(network):
    freezing = Freezing(network, "all_but_last", 2)
    for epoch, expected in [(1, False), (2, False), (3, True)]:
        freezing.begin_epoch(epoch)
        assert trained(network)[0] is expected


def test_layers_thaw_one_by_one_from_the_last(network):
    freezing = Freezing(network, "all_but_last", "gradual")
    found = []
    for epoch in range(1, 5):
        freezing.begin_epoch(epoch)
        found.append(sum(trained(network)))
    assert found == [1, 2, 3, 4]


def test_a_parameter_that_never_learned_stays_so(network):
    network[0].weight.requires_grad_(False)
    freezing = Freezing(network, "0", 0)
    freezing.begin_epoch(1)
    freezing.release()
    assert not network[0].weight.requires_grad


def test_an_unknown_name_is_refused(network):
    with pytest.raises(ValueError, match=r"freeze names \['body9'\]"):
        Freezing(network, ["0", "body9"])
