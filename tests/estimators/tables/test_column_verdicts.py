"""What columns are worth is judged on rows that networks have not learned from."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.feature_selection import RFECV, SelectFromModel
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import KFold

from skdl import (
    EmbeddingTransformer,
    EntityEmbeddingClassifier,
    EntityEmbeddingRegressor,
    NeuralClassifier,
    NeuralRegressor,
)
from skdl.estimators.tables import recipe
from skdl.networks.packed_embedding import PackedEmbeddingNetwork

# Soon done, and learned by heart soon.
SMALL = {
    "hidden_layer_sizes": (16,),
    "validation": 3,
    "max_epochs": 14,
    "lr": 0.02,
    "random_state": 0,
}
VECTORS = {**SMALL, "embedding_dim": 4}


@pytest.fixture(scope="module")
def shops():
    """Sales that depend on the shop and the price, beside columns that say nothing."""
    rng = np.random.default_rng(0)
    n = 900
    shop, price = rng.integers(0, 12, n), rng.normal(size=n)
    X = pd.DataFrame(
        {
            "noise": rng.normal(size=n),
            "identifier": [f"id {i}" for i in rng.integers(0, 220, n)],
            "price": price,
            "shop": [f"shop {s}" for s in shop],
        }
    )
    y = 2 * rng.normal(size=12)[shop] + price + 0.3 * rng.normal(size=n)
    return X, y


@pytest.fixture(scope="module")
def fitted(shops):
    return EntityEmbeddingRegressor(**VECTORS).fit(*shops)


def test_importances_are_by_column_and_tell_those_that_matter(fitted):
    importances = dict(
        zip(fitted.feature_names_in_, fitted.feature_importances_, strict=True)
    )
    errors = fitted.feature_importances_std_
    assert errors.shape == (4,)
    assert (errors >= 0).all()
    assert importances["shop"] > importances["price"] > 20 * errors[0]
    assert abs(importances["noise"]) < 0.02 * importances["price"]
    assert importances["identifier"] == 0


def test_a_column_that_does_harm_has_no_vectors_and_no_say(fitted, shops):
    X, _ = shops
    assert fitted.harmful_features_ == ["identifier"]
    assert fitted.embeddings_["identifier"].shape[1] == 0
    other = X.assign(identifier=X["identifier"].to_numpy()[::-1])
    np.testing.assert_array_equal(fitted.predict(other), fitted.predict(X))
    # Nor is it a matter of concern that all of its categories are new.
    np.testing.assert_array_equal(
        fitted.predict(X.assign(identifier="new")), fitted.predict(X)
    )


def test_an_identifier_costs_nothing(fitted, shops):
    X, y = shops
    without = clone(fitted).fit(X.drop(columns="identifier"), y)
    assert without.harmful_features_ == []
    assert fitted.oof_score_ > without.oof_score_ - 0.005


def test_an_identifier_is_found_where_the_loss_falls_to_the_end():
    rng = np.random.default_rng(0)
    n = 1500
    X = pd.DataFrame({"a": rng.normal(size=n), "b": rng.normal(size=n)})
    X["identifier"] = rng.integers(0, 200, n).astype(str)
    y = np.sin(3 * X.a) * X.b + np.where(X.a > 0, X.b, 0) + 0.05 * rng.normal(size=n)
    model = EntityEmbeddingRegressor(validation=4, max_epochs=20, random_state=1)
    assert model.fit(X, y).harmful_features_ == ["identifier"]
    assert model.history_["validation_loss"].diff().max() < 0


def test_the_only_column_is_not_dropped(shops):
    X, y = shops
    model = EntityEmbeddingRegressor(**VECTORS).fit(X[["identifier"]], y)
    assert model.harmful_features_ == []
    assert model.feature_importances_[0] < 0


def test_columns_that_share_vectors_are_dropped_together(shops):
    X, y = shops
    X = X.assign(second=X["identifier"].to_numpy()[::-1])
    model = EntityEmbeddingRegressor(
        shared_embeddings=[("identifier", "second")], **SMALL
    ).fit(X, y)
    assert {"identifier", "second"} >= set(model.harmful_features_)
    assert model.feature_importances_.shape == (5,)


def test_numbers_have_importances_too():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(300, 5))
    X[rng.random(300) < 0.2, 1] = np.nan
    X[:, 4] = 1
    y = 3 * X[:, 0] + np.isnan(X[:, 1])
    model = NeuralRegressor(**SMALL).fit(X, y)
    assert model.feature_importances_.argmax() == 0
    assert model.feature_importances_[1] > 5 * abs(model.feature_importances_[2])
    assert model.feature_importances_[4] == pytest.approx(0, abs=1e-6)
    labels = NeuralClassifier(**SMALL).fit(X, y > 0)
    assert labels.feature_importances_.argmax() == 0


def test_groups_of_random_effects_have_an_importance(shops):
    X, y = shops
    X = X.drop(columns=["identifier", "noise"])
    model = EntityEmbeddingRegressor(random_effects=["shop"], **VECTORS).fit(X, y)
    assert model.feature_importances_[1] > 0.01


def test_columns_can_be_selected_by_importance(shops):
    X, y = shops
    model = EntityEmbeddingRegressor(**VECTORS | {"max_epochs": 3})
    chosen = SelectFromModel(model, threshold=0.01).fit(X, y)
    assert list(chosen.get_feature_names_out()) == ["price", "shop"]
    numbers = X[["noise", "price"]].assign(more=X["noise"] ** 2)
    network = NeuralRegressor(**SMALL | {"max_epochs": 2})
    eliminated = RFECV(network, cv=KFold(2), min_features_to_select=1).fit(numbers, y)
    assert eliminated.support_[1]


def test_one_network_has_no_importances(shops):
    X, y = shops
    model = EntityEmbeddingRegressor(max_epochs=1, validation=None, random_state=0)
    model.fit(X, y)
    for name in ("feature_importances_", "harmful_features_"):
        with pytest.raises(AttributeError, match=name):
            getattr(model, name)
    # Nor has one that had some in an earlier fit.
    model.set_params(validation=3).fit(X, y)
    assert model.feature_importances_.shape == (4,)
    model.set_params(validation=None).fit(X, y)
    assert not hasattr(model, "feature_importances_")
    assert not hasattr(model, "harmful_features_")


def test_categories_of_few_rows_count_as_unknown():
    rng = np.random.default_rng(0)
    n = 900
    colors = rng.choice(["red", "green"], n).astype(object)
    colors[:3], colors[3:7] = "rare", "less rare"
    X = pd.DataFrame({"color": colors, "number": rng.normal(size=n)})
    model = EntityEmbeddingRegressor(**VECTORS | {"max_epochs": 2})
    model.fit(X, X["number"] + (colors == "red"))
    assert recipe.recipe_for(n, 1, 0).rare_rows == 3
    rows = X.iloc[[0, 0, 3, 3]].assign(color=["rare", "new", "less rare", "new"])
    predicted = model.predict(rows)
    assert predicted[0] == predicted[1]
    assert predicted[2] != predicted[3]


# The transformer takes vectors and verdicts from one pack.


def test_a_transformer_trains_once_for_all_folds(shops):
    X, y = shops
    network = EntityEmbeddingRegressor(**VECTORS)
    transformer = EmbeddingTransformer(network, cv=4, random_state=0)
    with pytest.warns(UserWarning, match=r"drops \['identifier'\]"):
        encoded = transformer.fit_transform(X, y)
    model = transformer.estimator_
    assert isinstance(model.network_, PackedEmbeddingNetwork)
    assert model.network_.n_members == 5  # the first learns from all rows
    assert transformer.harmful_features_ == ["identifier"]
    names = transformer.get_feature_names_out().tolist()
    assert not [name for name in names if name.startswith("identifier")]
    assert encoded.shape == (len(X), len(names))
    assert np.isfinite(encoded).all()
    plain = transformer.transform(X)
    assert not np.allclose(encoded, plain)
    first = names.index("shop_0")
    assert np.corrcoef(encoded[:, first], plain[:, first])[0, 1] > 0.9
    back = transformer.inverse_transform(plain)
    np.testing.assert_array_equal(back["shop"], X["shop"])
    assert back["identifier"].isna().all()


def test_of_many_rows_a_few_folds_tell_when_to_stop():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"color": rng.choice(["red", "green", "blue"], 9000)})
    y = (X["color"] == "red") + 0.1 * rng.normal(size=9000)
    network = EntityEmbeddingRegressor(
        hidden_layer_sizes=(2,), max_epochs=None, lr=0.02, random_state=0
    )
    model = EmbeddingTransformer(network).fit(X, y).estimator_
    assert model.network_.n_members == 4  # three folds of 1,800 rows, and none
    assert np.isfinite(model.oof_prediction_).sum() == 3 * 1800


def test_vectors_of_training_rows_come_from_networks_that_have_not_seen_them():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"noise": rng.integers(0, 150, 600).astype(str)})
    y = rng.normal(size=600)  # nothing to learn
    network = EntityEmbeddingRegressor(**VECTORS | {"embedding_dropout": 0.0})

    def learned(cv):
        transformer = EmbeddingTransformer(
            network, cv=cv, drop_harmful=False, rotate=False, random_state=0
        )
        encoded = transformer.fit_transform(X, y)
        parts = transformer.estimator_.network_.embedding.parts(0)
        assert encoded.shape[1] == parts[0].shape[1]
        design = np.column_stack([encoded, np.ones(len(y))])
        residual = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
        return 1 - residual.var() / y.var()

    assert learned(None) > learned(4) + 0.1


def test_rows_of_weight_zero_and_a_splitter_of_ones_own(shops):
    X, y = shops
    weight = np.ones(len(y))
    weight[::7] = 0
    network = EntityEmbeddingRegressor(**VECTORS | {"max_epochs": 2})
    transformer = EmbeddingTransformer(
        network, cv=KFold(3, shuffle=True, random_state=0), drop_harmful=False
    )
    encoded = transformer.fit_transform(X, y, sample_weight=weight)
    assert np.isfinite(encoded).all()
    assert not np.allclose(encoded, clone(transformer).fit_transform(X, y))


def test_folds_that_do_not_train_on_all_other_rows_are_fitted_one_by_one(shops):
    X, y = shops
    with_gap = [(train[5:], test) for train, test in KFold(2).split(X)]
    network = EntityEmbeddingRegressor(**VECTORS | {"max_epochs": 1})
    transformer = EmbeddingTransformer(network, cv=with_gap, drop_harmful=False)
    encoded = transformer.fit_transform(X, y)
    assert np.isfinite(encoded).all()
    assert transformer.estimator_.network_.n_members == 3  # as `validation` says


def test_a_network_that_is_told_how_long_to_train_is_not_made_a_pack(shops):
    X, y = shops
    network = EntityEmbeddingRegressor(max_epochs=1, random_state=0)
    transformer = EmbeddingTransformer(network, cv=2, drop_harmful=False).fit(X, y)
    assert not isinstance(transformer.estimator_.network_, PackedEmbeddingNetwork)


def test_a_frozen_pack_keeps_its_verdict(fitted, shops):
    X, y = shops
    transformer = EmbeddingTransformer(FrozenEstimator(fitted), rotate=False).fit(X, y)
    assert transformer.harmful_features_ == ["identifier"]
    np.testing.assert_allclose(transformer.transform(X), fitted.transform(X), rtol=1e-6)


def test_verbose_shows_the_training_and_what_is_left_out(shops, capsys):
    X, y = shops
    network = EntityEmbeddingRegressor(**VECTORS)
    with pytest.warns(UserWarning, match="drops"):
        EmbeddingTransformer(network, verbose=2).fit(X, y)
    shown = capsys.readouterr().out
    assert "identifier" in shown
    # It is found before the loss stops to fall, and training begins anew.
    assert [shown.count(f"look {number}/") for number in (1, 2)] == [2, 1]
    EmbeddingTransformer(
        EntityEmbeddingClassifier(**VECTORS | {"max_epochs": 1}), drop_harmful=False
    ).fit(X, y > 0)
    assert capsys.readouterr().out == ""
