"""Packs whose members differ in their settings, chosen by out-of-fold loss."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.metrics import log_loss

import skdl
from skdl import (
    EmbeddingTransformer,
    EntityEmbeddingRegressor,
    NeuralClassifier,
    NeuralRegressor,
)
from skdl.datasets import make_store_sales
from skdl.estimators.tables.packs import new_pack, without_piecewise
from skdl.estimators.tables.recipe import Recipe
from skdl.estimators.tables.settings import draw_settings

SMALL = {"hidden_layer_sizes": 16, "max_epochs": 6, "random_state": 0}


def new_classifier(**more):
    options = SMALL | {"validation": 2, "n_estimators": 8} | more
    return NeuralClassifier(diversity="settings", **options)


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


@pytest.fixture(scope="module")
def classifier(iris):
    return new_classifier().fit(*iris)


@pytest.fixture(scope="module")
def sales():
    return make_store_sales(300, n_stores=20, random_state=0, return_X_y=True)


@pytest.fixture(scope="module")
def regressor(sales):
    X, y = sales
    weight = np.where(np.arange(len(y)) < 20, 0.0, 1.0 + np.arange(len(y)) % 2)
    model = EntityEmbeddingRegressor(
        diversity="settings", n_estimators=9, **SMALL | {"validation": 2}
    )
    return model.fit(X, y, sample_weight=weight)


def test_the_first_setting_is_the_recipe_and_the_others_are_near_it():
    recipe = Recipe(lr=1e-3, dropout=0.7)
    first, *others = draw_settings(recipe, 21, seed=0)
    assert (first.lr, first.dropout) == (1e-3, 0.7)
    rates = sorted(s.lr for s in others)
    assert rates[0] < 6e-4 < 1.8e-3 < rates[-1]  # spread over the range
    assert sum(not s.piecewise for s in others) == 5
    assert [first, *others] == draw_settings(recipe, 21, seed=0)


def test_networks_of_settings_that_are_not_chosen_are_dropped(classifier):
    table = classifier.settings_
    assert len(table) == 4
    assert "slope" in table
    assert "embedding_dropout" not in table  # there are no categories
    assert table["share"].sum() == pytest.approx(1)
    chosen = table["share"] > 0
    assert 0 < chosen.sum() < 4
    assert classifier.network_.n_members == 2 * chosen.sum()


def test_the_mixture_is_no_worse_out_of_fold_than_its_best_setting(classifier, iris):
    _, y = iris
    losses = classifier.settings_["validation_loss"]
    raw = clone(classifier).fit(*iris).history_["validation_loss"].min()
    assert raw <= losses.min() * (1 + 1e-3)
    assert log_loss(y, classifier.oof_prediction_) < losses.min() * 1.1


def test_same_seed_same_bits_and_another_seed_other_settings(classifier, iris):
    X, y = iris
    again, other = new_classifier().fit(X, y), new_classifier(random_state=1).fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), classifier.predict_proba(X))
    pd.testing.assert_frame_equal(again.settings_, classifier.settings_)
    assert not other.settings_["lr"].equals(classifier.settings_["lr"])


def test_predictions_are_the_mean_of_the_networks_by_their_shares(regressor, sales):
    X, _ = sales
    each = regressor._predict_output(X, regressor._objective.each)[..., 0]
    shares = regressor.settings_["share"]
    own = np.repeat(shares[shares > 0].to_numpy() / 2, 2)
    assert len(set(own)) > 1
    expected = regressor._target.decode((each @ own)[:, None])
    np.testing.assert_allclose(regressor.predict(X), expected.ravel(), rtol=1e-5)


def test_what_packs_have_is_of_the_chosen_networks(regressor, sales):
    X, y = sales
    assert len(regressor.settings_) == 4  # a ninth network is of no whole setting
    known = ~np.isnan(regressor.oof_prediction_)
    assert known[20:].all()
    assert not known[:20].any()
    assert regressor.feature_importances_.shape == (X.shape[1],)
    low, high = regressor.predict_interval(X, coverage=0.8).T
    assert 0.7 < ((low <= y) & (y <= high)).mean() < 0.99


def test_files_and_pickles_predict_the_same(regressor, sales, tmp_path):
    X, _ = sales
    skdl.save(regressor, tmp_path / "model.skdl")
    loaded = skdl.load(tmp_path / "model.skdl")
    for other in (loaded, pickle.loads(pickle.dumps(regressor))):
        np.testing.assert_array_equal(other.predict(X), regressor.predict(X))
        np.testing.assert_array_equal(
            other.predict_interval(X), regressor.predict_interval(X)
        )
        pd.testing.assert_frame_equal(other.settings_, regressor.settings_)


def test_an_exported_graph_predicts_by_the_shares(regressor, sales, tmp_path):
    pytest.importorskip("onnxruntime")
    X, _ = sales
    skdl.to_onnx(regressor, X, tmp_path / "model.onnx")  # compares, and refuses else
    assert (tmp_path / "model.onnx").is_file()


def test_rows_read_piece_by_piece_have_settings(sales):
    X, y = sales
    model = EntityEmbeddingRegressor(
        diversity="settings", n_estimators=4, **SMALL | {"validation": 2}
    )
    model.fit([X[:100], X[100:]], y)
    assert model.settings_["share"].sum() == pytest.approx(1)
    assert np.isfinite(model.oof_prediction_).all()


def test_partial_fit_goes_on_with_the_shares(regressor, sales):
    X, y = sales
    model = pickle.loads(pickle.dumps(regressor))
    shares = model._objective.shares
    before = model.predict(X)
    model.partial_fit(X, y)
    assert model._objective.shares == shares
    assert not np.array_equal(model.predict(X), before)
    assert not hasattr(model, "settings_")


def test_vectors_that_members_begin_without_stay_away(iris):
    X, y = iris
    model = NeuralClassifier(validation=2, **SMALL).fit(X, y)
    pack = new_pack(
        model._encoder,
        2,
        3,
        embedding=None,
        cosine=True,
        entries=2,
        hidden_layer_sizes=(5,),
        activation="silu",
    )
    without_piecewise(pack, [1])
    pack.each(*model._encoder.transform(X[:9])).square().sum().backward()
    for parameter in (pack.piecewise.weight, pack.piecewise.bias):
        for tensor in (parameter, parameter.grad):
            assert not tensor[1].any()
            assert tensor[0].any()


def test_rows_of_the_users_own_choose_settings_too(iris):
    X, y = iris
    model = new_classifier(validation="auto", max_epochs=None)
    model.fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
    assert len(model.settings_) == 2
    assert model.score(X[1::2], y[1::2]) > 0.9
    assert not hasattr(model, "oof_score_")


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"n_estimators": 3}, "set n_estimators to 4 or more"),
        ({"validation": None}, "set validation=4"),
        ({"optimizer": "muon"}, "optimizer='muon'"),
        ({"optimizer": "muon", "validation": "last"}, "optimizer='muon'"),
    ],
)
def test_what_does_not_go_with_settings_is_told(more, told, iris):
    model = new_classifier(**more)
    with pytest.raises(ValueError, match=told):
        model.fit(*iris)
    assert not hasattr(model, "network_")


def test_what_begins_with_one_network_or_takes_vectors_refuses_settings(iris, sales):
    with pytest.raises(ValueError, match="one network is trained"):
        new_classifier().partial_fit(*iris, classes=[0, 1, 2])
    assert not hasattr(
        NeuralRegressor(validation=None, max_epochs=1).fit(*iris), "settings_"
    )
    network = EntityEmbeddingRegressor(diversity="settings", n_estimators=8)
    with pytest.raises(ValueError, match="one setting"):
        EmbeddingTransformer(network, cv=2).fit(*sales)
