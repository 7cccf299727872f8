"""Packs whose numbers are learned beside a histogram of the target."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from skdl import EntityEmbeddingRegressor, NeuralRegressor
from skdl.estimators.tables import conclusion, pack_run

N = 160
RNG = np.random.RandomState(0)
X = RNG.randn(N, 3)
Y = np.sin(2 * X[:, 0]) + X[:, 1] + 0.1 * RNG.randn(N)
TWO = np.column_stack([Y, 50 + 7 * X[:, 2]])
PARAMETERS = {"device": "cpu", "random_state": 0, "validation": 4, "max_epochs": 8}


@pytest.fixture
def bins(monkeypatch):
    """Let tables of any size have a histogram, and tell how many outputs these are."""
    recipe_for, learned = pack_run.recipe_for, pack_run.learned_beside
    seen = []

    def with_bins(*given, **how):
        return replace(recipe_for(*given, **how), target_bins=8)

    def learned_beside(member, *given):
        found = learned(member, *given)
        seen.append(found.n_outputs - member.n_outputs)
        return found

    monkeypatch.setattr(pack_run, "recipe_for", with_bins)
    monkeypatch.setattr(pack_run, "learned_beside", learned_beside)
    return seen


def outputs(model):
    return model.network_.head.layers[-1].weight.shape[2]


def test_many_rows_have_one(monkeypatch):
    monkeypatch.setattr(conclusion, "corrections_of", lambda *given: None)
    rng = np.random.RandomState(0)
    rows = rng.randn(6_000, 2)
    target = 1e6 + 1e3 * np.sin(2 * rows[:, 0])
    model = NeuralRegressor(**{**PARAMETERS, "validation": 8, "max_epochs": 2})
    model.fit(rows, target)
    assert model.network_.n_members == 8
    assert outputs(model) == 1
    assert model.oof_score_ > 0.9
    losses = model.history_[["loss", "validation_loss"]].iloc[-1]
    # Both are half the squared error of a target of variance one.
    np.testing.assert_allclose(losses["validation_loss"] * 2, 1 - model.oof_score_, 0.1)
    assert losses["loss"] < 0.5


@pytest.mark.parametrize("target", [Y, TWO], ids=["one", "two"])
def test_it_is_gone_after_training_and_changes_no_unit(target, bins):
    model = NeuralRegressor(**PARAMETERS).fit(X, target)
    assert bins == [8 * (1 if target.ndim == 1 else 2)]
    assert model.predict(X).shape == target.shape
    assert outputs(model) == (1 if target.ndim == 1 else 2)
    assert model.oof_score_ > 0.5
    again = NeuralRegressor(**PARAMETERS).fit(X, target)
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    stored = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(stored.predict(X), model.predict(X))
    one_row = np.concatenate([model.predict(X[i : i + 1]) for i in range(5)])
    np.testing.assert_allclose(one_row, model.predict(X)[:5], rtol=1e-4)
    assert np.isfinite(model.predict_interval(X, coverage=0.8)).all()
    assert np.isfinite(model.partial_fit(X, target).predict(X)).all()


@pytest.mark.parametrize(
    "changed",
    [{"loss": "huber"}, {"loss": "quantile", "quantile": 0.3}, {"loss": "poisson"}],
    ids=lambda changed: changed["loss"],
)
def test_other_losses_have_none(changed, bins):
    model = NeuralRegressor(**PARAMETERS, **changed).fit(X, np.exp(Y))
    assert bins == [0]
    assert np.isfinite(model.predict(X)).all()


def test_many_targets_have_none(bins):
    NeuralRegressor(**PARAMETERS).fit(X, np.tile(TWO, 5))
    assert bins == [0]


def test_random_effects_have_none(bins):
    rows = np.column_stack([X, np.arange(N) % 5])
    model = EntityEmbeddingRegressor(
        categorical_features=[3], random_effects=[3], **PARAMETERS
    )
    model.fit(rows, Y)
    assert bins == [0]
    assert np.isfinite(model.predict(rows)).all()


def test_networks_of_several_settings_have_one(bins):
    model = NeuralRegressor(**PARAMETERS, diversity="settings", n_estimators=8)
    model.fit(X, Y)
    assert bins == [8]
    assert outputs(model) == 1
    assert model.oof_score_ > 0.5


def test_rows_of_weight_zero_have_no_say_in_the_bins(bins):
    weight = np.r_[np.ones(N), np.zeros(40)]
    rows, target = np.r_[X, X[:40]], np.r_[Y, np.full(40, 1e9)]
    model = NeuralRegressor(**PARAMETERS).fit(rows, target, weight)
    without = NeuralRegressor(**PARAMETERS).fit(X, Y)
    np.testing.assert_allclose(model.predict(X), without.predict(X), rtol=1e-3)


def test_an_interrupted_fit_has_lost_it_too(bins, monkeypatch):
    calls = 0
    look = pack_run.OutOfFold.__call__

    def interrupted(self):
        nonlocal calls
        calls += 1
        if calls == 2:
            raise KeyboardInterrupt
        return look(self)

    monkeypatch.setattr(pack_run.OutOfFold, "__call__", interrupted)
    model = NeuralRegressor(**{**PARAMETERS, "max_epochs": 60})
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y)
    assert outputs(model) == 1
    assert np.isfinite(model.predict(X)).all()
