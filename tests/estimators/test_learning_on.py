"""What a first chunk says is not final: scales, units, counts and categories go on."""

import copy
import functools
import os

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import make_friedman1
from sklearn.metrics import recall_score

from skdl import (
    EntityEmbeddingRegressor,
    ImageClassifier,
    ImageRegressor,
    NeuralClassifier,
    NeuralRegressor,
)
from skdl.training.trainer import Trainer

EXAMPLES = int(os.environ.get("SKDL_EXAMPLES", "10"))
STILL = {"lr": 1e-12, "weight_decay": 0.0}


class OwnNetwork(torch.nn.Module):
    """A dense network that the library does not know."""

    def __init__(self, n_inputs, n_outputs):
        super().__init__()
        self.hidden = torch.nn.Linear(n_inputs, 32)
        self.output = torch.nn.Linear(32, n_outputs)

    def forward(self, x):
        return self.output(torch.nn.functional.silu(self.hidden(x)))


def regressor(**options):
    usual = {"hidden_layer_sizes": 32, "dropout": 0.0, "random_state": 0}
    return NeuralRegressor(**{**usual, **options})


MAKERS = {
    "dense": regressor,
    "several": lambda **o: regressor(n_estimators=2, **o),
    "of one's own": lambda **o: regressor(network=OwnNetwork, **o),
    "table": lambda **o: EntityEmbeddingRegressor(
        hidden_layer_sizes=32, dropout=0.0, random_state=0, **o
    ),
}


@pytest.fixture(params=MAKERS)
def make(request):
    return MAKERS[request.param]


# Columns that begin to vary, and rows one by one.


def test_rows_one_by_one_are_told_apart(rng):
    X = rng.normal(size=(300, 2))
    y = (X[:, 0] > 0).astype(int)
    model = NeuralClassifier(random_state=0)
    for i in range(300):
        model.partial_fit(X[i : i + 1], y[i : i + 1], classes=[0, 1])
    assert model.score(X, y) > 0.92


def test_rows_one_by_one_are_learned_with_any_seed():
    scores = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        X, new = rng.normal(size=(400, 2)), rng.normal(size=(1000, 2))
        y, of_new = (np.sign(rows).prod(axis=1) > 0 for rows in (X, new))
        model = NeuralClassifier(random_state=seed)
        for i in range(400):
            model.partial_fit(X[i : i + 1], y[i : i + 1], classes=[False, True])
        scores.append(model.score(new, of_new))
    assert np.mean(scores) > 0.885
    assert model.history_["lr"].iloc[-1] == pytest.approx(1e-2 / 32**0.5)


def test_a_batch_size_of_ones_own_is_no_reason_for_another_rate(line):
    X, y = line
    model = regressor(batch_size=1, lr=1e-3).partial_fit(X[:1], y[:1])
    assert model.history_["lr"].tolist() == [1e-3]


def test_rows_one_by_one_of_any_units_are_learned(rng):
    X = rng.normal(size=(300, 2)) * [100, 0.01] + [1000, 0]
    y = 1000 + 3 * (X[:, 0] - 1000) + 1e4 * X[:, 1]
    model = regressor()
    for i in range(300):
        model.partial_fit(X[i : i + 1], y[i : i + 1])
    assert model.score(X, y) > 0.8


@pytest.mark.parametrize("share", [0.5, 0.02])
def test_a_promotion_that_begins_in_the_second_month_is_learned(make, rng, share):
    n = 400
    model = make()
    before = pd.DataFrame({"noise": rng.normal(size=n), "promotion": 0.0})
    after = before.assign(promotion=(rng.random(n) < share).astype(float))
    for _ in range(10):
        model.partial_fit(before, 0.01 * rng.normal(size=n))
    for _ in range(20):
        model.partial_fit(after, 5 * after["promotion"])
    rows = pd.DataFrame({"noise": [0.0, 0.0], "promotion": [0.0, 1.0]})
    assert model.predict(rows) == pytest.approx([0, 5], abs=0.75)


def test_years_that_come_chunk_by_chunk_are_told_apart(make, rng):
    model, years = make(lr=3e-3), [2013.0, 2014.0, 2015.0]
    for _ in range(25):
        for year in years:
            frame = pd.DataFrame({"year": year, "noise": rng.normal(size=100)})
            model.partial_fit(frame, 8.3 + 10 * (frame["year"] - 2013))
    rows = pd.DataFrame({"year": years, "noise": 0.0})
    assert model.predict(rows) == pytest.approx([8.3, 18.3, 28.3], abs=4)


def test_warm_starts_learn_columns_that_begin_to_vary(make, rng):
    model = make(warm_start=True, max_epochs=15)
    frame = pd.DataFrame({"noise": rng.normal(size=300), "promotion": 0.0})
    model.fit(frame, 0.01 * rng.normal(size=300))
    frame = frame.assign(promotion=(rng.random(300) < 0.5).astype(float))
    model.fit(frame, 5 * frame["promotion"])
    rows = pd.DataFrame({"noise": [0.0, 0.0], "promotion": [0.0, 1.0]})
    assert model.predict(rows) == pytest.approx([0, 5], abs=0.75)


def test_arrays_of_more_axes_go_on_being_scaled(rng):
    class LastStep(OwnNetwork):
        def forward(self, x):
            return super().forward(x[:, -1])

    model = regressor(network=LastStep)
    steps = rng.normal(size=(300, 4, 2))
    steps[:, :, 1] = 0
    model.partial_fit(steps, np.zeros(300))
    for _ in range(20):
        steps[:, -1, 1] = rng.random(300) < 0.5
        model.partial_fit(steps, 5 * steps[:, -1, 1])
    rows = np.zeros((2, 4, 2))
    rows[1, -1, 1] = 1
    assert model.predict(rows) == pytest.approx([0, 5], abs=0.75)


def test_a_channel_that_is_dark_at_first_is_standardised_when_it_varies(rng):
    model = ImageRegressor(augmentation=None, max_epochs=1, random_state=0, **STILL)
    pictures = np.zeros((120, 8, 8, 2), dtype=np.float32)
    pictures[..., 0] = 100 + 20 * rng.normal(size=(120, 8, 8))
    model.partial_fit(pictures, np.arange(120.0))
    before = model.predict(pictures)
    bright = pictures.copy()
    bright[..., 1] = 1000 * rng.normal(size=(120, 8, 8))
    model.partial_fit(bright, np.arange(120.0))
    spread = model.network_.scale.flatten().tolist()
    assert spread[0] == pytest.approx(20, rel=0.1)
    assert spread[1] == pytest.approx(1000 / np.sqrt(2), rel=0.1)
    # The batch norms' statistics, which every batch moves, are another matter.
    mean = model.network_.mean.flatten().tolist()
    assert mean == pytest.approx([100, 0], abs=1)
    assert np.isfinite(before).all()


def test_pictures_one_by_one_are_told_apart(rng):
    y = np.arange(100) % 2
    pictures = rng.normal(size=(100, 8, 8)) + 3 * y[:, None, None]
    model = ImageClassifier(random_state=0)
    for i in range(100):
        model.partial_fit(pictures[i : i + 1], y[i : i + 1], classes=[0, 1])
    assert model.score(pictures, y) > 0.95


# The function stays what it was.


# With as many epochs there is one network, but for the pack.
TRAINED = {
    **{kind: functools.partial(make, max_epochs=20) for kind, make in MAKERS.items()},
    "pack": functools.partial(regressor, max_epochs=20, validation=2),
}


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.sampled_from([*TRAINED]),
    st.floats(-1, 1),
    st.floats(-1, 0.5),
    st.integers(100, 400),
    st.integers(0, 2**31),
)
def test_new_scales_change_no_prediction_for_rows_seen(kind, move, power, n_rows, seed):
    rng = np.random.default_rng(seed)
    X = np.column_stack(
        [rng.normal(5, 2, n_rows), rng.random(n_rows), np.full(n_rows, 2013.0)]
    )
    X[:: 7 + seed % 5, 1] = np.nan
    y = X[:, 0] + np.nan_to_num(X[:, 1])
    model = TRAINED[kind](batch_size=32).fit(X, y)
    before = model.predict(X)
    new = X * [10**power, 1, 1] + [10 * move, 0, 1]
    model.set_params(**STILL).partial_fit(np.tile(new, (3, 1)), np.tile(100 * y, 3))
    change = np.sqrt(np.mean((model.predict(X) - before) ** 2))
    # A line is not quite what the bend of outliers was.
    assert change < 0.2 * np.std(before)


def test_a_column_that_begins_to_vary_changes_nothing_for_rows_seen(make, rng):
    X = np.column_stack([rng.normal(size=300), np.full(300, 2013.0)])
    model = make(max_epochs=5).fit(X, X[:, 0])
    before = model.predict(X)
    later = X + [0, 1]
    model.set_params(**STILL).partial_fit(later[:40], X[:40, 0])
    assert model.predict(X) == pytest.approx(before, abs=1e-4)


def test_a_targets_new_units_change_no_prediction(make, rng):
    X = rng.normal(size=(300, 3))
    model = make(max_epochs=5).fit(X, X[:, 0])
    before = model.predict(X)
    model.set_params(**STILL).partial_fit(np.tile(X, (4, 1)), np.tile(X[:, 0], 4) * 500)
    assert model.predict(X) == pytest.approx(before, abs=1e-3)
    assert model._target.factor[0] > 100


def test_a_target_that_grows_is_learned(make, rng):
    X = rng.normal(size=(400, 3))
    model = make().partial_fit(X[:200], X[:200, 0] / 1000)
    y = 5000 + 1000 * X[:, 0]
    for _ in range(20):
        model.partial_fit(X, y)
    assert model.score(X, y) > 0.95


# Missing values, categories, classes, zeros.


@pytest.mark.parametrize("kind", ["dense", "several", "table"])
def test_missing_values_that_first_come_later_get_an_indicator(kind, rng):
    X = rng.normal(size=(300, 2))
    model = MAKERS[kind]().partial_fit(X, X[:, 0])
    before = model.predict(X)
    gaps = X.copy()
    gaps[::3, 1] = np.nan
    y = X[:, 0] + 10 * np.isnan(gaps[:, 1])
    still = copy.deepcopy(model).set_params(**STILL).partial_fit(gaps, y)
    assert still.predict(X) == pytest.approx(before, abs=1e-3)
    for _ in range(30):
        model.partial_fit(gaps, y)
    told = model.predict([[0.0, 0.0], [0.0, np.nan]])
    assert told == pytest.approx([0, 10], abs=1.5)


def test_a_network_of_ones_own_refuses_missing_values_that_come_later(rng):
    X = pd.DataFrame(rng.normal(size=(50, 2)), columns=["size", "age"])
    model = regressor(network=OwnNetwork).partial_fit(X, X["size"])
    before = model.predict(X)
    gaps = X.assign(age=[np.nan] * 10 + [1.0] * 40)
    with pytest.raises(
        ValueError, match=r"missing values in \['age'\].*one more input"
    ):
        model.partial_fit(gaps, X["size"])
    np.testing.assert_array_equal(model.predict(X), before)
    model.partial_fit(X, X["size"])


def test_categories_of_many_chunks_stay_within_max_categories():
    model = EntityEmbeddingRegressor(
        max_categories=8, hidden_layer_sizes=8, random_state=0
    )
    for chunk in range(6):
        values = [f"c{8 * chunk + i}" for i in range(4 if chunk == 0 else 8)] * 5
        model.partial_fit(pd.DataFrame({"city": values}), np.arange(len(values)))
        assert len(model.network_.embedding.table.weight) <= 2 + 8
    known = model.embeddings_["city"].index
    assert {"c0", "c1", "c2", "c3"} <= set(known)
    assert np.isfinite(model.predict(pd.DataFrame({"city": ["c45", "new"]}))).all()


def test_balanced_classes_are_counted_over_all_calls(rng):
    y = (rng.random(1500) < 0.05).astype(int)
    X = rng.normal(size=(1500, 3))
    X[:, 0] += 1.5 * y
    recalls = []
    for weight in ("balanced", {0: 0.5 / 0.95, 1: 0.5 / 0.05}):
        model = NeuralClassifier(
            class_weight=weight, hidden_layer_sizes=16, lr=3e-3, random_state=0
        )
        for i in range(0, 1500, 10):
            model.partial_fit(X[i : i + 10], y[i : i + 10], classes=[0, 1])
        recalls.append(recall_score(y, model.predict(X)))
    assert recalls[0] > 0.7
    assert recalls[0] > recalls[1] - 0.1


def test_counts_that_are_all_zero_in_a_chunk_are_learned_from(make, rng):
    X = rng.normal(size=(200, 2))
    y = rng.poisson(20 * np.exp(X[:, 0] / 2))
    model = make(loss="poisson").partial_fit(X, np.zeros(200))
    assert (model.predict(X) >= 0).all()
    for _ in range(15):
        model.partial_fit(X, y)
    model.partial_fit(X[:1], [0])
    assert np.corrcoef(model.predict(X), y)[0, 1] > 0.6
    assert model.predict(X).mean() == pytest.approx(y.mean(), rel=0.3)
    with pytest.raises(ValueError, match="all zero"):
        make(loss="poisson").fit(X, np.zeros(200))
    with pytest.raises(ValueError, match="not negative"):
        model.partial_fit(X, -y)


# At which rate, and what a failed call leaves.


@pytest.mark.parametrize("given", [{"max_epochs": 20}, {"hidden_layer_sizes": 32}])
@pytest.mark.parametrize("seed", [0, 1])
def test_partial_fit_after_fit_does_not_undo_it(given, seed):
    X, y = make_friedman1(1500, noise=1.0, random_state=seed)
    held_out = make_friedman1(1000, noise=1.0, random_state=100 + seed)
    new = make_friedman1(500, noise=1.0, random_state=200 + seed)
    model = NeuralRegressor(random_state=0, **given).fit(X, y)
    before = model.score(*held_out)
    model.partial_fit(*new)
    assert model.score(*held_out) > before - 0.015
    assert model.history_["lr"].iloc[-1] == pytest.approx(0.087 * model.lr_, rel=0.01)


def test_a_rate_that_is_set_after_fit_is_meant_as_it_is(line):
    model = regressor(max_epochs=2).fit(*line)
    model.set_params(lr=5e-3).partial_fit(*line).partial_fit(*line)
    assert model.history_["lr"].tolist()[2:] == [5e-3, 5e-3]
    begun = regressor(lr=5e-3).partial_fit(*line).partial_fit(*line)
    assert begun.history_["lr"].tolist() == [5e-3, 5e-3]
    constant = regressor(schedule="constant", max_epochs=1).fit(*line)
    assert constant.partial_fit(*line).history_["lr"].iloc[-1] == 1e-2


@pytest.mark.parametrize("kind", ["dense", "table", "of one's own"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_a_call_that_fails_half_way_leaves_everything(kind, error, line, monkeypatch):
    X, y = line
    model = MAKERS[kind](batch_size=32).partial_fit(X, y).partial_fit(X, y)
    untouched = copy.deepcopy(model)
    step, taken = Trainer.step, []

    def fails(self, batch):
        taken.append(step(self, batch))
        if len(taken) == 3:
            raise error
        return taken[-1]

    for factor in (50, 1):  # with other scales a copy is trained, else the network
        taken.clear()
        with monkeypatch.context() as patched:
            patched.setattr(Trainer, "step", fails)
            with pytest.raises(error):
                model.partial_fit(X * factor, y * factor)
    np.testing.assert_array_equal(model.predict(X), untouched.predict(X))
    assert not model.network_.training
    assert model._target.n_rows == untouched._target.n_rows
    model.partial_fit(X, y)
    untouched.partial_fit(X, y)
    np.testing.assert_array_equal(model.predict(X), untouched.predict(X))


def test_a_seed_gives_other_masks_in_every_call_and_the_same_again(line):
    X, y = line
    models = [regressor(dropout=0.5) for _ in range(2)]
    for model in models:
        for _ in range(3):
            model.partial_fit(X, y)
    assert np.array_equal(models[0].predict(X), models[1].predict(X))
    losses = copy.deepcopy(models[0]).set_params(lr=1e-12)
    losses.partial_fit(X, y).partial_fit(X, y)
    last = losses.history_["loss"].iloc[-2:]
    assert last.iloc[0] != last.iloc[1]
