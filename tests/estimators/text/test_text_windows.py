"""What users of bptt="auto" and batch_size="auto" rely on."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skdl import TextLM, lr_find
from skdl.estimators.text import windows as text_windows
from skdl.networks.language_model import LanguageModel
from skdl.training.survival import device_memory as memory
from skdl.training.survival.device_memory import Memory
from skdl.training.text import windows

# 14,000 tokens; each word says which one follows.
TEXTS = [" ".join(f"w{(i + j) % 30}" for j in range(19)) for i in range(700)]
COLUMNS = [
    "bptt",
    "batch_size",
    "steps",
    "enough_steps",
    "memory_bytes",
    "fits",
    "predicted_tokens_per_second",
    "tokens_per_second",
    "finite",
    "chosen",
    "reason",
]


def make(**options):
    settings = {
        "embedding_dim": 8,
        "hidden_size": 8,
        "num_layers": 1,
        "bptt": "auto",
        "batch_size": 1,
        "max_epochs": 1,
        "random_state": 0,
    }
    return TextLM(**{**settings, **options})


@pytest.fixture(autouse=True)
def one_epoch_is_enough(monkeypatch):
    """Let the only epoch of these short trainings have as few steps as any may have."""
    monkeypatch.setattr(windows, "FEWEST_IN_ALL", windows.FEWEST_STEPS)


@pytest.fixture
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def little_memory(monkeypatch, total, free=None):
    there = Memory(total, total if free is None else free)
    monkeypatch.setattr(memory, "device_memory", lambda device: there)


def out_of_memory_from(monkeypatch, n_tokens):
    """Let windows of so many tokens run out of memory."""
    forward = LanguageModel.forward

    def failing(self, ids, states=None):
        if ids.numel() >= n_tokens:
            raise torch.OutOfMemoryError("simulated")
        return forward(self, ids, states)

    monkeypatch.setattr(LanguageModel, "forward", failing)


@pytest.mark.kernels
@pytest.mark.parametrize("random_state", [0, None])
@pytest.mark.parametrize(
    "options",
    [{}, {"bptt": 7, "batch_size": "auto"}, {"batch_size": "auto"}],
    ids=str,
)
def test_a_window_is_chosen_and_the_table_says_why(options, random_state, no_warnings):
    model = make(random_state=random_state, **options).fit(TEXTS)
    report = model.bptt_report_
    assert report.columns.tolist() == COLUMNS
    chosen = report[report["chosen"]].squeeze()
    assert (model.bptt_, model.batch_size_) == (chosen["bptt"], chosen["batch_size"])
    assert chosen["steps"] >= 200
    assert chosen["finite"]
    assert report["reason"].str.len().min() > 0
    given = model.get_params()
    assert given["bptt"] in ("auto", model.bptt_)
    assert given["batch_size"] in ("auto", model.batch_size_)
    measured = report["tokens_per_second"].notna()
    usable = report["steps"] >= 200
    assert measured.equals(usable & (random_state is None) & (usable.sum() > 1))
    assert np.isfinite(model.score(TEXTS))


def test_given_windows_are_told_too_and_have_no_report():
    model = make(bptt=11, batch_size=3).fit(TEXTS)
    assert (model.bptt_, model.batch_size_) == (11, 3)
    assert not hasattr(model, "bptt_report_")
    model.set_params(bptt="auto").fit(TEXTS)
    assert hasattr(model, "bptt_report_")
    model.set_params(bptt=11).fit(TEXTS)
    assert not hasattr(model, "bptt_report_")


@pytest.mark.usefixtures("on_cpu")
@pytest.mark.kernels
def test_auto_trains_as_the_same_numbers_do():
    """Nothing that is tried for the choice changes the training."""
    auto = make(batch_size="auto", dropout={"recurrent": 0.3}, max_epochs=2).fit(TEXTS)
    given = clone(auto).set_params(bptt=auto.bptt_, batch_size=auto.batch_size_)
    given.fit(TEXTS)
    for a, b in zip(
        auto.network_.parameters(), given.network_.parameters(), strict=True
    ):
        assert torch.equal(a, b)
    assert auto.history_["loss"].equals(given.history_["loss"])


def test_measuring_leaves_the_global_random_state():
    state = torch.random.get_rng_state()
    make(random_state=None).fit(TEXTS)
    assert torch.equal(state, torch.random.get_rng_state())


def test_with_a_random_state_nothing_is_timed(monkeypatch):
    first = make(batch_size="auto").fit(TEXTS).bptt_report_
    little_memory(monkeypatch, memory.device_memory(torch.device("cpu")).total, free=0)
    again = make(batch_size="auto").fit(TEXTS).bptt_report_
    pd.testing.assert_frame_equal(first, again)
    assert first["tokens_per_second"].isna().all()


def measured_as_predicted(trial, found):
    """Stand in for a clock, which a busy machine upsets."""
    for candidate in found:
        candidate.tokens_per_second = candidate.predicted_tokens_per_second
        candidate.finite = True
    return 0.0


@pytest.mark.parametrize("random_state", [0, None])
def test_little_memory_makes_it_choose_less(random_state, monkeypatch, no_warnings):
    monkeypatch.setattr(text_windows._Trial, "measure", measured_as_predicted)
    roomy = make(random_state=random_state).fit(TEXTS)
    needed = roomy.bptt_report_.set_index("bptt")["memory_bytes"]
    little_memory(monkeypatch, int(2.001 * needed[35]))
    if random_state is None:
        little_memory(monkeypatch, 1 << 40, free=int(1.26 * needed[35]))
    model = make(random_state=random_state).fit(TEXTS)
    assert model.bptt_ == 35 < roomy.bptt_ == 70
    left_out = model.bptt_report_.query("bptt == 70").squeeze()
    assert not left_out["fits"]
    assert "memory" in left_out["reason"]


@pytest.mark.parametrize("random_state", [0, None])
@pytest.mark.parametrize("batch_size", [2, "auto"])
def test_no_memory_never_fails(random_state, batch_size, monkeypatch, no_warnings):
    little_memory(monkeypatch, 0)
    model = make(random_state=random_state, batch_size=batch_size).fit(TEXTS)
    assert model.bptt_ == 10
    assert model.batch_size_ == (2 if batch_size == 2 else 1)
    assert np.isfinite(model.score(TEXTS))


@pytest.mark.parametrize("random_state", [0, None])
def test_a_trial_that_runs_out_of_memory_is_left_out(random_state, monkeypatch):
    out_of_memory_from(monkeypatch, 60)
    options = {"variable_bptt": False, "random_state": random_state}
    model = make(**options).fit(TEXTS)
    assert model.bptt_ == 35
    assert not model.bptt_report_.set_index("bptt")["fits"][70]


def test_other_errors_of_a_trial_are_not_hidden(monkeypatch):
    def failing(self, ids, states=None):
        raise RuntimeError("a bug")

    monkeypatch.setattr(LanguageModel, "forward", failing)
    model = make()
    with pytest.raises(RuntimeError, match="a bug"):
        model.fit(TEXTS)
    assert not hasattr(model, "bptt_report_")


def test_windows_whose_loss_is_not_finite_are_left_out(monkeypatch):
    forward = LanguageModel.forward

    def exploding(self, ids, states=None):
        output, after = forward(self, ids, states)
        if self.training and len(ids) >= 60:
            output.hidden.data.fill_(float("nan"))
        return output, after

    monkeypatch.setattr(LanguageModel, "forward", exploding)
    for random_state in (0, None):
        model = make(variable_bptt=False, random_state=random_state).fit(TEXTS)
        assert model.bptt_ == 35
        assert "finite" in model.bptt_report_.query("bptt == 70")["reason"].item()


@pytest.mark.parametrize("texts", [["a"], ["a b c"] * 3, TEXTS[:10]], ids=len)
@pytest.mark.parametrize(
    "options",
    [{"batch_size": "auto"}, {"bptt": 35, "batch_size": "auto"}, {"bptt": "auto"}],
    ids=str,
)
def test_short_text_is_no_surprise(texts, options, no_warnings):
    model = make(min_frequency=1, **options).fit(texts)
    assert np.isfinite(model.score(texts))


def test_streams_that_were_asked_for_and_are_too_many_are_warned_of():
    with pytest.warns(UserWarning, match="batch_size=12 is used") as told:
        model = make(batch_size=50).fit(["a a a"] * 3)
    assert told[0].filename == __file__
    assert (model.bptt_, model.batch_size_) == (1, 12)


def test_going_on_keeps_the_choice(no_warnings):
    model = make(batch_size="auto", warm_start=True).fit(TEXTS)
    chosen, report = (model.bptt_, model.batch_size_), model.bptt_report_
    model.fit(TEXTS[:350])
    assert (model.bptt_, model.batch_size_) == chosen
    assert model.bptt_report_ is report
    model.partial_fit(TEXTS[:2])  # too short for all streams
    assert model.bptt_ == chosen[0]
    assert model.batch_size_ < chosen[1]
    model.partial_fit(TEXTS)
    assert (model.bptt_, model.batch_size_) == chosen
    assert len(model.history_) == 3


@pytest.mark.usefixtures("on_cpu")
def test_a_choice_in_a_later_call_leaves_the_optimizer_as_it_was():
    given = make(bptt=70).partial_fit(TEXTS).partial_fit(TEXTS)
    auto = make(bptt=70).partial_fit(TEXTS).set_params(bptt="auto").partial_fit(TEXTS)
    assert auto.bptt_ == 70
    for a, b in zip(
        auto.network_.parameters(), given.network_.parameters(), strict=True
    ):
        assert torch.equal(a, b)


def test_partial_fit_chooses_in_the_first_call():
    model = make().partial_fit(TEXTS)
    assert model.bptt_ == 70
    assert model.bptt_report_["chosen"].sum() == 1


def test_auto_goes_with_the_rest_of_the_library(no_warnings):
    assert lr_find(make(), TEXTS).suggestion > 0
    assert make(lr="auto").fit(TEXTS).lr_ > 0
    model = make(early_stopping=True, random_state=None).fit(TEXTS)
    assert "validation_loss" in model.history_
    assert (
        make(optimizer="sgd", betas=(0, 0.9), weight_averaging="ema").fit(TEXTS).bptt_
    )
    again = pickle.loads(pickle.dumps(model))
    pd.testing.assert_frame_equal(again.bptt_report_, model.bptt_report_)
    search = GridSearchCV(make(), {"bptt": ["auto", 12]}, cv=2).fit(TEXTS[:99])
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert "bptt='auto'" in repr(clone(model))


def test_a_window_of_one_token_trains(no_warnings):
    for variable in (True, False):
        model = make(bptt=1, variable_bptt=variable).fit(TEXTS[:20])
        assert model.bptt_ == 1
        assert np.isfinite(model.score(TEXTS[:20]))


@pytest.mark.parametrize("name", ["bptt", "batch_size"])
@pytest.mark.parametrize("value", [0, -1, 1.5, "large", None])
def test_what_is_no_window_is_refused(name, value):
    with pytest.raises(ValueError, match=name):
        make(**{name: value}).fit(TEXTS)


def test_speeds_are_compared_within_rounds():
    """A machine that is twice as fast for a round changes nothing."""
    rounds = [{0: 90.0, 1: 100.0}, {0: 180.0, 1: 200.0}, {0: 45.0, 1: 50.0}]
    speeds, uncertain = text_windows.compared(rounds)
    assert speeds[0] / speeds[1] == pytest.approx(0.9)
    assert speeds[1] == pytest.approx(200.0)
    assert uncertain == pytest.approx(0.0, abs=1e-9)
    rounds[1][0] = 200.0
    assert text_windows.compared(rounds)[1] > 0.01


def test_what_failed_in_some_round_is_not_compared():
    speeds, _ = text_windows.compared([{0: 90.0, 1: 100.0, 2: 5.0}, {0: 90.0, 2: 0.0}])
    assert list(speeds) == [0]
    assert text_windows.compared([{0: 90.0}])[1] == 1.0
    assert text_windows.compared([{0: 0.0}, {}]) == ({}, 1.0)
