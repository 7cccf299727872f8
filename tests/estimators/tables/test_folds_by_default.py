"""What `validation="auto"` does, and how a pack goes on."""

import pickle

import numpy as np
import pandas as pd
import pytest
from torch import nn

from skdl import (
    EntityEmbeddingRegressor,
    FineTuning,
    NeuralClassifier,
    NeuralRegressor,
)

N = 60


def numbers(n=N):
    X = np.random.default_rng(0).normal(size=(n, 3))
    return X, X @ [1.0, -2.0, 0.5]


def table(n=200, seed=0, towns="abc"):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "town": rng.choice(list(towns), n),
            "size": rng.normal(size=n),
            "promotion": 0.0,
        }
    )
    height = dict(zip("abcd", (0.0, 3.0, 5.0, -4.0), strict=True))
    return frame, (frame["town"].map(height) + 2 * frame["size"]).to_numpy(float)


@pytest.mark.parametrize("kind", [NeuralRegressor, EntityEmbeddingRegressor])
def test_folds_decide_by_default_how_long_to_train(kind):
    X, y = numbers()
    model = kind(hidden_layer_sizes=(8,), random_state=0).fit(X, y)
    assert model.network_.n_members == 4
    assert np.isfinite(model.oof_prediction_).all()


@pytest.mark.parametrize(
    ("given", "n_networks"),
    [({}, 8), ({"validation": 4}, 4), ({"n_estimators": 5}, 5)],
)
def test_few_rows_have_eight_folds_unless_somebody_says_it(given, n_networks):
    X, y = numbers(300)
    model = NeuralClassifier(hidden_layer_sizes=(8,), random_state=0, **given)
    model.fit(X, y > np.median(y))
    assert model.network_.n_members == n_networks


def test_more_networks_than_folds_have_as_many_folds_as_by_default():
    X, y = numbers(240)
    parameters = {"hidden_layer_sizes": (8,), "device": "cpu", "random_state": 0}
    model = NeuralClassifier(**parameters, n_estimators=16).fit(X, y > np.median(y))
    assert model.network_.n_members == 16
    # Two networks each have not learned from an eighth of the rows.
    places = model._conformal.folds
    assert [len(fold.members) for fold in places] == [2] * 8


@pytest.mark.parametrize(
    "given",
    [
        {"max_epochs": 2},
        {"validation": None, "max_epochs": 2},
        {"validation": 0.2},
        {"early_stopping": True},
        {"network": lambda n_in, n_out: nn.Linear(n_in, n_out)},
        {"schedule": "constant"},
        {"weight_averaging": "ema"},
        {"warm_start": True},
        {"lr": "auto"},
        {"fine_tuning": FineTuning(freeze=["0"])},
    ],
    ids=lambda given: next(iter(given)),
)
def test_who_says_how_to_train_gets_one_network(given):
    X, y = numbers()
    model = NeuralRegressor(hidden_layer_sizes=(8,), random_state=0, **given)
    model.fit(X, y)
    assert not hasattr(model, "oof_prediction_")
    assert not hasattr(model.network_, "n_members")


@pytest.mark.parametrize("n_rows", [1, 2, 19])
def test_very_few_rows_train_one_network(n_rows):
    X, y = numbers(n_rows)
    model = NeuralRegressor(hidden_layer_sizes=(8,), random_state=0).fit(X, y)
    assert not hasattr(model, "oof_prediction_")


def test_a_share_stops_one_network_early():
    X, y = numbers()
    options = {"hidden_layer_sizes": (8,), "max_epochs": 3, "random_state": 0}
    model = NeuralRegressor(validation=0.1, **options).fit(X, y)
    same = NeuralRegressor(early_stopping=True, **options).fit(X, y)
    assert "validation_loss" in model.history_
    np.testing.assert_array_equal(model.predict(X), same.predict(X))


def test_nothing_of_a_pack_is_left_in_a_fit_of_one_network():
    X, y = numbers()
    model = NeuralClassifier(hidden_layer_sizes=(8,), random_state=0).fit(X, y > 0)
    model.set_params(max_epochs=2).fit(X, y > 0)
    alone = NeuralClassifier(hidden_layer_sizes=(8,), max_epochs=2, random_state=0)
    assert not hasattr(model, "temperature_")
    np.testing.assert_array_equal(
        model.predict_proba(X), alone.fit(X, y > 0).predict_proba(X)
    )


# partial_fit after fit.


@pytest.fixture(scope="module")
def fitted():
    frame, y = table()
    options = {"hidden_layer_sizes": (16,), "random_effects": [("town",)]}
    return EntityEmbeddingRegressor(random_state=0, **options).fit(frame, y)


def changed_table():
    """Return rows with a new town, missing sizes and promotions that begin."""
    frame, y = table(seed=1, towns="abcd")
    frame.loc[:30, "size"] = np.nan
    frame["promotion"] = np.arange(len(frame)) % 2
    return frame, np.where(np.isnan(frame["size"]), 0.0, y) + 1000.0


def a_copy_of(model):
    return pickle.loads(pickle.dumps(model))


def test_new_rows_change_scales_and_vocabularies_but_not_what_a_pack_predicts(fitted):
    model, frame = a_copy_of(fitted), table()[0]
    before = model.predict(frame)
    model.set_params(lr=1e-12, weight_decay=0.0).partial_fit(*changed_table())
    np.testing.assert_allclose(model.predict(frame), before, rtol=1e-3, atol=1e-2)


def test_a_pack_learns_a_new_category_from_later_rows(fitted):
    model = a_copy_of(fitted).set_params(lr=0.02)
    frame, y = table(seed=2, towns="abcd")
    for _ in range(30):
        model.partial_fit(frame, y)
    assert model.score(frame, y) > 0.9
    assert set(model.categories_["town"]) >= set("abcd")


def test_what_was_found_out_of_fold_is_not_told_of_later_rows(fitted):
    model = a_copy_of(fitted).partial_fit(*table(seed=3))
    assert not hasattr(model, "oof_prediction_")
    assert not hasattr(model, "oof_score_")


def test_a_pack_keeps_its_temperature_and_its_rate_when_it_goes_on():
    X, y = numbers()
    model = NeuralClassifier(hidden_layer_sizes=(8,), random_state=0).fit(X, y > 0)
    temperature, before = model.temperature_, model.predict_proba(X)
    model.partial_fit(X, y > 0)
    assert model.temperature_ == temperature
    assert model.history_["lr"].iloc[-1] < 1e-3
    np.testing.assert_allclose(model.predict_proba(X), before, atol=0.05)
