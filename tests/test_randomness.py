"""Whose random numbers are drawn: a fit's own, the caller's never."""

import os
import threading

import hypothesis
import pytest
import torch
from hypothesis import strategies as st

from skdl.randomness import (
    Randomness,
    drawing_from,
    drawing_side_by_side,
    generator_on,
    generators_on,
    lent_generators,
    random_states,
    set_random_states,
)

CPU = torch.device("cpu")


def drawn(n=4):
    """Draw as skdl's own modules do."""
    return torch.rand(n, generator=generator_on(CPU)).tolist()


def drawn_globally(n=4):
    """Draw as a user's module does."""
    return torch.rand(n).tolist()


def test_the_same_seed_gives_the_same_numbers_and_another_gives_others():
    found = []
    for seed in (0, 0, 1):
        with drawing_from(Randomness(seed, CPU)):
            found.append(drawn())
    assert found[0] == found[1] != found[2]


def test_torchs_generator_is_neither_read_nor_moved():
    torch.manual_seed(0)
    expected = drawn_globally()
    for seed in (1, 2):
        torch.manual_seed(seed)
        with drawing_from(Randomness(0, CPU)):
            first = drawn()
        torch.manual_seed(0)
        with drawing_from(Randomness(0, CPU)):
            assert drawn() == first
        assert drawn_globally() == expected


def test_outside_of_a_fit_torchs_seed_decides():
    torch.manual_seed(0)
    expected = drawn_globally()
    torch.manual_seed(0)
    assert drawn() == expected


def test_a_fit_inside_of_another_leaves_its_numbers_alone():
    with drawing_from(Randomness(0, CPU)):
        expected = [drawn(), drawn()]
    with drawing_from(Randomness(0, CPU)):
        first = drawn()
        with drawing_from(Randomness(7, CPU)):
            drawn()
        assert [first, drawn()] == expected


def test_what_is_lent_is_given_back_and_goes_on_from_loan_to_loan():
    torch.manual_seed(0)
    expected = [drawn_globally(), drawn_globally()]
    with drawing_from(Randomness(3, CPU)), lent_generators():
        lent = [drawn_globally(), drawn_globally()]
    torch.manual_seed(0)
    found = []
    with drawing_from(Randomness(3, CPU)):
        for before in expected:
            assert drawn_globally() == before  # the caller's own numbers, in between
            with lent_generators():
                found.append(drawn_globally())
    assert found == lent


def test_a_loan_is_given_back_when_its_code_fails():
    torch.manual_seed(0)
    expected = drawn_globally()
    torch.manual_seed(0)

    def fail():
        with drawing_from(Randomness(3, CPU)), lent_generators():
            drawn_globally()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert drawn_globally() == expected


def test_a_loan_inside_of_a_loan_goes_on_with_the_outer_one():
    with drawing_from(Randomness(3, CPU)), lent_generators():
        expected = [drawn_globally() for _ in range(3)]
    with drawing_from(Randomness(3, CPU)), lent_generators():
        found = [drawn_globally()]
        with lent_generators():
            found.append(drawn_globally())
        assert [*found, drawn_globally()] == expected


def test_what_is_lent_is_not_what_skdl_itself_draws():
    with drawing_from(Randomness(0, CPU)):
        own = drawn()
        with lent_generators():
            assert set(drawn_globally()).isdisjoint(own)


def test_loans_in_two_threads_take_turns():
    with drawing_from(Randomness(0, CPU)), lent_generators():
        expected = [drawn_globally() for _ in range(2)]
    entered, found = threading.Event(), []

    def other():
        with drawing_from(Randomness(0, CPU)):
            entered.set()
            with lent_generators():  # waits for the loan below
                found.append([drawn_globally() for _ in range(2)])

    with drawing_from(Randomness(0, CPU)), lent_generators():
        first = drawn_globally()
        thread = threading.Thread(target=other)
        thread.start()
        entered.wait()
        assert [first, drawn_globally()] == expected
        assert not found
    thread.join()
    assert found == [expected]


@pytest.mark.parametrize("inside", [True, False], ids=["fit", "no fit"])
def test_states_are_those_of_all_that_is_drawn_from(inside):
    def numbers():
        if not inside:
            return drawn(), drawn_globally()
        own = drawn()
        with lent_generators():
            return own, drawn_globally()

    def go_on_from(states):
        set_random_states(states, CPU)
        return numbers()

    if not inside:
        numbers()
        states, expected = random_states(CPU), numbers()
        torch.manual_seed(9)
        assert go_on_from(states) == expected
        return
    with drawing_from(Randomness(0, CPU)):
        numbers()
        states, expected = random_states(CPU), numbers()
    with drawing_from(Randomness(5, CPU)):
        numbers()
        assert go_on_from(states) == expected


def test_states_are_where_the_fit_is_during_a_loan_too():
    with drawing_from(Randomness(0, CPU)):
        with lent_generators():
            drawn_globally()
            states = random_states(CPU)
            expected = [drawn_globally(), drawn_globally()]
            set_random_states(states, CPU)
            assert drawn_globally() == expected[0]
            states = random_states(CPU)
        with lent_generators():
            assert drawn_globally() == expected[1]
        set_random_states(states, CPU)  # taken during a loan, given back after it
        with lent_generators():
            assert drawn_globally() == expected[1]


def test_fits_that_are_trained_as_one_draw_from_all_streams():
    assert generators_on(CPU) == []
    streams = [Randomness(seed, CPU) for seed in (0, 1)]
    own = [stream.generator(CPU) for stream in streams]
    with drawing_side_by_side(streams):
        states = random_states(CPU)
        assert generators_on(CPU) == own
        expected = [torch.rand(4, generator=g).tolist() for g in own]
        set_random_states(states, CPU)
        assert [torch.rand(4, generator=g).tolist() for g in own] == expected
        inside = Randomness(2, CPU)
        with drawing_from(inside):  # a fit of a callback, say
            assert generators_on(CPU) == [inside.generator(CPU)]


STEPS = st.lists(
    st.tuples(st.sampled_from(["first", "second", "caller"]), st.booleans()),
    max_size=30,
)


# No clock in tests; `SKDL_EXAMPLES=2000` is the long form.
@hypothesis.settings(
    deadline=None, max_examples=int(os.environ.get("SKDL_EXAMPLES", "100"))
)
@hypothesis.given(STEPS)
def test_however_fits_and_the_caller_take_turns_each_draws_what_it_does_alone(steps):
    def run(steps):
        torch.manual_seed(11)
        fits = {"first": Randomness(0, CPU), "second": Randomness(1, CPU)}
        found = {"first": [], "second": [], "caller": []}
        for who, on_loan in steps:
            if who == "caller":
                found[who].append(drawn_globally())
                continue
            with drawing_from(fits[who]):
                if on_loan:
                    with lent_generators():
                        found[who].append(drawn_globally())
                else:
                    found[who].append(drawn())
        return found

    together = run(steps)
    for who, found in together.items():
        assert run([step for step in steps if step[0] == who])[who] == found
