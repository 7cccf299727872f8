"""The rule that chooses a window, on costs and speeds that are known."""

import itertools

import pytest

from skdl.training.text.windows import FEWEST_STEPS, Candidate, candidates, choose

LONG_TEXT = 10_000_000


class Cost:
    """A step takes a byte a token, and as long as `fixed` tokens beside its own."""

    def __init__(self, fixed=50.0):
        self.fixed = fixed

    def step_bytes(self, *, batch_size, bptt):
        return batch_size * bptt

    def tokens_per_second(self, *, batch_size, bptt):
        tokens = batch_size * bptt
        return 1000 * tokens / (tokens + self.fixed)


def made(
    n_tokens=LONG_TEXT, memory=1e9, *, bptt=None, batch_size=20, fixed=50.0, epochs=10
):
    def steps(streams, window):
        return max(1, n_tokens // (streams * window))

    return candidates(
        n_tokens,
        Cost(fixed),
        memory,
        bptt=bptt,
        batch_size=batch_size,
        steps=steps,
        longest=lambda window: window,
        max_epochs=epochs,
    )


def chosen(found, **how):
    best = choose(found, **how)
    assert [c for c in found if c.chosen] == [best]
    assert all(c.reason for c in found)
    return best.bptt, best.batch_size


def test_the_shortest_window_that_is_not_slow_is_chosen():
    # Of 700 tokens 50 are 6.7% on top, of 1,400 3.4%; the fastest has 0.9%.
    assert chosen(made()) == (70, 20)
    assert chosen(made(fixed=20.0)) == (35, 20)
    assert chosen(made(fixed=500.0)) == (280, 20)


def test_reasons_say_why():
    found = made()
    choose(found)
    reasons = {c.bptt: c.reason for c in found}
    assert reasons[35] == "slower than the fastest by more than is allowed"
    assert reasons[70] == "the fewest tokens a step; 3% slower than the fastest"
    assert reasons[280] == "more tokens a step, and not much faster"


def test_little_memory_makes_it_choose_less():
    assert chosen(made(fixed=500.0, memory=200 * 20)) == (140, 20)
    assert chosen(made(fixed=500.0, memory=15 * 20)) == (10, 20)
    found = made(fixed=500.0, memory=200 * 20)
    choose(found)
    assert "memory" in found[-1].reason


def test_no_memory_at_all_takes_the_smallest():
    found = made(memory=0)
    assert chosen(found) == (10, 20)
    assert "none fits" in next(c.reason for c in found if c.chosen)
    assert chosen(made(memory=0, batch_size=None)) == (10, 1)


@pytest.mark.parametrize("n_tokens", [700 * FEWEST_STEPS, 1400 * FEWEST_STEPS])
def test_an_epoch_keeps_its_steps(n_tokens):
    found = made(n_tokens, fixed=1e6)  # the longest is by far the fastest
    bptt, _ = chosen(found)
    assert bptt == n_tokens // FEWEST_STEPS // 20
    assert all(
        "steps an epoch" in c.reason for c in found if c.bptt > bptt and not c.chosen
    )


def test_the_whole_training_keeps_its_steps():
    n_tokens = 700 * 2 * FEWEST_STEPS  # 200 steps an epoch of windows of 70
    assert chosen(made(n_tokens, fixed=1e6)) == (70, 20)
    found = made(n_tokens, fixed=1e6, epochs=5)
    assert chosen(found) == (35, 20)
    assert "2000 in all" in found[1].reason


def test_short_text_gets_the_most_steps():
    assert chosen(made(3000)) == (10, 20)
    bptt, batch_size = chosen(made(3000, batch_size=None))
    assert 3000 // (bptt * batch_size) >= FEWEST_STEPS


@pytest.mark.parametrize(
    ("n_tokens", "bptt", "batch_size"),
    list(itertools.product([1, 7, 100, 5000], [None, 35], [None, 20])),
)
def test_there_is_always_something_to_choose(n_tokens, bptt, batch_size):
    found = made(n_tokens, bptt=bptt, batch_size=batch_size)
    best = chosen(found)
    assert best[0] >= 1
    assert best[1] >= 1
    assert bptt in (None, best[0])
    assert batch_size in (None, best[1])


def test_both_are_chosen_together():
    found = made(batch_size=None, fixed=20.0)
    best = choose(found)
    # 350 tokens of 10 streams are 5.4% slower, 700 are 2.8%.
    assert best.tokens == 700
    assert best.bptt == 70, "of two alike the longer window"
    (other,) = [c for c in found if c.tokens == 700 and c is not best]
    assert other.reason == "as many tokens a step, in shorter windows"


def test_measured_speeds_count_more_than_predicted_ones():
    def measure(usable):
        for candidate in usable:
            candidate.finite = True
            speeds = {35: 80.0, 70: 90.0, 140: 97.0, 280: 100.0}
            candidate.tokens_per_second = speeds[candidate.bptt]
        return 0.0

    assert chosen(made(fixed=0.0), measure=measure) == (140, 20)

    def measure_unsurely(usable):
        return measure(usable) + 0.05

    assert chosen(made(fixed=0.0), measure=measure_unsurely) == (70, 20)


def test_what_is_not_finite_or_runs_out_of_memory_is_left_out():
    tried = []

    def check(candidate):
        tried.append(candidate.bptt)
        candidate.finite = candidate.bptt != 70
        candidate.fits = candidate.bptt != 140

    found = made()
    assert chosen(found, check=check) == (280, 20)
    assert tried == [70, 140, 280]
    assert "not finite" in found[1].reason
    assert "memory" in found[2].reason


def test_a_network_that_never_trains_still_gets_a_window():
    def check(candidate):
        candidate.finite = False

    found = made()
    assert chosen(found, check=check) == (35, 20)
    assert "lower lr" in found[0].reason


def test_speed_is_measured_before_predicted():
    candidate = Candidate(35, 20, 500, True, 1, True, 10.0)
    assert candidate.speed == 10.0
    candidate.tokens_per_second = 3.0
    assert candidate.speed == 3.0
