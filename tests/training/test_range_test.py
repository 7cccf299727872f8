"""What a curve suggests, on curves whose answer is known."""

import numpy as np
import pytest

from skdl.training.range_test import (
    SUGGESTIONS,
    Curve,
    doubts,
    smooth_losses,
    suggest,
)

LRS = np.geomspace(1e-6, 10, 141)  # 20 steps a decade


def curve(falls_at=1e-3, lowest_at=1e-1, explodes=True):
    """Return a loss of 1, falling to 0 between two rates and rising after that."""
    x = np.log10(LRS)
    start, end = np.log10(falls_at), np.log10(lowest_at)
    losses = 1 - np.clip((x - start) / (end - start), 0, 1)
    return losses + (np.maximum(x - end, 0) * 2 if explodes else 0)


def test_minimum_goes_back_by_one_magnitude():
    assert suggest(LRS, curve())["minimum"] == pytest.approx(1e-2)


def test_steepest_lies_on_the_fall():
    assert 1e-3 <= suggest(LRS, curve())["steepest"] <= 1e-1


def test_valley_is_the_middle_of_the_fall():
    assert suggest(LRS, curve())["valley"] == pytest.approx(1e-2, rel=0.1)


def test_slide_is_half_of_midway_from_the_lowest_loss_to_where_it_is_lost_again():
    # Lowest at 0.1; a third of the gain is lost a sixth of a decade after that.
    midway = 10 ** (-1 + 1 / 12)
    assert suggest(LRS, curve())["slide"] == pytest.approx(midway / 2, rel=0.1)


def test_slide_is_not_held_up_by_a_bump():
    x = np.log10(LRS)
    plain = np.clip(-2 - x, 0, 1) + 5 * np.maximum(x, 0)  # flat from .01 to 1
    plain[80] -= 0.01  # lowest at .01
    bump = 0.6 * np.exp(-((x + 1.5) ** 2) / 0.01)
    found = suggest(LRS, plain + bump)["slide"]
    assert found == pytest.approx(suggest(LRS, plain)["slide"], rel=0.1)


def test_slide_without_a_rise_goes_back_from_the_end():
    losses = curve(explodes=False, lowest_at=10.0)
    assert suggest(LRS, losses)["slide"] == pytest.approx(LRS[-1] / 2)


@pytest.mark.parametrize("rule", sorted(SUGGESTIONS))
def test_every_rule_answers_to_any_curve(rule):
    for losses in (np.ones(12), np.arange(12.0), -np.arange(12.0), np.array([1.0, 2])):
        rates = LRS[: len(losses)]
        found = SUGGESTIONS[rule](rates, losses)
        assert np.isfinite(found)
        assert found > 0


def test_smoothing_keeps_lines_and_minima_where_they_are():
    noise = np.random.default_rng(0).normal(0, 0.02, len(LRS))
    smoothed = smooth_losses(curve() + noise)
    assert np.abs(smoothed - curve())[10:-10].max() < 0.2
    assert 0.5 < LRS[smoothed.argmin()] / 1e-1 < 2
    np.testing.assert_allclose(smooth_losses(np.ones(50)), 1)


@pytest.mark.parametrize("noise", [0.1, 0.3])
def test_hard_batches_do_not_bend_the_curve(noise):
    hardness = 1 + noise * np.random.default_rng(0).standard_normal(len(LRS))
    losses, goal = curve() * hardness, smooth_losses(curve())
    found = Curve(LRS, losses, hardness).smoothed() - goal
    plain = smooth_losses(losses) - goal
    start = LRS < 1e-3
    assert plain[start].std() > 4 * found[start].std()
    assert plain.std() > 1.5 * found.std()


@pytest.mark.parametrize("baselines", [0.0, -1.0, np.inf, np.nan])
def test_a_curve_is_only_smoothed_where_nothing_is_known_of_batches(baselines):
    found = Curve(LRS, curve(), np.full(len(LRS), baselines)).smoothed()
    np.testing.assert_allclose(found, smooth_losses(curve()))


def test_a_good_curve_raises_no_doubt():
    assert doubts(LRS, curve(), len(LRS)) == []


@pytest.mark.parametrize(
    ("losses", "planned", "doubt"),
    [
        (np.ones(141), 141, "flat"),
        (curve(explodes=False, lowest_at=10.0), 141, "raise max_lr"),
        (curve()[:9], 141, "lower min_lr"),
        (np.r_[1, 0.5, np.linspace(0.4, 5, 139)], 141, "lower min_lr"),
    ],
)
def test_doubtful_curves_are_told(losses, planned, doubt):
    assert doubt in " ".join(doubts(LRS[: len(losses)], losses, planned))
