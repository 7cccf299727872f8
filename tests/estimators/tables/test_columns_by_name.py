"""Columns are matched by name on every path into a fitted network."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import RepeatedKFold, TimeSeriesSplit

from skdl import EmbeddingTransformer, EntityEmbeddingRegressor, NeuralRegressor

RNG = np.random.default_rng(0)
N = 200
X = pd.DataFrame(
    {
        "city": RNG.choice(list("abcd"), N),
        "k": RNG.integers(0, 4, N),
        "z": RNG.normal(size=N),
    }
)
Y = X["k"] * 2.0 + X["z"]


@pytest.fixture(scope="module")
def network():
    return EntityEmbeddingRegressor(
        categorical_features=["k"], max_epochs=2, random_state=0
    ).fit(X, Y)


@pytest.fixture
def frozen(network):
    return EmbeddingTransformer(FrozenEstimator(network))


# A network in a transformer.


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (X[["z", "k", "city"]], "same order"),
        (X[["city", "k"]], "now missing:\n- z"),
        (X.rename(columns={"k": "q"}), "unseen at fit time:\n- q"),
        (X.assign(more=1), "unseen at fit time:\n- more"),
        (pl.from_pandas(X[["z", "k", "city"]]), "same order"),
        (X.to_numpy(dtype=object)[:, :2], "X has 2 features"),
    ],
    ids=["order", "fewer", "renamed", "more", "polars", "array"],
)
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_a_frozen_network_wants_the_columns_of_its_fit(frozen, other, message):
    for method in (frozen.fit, frozen.fit_transform):
        with pytest.raises(ValueError, match=message):
            method(other, Y)
    frozen.fit(X, Y)
    with pytest.raises(ValueError, match=message):
        frozen.transform(other)


def test_a_frozen_network_gives_its_vectors(frozen, network):
    encoded = frozen.set_params(rotate=False).fit_transform(X, Y)
    np.testing.assert_allclose(encoded, network.transform(X), rtol=1e-6)
    assert len(np.unique(encoded.round(6), axis=0)) == N


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_a_frame_fitted_and_an_array_transformed(frozen):
    noise = X.assign(noise=[f"{i}" for i in range(N)])
    for transformer, frame in (
        (frozen, X),
        (EmbeddingTransformer(random_state=0), noise),
    ):
        transformer.fit(frame, Y)
        encoded = transformer.transform(frame.to_numpy(dtype=object))
        np.testing.assert_allclose(encoded, transformer.transform(frame))


def test_unknown_categories_are_counted_in_a_transformer_too(network):
    warning = EntityEmbeddingRegressor(
        categorical_features=["k"], max_epochs=1, handle_unknown="warn"
    ).fit(X, Y)
    other = X.assign(k=np.where(np.arange(N) < 7, 99, X["k"]))
    for estimator in (warning, FrozenEstimator(warning)):
        transformer = EmbeddingTransformer(estimator, drop_harmful=False).fit(X, Y)
        with pytest.warns(UserWarning, match="in 200 rows, by column: 'k': 7"):
            transformer.transform(other)
    with pytest.warns(UserWarning, match="in 200 rows, by column: 'k': 7"):
        EmbeddingTransformer(FrozenEstimator(warning)).fit_transform(other, Y)
    silent = EmbeddingTransformer(FrozenEstimator(network)).fit(X, Y)
    with pytest.warns(UserWarning, match="'city' most categories are unknown: 200 of"):
        silent.transform(X.assign(city=X["city"].str.upper()))


# Names that are no text.


@pytest.mark.parametrize(
    "names",
    [[30, 20, 10], [0, 1, 2], [("a", 1), ("a", 2), ("b", 1)]],
    ids=["numbers", "positions", "tuples"],
)
def test_names_of_any_kind_are_compared(names):
    frame = X.copy()
    frame.columns = pd.Index(names)
    model = EntityEmbeddingRegressor(max_epochs=1, random_state=0).fit(frame, Y)
    dense = NeuralRegressor(max_epochs=1, random_state=0)
    dense.fit(frame.iloc[:, 1:].astype(float), Y)
    transformer = EmbeddingTransformer(FrozenEstimator(model)).fit(frame, Y)
    backwards = frame.iloc[:, ::-1]
    for call in (
        lambda: model.predict(backwards),
        lambda: model.partial_fit(backwards, Y),
        lambda: dense.predict(backwards.iloc[:, :2].astype(float)),
        lambda: transformer.transform(backwards),
        lambda: EmbeddingTransformer(FrozenEstimator(model)).fit(backwards, Y),
    ):
        with pytest.raises(ValueError, match="same order.*the same ones in another"):
            call()
    other = frame.copy()
    other.columns = pd.Index([7, 8, 9])
    with pytest.raises(ValueError, match=r"gets \[7, 8, 9\]"):
        model.predict(other)
    expected = model.predict(frame)
    np.testing.assert_array_equal(model.predict(frame.to_numpy()), expected)
    assert dense.predict(frame.iloc[:, 1:].astype(float)).shape == (N,)


# What comes out.


def test_names_of_vectors_are_unique():
    frame = X.rename(columns={"k": "city_0", "z": "city__1"})
    model = EntityEmbeddingRegressor(max_epochs=1).fit(frame, Y)
    names = model.get_feature_names_out().tolist()
    assert len(set(names)) == len(names)
    assert {"city_0", "city__1", "city___0"} <= set(names)
    transformer = EmbeddingTransformer(FrozenEstimator(model))
    for library in ("pandas", "polars"):
        encoded = transformer.set_output(transform=library).fit_transform(frame, Y)
        assert list(encoded.columns) == names
        np.testing.assert_array_equal(encoded["city_0"], frame["city_0"])
    dropped = EmbeddingTransformer(FrozenEstimator(model), remainder="drop")
    assert "city_0" in dropped.fit(frame, Y).get_feature_names_out()


def test_groups_that_share_a_column_are_one():
    teams = pd.DataFrame(RNG.choice(list("abc"), (N, 4)), columns=list("HANX"))
    for groups in (
        [("H", "A"), ("A", "N")],
        [("A", "H"), ("N", "A")],
        [("H", "A"), ("N", "X"), ("A", "N")],
    ):
        model = EntityEmbeddingRegressor(
            max_epochs=1, shared_embeddings=groups, random_state=0
        ).fit(teams, Y)
        tied = sorted({name for group in groups for name in group})
        for name in tied:
            pd.testing.assert_frame_equal(
                model.embeddings_[name], model.embeddings_[tied[0]]
            )
        assert model.category_counts_["H"].sum() == N * len(tied)
        apart = set(teams) - set(tied)
        assert all(
            not np.allclose(model.embeddings_[n], model.embeddings_["H"]) for n in apart
        )


@pytest.mark.filterwarnings("ignore:EmbeddingTransformer drops:UserWarning")
@pytest.mark.parametrize(
    ("cv", "message"),
    [
        (TimeSeriesSplit(3), "50 of 200 rows are never held out"),
        (RepeatedKFold(n_splits=2, n_repeats=2), "200 several times"),
        ([(np.arange(100), np.arange(100, 200))], "100 of 200 rows are never"),
    ],
)
def test_folds_that_are_no_partition_are_refused(cv, message):
    network = EntityEmbeddingRegressor(max_epochs=1)
    transformer = EmbeddingTransformer(network, cv=cv)
    with pytest.raises(ValueError, match=message):
        transformer.fit_transform(X, Y)
    assert not hasattr(transformer, "estimator_")
    assert np.isfinite(transformer.fit(X, Y).transform(X)).all()  # they judge columns
