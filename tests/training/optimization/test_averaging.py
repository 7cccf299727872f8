"""The running mean of the weights."""

import pytest
import torch
from torch import nn

from skdl.training.optimization.averaging import TriggeredAverage, WeightAverage


def weight_after(values, n_steps):
    """Return the mean after the weight has had these values."""
    network = nn.Linear(1, 1, bias=False)
    average = WeightAverage(network, n_steps)
    for value in values:
        nn.init.constant_(network.weight, value)
        average.update()
    with average.applied():
        mean = network.weight.item()
    assert network.weight.item() == values[-1]
    return mean


def test_the_first_steps_are_a_plain_mean():
    assert weight_after([1.0, 2.0, 6.0], n_steps=1000) == pytest.approx(3.0)


def test_a_tenth_of_the_training_is_remembered():
    # Horizon 10: after many steps at 1 the mean has forgotten the start.
    assert weight_after([50.0] + [1.0] * 99, n_steps=100) == pytest.approx(
        1.0, abs=0.01
    )
    # One step moves it by a tenth of the way.
    assert weight_after([0.0] * 50 + [1.0], n_steps=100) == pytest.approx(0.1)


def test_running_statistics_are_averaged_and_counters_left_alone():
    network = nn.BatchNorm1d(2)
    average = WeightAverage(network, 100)
    for value in (1.0, 3.0):
        network.running_mean.fill_(value)
        network.num_batches_tracked += 1
        average.update()
    with average.applied():
        assert network.running_mean.tolist() == [2.0, 2.0]
        assert network.num_batches_tracked == 2


def test_weights_come_back_after_an_error():
    network = nn.Linear(1, 1)
    kept = network.weight.item()
    average = WeightAverage(network, 10)
    nn.init.constant_(network.weight, kept + 1)
    with pytest.raises(RuntimeError), average.applied():
        raise RuntimeError
    assert network.weight.item() == pytest.approx(kept + 1)
    assert torch.is_tensor(network.weight)


def test_triggered_average_begins_where_validation_stops_falling():
    network = torch.nn.Linear(1, 1, bias=False)
    average = TriggeredAverage(network, patience=2)
    for loss in (3.0, 2.0, 1.0, 0.9):
        average.observe(loss)
    assert not average.started
    average.observe(2.5)  # above the 2.0 of more than two epochs ago
    assert average.started
    with torch.no_grad():
        for value in (2.0, 4.0):
            network.weight.fill_(value)
            average.update()
    with average.applied():
        assert network.weight.item() == 3.0
    assert network.weight.item() == 4.0


def test_triggered_average_leaves_the_network_alone_before():
    network = torch.nn.Linear(1, 1, bias=False)
    average = TriggeredAverage(network)
    before = network.weight.item()
    average.update()
    with average.applied():
        assert network.weight.item() == before
