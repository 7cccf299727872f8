"""What some values of one or two columns have beside what is smooth."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, r2_score
from sklearn.model_selection import GroupKFold, KFold

import skdl
from skdl import (
    EntityEmbeddingClassifier,
    EntityEmbeddingRegressor,
    NeuralClassifier,
    NeuralRegressor,
)
from skdl.data.twins import without_twins
from skdl.estimators.tables.corrections.columns import Layout, columns_of
from skdl.estimators.tables.corrections.neighborhoods import SameValues

N, NEW = 1200, 600
SMALL = {
    "hidden_layer_sizes": (16,),
    "max_epochs": 6,
    "validation": 4,
    "random_state": 0,
    "device": "cpu",
}


def drawn(n=N + NEW, seed=0):
    """Return a smooth column and, of no use together, 80 days and two categories.

    Each day has a level of its own, in an order that has no sense.
    """
    rng = np.random.RandomState(seed)
    levels = np.random.RandomState(7).randn(80)
    X = pd.DataFrame(
        {
            "size": rng.randn(n),
            "day": rng.randint(80, size=n).astype(float),
            "kind": rng.choice(["a", "b"], n),
        }
    )
    level = levels[X["day"].astype(int)]
    return X, X["size"].to_numpy(), level, rng.randn(n)


@pytest.fixture(scope="module")
def days():
    X, size, level, noise = drawn()
    return X, size + 2 * level + 0.3 * noise


@pytest.fixture(scope="module")
def regressor(days):
    X, y = days
    return EntityEmbeddingRegressor(**SMALL).fit(X[:N], y[:N])


@pytest.fixture(scope="module")
def places():
    """Return rows on a map of spots 0.1 wide, which no column alone tells."""
    rng = np.random.RandomState(0)
    X = rng.rand(3000 + NEW, 3)
    spots = np.floor(X[:, :2] * 8).sum(1) % 2
    return X, X[:, 2] + spots + 0.1 * rng.randn(len(X))


def without(model, predict, X):
    """Return what a model would predict without corrections."""
    other = pickle.loads(pickle.dumps(model))
    other.network_.corrections = None
    return getattr(other, predict)(X)


def test_values_with_a_level_of_their_own_are_found(regressor, days):
    X, y = days
    found = regressor.corrections_
    assert list(found) == ["columns", "values", "gain"]
    assert found["columns"][0] in [("day",), ("day", "kind"), ("kind", "day")]
    assert found["values"][0] == "same"
    assert found["gain"][0] > 0.5
    score = r2_score(y[N:], regressor.predict(X[N:]))
    assert score > 0.9
    assert score > r2_score(y[N:], without(regressor, "predict", X[N:])) + 0.2


def test_out_of_fold_each_row_is_corrected_by_the_others(regressor, days):
    X, y = days
    unseen = np.mean((y[N:] - regressor.predict(X[N:])) ** 2)
    out_of_fold = np.mean((y[:N] - regressor.oof_prediction_) ** 2)
    assert unseen < 1.1 * out_of_fold
    assert out_of_fold < 1.6 * unseen
    assert regressor.oof_score_ == pytest.approx(
        r2_score(y[:N], regressor.oof_prediction_)
    )


def test_intervals_are_of_the_corrected(regressor, days):
    X, y = days
    low, high = regressor.predict_interval(X[N:], coverage=0.9).T
    assert 0.87 < np.mean((low <= y[N:]) & (y[N:] <= high)) < 0.95
    assert np.mean(high - low) < 0.8 * np.std(y)


def test_a_day_that_was_never_seen_is_not_corrected():
    known = torch.arange(20.0).unsqueeze(1)
    numbers = known.repeat(3, 1).numpy()
    seen = columns_of(np.zeros((60, 0)), numbers, [0], Layout([False], [], {}))
    table = SameValues(seen).grid(1).table(np.ones((20, 1)))
    assert table(torch.zeros(20, 0), known).flatten().tolist() == [1.0] * 20
    unknown = torch.tensor([[3.5], [-1.0], [20.0], [1e6], [7.1]])
    assert table(torch.zeros(5, 0), unknown).flatten().tolist() == [0.0] * 5


def test_places_near_by_are_found(places):
    X, y = places
    model = NeuralRegressor(**SMALL | {"max_epochs": 3}).fit(X[:3000], y[:3000])
    found = model.corrections_
    assert set(found["columns"][0]) == {0, 1}
    assert found["values"][0] == "near"
    score = r2_score(y[3000:], model.predict(X[3000:]))
    assert score > r2_score(y[3000:], without(model, "predict", X[3000:])) + 0.2


@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_found_in_noise(seed):
    X, size, _, noise = drawn(N, seed)
    both = X.assign(other=noise[::-1], again=np.round(noise, 1)[::-1])
    model = EntityEmbeddingRegressor(**SMALL).fit(both, size + noise)
    assert len(model.corrections_) == 0
    assert list(model.corrections_) == ["columns", "values", "gain"]
    assert model.network_.corrections is None


@pytest.mark.parametrize("family", [NeuralClassifier, EntityEmbeddingClassifier])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_classes_are_corrected(family, n_classes):
    X, size, level, noise = drawn()
    X = X[["size", "day"]] if family is NeuralClassifier else X
    y = pd.qcut(size + 3 * level + 0.3 * noise, n_classes, labels=False)
    model = family(**SMALL).fit(X[:N], y[:N])
    assert "day" in model.corrections_["columns"][0]
    found = model.predict_proba(X[N:])
    np.testing.assert_allclose(found.sum(1), 1)
    loss = log_loss(y[N:], found)
    assert loss < 0.7 * log_loss(y[N:], without(model, "predict_proba", X[N:]))
    out_of_fold = log_loss(y[:N], model.oof_prediction_)
    assert loss < 1.1 * out_of_fold
    assert out_of_fold < 1.4 * loss


def test_labels_and_several_targets_are_corrected():
    X, size, level, noise = drawn()
    score = size + 3 * level + 0.3 * noise
    labels = np.stack([score > 0, score > 2], axis=1).astype(int)
    model = EntityEmbeddingClassifier(**SMALL).fit(X[:N], labels[:N])
    assert "day" in model.corrections_["columns"][0]
    assert np.mean(model.predict(X[N:]) == labels[N:]) > 0.85
    both = np.stack([score, 50 - 10 * level], axis=1)
    model = EntityEmbeddingRegressor(**SMALL).fit(X[:N], both[:N])
    assert "day" in model.corrections_["columns"][0]
    assert r2_score(both[N:], model.predict(X[N:])) > 0.9


@pytest.mark.parametrize("how", ["splitter", "groups", "last", "held out", "effects"])
def test_rows_that_are_held_out_otherwise_tell_of_none(days, how):
    X, y = days[0][:N], days[1][:N]
    given, parameters = {}, {}
    if how == "splitter":
        parameters["validation"] = KFold(4)
    elif how == "groups":
        parameters["validation"] = GroupKFold(4)
        given["groups"] = X["day"]
    elif how == "last":
        parameters["validation"] = "last"
    elif how == "held out":
        parameters["validation"] = "auto"
        given.update(X_val=days[0][N:], y_val=days[1][N:])
    else:
        parameters["random_effects"] = ["kind"]
    model = EntityEmbeddingRegressor(**SMALL | parameters).fit(X, y, **given)
    assert len(model.corrections_) == 0


@pytest.mark.parametrize("what", ["median", "quantiles", "one network"])
def test_what_has_no_corrections_has_none(days, what):
    X, y = days[0][:N], days[1][:N]
    parameters = {
        "median": {"loss": "absolute_error"},
        "quantiles": {"loss": "quantile", "quantile": [0.1, 0.9]},
        "one network": {"validation": None},
    }[what]
    model = EntityEmbeddingRegressor(**SMALL | parameters).fit(X, y)
    assert len(model.corrections_) == 0


def test_a_row_alone_is_corrected_as_among_others(regressor, days):
    X = days[0][N : N + 20]
    alone = [regressor.predict(X.iloc[[i]])[0] for i in range(len(X))]
    np.testing.assert_array_equal(alone, regressor.predict(X))


@pytest.mark.parametrize("day", ["int16", "float32", "Int64", "Float32", "float64"])
def test_columns_of_another_type_are_corrected_as_before(regressor, days, day):
    X = days[0][N:]
    other = X.astype({"day": day, "kind": "category"})
    np.testing.assert_array_equal(regressor.predict(other), regressor.predict(X))


def test_the_same_seed_finds_the_same(regressor, days):
    X, y = days
    again = EntityEmbeddingRegressor(**SMALL).fit(X[:N], y[:N])
    pd.testing.assert_frame_equal(again.corrections_, regressor.corrections_)
    np.testing.assert_array_equal(again.predict(X), regressor.predict(X))


def test_a_file_has_the_corrections(regressor, days, tmp_path):
    pytest.importorskip("skops")
    X = days[0][N:]
    skdl.save(regressor, tmp_path / "model.skdl")
    loaded = skdl.load(tmp_path / "model.skdl")
    np.testing.assert_array_equal(loaded.predict(X), regressor.predict(X))
    pd.testing.assert_frame_equal(loaded.corrections_, regressor.corrections_)


def test_an_exported_graph_has_the_corrections(regressor, places, days, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    X, y = places
    near = NeuralRegressor(**SMALL | {"max_epochs": 3}).fit(X[:3000], y[:3000])
    for model, rows in ((regressor, days[0][N:]), (near, X[3000:])):
        assert len(model.corrections_)
        skdl.to_onnx(model, rows, tmp_path / "model.onnx")
        session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
        found = session.run(None, skdl.onnx_inputs(model, session, rows))[0]
        np.testing.assert_allclose(found.ravel(), model.predict(rows), atol=1e-4)


def test_training_goes_on_with_them(regressor, days):
    X, y = days
    model = pickle.loads(pickle.dumps(regressor))
    more = X[N:].assign(size=lambda f: 3 * f["size"] + 1)
    more.loc[more.index[:50], "kind"] = "new"
    added = model.predict(X[N:]) - without(model, "predict", X[N:])
    model.partial_fit(more, y[N:] * 1.5)
    after = model.predict(X[N:]) - without(model, "predict", X[N:])
    np.testing.assert_allclose(after, added, atol=1e-4)
    assert np.ptp(added) > 1
    pd.testing.assert_frame_equal(model.corrections_, regressor.corrections_)


def test_rows_read_piece_by_piece_are_corrected(days):
    X, y = days
    pieces = [X[i : i + 300] for i in range(0, N, 300)]
    model = EntityEmbeddingRegressor(**SMALL).fit(pieces, y[:N])
    assert "day" in model.corrections_["columns"][0]
    unseen = np.mean((y[N:] - model.predict(X[N:])) ** 2)
    out_of_fold = np.mean((y[:N] - model.oof_prediction_) ** 2)
    assert unseen < 1.1 * out_of_fold
    assert out_of_fold < 1.6 * unseen


def test_members_of_other_settings_are_corrected(days):
    X, y = days
    parameters = {"diversity": "settings", "n_estimators": 8, "max_epochs": 3}
    model = EntityEmbeddingRegressor(**SMALL | parameters).fit(X[:N], y[:N])
    assert "day" in model.corrections_["columns"][0]
    assert r2_score(y[N:], model.predict(X[N:])) > 0.8


def test_rows_of_no_weight_say_nothing(days):
    X, y = days
    weight = (np.arange(N) % 3 > 0).astype(float)
    spoiled = np.where(weight > 0, y[:N], 1e3)
    model = EntityEmbeddingRegressor(**SMALL).fit(X[:N], spoiled, weight)
    assert "day" in model.corrections_["columns"][0]
    assert r2_score(y[N:], model.predict(X[N:])) > 0.85


def test_a_column_that_does_harm_is_not_looked_at(days):
    X, y = days
    rng = np.random.RandomState(0)
    surnames = X.assign(name=rng.choice([f"n{i}" for i in range(600)], len(X)))
    model = EntityEmbeddingRegressor(**SMALL | {"max_epochs": 20})
    model.fit(surnames[:N], y[:N])
    used = {name for pair in model.corrections_["columns"] for name in pair}
    assert "name" not in used


def test_a_clone_and_a_new_fit_begin_without(regressor, days):
    X, _ = days
    model = pickle.loads(pickle.dumps(regressor))
    model.fit(X[:300], np.random.RandomState(5).randn(300))
    assert len(model.corrections_) == 0
    assert model.network_.corrections is None


def test_there_is_nothing_before_a_fit():
    with pytest.raises(AttributeError):
        _ = NeuralRegressor().corrections_


def test_weights_of_the_network_are_not_in_them(regressor):
    tables = regressor.network_.corrections.tables
    sizes = [table.values.numel() for table in tables]
    assert max(sizes) <= 1 << 18
    assert all(torch.isfinite(table.values).all() for table in tables)


@pytest.mark.parametrize("family", [NeuralClassifier, NeuralRegressor])
def test_a_row_is_not_corrected_by_its_twin(family):
    rng = np.random.RandomState(0)
    X, noise = rng.randn(500, 3), rng.randn(500)
    y = X[:, 0] + noise
    y = (y > 0).astype(int) if family is NeuralClassifier else y
    twice = rng.permutation(np.repeat(np.arange(500), 2))
    model = family(**SMALL).fit(X[twice], y[twice])
    assert len(model.corrections_) == 0


def test_twins_are_corrected_alike(days):
    X, y = days
    twice = np.random.RandomState(0).permutation(np.repeat(np.arange(N), 2))
    model = EntityEmbeddingRegressor(**SMALL).fit(X.iloc[twice], y[twice])
    assert "day" in model.corrections_["columns"][0]
    unseen = np.mean((y[N:] - model.predict(X[N:])) ** 2)
    out_of_fold = np.mean((y[twice] - model.oof_prediction_) ** 2)
    assert out_of_fold < 2 * unseen < 4 * out_of_fold


@pytest.mark.parametrize("nuisance", ["row number", "measured again"])
def test_a_twin_may_differ_in_one_column_of_many_values(nuisance):
    rng = np.random.RandomState(0)
    X, noise = rng.randn(1000, 4), rng.randn(1000)
    y = X[:, 0] + noise
    twice = rng.permutation(np.repeat(np.arange(1000), 2))
    rows, target = X[twice], y[twice]
    if nuisance == "row number":
        rows = np.column_stack([rows, np.arange(2000)])
    else:
        target = target + 0.3 * rng.randn(2000)
    assert len(NeuralRegressor(**SMALL).fit(rows, target).corrections_) == 0


def test_rows_that_share_a_frequent_value_are_no_twins():
    X, size, level, noise = drawn()
    rng = np.random.RandomState(0)
    spiked = rng.rand(2, len(X)) * (rng.rand(2, len(X)) < 0.15)
    columns = X[["day"]].assign(first=spiked[0], second=spiked[1])
    first, twin_of = without_twins([*columns.to_numpy().T, level])
    assert len(first) == len(columns)
    np.testing.assert_array_equal(twin_of, np.arange(len(columns)))


def test_rows_that_are_the_same_by_chance_are_no_twins():
    rng = np.random.RandomState(0)
    day, hour = rng.randint(60, size=24_000), rng.randint(4, size=24_000)
    y = (2.5 * rng.randn(60)[day] + rng.logistic(size=24_000) > 0).astype(int)
    X = np.column_stack([day, hour]).astype(float)
    model = NeuralClassifier(**SMALL).fit(X[:4000], y[:4000])
    unseen = log_loss(y[4000:], model.predict_proba(X[4000:]))
    out_of_fold = log_loss(y[:4000], model.oof_prediction_)
    assert len(model.corrections_)
    assert out_of_fold == pytest.approx(unseen, 0.05)


@pytest.mark.parametrize("waves", [20, 200])
def test_what_a_table_is_too_coarse_for_does_not_count(waves):
    rng = np.random.RandomState(0)
    X = rng.rand(5000, 1)
    y = np.sin(2 * np.pi * waves * X[:, 0]) + 0.3 * rng.randn(5000)
    model = NeuralRegressor(**SMALL).fit(X[:4000], y[:4000])
    score = r2_score(y[4000:], model.predict(X[4000:]))
    assert score == pytest.approx(model.oof_score_, abs=0.08)
    low, high = model.predict_interval(X[4000:], coverage=0.9).T
    assert np.mean((low <= y[4000:]) & (y[4000:] <= high)) > 0.85


def test_missing_values_are_not_those_that_stand_for_them():
    rng = np.random.RandomState(0)
    z, w = rng.randn(6000), rng.randint(40, size=6000).astype(float)
    z[rng.rand(6000) < 0.3] = np.nan
    effect = np.where(np.isnan(z), 2 * rng.randn(40)[w.astype(int)], z)
    X, y = np.column_stack([z, w]), effect + 0.3 * rng.randn(6000)
    model = NeuralRegressor(**SMALL).fit(X[:3000], y[:3000])
    X, y = X[3000:], y[3000:]
    middle = np.abs(X[:, 0]) < 0.1
    error, before = (
        np.mean((y - predicted)[middle] ** 2)
        for predicted in (model.predict(X), without(model, "predict", X))
    )
    assert error < 1.2 * before


@pytest.mark.parametrize("days_later", [20, 60, 100])
def test_known_days_stay_known_when_others_come(regressor, days, days_later):
    X, y = days
    model = pickle.loads(pickle.dumps(regressor))
    for _ in range(2):
        model.partial_fit(X.assign(day=X["day"] + days_later), y)
    added = model.predict(X) - without(model, "predict", X)
    before = regressor.predict(X) - without(regressor, "predict", X)
    assert np.corrcoef(added, before)[0, 1] > 0.95


def test_one_target_does_not_pay_for_another():
    X, size, level, noise = drawn()
    both = np.column_stack([size + 2 * level, size + noise])
    model = EntityEmbeddingRegressor(**SMALL).fit(X[:N], both[:N])
    found, plain = model.predict(X[N:]), without(model, "predict", X[N:])
    np.testing.assert_allclose(found[:, 1], plain[:, 1], atol=1e-6)
    assert r2_score(both[N:, 0], found[:, 0]) > r2_score(both[N:, 0], plain[:, 0]) + 0.2


@pytest.mark.parametrize("seed", [0, 20])
def test_a_few_rows_of_a_rare_class_tell_little(seed):
    rng = np.random.RandomState(seed)
    numbers = {f"c{i}": rng.randint(600, size=7000) * 1.0 for i in range(4)}
    kinds = {f"k{i}": rng.randint(12, size=7000).astype(str) for i in range(4)}
    X, y = pd.DataFrame(numbers | kinds), (rng.rand(7000) < 0.01).astype(int)
    model = EntityEmbeddingClassifier(**SMALL | {"random_state": seed})
    model.fit(X[:2000], y[:2000])
    found, plain = (
        log_loss(y[2000:], p)
        for p in (
            model.predict_proba(X[2000:]),
            without(model, "predict_proba", X[2000:]),
        )
    )
    assert found < 1.1 * plain


def test_probabilities_as_targets_are_corrected_too(days):
    X, y = days
    student = EntityEmbeddingClassifier(**SMALL)
    found = skdl.distill(
        LogisticRegression(), X[["size", "day"]][:N], y[:N] > 0, student
    )
    assert 0.5 < np.mean(found.predict(X[["size", "day"]][N:]) == (y[N:] > 0)) <= 1


def test_intervals_of_several_fits_cover():
    covers = []
    for seed in range(5):
        X, size, level, noise = drawn(3000, seed)
        y = size + 2 * level + 0.3 * noise
        parameters = SMALL | {"random_state": seed}
        model = EntityEmbeddingRegressor(**parameters).fit(X[:N], y[:N])
        low, high = model.predict_interval(X[N:], coverage=0.9).T
        covers.append(np.mean((low <= y[N:]) & (y[N:] <= high)))
    assert 0.88 < np.mean(covers) < 0.93
    assert min(covers) > 0.86


def test_rare_categories_are_predicted_as_out_of_fold():
    rng = np.random.RandomState(0)
    day, rare = rng.randint(40, size=3000), rng.rand(3000) < 0.4
    names = np.where(rare, rng.randint(5, 2000, size=3000), rng.randint(5, size=3000))
    X = pd.DataFrame({"size": rng.randn(3000), "day": day * 1.0, "name": names})
    X["name"] = X["name"].astype(str)
    y = X["size"] + 3 * rng.randn(40)[day] * rare
    model = EntityEmbeddingRegressor(**SMALL).fit(X, y)
    error, out_of_fold = (
        np.mean((y - predicted)[rare] ** 2)
        for predicted in (model.predict(X), model.oof_prediction_)
    )
    assert error == pytest.approx(out_of_fold, 0.5)


def test_numbers_of_fewer_digits_are_known():
    rng = np.random.RandomState(0)
    days = rng.randint(80, size=4000)
    X = np.column_stack([rng.randn(4000), 2020 + days / 365.25])
    y = X[:, 0] + 2 * rng.randn(80)[days] + 0.3 * rng.randn(4000)
    model = NeuralRegressor(**SMALL).fit(X[:2000], y[:2000])
    assert len(model.corrections_)
    expected = r2_score(y, model.predict(X))
    assert r2_score(y, model.predict(X.astype(np.float32))) > expected - 0.02


def test_what_goes_missing_later_is_not_corrected(regressor, days):
    X, y = days
    model = pickle.loads(pickle.dumps(regressor))
    gaps = X[N:].copy()
    gaps.loc[gaps.index[::2], "day"] = np.nan
    model.partial_fit(gaps, y[N:])
    missing = gaps[gaps["day"].isna()]
    inputs = model._encoder.of_all(model._check_inputs(missing, reset=False))[:2]
    by_day = [
        table
        for table in model.network_.corrections.tables
        if any(axis.column == 1 and not axis.is_code for axis in table.axes)
    ]
    assert by_day
    assert all(not table(*inputs).any() for table in by_day)
