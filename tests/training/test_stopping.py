"""When training stops, and which epoch is the best."""

import pytest

from skdl.training.stopping import EarlyStopping


def told(losses, **options):
    """Return a rule that has been told losses, until it says stop."""
    rule = EarlyStopping(2, **options)
    for epoch, loss in enumerate(losses, start=1):
        rule.is_best(epoch, loss)
        if rule.should_stop:
            break
    return rule, epoch


def test_it_stops_when_patience_has_run_out():
    rule, stopped = told([3.0, 2.0, 2.5, 1.9, 2.0, 2.0, 1.0])
    assert (rule.best_epoch, stopped) == (4, 6)


@pytest.mark.parametrize("level", [0.0, -20.0])
def test_with_a_tolerance_small_gains_are_kept_but_do_not_prolong(level):
    losses = [10.0, 9.999, 9.998, 9.0]
    losses = losses if level == 0 else [level + loss / 10 for loss in losses]
    rule, stopped = told(losses, tolerance=0.01)
    assert (rule.best_epoch, stopped) == (3, 3)
    assert told(losses)[0].best_epoch == 4


def test_many_small_gains_are_a_large_one():
    losses = [10.0, 9.95, 9.89, 9.84, 9.79, 9.73]
    assert told(losses, tolerance=0.01)[1] == 6


def test_what_is_small_goes_by_what_has_been_learned():
    losses = [0.690, 0.689, 0.688, 0.687, 0.686, 0.685]
    assert told(losses, tolerance=0.01)[1] == 3
    assert told(losses, tolerance=0.01, uninformed=0.7)[1] == 6
    # Where little is left to lose it is the loss that counts.
    losses = [0.10, 0.099, 0.098, 0.097, 0.096, 0.095]
    assert told(losses, tolerance=0.05, uninformed=0.7)[1] == 3
    # Who has learned nothing yet may take time.
    assert told([1.0, 0.9999, 0.9998, 0.9997], tolerance=0.01, uninformed=0.9)[1] == 4


def test_a_loss_that_rises_faster_and_faster_takes_less_patience():
    for losses, end in (([2.0, 2.1, 2.3, 2.0], 3), ([2.0, 2.2, 2.3, 2.1, 2.1], 4)):
        rule = EarlyStopping(3, if_rising=2)
        for epoch, loss in enumerate(losses, start=1):
            rule.is_best(epoch, loss)
            if rule.should_stop:
                break
        assert epoch == end


def test_one_rise_after_a_small_gain_is_not_enough():
    rule = EarlyStopping(3, 0.01, if_rising=2)
    for epoch, loss in enumerate([0.1031, 0.1027, 0.1056], start=1):
        rule.is_best(epoch, loss)
        assert not rule.should_stop
    rule.is_best(4, 0.11)
    assert rule.should_stop


def test_whether_it_rises_goes_on_with_the_state():
    rule = EarlyStopping(3, if_rising=2)
    for epoch, loss in enumerate([2.0, 2.1], start=1):
        rule.is_best(epoch, loss)
    other = EarlyStopping(3, if_rising=2)
    other.load_state_dict(rule.state_dict())
    assert not other.should_stop
    other.is_best(3, 2.3)
    assert other.should_stop


def test_its_state_goes_on():
    rule, _ = told([3.0, 2.0, 1.995], tolerance=0.01)
    other = EarlyStopping(2, 0.01)
    other.load_state_dict(rule.state_dict())
    for r in (rule, other):
        r.is_best(4, 1.99)
    assert other.should_stop == rule.should_stop
    assert other.best_epoch == rule.best_epoch == 4
