"""EmbeddingTransformer: vectors for other models, without leaks, and back."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from skdl import (
    EmbeddingTransformer,
    EntityEmbeddingClassifier,
    EntityEmbeddingRegressor,
    NeuralRegressor,
)
from skdl.datasets import make_store_sales
from skdl.estimators.tables import embedding

CATEGORIES = ["Store", "DayOfWeek", "State"]


@pytest.fixture(scope="module")
def sales():
    X, y = make_store_sales(1500, n_stores=20, random_state=0, return_X_y=True)
    return X, np.log(y)


def starts_with_norm(n_inputs, n_outputs):
    return nn.Sequential(nn.LayerNorm(n_inputs), nn.Linear(n_inputs, n_outputs))


@pytest.fixture
def network():
    return EntityEmbeddingRegressor(
        categorical_features=CATEGORIES, max_epochs=6, random_state=0
    )


# A year is new in the part that is predicted.
@pytest.mark.filterwarnings("ignore:In column 'Year' most categories:UserWarning")
@pytest.mark.parametrize(
    "model", [KNeighborsRegressor(), LinearRegression()], ids=lambda m: type(m).__name__
)
def test_other_models_get_better_with_the_vectors(network, sales, model):
    X, y = sales
    network.set_params(categorical_features=list(X), max_epochs=15)
    plain = cross_val_score(model, X.drop(columns="State"), y, cv=3).mean()
    pipeline = make_pipeline(EmbeddingTransformer(network, drop_harmful=False), model)
    assert cross_val_score(pipeline, X, y, cv=3).mean() > plain


def test_default_estimator_is_chosen_by_the_target(sales):
    X, y = sales
    X, y = X[:200], y[:200]
    transformer = EmbeddingTransformer(drop_harmful=False, random_state=0)
    assert isinstance(transformer.fit(X, y).estimator_, EntityEmbeddingRegressor)
    labels = np.where(y > y.median(), "high", "low")
    assert isinstance(transformer.fit(X, labels).estimator_, EntityEmbeddingClassifier)
    counts = np.exp(y).round().astype(int)
    assert isinstance(transformer.fit(X, counts).estimator_, EntityEmbeddingRegressor)
    assert list(transformer.embeddings_) == ["State"]


def test_a_frozen_network_is_used_as_it_is(network, sales):
    X, y = sales
    network.fit(X, y)
    transformer = EmbeddingTransformer(FrozenEstimator(network), rotate=False)
    encoded = transformer.fit_transform(X, y)
    assert transformer.estimator_ is network
    np.testing.assert_allclose(encoded, network.transform(X), rtol=1e-6)


def test_the_rest_is_kept_or_dropped(network, sales):
    X, y = sales
    kept = EmbeddingTransformer(network, drop_harmful=False).fit(X, y)
    names = kept.get_feature_names_out().tolist()
    assert names[0] == "Store_0"
    assert names[-1] == "State_5"
    assert {"Promo", "Year", "Month", "Day"} <= set(names)
    dropped = clone(kept).set_params(remainder="drop").fit(X, y)
    assert not {"Promo", "Year"} & set(dropped.get_feature_names_out())
    encoded = dropped.transform(X)
    assert encoded.dtype == np.float32
    assert encoded.shape[1] == len(dropped.get_feature_names_out())


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_set_output(network, sales, library):
    pytest.importorskip(library)
    X, y = sales
    transformer = EmbeddingTransformer(network, cv=2).set_output(transform=library)
    encoded = transformer.fit_transform(X, y)
    assert type(encoded).__module__.startswith(library)
    assert list(encoded.columns) == transformer.get_feature_names_out().tolist()


def test_rotation_keeps_distances_and_orders_by_variance(network, sales):
    X, y = sales
    plain, turned = (
        EmbeddingTransformer(network, drop_harmful=False, rotate=rotate).fit(X, y)
        for rotate in (False, True)
    )
    before, after = (t.embeddings_["Store"].to_numpy() for t in (plain, turned))
    distances = [np.linalg.norm(v[:, None] - v, axis=2) for v in (before, after)]
    np.testing.assert_allclose(*distances, atol=1e-5)
    weights = turned.category_counts_["Store"]
    spread = np.average(after**2, axis=0, weights=weights)
    assert (np.diff(spread) <= 1e-6).all()


@pytest.mark.parametrize("rotate", [False, True])
def test_vectors_are_as_far_apart_as_the_first_layer_has_them(network, sales, rotate):
    X, y = sales
    transformer = EmbeddingTransformer(
        network, drop_harmful=False, scale=True, rotate=rotate
    )
    fitted = transformer.fit(X, y)
    plain = fitted.estimator_.embeddings_
    first = fitted.estimator_.network_.head[0].weight.detach().cpu().numpy()
    start = 0
    for column in CATEGORIES:
        V = plain[column].to_numpy()
        products = V @ first[:, start : start + V.shape[1]].T
        start += V.shape[1]
        after = fitted.embeddings_[column].to_numpy()
        distances = [np.linalg.norm(v[:, None] - v, axis=2) for v in (products, after)]
        np.testing.assert_allclose(*distances, atol=1e-4)


def test_a_network_without_a_first_layer_keeps_its_vectors(network, sales):
    X, y = sales
    network.set_params(network=starts_with_norm, max_epochs=1)
    transformer = EmbeddingTransformer(
        network, drop_harmful=False, scale=True, rotate=False
    )
    fitted = transformer.fit(X, y)
    pd.testing.assert_frame_equal(
        fitted.embeddings_["Store"], fitted.estimator_.embeddings_["Store"]
    )


def test_training_rows_get_vectors_that_have_not_seen_them(sales, monkeypatch):
    monkeypatch.setattr(embedding, "SHRINKAGE", 0.0)
    X, _ = sales
    rng = np.random.default_rng(0)
    X = X.assign(noise=rng.integers(0, 500, len(X)).astype(str))[["noise", "State"]]
    y = rng.normal(size=len(X))  # nothing to learn
    network = EntityEmbeddingRegressor(max_epochs=30, random_state=0)

    def fit_score(cv):
        transformer = EmbeddingTransformer(network, cv=cv, drop_harmful=False)
        encoded = transformer.fit_transform(X, y)
        return LinearRegression().fit(encoded, y).score(encoded, y)

    assert fit_score(None) > 0.2  # the noise has been learned by heart
    assert fit_score(5) < 0.15


def test_an_empty_column_is_cross_fitted_too(network, sales):
    X, y = sales
    X = X.assign(empty=pd.Series([None] * len(X), dtype=object))
    network.set_params(categorical_features=[*CATEGORIES, "empty"], max_epochs=1)
    # Whether one epoch finds it of use is chance.
    transformer = EmbeddingTransformer(network, cv=2, drop_harmful=False)
    encoded = transformer.fit_transform(X, y)
    assert any(n.startswith("empty") for n in transformer.get_feature_names_out())
    assert np.isfinite(encoded).all()


def test_folds_are_turned_to_the_axes_of_all_rows(network, sales):
    X, y = sales
    network.set_params(max_epochs=20)
    transformer = EmbeddingTransformer(network, cv=3, random_state=0)
    crossed = pd.DataFrame(transformer.fit_transform(X, y))
    plain = pd.DataFrame(transformer.transform(X))
    names = transformer.get_feature_names_out()
    first = list(names).index("Store_0")
    assert np.corrcoef(crossed[first], plain[first])[0, 1] > 0.9
    assert not np.allclose(crossed, plain)


def test_cv_takes_splitters_and_every_row_is_filled(network, sales):
    X, y = sales
    splitter = KFold(3, shuffle=True, random_state=1)
    encoded = EmbeddingTransformer(network, cv=splitter).fit_transform(X, y)
    assert np.isfinite(encoded).all()


def test_inverse_transform_finds_the_categories(network, sales):
    X, y = sales
    transformer = EmbeddingTransformer(network, cv=None).fit(X, y)
    back = transformer.inverse_transform(transformer.transform(X))
    assert list(back) == list(X)
    for name in X:
        np.testing.assert_array_equal(back[name], X[name])
    with pytest.raises(ValueError, match="columns that transform makes"):
        transformer.inverse_transform(np.zeros((2, 3)))


@pytest.mark.usefixtures("on_cpu")
@pytest.mark.kernels
def test_same_random_state_same_vectors(sales):
    X, y = sales
    first, second = (
        EmbeddingTransformer(cv=2, random_state=0).fit_transform(X[:120], y[:120])
        for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


def test_parameters_of_the_network_can_be_searched(network, sales):
    X, y = sales
    pipeline = make_pipeline(EmbeddingTransformer(network, cv=2), LinearRegression())
    grid = {"embeddingtransformer__estimator__embedding_dim": [1, 4]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, y)
    assert search.best_score_ > 0.5


def test_classes_and_text_labels(sales):
    X, y = sales
    labels = np.where(y > y.median(), "high", "low")
    network = EntityEmbeddingClassifier(
        categorical_features=CATEGORIES, max_epochs=4, random_state=0
    )
    model = make_pipeline(
        EmbeddingTransformer(network, cv=3), StandardScaler(), LogisticRegression()
    )
    assert cross_val_score(model, X, labels, cv=3).mean() > 0.8


@pytest.mark.parametrize(
    ("options", "error", "named"),
    [
        ({"estimator": NeuralRegressor()}, ValueError, "estimator"),
        ({"estimator": FrozenEstimator(NeuralRegressor())}, TypeError, "NeuralReg"),
        ({"remainder": "keep"}, ValueError, "remainder"),
        ({"cv": 1}, ValueError, "cv"),
    ],
)
def test_bad_parameters_are_named(sales, options, error, named):
    with pytest.raises(error, match=named):
        EmbeddingTransformer(**options).fit(*sales)


def test_a_frozen_network_that_is_not_fitted_is_refused(network, sales):
    with pytest.raises(Exception, match="not fitted"):
        EmbeddingTransformer(FrozenEstimator(network)).fit(*sales)


def test_without_a_target_there_is_nothing_to_learn(sales):
    with pytest.raises(ValueError, match="requires y"):
        EmbeddingTransformer().fit(sales[0], None)
    assert not hasattr(clone(EmbeddingTransformer()), "estimator_")
