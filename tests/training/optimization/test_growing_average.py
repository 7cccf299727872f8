"""A mean of the weights that can be used at any moment."""

import copy

import pytest
import torch
from torch import nn

from skdl.training.optimization.growing_average import GrowingAverage


def averaged(values):
    """Return the mean after a network's one weight has had these values."""
    network = nn.Linear(1, 1, bias=False)
    average = GrowingAverage(network)
    for value in values:
        nn.init.constant_(network.weight, value)
        average.update()
    return average.mean[0].item()


@pytest.mark.parametrize("n", [1, 7, 100, 3000])
def test_the_mean_of_a_ramp_lags_by_a_tenth_of_the_way_at_any_moment(n):
    lag = n - averaged(range(1, n + 1))
    assert lag == pytest.approx(n / 11, abs=1)


def test_noise_around_a_point_goes_away():
    torch.manual_seed(0)
    assert abs(averaged((5 + torch.randn(4000)).tolist()) - 5) < 0.2


def test_the_start_is_forgotten():
    assert averaged([1000.0] + [0.0] * 1000) < 1e-9


def test_the_network_has_the_mean_while_it_is_applied_and_its_weights_after():
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    average = GrowingAverage(network)
    for _ in range(3):
        network(torch.randn(8, 2))
        with torch.no_grad():
            network[0].weight.add_(1)
        average.update()
    before = copy.deepcopy(network.state_dict())
    with average.applied():
        assert not torch.equal(network[0].weight, before["0.weight"])
    torch.testing.assert_close(dict(network.state_dict()), dict(before))


def test_a_mean_goes_on_from_its_state():
    network = nn.Linear(2, 2)
    average = GrowingAverage(network)
    average.update()
    resumed = GrowingAverage(network)
    resumed.load_state_dict(copy.deepcopy(average.state_dict()))
    with torch.no_grad():
        network.weight.add_(1)
    average.update()
    resumed.update()
    torch.testing.assert_close(average.mean, resumed.mean, rtol=0, atol=0)
