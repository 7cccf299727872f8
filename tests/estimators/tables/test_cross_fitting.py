"""Columns that make a network worse on rows it has not seen are blanked out."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import make_pipeline

from skdl import (
    EmbeddingTransformer,
    EntityEmbeddingClassifier,
    EntityEmbeddingRegressor,
)
from skdl.estimators.tables.cross_fitting import benefits
from skdl.estimators.tables.frames import make_table

pytestmark = pytest.mark.filterwarnings("ignore:EmbeddingTransformer drops")


@pytest.fixture(scope="module")
def shops():
    """Sales that depend on the shop alone, beside an identifier that says nothing."""
    rng = np.random.default_rng(0)
    n = 900
    shop = rng.integers(0, 12, n)
    X = pd.DataFrame(
        {
            "shop": [f"shop {s}" for s in shop],
            "identifier": rng.integers(0, 300, n).astype(str),
        }
    )
    return X, rng.normal(size=12)[shop] + 0.5 * rng.normal(size=n)


@pytest.fixture
def network():
    return EntityEmbeddingRegressor(max_epochs=15, embedding_dim=4, random_state=0)


def test_an_identifier_is_blanked_out_and_real_columns_stay(network, shops):
    X, y = shops
    transformer = EmbeddingTransformer(network, cv=3)
    learned = transformer.fit_transform(X, y)
    assert transformer.harmful_features_ == ["identifier"]
    names = transformer.get_feature_names_out()
    encoded = pd.DataFrame(transformer.transform(X), columns=names)
    blank = encoded.filter(like="identifier")
    assert blank.nunique().eq(1).all()
    # A model behind must not find out which rows are of one fold.
    of_training = pd.DataFrame(learned, columns=names).filter(like="identifier")
    pd.testing.assert_frame_equal(of_training, blank)
    assert encoded["shop_0"].nunique() == 12
    assert list(transformer.inverse_transform(encoded)["shop"]) == list(X["shop"])


def test_fit_and_fit_transform_come_to_the_same_transform(network, shops):
    X, y = shops
    first = EmbeddingTransformer(network, cv=2).fit(X, y)
    second = EmbeddingTransformer(network, cv=2)
    second.fit_transform(X, y)
    np.testing.assert_array_equal(first.transform(X), second.transform(X))


def test_the_model_behind_does_as_well_as_without_the_identifier(network, shops):
    X, y = shops

    def score(X, **options):
        transformer = EmbeddingTransformer(network, **options)
        model = make_pipeline(transformer, LinearRegression())
        return cross_val_score(model, X, y, cv=2).mean()

    shop = X[["shop"]]
    # Vectors of three networks; from seed to seed the scores differ by .03.
    assert score(X, cv=3) > score(shop, cv=3) - 0.05
    without = score(shop)
    assert score(X) > without - 0.01
    assert score(X, drop_harmful=False) < without - 0.05


def test_a_table_that_only_has_good_columns_is_left_alone(network, shops):
    X, y = shops
    kept = EmbeddingTransformer(network, cv=2).fit_transform(X[["shop"]], y)
    plain = EmbeddingTransformer(network, cv=2, drop_harmful=False)
    np.testing.assert_array_equal(plain.fit_transform(X[["shop"]], y), kept)
    assert plain.harmful_features_ == []


def test_columns_are_judged_without_cross_fitting_too(network, shops):
    X, y = shops
    transformer = EmbeddingTransformer(network)
    encoded = transformer.fit_transform(X, y)
    assert transformer.harmful_features_ == ["identifier"]
    np.testing.assert_array_equal(encoded, transformer.transform(X))
    plain = EmbeddingTransformer(network, drop_harmful=False).fit(X, y)
    assert plain.harmful_features_ == []


def test_a_few_rows_or_rare_classes_are_not_judged(network, shops):
    X, y = shops
    assert EmbeddingTransformer(network).fit(X[:20], y[:20]).harmful_features_ == []
    labels = np.arange(60) // 3  # three rows of each class
    classifier = EntityEmbeddingClassifier(max_epochs=2, random_state=0)
    fitted = EmbeddingTransformer(classifier).fit(X[:60], labels)
    assert fitted.harmful_features_ == []


def test_folds_may_come_from_a_generator(network, shops):
    X, y = shops
    folds = KFold(3, shuffle=True, random_state=0).split(X)
    encoded = EmbeddingTransformer(network, cv=folds).fit_transform(X, y)
    assert np.isfinite(encoded).all()


def test_arrays_and_positions_of_columns(shops):
    X, y = shops
    codes = np.column_stack([pd.factorize(X[c])[0] for c in X])
    network = EntityEmbeddingRegressor(
        categorical_features=[0, 1], max_epochs=15, embedding_dim=4, random_state=0
    )
    transformer = EmbeddingTransformer(network, cv=3).fit(codes, y)
    assert transformer.harmful_features_ == [1]
    assert transformer.transform(codes).shape == (len(X), 8)


def test_weights_decide_what_is_harmful(network, shops):
    X, y = shops
    fitted = network.fit(X, y)
    table = make_table(X, fitted._schema)
    even = np.ones(len(X))
    plain = benefits(fitted, table, y, None)
    np.testing.assert_allclose(benefits(fitted, table, y, even), plain, rtol=1e-5)
    half = even.copy()
    half[len(X) // 2 :] = 0
    assert not np.allclose(benefits(fitted, table, y, half), plain)


def test_a_class_that_a_fold_lacks_is_no_hindrance(shops):
    X, y = shops
    labels = np.where(y > 0, "high", "low").astype(object)
    labels[0] = "rare"
    network = EntityEmbeddingClassifier(max_epochs=2, random_state=0)
    folds = KFold(2)  # the first fold's training rows have no "rare"
    encoded = EmbeddingTransformer(network, cv=folds).fit_transform(X, labels)
    assert np.isfinite(encoded).all()


def test_several_networks_and_shared_vectors(shops):
    X, y = shops
    X = X.assign(other=X["shop"].to_numpy()[::-1])
    network = EntityEmbeddingRegressor(
        shared_embeddings=[("shop", "other")],
        n_estimators=2,
        embedding_dim=4,
        max_epochs=10,
        random_state=0,
    )
    transformer = EmbeddingTransformer(network, cv=2).fit(X, y)
    assert "identifier" in transformer.harmful_features_
    assert "shop" not in transformer.harmful_features_
