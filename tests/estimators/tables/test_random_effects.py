"""random_effects: groups of which new rows bring new ones."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone

from skdl import (
    EmbeddingTransformer,
    EntityEmbeddingClassifier,
    EntityEmbeddingRegressor,
)

DAY = ("month", "day")
COLUMNS = ["shop", *DAY]


def sales(seed=0, n=12_000):
    """Sales by shop and month, and a shock that all shops share on a day."""
    rng = np.random.RandomState(seed)
    X = pd.DataFrame(
        {
            "shop": rng.randint(20, size=n),
            "month": rng.randint(12, size=n),
            "day": rng.randint(25, size=n),
        }
    )
    level = np.random.RandomState(1).normal(size=20)
    season = np.random.RandomState(2).normal(size=12)
    shock = 1.5 * np.random.RandomState(3).normal(size=(12, 25))
    expected = level[X["shop"]] + season[X["month"]]
    y = expected + shock[X["month"], X["day"]] + 0.1 * rng.normal(size=n)
    return X, y, expected, shock


def regressor(**options):
    settings = {"categorical_features": COLUMNS, "max_epochs": 8, "random_state": 0}
    return EntityEmbeddingRegressor(**{**settings, **options})


@pytest.fixture(scope="module")
def data():
    X, y, expected, shock = sales()
    new_day = ((7 * X["month"] + X["day"]) % 5 == 0).to_numpy()
    return X, y, expected, shock, new_day


@pytest.fixture(scope="module")
def fitted(data):
    X, y, _, _, new_day = data
    model = regressor(random_effects=[DAY])
    return model.fit(X[~new_day], y[~new_day])


def test_new_days_are_predicted_better_than_without(data, fitted):
    X, y, expected, _, new_day = data
    plain = regressor().fit(X[~new_day], y[~new_day])
    error, plain_error = (
        np.sqrt(np.mean((model.predict(X[new_day]) - expected[new_day]) ** 2))
        for model in (fitted, plain)
    )
    assert error < 0.8 * plain_error


def test_days_that_are_known_keep_their_shock(data, fitted):
    X, y, _, _, new_day = data
    assert fitted.score(X[~new_day], y[~new_day]) > 0.9


def test_effects_resemble_the_shocks(data, fitted):
    X, shock, new_day = data[0], data[3], data[-1]
    assert list(fitted.random_effects_) == [DAY]
    effects = fitted.random_effects_[DAY]
    assert effects.index.names == list(DAY)
    assert len(effects) == len(X[~new_day][list(DAY)].drop_duplicates())
    months, days = (effects.index.get_level_values(name) for name in DAY)
    assert np.corrcoef(effects["effect"], shock[months, days])[0, 1] > 0.7


def test_effects_are_what_a_known_group_adds_to_a_prediction(data):
    X, y = data[0][:3000], np.stack([data[1][:3000], 100 * data[1][:3000]], axis=1)
    model = regressor(random_effects=["shop"], n_estimators=2, max_epochs=2).fit(X, y)
    known = model.predict(X) - model.predict(X.assign(shop="new"))
    effects = model.random_effects_["shop"]
    assert effects.index.name == "shop"
    np.testing.assert_allclose(known, effects.loc[X["shop"]], atol=1e-3)


def test_without_random_effects_there_are_none(data):
    X, y = data[0][:200], data[1][:200]
    assert regressor(max_epochs=1).fit(X, y).random_effects_ == {}


def test_a_new_day_has_the_prediction_of_the_network_alone(data, fitted):
    X, new_day = data[0], data[-1]
    rows = X[new_day][:50]
    table = fitted._check_inputs(rows, reset=False)
    indices, numbers, groups = fitted._encoder.transform(table)
    assert (groups == 0).all()
    network = copy.deepcopy(fitted.network_).cpu()
    network.effects = None
    with torch.no_grad():
        raw = network(indices, numbers)
    alone = fitted._target.decode(raw.numpy())
    np.testing.assert_allclose(fitted.predict(rows), np.ravel(alone), rtol=1e-4)


def test_combined_columns_keep_their_vectors_a_column_alone_has_none(data):
    X, y = data[0][:2000], data[1][:2000]
    both = regressor(random_effects=[DAY], max_epochs=1).fit(X, y)
    assert all(both.embeddings_[name].shape[1] > 0 for name in COLUMNS)
    model = regressor(random_effects=["shop"], max_epochs=1).fit(X, y)
    assert model.embeddings_["shop"].shape == (20, 0)
    assert not [n for n in model.get_feature_names_out() if n.startswith("shop")]
    assert model.transform(X).shape == (2000, len(model.get_feature_names_out()))
    new, other = X.assign(shop="new"), X.assign(shop="another")
    np.testing.assert_array_equal(model.predict(new), model.predict(other))
    assert not np.allclose(model.predict(X.assign(shop=0)), model.predict(new))


@pytest.mark.parametrize("rotate", [False, True])
@pytest.mark.parametrize("cv", [None, 2])
def test_the_transformer_takes_them(data, cv, rotate):
    X, y = data[0][:1500], data[1][:1500]
    model = regressor(random_effects=[DAY, "shop"], max_epochs=1)
    transformer = EmbeddingTransformer(model, cv=cv, rotate=rotate, scale=True)
    out = transformer.fit_transform(X, y)
    assert out.shape == (1500, len(transformer.get_feature_names_out()))
    assert np.isfinite(out).all()
    assert len(transformer.inverse_transform(out)) == 1500


def test_partial_fit_brings_new_groups(data):
    X, y, _, _, new_day = data
    model = regressor(random_effects=[DAY], max_epochs=2).fit(X[~new_day], y[~new_day])
    table = model.network_.effects.table.detach().clone()
    model.partial_fit(X[new_day], y[new_day])
    grown = model.network_.effects.table.detach()
    assert len(grown) == 1 + len(X[list(DAY)].drop_duplicates()) > len(table)
    assert (grown[len(table) :] != 0).all()
    assert grown[0] == 0
    assert np.isfinite(model.predict(X)).all()


def test_missing_values_make_groups_too(data):
    X, y = data[0][:2000].astype(object), data[1][:2000]
    X.loc[X.index[::9], "day"] = None
    model = regressor(random_effects=[DAY], max_epochs=1).fit(X, y)
    _, _, groups = model._encoder.transform(model._check_inputs(X, reset=False))
    assert (groups > 0).all()
    assert len(np.unique(groups)) == len(X[list(DAY)].drop_duplicates())
    days = model.random_effects_[DAY].index.get_level_values("day")
    assert days.isna().sum() == X["month"].nunique()


@pytest.mark.parametrize("labels", ["binary", "three", "indicators"])
def test_classifiers_of_all_kinds_have_effects(data, labels):
    X, y = data[0][:2000], data[1][:2000]
    target = {
        "binary": y > 0,
        "three": np.digitize(y, [-1, 1]),
        "indicators": np.stack([y > 0, y > 1, y > 2], axis=1).astype(int),
    }[labels]
    model = EntityEmbeddingClassifier(
        categorical_features=COLUMNS,
        random_effects=[DAY],
        n_estimators=2,
        max_epochs=3,
        random_state=0,
    ).fit(X, target)
    copied = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copied.predict(X), model.predict(X))
    assert clone(model).random_effects == [DAY]
    assert all((m.effects.table[1:] != 0).any() for m in model.network_.members)


@pytest.mark.parametrize(
    ("effects", "named"),
    [(["week"], "week"), ([("month", "hour")], "hour"), ([()], "[]"), ([7], "7")],
)
def test_columns_that_are_not_there_are_an_error(data, effects, named):
    X, y = data[0][:100], data[1][:100]
    with pytest.raises(ValueError, match="random_effects names .*" + named.strip("[]")):
        regressor(random_effects=effects).fit(X, y)


def test_columns_of_numbers_are_an_error(data):
    X, y = data[0][:100], data[1][:100]
    model = regressor(categorical_features=["shop"], random_effects=[DAY])
    with pytest.raises(ValueError, match="not categorical columns of X"):
        model.fit(X, y)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_optimizers_without_decoupled_decay_are_refused(data, optimizer):
    X, y = data[0][:100], data[1][:100]
    with pytest.raises(ValueError, match="decoupled weight decay"):
        regressor(random_effects=[DAY], optimizer=optimizer).fit(X, y)


def test_a_column_alone_has_no_vectors_to_share(data):
    X, y = data[0][:100], data[1][:100]
    model = regressor(random_effects=["day"], shared_embeddings=[DAY])
    with pytest.raises(ValueError, match="'day' by itself"):
        model.fit(X, y)
    regressor(random_effects=[DAY], shared_embeddings=[DAY], max_epochs=1).fit(X, y)


def test_no_groups_are_no_random_effects(data):
    X, y = data[0][:100], data[1][:100]
    model = regressor(random_effects=[], optimizer="sgd", max_epochs=1).fit(X, y)
    assert model.network_.effects is None


@pytest.mark.parametrize(
    ("labels", "columns"),
    [
        (["no", "yes"], ["no", "yes"]),
        (["a", "b", "c"], ["a", "b", "c"]),
        (None, ["effect"]),
    ],
)
def test_columns_of_effects_say_what_they_speak_for(data, labels, columns):
    X, y = data[0][:300], data[1][:300]
    kind = EntityEmbeddingRegressor
    if labels is not None:
        kind, y = EntityEmbeddingClassifier, np.resize(labels, len(X))
    model = kind(categorical_features=COLUMNS, random_effects=["shop"], max_epochs=1)
    model.fit(X, y)
    assert model.random_effects_["shop"].columns.tolist() == columns
