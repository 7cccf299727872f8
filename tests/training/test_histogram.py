"""A mean that is learned beside a histogram of the target."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from skdl.training.histogram import MeanBesideHistogram
from skdl.training.objectives import SquaredError

N, BINS = 50, 8
TARGET = torch.from_numpy(np.random.RandomState(0).randn(N, 2)).float()
WEIGHT = torch.from_numpy(np.random.RandomState(1).rand(N)).float()


def objective(target=TARGET):
    return MeanBesideHistogram(SquaredError(target.shape[1]), target, BINS)


def raw_outputs(n_targets=2):
    n_outputs = n_targets * (1 + BINS)
    raw = torch.from_numpy(np.random.RandomState(2).randn(N, n_outputs)).float()
    return raw.requires_grad_()


def test_it_has_a_mean_of_each_target_and_bins_beside_it():
    assert objective().n_outputs == 2 + 2 * BINS
    assert objective().n_beside == 2 * BINS


@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_the_loss_and_predictions_are_those_of_the_means(weight):
    raw, member = raw_outputs(), SquaredError(2)
    found = objective().loss(raw, TARGET, weight)
    torch.testing.assert_close(found, member.loss(raw[:, :2], TARGET, weight))
    torch.testing.assert_close(objective().inverse_link(raw), raw[:, :2])


@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_means_learn_as_without_a_histogram_and_bins_from_how_often_they_occur(weight):
    raw, alone = raw_outputs(), raw_outputs()
    objective().loss(raw, TARGET, weight).backward()
    SquaredError(2).loss(alone[:, :2], TARGET, weight).backward()
    torch.testing.assert_close(raw.grad[:, :2], alone.grad[:, :2])
    # A bin's gradient is how likely it is held less how likely it is.
    of_bins = raw.grad[:, 2:].view(N, 2, BINS)
    held = raw.detach()[:, 2:].view(N, 2, BINS).softmax(2)
    count = N * 2 if weight is None else (N * 2 / WEIGHT).view(N, 1, 1)
    likely = held - of_bins * count / 0.1
    assert (likely > -1e-4).all()
    torch.testing.assert_close(likely.sum(2), torch.ones(N, 2), atol=1e-3, rtol=0)
    middle = (torch.arange(BINS) + 0.5) / BINS
    means = (likely * middle).sum(2)
    for mean, target in zip(means.T, TARGET.T, strict=True):
        assert np.corrcoef(mean, target)[0, 1] > 0.99


def test_a_target_beyond_those_of_training_is_in_the_bin_at_the_end():
    far = torch.tensor([[1e6], [-1e6], [float(TARGET[:, 0].max())]])
    one = objective(TARGET[:, :1])
    raw = torch.zeros(3, 1 + BINS, requires_grad=True)
    loss = one.loss(raw, far, None)
    assert torch.isfinite(loss)
    loss.backward()
    assert torch.isfinite(raw.grad).all()
    assert raw.grad[0, 1:].argmin() == BINS - 1
    assert raw.grad[1, 1:].argmin() == 0


def test_a_constant_target_is_learned():
    target = torch.ones(N, 1)
    raw = raw_outputs(1)
    objective(target).loss(raw, target, None).backward()
    assert torch.isfinite(raw.grad).all()


def test_what_is_not_finite_in_bins_shows_in_the_loss():
    raw = raw_outputs().detach()
    raw[3, -1] = torch.nan
    assert objective().loss(raw, TARGET, None).isnan()


def test_labels_are_smoothed_as_a_normal_distribution():
    one = objective(TARGET[:, :1])
    raw = torch.zeros(N, 1 + BINS, requires_grad=True)
    one.loss(raw, TARGET[:, :1], None).backward()
    found = 1 / BINS - raw.grad[:, 1:] * N / 0.1
    low, high = TARGET[:, 0].min(), TARGET[:, 0].max()
    margin = 0.05 * (high - low)
    edges = torch.linspace(low - margin, high + margin, BINS + 1)
    normal = torch.distributions.Normal(TARGET[:, :1], 2 * (edges[1] - edges[0]))
    expected = normal.cdf(edges).diff(dim=1)
    expected = functional.normalize(expected, p=1, dim=1)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
