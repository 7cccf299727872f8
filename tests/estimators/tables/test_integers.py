"""Integers that name things have vectors without being named as categories."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.metrics import r2_score
from sklearn.model_selection import GroupKFold

from skdl import (
    EmbeddingTransformer,
    EntityEmbeddingClassifier,
    EntityEmbeddingRegressor,
    NeuralClassifier,
    NeuralRegressor,
    to_onnx,
)

N, NEW, SHOPS = 6000, 1000, 200
SMALL = {
    "hidden_layer_sizes": (16,),
    "max_epochs": 8,
    "validation": 4,
    "random_state": 0,
    "device": "cpu",
}
FAMILIES = [NeuralRegressor, EntityEmbeddingRegressor]


def drawn(n=N + NEW):
    """Return rows of which the shop tells most, and targets."""
    rng = np.random.RandomState(0)
    levels = np.random.RandomState(7).randn(SHOPS)
    X = pd.DataFrame({"size": rng.randn(n), "shop": rng.randint(SHOPS, size=n)})
    X["age"] = rng.randint(18, 90, size=n)
    y = X["size"] + 2 * levels[X["shop"]] + np.sin(X["age"] / 9)
    return X, (y + 0.3 * rng.randn(n)).to_numpy()


X, Y = drawn()
TRAIN, TEST = X[:N], X[N:]


@pytest.fixture(scope="module", params=FAMILIES)
def model(request):
    return request.param(**SMALL).fit(TRAIN, Y[:N])


def test_each_thing_is_known_for_itself(model):
    assert r2_score(Y[N:], model.predict(TEST)) > 0.9
    assert model.oof_score_ > 0.9
    without = clone(model).set_params(numeric_embedding="piecewise")
    smooth = without.fit(TRAIN, Y[:N])
    assert "shop" in smooth.corrections_["columns"][0]  # which is what helps there
    assert len(model.corrections_) == 0


def test_they_are_told(model):
    order = np.argsort(model.feature_importances_)
    assert [X.columns[j] for j in order][-1] == "shop"
    if isinstance(model, EntityEmbeddingRegressor):
        told = model.columns_
        assert told["categories"].to_dict() == {"size": 0, "shop": SHOPS, "age": 0}
        assert told["kind"].unique().tolist() == ["number"]
        assert told["entries"]["shop"] > told["entries"]["age"]


def test_a_thing_never_seen_is_none_of_them(model):
    row = pd.DataFrame({"size": [0.0] * 3, "shop": [5000, -7, SHOPS], "age": [40] * 3})
    predicted = model.predict(row)
    every = model.predict(row.iloc[[0] * SHOPS].assign(shop=np.arange(SHOPS)))
    assert np.all(np.abs(predicted - every.mean()) < 2 * every.std())


@pytest.mark.parametrize("kind", [np.int16, np.float32, "Int64", np.uint64])
def test_they_are_the_same_in_any_type(model, kind):
    found = model.predict(TEST.astype({"shop": kind}))
    np.testing.assert_allclose(found, model.predict(TEST), rtol=1e-5, atol=1e-5)


def test_rows_one_by_one_are_the_rows_of_all(model):
    alone = [model.predict(TEST[i : i + 1])[0] for i in range(5)]
    np.testing.assert_allclose(alone, model.predict(TEST[:5]), rtol=1e-4, atol=1e-5)


def test_a_model_that_was_put_away_predicts_the_same(model):
    found = pickle.loads(pickle.dumps(model)).predict(TEST)
    np.testing.assert_array_equal(found, model.predict(TEST))


def test_missing_ones_are_learned_if_there_were_any():
    holes = X.astype({"shop": float})
    holes.loc[X.index % 5 == 0, "shop"] = np.nan
    y = np.where(X.index % 5 == 0, X["size"] + 4, Y)
    model = NeuralRegressor(**SMALL).fit(holes[:N], y[:N])
    is_missing = holes[N:]["shop"].isna()
    assert r2_score(y[N:][is_missing], model.predict(holes[N:][is_missing])) > 0.8


def test_classes_are_told_by_them():
    labels = np.digitize(Y, [-2, 2])
    for family in (NeuralClassifier, EntityEmbeddingClassifier):
        model = family(**SMALL).fit(TRAIN, labels[:N])
        assert model.score(TEST, labels[N:]) > 0.8


def test_they_stand_beside_categories_and_new_ones_of_these_are_learned():
    kinds = np.random.RandomState(1).choice(list("abc"), N + NEW)
    both, y = X.assign(kind=kinds), Y + 3 * (kinds == "a")
    model = EntityEmbeddingRegressor(**SMALL).fit(both[:N], y[:N])
    assert model.columns_["categories"].tolist() == [0, SHOPS, 0, 3]
    assert model.transform(both[:5]).shape[1] == 3 + model.columns_["entries"]["kind"]
    assert set(model.embeddings_) == {"kind"}
    before = model.predict(both[N:])
    later = both[:200].assign(kind=["d", "e"] * 100)
    model.partial_fit(later, y[:200])
    assert r2_score(before, model.predict(both[N:])) > 0.95
    assert r2_score(y[N:], model.predict(both[N:])) > 0.9


def test_columns_that_do_harm_are_found_beside_them():
    names = np.random.RandomState(1).randint(2000, size=N).astype(str)
    both = TRAIN.assign(name=[f"id {name}" for name in names])
    settings = {**SMALL, "max_epochs": 30, "embedding_dropout": 0.0}
    model = EntityEmbeddingRegressor(**settings).fit(both, Y[:N])
    assert model.harmful_features_ in ([], ["name"])
    assert model.columns_["categories"]["shop"] == SHOPS
    worth = dict(zip(both.columns, model.feature_importances_, strict=True))
    assert max(worth, key=worth.get) == "shop"


def test_what_tells_nothing_of_other_groups_has_none():
    rng = np.random.RandomState(0)
    person = rng.randint(300, size=N)
    both = TRAIN.assign(income=rng.randint(SHOPS, size=300)[person])
    y = Y[:N] + rng.randn(300)[person]
    settings = {**SMALL, "validation": GroupKFold(4)}
    model = EntityEmbeddingRegressor(**settings).fit(both, y, groups=person)
    assert model.columns_["categories"].tolist() == [0, SHOPS, 0, 0]
    of_shops = clone(model).fit(both, y, groups=TRAIN["shop"])
    assert of_shops.columns_["categories"]["shop"] == 0


def test_the_last_rows_say_whether_things_stay_what_they_are():
    model = EntityEmbeddingRegressor(**{**SMALL, "validation": "last"})
    assert model.fit(TRAIN, Y[:N]).columns_["categories"]["shop"] == SHOPS
    others = np.where(np.arange(N) < 0.8 * N, TRAIN["shop"], TRAIN["shop"] + SHOPS)
    model.fit(TRAIN.assign(shop=others), Y[:N])
    assert model.columns_["categories"]["shop"] == 0


def test_rows_that_are_given_to_validate_with_leave_them_as_they_are():
    settings = {**SMALL, "validation": "auto", "max_epochs": None}
    given = {"X_val": TEST, "y_val": Y[N:]}
    model = EntityEmbeddingRegressor(**settings).fit(TRAIN, Y[:N], **given)
    assert model.columns_["categories"]["shop"] == SHOPS


def test_packs_of_several_settings_have_them():
    settings = {**SMALL, "n_estimators": 8, "diversity": "settings"}
    model = EntityEmbeddingRegressor(**settings).fit(TRAIN, Y[:N])
    assert r2_score(Y[N:], model.predict(TEST)) > 0.85


@pytest.mark.parametrize(
    "settings",
    [{"numeric_embedding": None}, {"numeric_embedding": "cosine"}],
    ids=["none", "cosine"],
)
def test_numbers_that_are_asked_for_otherwise_have_none(settings):
    model = EntityEmbeddingRegressor(**{**SMALL, **settings}).fit(TRAIN, Y[:N])
    assert (model.columns_["categories"] == 0).all()


def test_a_transformer_has_none():
    kinds = np.random.RandomState(1).choice(list("abc"), N)
    transformer = EmbeddingTransformer(random_state=0).fit(
        TRAIN.assign(kind=kinds)[:2000], Y[:2000]
    )
    assert set(transformer.embeddings_) == {"kind"}


def test_rows_read_piece_by_piece_have_the_same():
    parts = [TRAIN[:2500], TRAIN[2500:]]
    settings = {**SMALL, "validation": 4}
    model = EntityEmbeddingRegressor(**settings).fit(parts, Y[:N])
    assert model.columns_["categories"]["shop"] == SHOPS
    assert r2_score(Y[N:], model.predict(TEST)) > 0.85


@pytest.mark.parametrize("family", FAMILIES)
def test_they_go_to_onnx(family, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    kinds = np.random.RandomState(1).choice(list("abc"), N + NEW)
    both = X.assign(kind=kinds) if family is EntityEmbeddingRegressor else X
    model = family(**SMALL).fit(both[:N], Y[:N])
    strange = both[N:].astype({"shop": float})
    strange.iloc[:3, 1] = [np.nan, 5000.0, 3.7]
    path = tmp_path / "model.onnx"
    to_onnx(model, strange, path)
    session = onnxruntime.InferenceSession(str(path))
    given = {
        name: strange[[name]].to_numpy(str if name == "kind" else float)
        for name in strange.columns
    }
    (found,) = session.run(None, given)
    np.testing.assert_allclose(found.ravel(), model.predict(strange), rtol=1e-4)
