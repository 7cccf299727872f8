"""Schedules are pure functions of progress."""

import numpy as np
import pytest

from skdl.training.optimization.schedules import SCHEDULES, resolve_schedule

GRID = np.linspace(0, 1, 701)


@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_factors_stay_between_zero_and_one_and_reach_one(name):
    factors = np.array([SCHEDULES[name].lr(p) for p in GRID])
    assert factors.min() >= 0
    assert factors.max() == pytest.approx(1.0, abs=1e-4)


def test_one_cycle_rises_to_a_quarter_then_falls_to_almost_nothing():
    lr = np.array([SCHEDULES["one_cycle"].lr(p) for p in GRID])
    peak = lr.argmax()
    assert GRID[peak] == pytest.approx(0.25, abs=0.01)
    assert (np.diff(lr[: peak + 1]) > 0).all()
    assert (np.diff(lr[peak:]) < 0).all()
    assert lr[0] == pytest.approx(1 / 25)
    assert lr[-1] < 1e-3


def test_one_cycle_momentum_is_lowest_where_the_rate_is_highest():
    schedule = SCHEDULES["one_cycle"]
    momentum = [schedule.momentum(p) for p in GRID]
    lr = [schedule.lr(p) for p in GRID]
    assert abs(int(np.argmin(momentum)) - int(np.argmax(lr))) <= 1
    assert momentum[0] == pytest.approx(0.05)
    assert min(momentum) == pytest.approx(-0.05, abs=1e-3)


def test_warm_restarts_doubles_its_cycles():
    lr = np.array([SCHEDULES["warm_restarts"].lr(p) for p in GRID])
    restarts = GRID[1:][np.diff(lr) > 0.5]
    assert restarts == pytest.approx([1 / 7, 3 / 7], abs=0.01)
    assert lr[-1] == pytest.approx(0, abs=1e-6)


def test_flat_cosine_is_flat_then_falls_to_zero():
    flat = SCHEDULES["flat_cosine"]
    assert flat.lr(0.7) == 1.0
    assert flat.lr(1.0) == pytest.approx(0.0)


def test_a_function_of_progress_is_used_as_it_is():
    schedule = resolve_schedule(lambda progress: 1 - progress)
    assert schedule.lr(0.25) == 0.75
    assert schedule.momentum is None
