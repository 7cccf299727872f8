"""Objectives: where each loss has its minimum, and what its inverse link returns."""

import numpy as np
import pytest
import torch

from skdl.training.objectives import (
    REGRESSION_OBJECTIVES,
    BinaryCrossEntropy,
    CrossEntropy,
    MemberMean,
    Quantile,
    Quantiles,
)


def minimizer(objective, target, weight=None):
    """Return the constant prediction that minimises the loss, by brute force."""
    raw = torch.linspace(-3, 12, 15_001)
    losses = torch.stack(
        [objective.loss(r.expand(len(target), 1), target, weight) for r in raw]
    )
    best = raw[losses.argmin()].reshape(1, 1)
    return objective.inverse_link(best).item()


SKEWED = torch.tensor([[0.0], [0.0], [1.0], [1.0], [1.0], [2.0], [10.0]])


@pytest.mark.parametrize(
    ("loss", "options", "expected"),
    [
        ("squared_error", {}, SKEWED.mean().item()),
        ("absolute_error", {}, 1.0),
        ("quantile", {"quantile": 0.9}, 10.0),
        ("quantile", {"quantile": 0.2}, 0.0),
        ("poisson", {}, SKEWED.mean().item()),
    ],
)
def test_each_loss_is_lowest_at_its_statistic(loss, options, expected):
    objective = REGRESSION_OBJECTIVES[loss](1, **options)
    assert minimizer(objective, SKEWED) == pytest.approx(expected, abs=5e-3)


@pytest.mark.parametrize(
    "objective",
    [
        CrossEntropy(3),
        BinaryCrossEntropy(3),
        Quantiles([0.1, 0.5, 0.9]),
        *(kind(3) for kind in REGRESSION_OBJECTIVES.values()),
    ],
)
def test_a_link_gives_raw_outputs_of_the_same_predictions(objective):
    torch.manual_seed(0)
    predictions = objective.inverse_link(torch.randn(5, 3))
    raw = objective.link(predictions)
    torch.testing.assert_close(objective.inverse_link(raw), predictions)


def test_huber_lies_between_median_and_mean():
    found = minimizer(REGRESSION_OBJECTIVES["huber"](1), SKEWED)
    assert 1.0 < found < SKEWED.mean().item()


@pytest.mark.parametrize("loss", sorted(REGRESSION_OBJECTIVES))
def test_integer_weights_count_like_repeated_rows(loss):
    objective = REGRESSION_OBJECTIVES[loss](2)
    torch.manual_seed(0)
    raw, target = torch.randn(4, 2), torch.rand(4, 2)
    counts = torch.tensor([1, 3, 2, 2])
    repeated = objective.loss(
        raw.repeat_interleave(counts, 0), target.repeat_interleave(counts, 0), None
    )
    weighted = objective.loss(raw, target, counts / counts.float().mean())
    assert weighted.item() == pytest.approx(repeated.item(), rel=1e-5)


def test_cross_entropy_and_its_link_agree_with_the_definition():
    raw, target = torch.tensor([[2.0, 0.0, 1.0]]), torch.tensor([2])
    probabilities = np.exp([2, 0, 1]) / np.exp([2, 0, 1]).sum()
    objective = CrossEntropy(3)
    assert objective.inverse_link(raw)[0].numpy() == pytest.approx(probabilities)
    assert objective.loss(raw, target, None).item() == pytest.approx(
        -np.log(probabilities[2])
    )


def test_multilabel_link_is_a_sigmoid_for_each_label():
    probabilities = BinaryCrossEntropy(2).inverse_link(torch.tensor([[0.0, 3.0]]))
    assert probabilities[0].tolist() == pytest.approx([0.5, 1 / (1 + np.exp(-3))])


@pytest.mark.parametrize("kind", [CrossEntropy, BinaryCrossEntropy])
def test_label_smoothing_penalises_certainty(kind):
    raw = torch.tensor([[20.0, -20.0]])
    target = torch.tensor([0]) if kind is CrossEntropy else torch.tensor([[1.0, 0.0]])
    assert kind(2).loss(raw, target, None) < 1e-6
    assert kind(2, label_smoothing=0.1).loss(raw, target, None) > 0.5


@pytest.mark.kernels
def test_members_side_by_side_are_trained_as_if_alone():
    torch.manual_seed(0)
    member = CrossEntropy(3)
    raw = torch.randn(8, 6, requires_grad=True)
    target = torch.randint(3, (8,))
    both = MemberMean(member, 2)
    assert both.n_outputs == 6
    loss = both.loss(raw, target, None)
    loss.backward()
    alone = [raw.detach()[:, part].requires_grad_() for part in (slice(3), slice(3, 6))]
    losses = [member.loss(r, target, None) for r in alone]
    for single in losses:
        single.backward()
    torch.testing.assert_close(loss, torch.stack(losses).mean())
    torch.testing.assert_close(raw.grad, torch.cat([r.grad for r in alone], dim=1))
    expected = (alone[0].double().softmax(1) + alone[1].double().softmax(1)) / 2
    torch.testing.assert_close(both.inverse_link(raw), expected)


def test_quantiles_are_as_far_apart_as_the_softplus_of_their_outputs():
    objective = Quantiles([0.1, 0.3, 0.5, 0.9])
    raw = torch.tensor([[0.5, -1.0, 2.0, 1.0]])
    found = objective.inverse_link(raw)
    apart = torch.nn.functional.softplus(raw[:, [0, 1, 3]])
    assert found[0, 2] == 2
    torch.testing.assert_close(found.diff(), apart)


def test_the_loss_of_quantiles_is_the_mean_of_the_loss_of_each():
    raw, target = torch.randn(9, 2), torch.randn(9, 1)
    weight = torch.rand(9)
    objective = Quantiles([0.2, 0.6])
    linked = objective.inverse_link(raw)
    each = [
        Quantile(1, q).loss(linked[:, [k]], target, weight)
        for k, q in enumerate([0.2, 0.6])
    ]
    expected = torch.stack(each).mean()
    torch.testing.assert_close(objective.loss(raw, target, weight), expected)
