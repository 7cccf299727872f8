"""Looks at a training out of fold, and the stretches of steps between them."""

import math

import pytest
import torch

from skdl.data.batches import ResidentBatches
from skdl.training.blind import BlindRows
from skdl.training.crossing import OutOfFold, Stretches, looks, warmed_up
from skdl.training.objectives import CrossEntropy, SquaredError


def test_each_look_comes_later_by_a_factor_and_the_last_step_is_one():
    assert looks(100, 1.5, 400) == [100, 150, 225, 337, 400]
    assert looks(100, 1.5, 7) == [7]
    assert looks(100, 1.5, 100) == [100]


@pytest.mark.parametrize("first", [1, 2, 3])
def test_looks_go_on_however_slowly_they_grow(first):
    found = looks(first, 1.01, 50)
    assert found == sorted(set(found))
    assert found[-1] == 50


def test_the_rate_rises_and_stays():
    lr = warmed_up(0.1).lr
    assert lr(0.05) == pytest.approx(0.5)
    assert [lr(0.1), lr(0.5), lr(1.0)] == [1, 1, 1]
    assert lr(0.0) > 0


def stretches(steps, n=10, size=3):
    rows = torch.arange(float(n)).view(-1, 1)
    batches = ResidentBatches((rows,), rows, None, batch_size=size)
    return Stretches(batches, steps)


def test_stretches_go_on_through_the_epochs():
    source = stretches([3, 4, 12])
    lengths, seen = [], []
    for _ in range(3):
        source.begin()
        lengths.append(len(source))
        seen += [target for _, target, _ in source]
    assert lengths == [3, 1, 8]
    for epoch in (seen[:4], seen[4:8], seen[8:]):
        assert sorted(torch.cat(epoch).flatten().tolist()) == list(range(10))


def test_a_stretch_that_is_broken_off_is_given_again_in_full():
    source = stretches([3, 5])
    source.begin()
    next(iter(source))
    assert len(list(source)) == 3
    source.begin()
    assert len(list(source)) == 2


class Constants(torch.nn.Module):
    """Two members that predict 1 and 2."""

    def each(self, x):
        return torch.tensor([1.0, 2.0]).view(2, 1, 1).expand(2, x.shape[1], 1)


def test_each_row_is_judged_by_the_member_that_is_blind_to_it():
    blind = torch.tensor([[True, False], [False, True], [False, False]])
    target = torch.tensor([[1.0], [4.0], [9.0]])
    prepared = []
    look = OutOfFold(
        Constants(),
        BlindRows(blind),
        SquaredError(1),
        (torch.zeros(3, 1),),
        target,
        weight=torch.tensor([1.0, 3.0, 1.0]),
        score_weight=None,
        score=lambda found, wanted, weight: (found - wanted).abs().sum().item(),
        prepare=lambda: prepared.append(True),
    )
    loss, score = look()
    assert prepared == [True]
    assert loss == pytest.approx((1 * 0 + 3 * 2.0) / 4)
    assert score == 2.0
    found = look.predictions(look.raw()).flatten()
    assert found[:2].tolist() == [1.0, 2.0]
    assert found[2].isnan()
    assert look.predictions(look.raw(), 2.0)[0] == 0.5
    assert look.uninformed_loss() == pytest.approx((1 * 0.5 + 3 * 8.0) / 4)


class Certain(torch.nn.Module):
    """One member that is as certain of what is wrong as of what is right."""

    def each(self, x):
        return 8.0 * torch.nn.functional.one_hot(x.long(), 2).float()


@pytest.mark.parametrize("calibrates", [True, False])
def test_networks_are_looked_at_with_the_temperature_that_suits_them(calibrates):
    says = torch.tensor([0, 1, 0, 1])
    look = OutOfFold(
        Certain(),
        BlindRows(torch.ones(4, 1, dtype=torch.bool)),
        CrossEntropy(2),
        (says,),
        torch.tensor([0, 1, 0, 0]),
        weight=None,
        score_weight=None,
        score=lambda found, wanted, weight: 0.0,
        prepare=lambda: None,
        calibrates=calibrates,
    )
    loss, _ = look()
    at_best = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert look.uninformed_loss() == pytest.approx(at_best)
    if calibrates:
        assert loss == pytest.approx(at_best, rel=0.3)
        assert look.temperature > 3
    else:
        assert loss > 3 * at_best
        assert look.temperature == 1
