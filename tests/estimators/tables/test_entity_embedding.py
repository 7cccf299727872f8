"""EntityEmbedding estimators: frames in, vectors out, categories old and new."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score

from skdl import EntityEmbeddingClassifier, EntityEmbeddingRegressor, lr_find
from skdl.datasets import make_store_sales
from skdl.estimators.tables import embedding

CATEGORIES = ["Store", "DayOfWeek", "State"]


@pytest.fixture(scope="module")
def sales():
    X, y = make_store_sales(2000, n_stores=20, random_state=0, return_X_y=True)
    return X, np.log(y)


@pytest.fixture
def model():
    return EntityEmbeddingRegressor(
        categorical_features=CATEGORIES, max_epochs=8, random_state=0
    )


@pytest.fixture(scope="module")
def fitted(sales):
    return EntityEmbeddingRegressor(
        categorical_features=CATEGORIES, max_epochs=8, random_state=0
    ).fit(*sales)


def mixed_frame(n=400, seed=0):
    """Return a frame with every kind of column, and a target that depends on them."""
    rng = np.random.default_rng(seed)
    color = rng.choice(["red", "green", "blue"], n)
    size = rng.integers(0, 4, n)
    X = pd.DataFrame(
        {
            "text": color,
            "object": pd.Series(color, dtype=object),
            "category": pd.Categorical(color, categories=["blue", "green", "red"]),
            "arrow": pd.array(color, dtype="string[pyarrow]"),
            "flag": color == "red",
            "integer": size,
            "nullable": pd.array(size, dtype="Int64"),
            "float": rng.normal(size=n),
            "float32": rng.normal(size=n).astype(np.float32),
        }
    )
    return X, ((color == "red") ^ (size > 1)).astype(int)


# What comes in.


def test_a_frame_goes_in_as_it_is():
    X, y = mixed_frame()
    model = EntityEmbeddingClassifier(max_epochs=15, random_state=0).fit(X, y)
    assert list(model.embeddings_) == ["text", "object", "category", "arrow", "flag"]
    assert model.score(X, y) > 0.95
    assert model.feature_names_in_.tolist() == list(X)


@pytest.mark.kernels
def test_polars_frames_and_pandas_frames_are_the_same():
    polars = pytest.importorskip("polars")
    X, y = mixed_frame()
    X = X[["text", "flag", "integer", "float"]]
    native = polars.DataFrame({name: X[name].tolist() for name in X})
    model = EntityEmbeddingClassifier(max_epochs=3, random_state=0)
    ours = clone(model).fit(X, y).predict_proba(X)
    theirs = clone(model).fit(native, y)
    np.testing.assert_array_equal(theirs.predict_proba(native), ours)
    np.testing.assert_array_equal(theirs.predict_proba(X), ours)


@pytest.mark.parametrize(
    "chosen",
    [["a", "b"], [0, 1], [True, True, False], np.array([0, 1]), [-3, -2]],
    ids=str,
)
def test_categorical_features_by_name_number_or_mask(chosen):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.integers(0, 3, (100, 3)), columns=["a", "b", "c"])
    model = EntityEmbeddingRegressor(categorical_features=chosen, max_epochs=1)
    assert list(model.fit(X, X["a"] * 1.0).embeddings_) == ["a", "b"]


def test_arrays_have_numbered_columns():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 5, (200, 3)).astype(float)
    y = (X[:, 1] == 2) * 3.0 + X[:, 2]
    model = EntityEmbeddingRegressor(
        categorical_features=[1], max_epochs=20, random_state=0
    )
    assert model.fit(X, y).score(X, y) > 0.9
    assert list(model.embeddings_) == [1]
    assert model.get_feature_names_out().tolist()[:2] == ["x0", "x1_0"]


def test_arrays_of_objects_hold_text_and_numbers():
    X = np.array([["a", 1.5], ["b", 2.5], ["a", 0.5], ["b", 1.0]] * 20, dtype=object)
    y = (X[:, 0] == "b").astype(int)
    model = EntityEmbeddingClassifier(max_epochs=10, random_state=0).fit(X, y)
    assert list(model.embeddings_) == [0]
    assert model.score(X, y) == 1


def test_no_categorical_column_is_fine():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    model = EntityEmbeddingRegressor(max_epochs=2, random_state=0).fit(X, X[:, 0])
    assert model.embeddings_ == {}
    np.testing.assert_allclose(model.transform(X), X)


# What is learned.


def test_categories_matter_as_much_as_they_do(model, sales):
    X, y = sales
    with_stores = cross_val_score(model, X, y, cv=3).mean()
    numbers = clone(model).set_params(categorical_features=None)
    without = cross_val_score(numbers, X.drop(columns="State"), y, cv=3).mean()
    assert with_stores > without + 0.1


def test_embeddings_are_tables_by_category(fitted, sales):
    X, _ = sales
    table = fitted.embeddings_["State"]
    assert table.index.tolist() == sorted(X["State"].unique())
    assert fitted.categories_["Store"].tolist() == sorted(X["Store"].unique())
    assert fitted.category_counts_["State"].sum() == len(X)
    assert table.shape[1] == round(1.6 * len(table) ** 0.56)


def test_transform_puts_vectors_in_place_of_categories(fitted, sales):
    X, _ = sales
    names = fitted.get_feature_names_out()
    encoded = pd.DataFrame(fitted.transform(X), columns=names)
    np.testing.assert_allclose(encoded["Promo"], X["Promo"])
    row = X.iloc[7]
    vector = encoded.iloc[7][[n for n in names if n.startswith("State_")]]
    np.testing.assert_allclose(vector, fitted.embeddings_["State"].loc[row["State"]])
    assert names[0] == "Store_0"
    assert encoded.shape[1] == len(names)


def test_nearest_gives_neighbours_with_distances(fitted):
    table = fitted.embeddings_["Store"]
    neighbours = fitted.nearest("Store", 3, k=4)
    assert len(neighbours) == 4
    assert 3 not in neighbours.index
    assert neighbours.is_monotonic_increasing
    distance = np.linalg.norm(table.loc[neighbours.index[0]] - table.loc[3])
    assert neighbours.iloc[0] == pytest.approx(distance, rel=1e-5)
    others = np.linalg.norm(table - table.loc[3], axis=1)
    assert neighbours.iloc[0] == pytest.approx(np.sort(others)[1], rel=1e-5)
    with pytest.raises(ValueError, match="999 is not a category of 'Store'"):
        fitted.nearest("Store", 999)
    with pytest.raises(ValueError, match="'Promo' is not a categorical column"):
        fitted.nearest("Promo", 1)


@pytest.mark.parametrize(
    ("embedding_dim", "dims"),
    [
        (3, [3, 3, 3]),
        ({"Store": 2}, [2, 5, 6]),
        (lambda n: min(n, 7), [7, 7, 7]),
        ("auto", [9, 5, 6]),
    ],
    ids=["int", "dict", "callable", "auto"],
)
def test_embedding_dim(model, sales, embedding_dim, dims):
    model.set_params(embedding_dim=embedding_dim, max_epochs=1).fit(*sales)
    assert [t.shape[1] for t in model.embeddings_.values()] == dims


def test_vectors_of_rare_categories_are_short(model, sales):
    X, y = sales
    identifier = np.arange(len(X)) // 2  # two rows each
    model.set_params(categorical_features=["id", "State"], max_epochs=1)
    model.fit(X.assign(id=identifier), y)
    assert model.embeddings_["id"].shape == (1000, 2)
    assert model.embeddings_["State"].shape[1] == 6


def test_shared_columns_have_the_same_vectors():
    rng = np.random.default_rng(0)
    teams = np.array(["A", "B", "C", "D", "E"])
    home, away = rng.integers(0, 5, (2, 600))
    X = pd.DataFrame({"home": teams[home], "away": teams[away]})
    y = home - away + rng.normal(0, 0.1, 600)
    model = EntityEmbeddingRegressor(
        shared_embeddings=[("home", "away")], random_state=0
    ).fit(X, y)
    tables = model.embeddings_
    pd.testing.assert_frame_equal(tables["home"], tables["away"])
    assert model.score(X, y) > 0.95
    assert model.category_counts_["home"].sum() == 1200
    apart = EntityEmbeddingRegressor(random_state=0).fit(X, y).embeddings_
    assert not np.allclose(apart["home"], apart["away"])


def test_rare_categories_are_drawn_to_the_mean(sales, monkeypatch):
    X, y = sales
    X = X.assign(Store=np.where(np.arange(len(X)) == 5, 999, X["Store"]))
    options = {"categorical_features": CATEGORIES, "max_epochs": 5, "random_state": 0}
    strong = EntityEmbeddingRegressor(**options).fit(X, y)
    monkeypatch.setattr(embedding, "SHRINKAGE", 0.0)
    plain = EntityEmbeddingRegressor(**options).fit(X, y)
    counts = plain.category_counts_["Store"]
    before, after = (m.embeddings_["Store"] for m in (plain, strong))
    mean = np.average(before, axis=0, weights=counts)
    np.testing.assert_allclose(
        after.loc[999], mean + 0.5 * (before.loc[999] - mean), rtol=1e-4, atol=1e-6
    )
    share = (after.loc[1] - mean) / (before.loc[1] - mean)
    np.testing.assert_allclose(share, counts[1] / (counts[1] + 1), rtol=1e-3)


def test_several_networks_predict_their_mean_and_do_better(model, sales):
    X, y = sales
    one = cross_val_score(clone(model).set_params(max_epochs=4), X, y, cv=3).mean()
    many = clone(model).set_params(max_epochs=4, n_estimators=5)
    assert cross_val_score(many, X, y, cv=3).mean() > one
    assert len(many.fit(X, y).network_.members) == 5
    assert many.embeddings_["Store"].shape == (20, 9)


# Categories that are not there, or new.


def test_unknown_and_missing_categories_get_trained_vectors(model, sales, monkeypatch):
    monkeypatch.setattr(embedding, "UNKNOWN_RATE", 0.1)
    X, y = sales
    X = X.assign(State=X["State"].where(np.arange(len(X)) % 10 > 0))
    model.fit(X, y)
    rows = X.head(3).copy()
    rows["State"] = ["nowhere", None, X["State"].dropna().iloc[0]]
    rows["Store"] = [12345, 1, 1]
    assert np.isfinite(model.predict(rows)).all()
    columns = [n.startswith("State_") for n in model.get_feature_names_out()]
    unknown, missing, known = model.transform(rows)[:, columns]
    assert np.abs(unknown - missing).max() > 1e-3
    assert np.abs(unknown - known).max() > 1e-3
    fresh = EntityEmbeddingRegressor(
        categorical_features=CATEGORIES, random_state=0, lr=1e-9
    ).fit(X, y)
    # The unknown vector has moved from where it began.
    assert np.abs(unknown - fresh.transform(rows)[0, columns]).max() > 1e-3


def test_unknown_categories_are_counted_when_asked(model, sales):
    X, y = sales
    model.set_params(handle_unknown="warn", max_epochs=1).fit(X, y)
    model.predict(X)
    strange = X.head(10).assign(State="nowhere", Store=[77, 78, *X["Store"][2:10]])
    with pytest.warns(UserWarning, match="in 10 rows, by column: 'Store': 2, 'State'"):
        model.predict(strange)
    model.partial_fit(strange, y[:10])
    model.predict(strange)


def test_missing_that_was_never_missing_is_unknown(fitted, sales):
    X, _ = sales
    missing, unknown = X.head(5).copy(), X.head(5).copy()
    missing["State"] = None
    unknown["State"] = "nowhere"
    expected = fitted.predict(missing)
    with pytest.warns(UserWarning, match="'State' most categories are unknown: 5 of 5"):
        np.testing.assert_array_equal(fitted.predict(unknown), expected)


def test_text_that_comes_as_integers_is_the_same_category(sales):
    X, y = sales
    as_text = X.astype({"Store": str, "DayOfWeek": str})
    model = EntityEmbeddingRegressor(max_epochs=2, random_state=0).fit(as_text, y)
    expected = model.predict(as_text)
    for kind in (int, float, "category", "Int64"):
        other = as_text.assign(Store=X["Store"].astype(kind))
        np.testing.assert_array_equal(model.predict(other), expected)


@pytest.mark.usefixtures("on_cpu")
def test_a_category_dtype_with_other_levels_is_understood(sales):
    X, y = sales
    X = X.assign(State=X["State"].astype("category"))
    model = EntityEmbeddingRegressor(max_epochs=2, random_state=0).fit(X, y)
    expected = model.predict(X)
    levels = ["XX", *reversed(X["State"].cat.categories)]
    other = X.assign(State=pd.Categorical(X["State"].astype(str), categories=levels))
    np.testing.assert_array_equal(model.predict(other), expected)
    few = X.head(3)
    few = few.assign(State=few["State"].cat.remove_unused_categories())
    np.testing.assert_array_equal(model.predict(few), expected[:3])


def test_levels_without_rows_are_unknown(sales):
    X, y = sales
    levels = [*X["State"].unique(), "empty"]
    X = X.assign(State=pd.Categorical(X["State"], categories=levels))
    model = EntityEmbeddingRegressor(max_epochs=1, random_state=0).fit(X, y)
    assert "empty" not in model.embeddings_["State"].index
    assert np.isfinite(model.predict(X.head(1).assign(State="empty"))).all()


@pytest.mark.parametrize("way", ["partial_fit", "warm_start"])
def test_new_categories_start_from_the_mean_and_old_ones_stay(
    model, sales, way, monkeypatch
):
    monkeypatch.setattr(embedding, "SHRINKAGE", 0.0)
    X, y = sales
    old = X["Store"] <= 15
    model.set_params(lr=1e-12, weight_decay=0.0)
    model.fit(X[old], y[old])
    before = model.embeddings_["Store"]
    state = model.embeddings_["State"]
    if way == "partial_fit":
        model.partial_fit(X, y)
    else:
        model.set_params(warm_start=True).fit(X, y)
    after = model.embeddings_["Store"]
    assert after.index.tolist() == list(range(1, 21))
    np.testing.assert_allclose(after.loc[:15], before, atol=1e-6)
    np.testing.assert_allclose(after.loc[18], before.mean(), atol=1e-6)
    kept = model.embeddings_["State"].loc[state.index]
    np.testing.assert_allclose(kept, state, atol=1e-6)
    model.set_params(lr=1e-2, warm_start=True).fit(X, y)
    assert np.abs(model.embeddings_["Store"].loc[18] - before.mean()).max() > 1e-3


def test_categories_are_drawn_to_the_mean_once(model, sales, monkeypatch):
    monkeypatch.setattr(embedding, "SHRINKAGE", 5.0)
    X, y = sales
    model.set_params(lr=1e-12, weight_decay=0.0).fit(X, y)
    before = model.embeddings_["Store"]
    model.partial_fit(X, y).partial_fit(X, y)
    np.testing.assert_allclose(model.embeddings_["Store"], before, atol=1e-6)


def test_a_million_categories_fit_into_bounded_memory():
    rng = np.random.default_rng(0)
    n = 300_000
    X = pd.DataFrame({"id": rng.integers(0, 10**9, n), "x": rng.normal(size=n)})
    X.loc[: n // 2, "id"] = rng.integers(0, 5, n // 2 + 1)
    model = EntityEmbeddingRegressor(
        categorical_features=["id"],
        embedding_dim=2,
        max_categories=1000,
        max_epochs=1,
        batch_size=8192,
        random_state=0,
    ).fit(X, X["x"])
    assert model.network_.embedding.table.weight.shape == (1002, 2)
    assert len(pickle.dumps(model)) < 1_000_000
    assert set(range(5)) <= set(model.categories_["id"])
    other = X.head(10).assign(id=np.arange(10) + 10**10)
    assert np.isfinite(model.predict(other)).all()


def test_a_column_of_one_level_or_all_missing_is_harmless(sales):
    X, y = sales
    X = X.assign(one="same", nothing=None, nan=np.nan)
    model = EntityEmbeddingRegressor(max_epochs=2, random_state=0).fit(X, y)
    assert np.isfinite(model.predict(X)).all()
    assert model.embeddings_["one"].shape[0] == 1
    assert np.isfinite(model.transform(X[:5])[:, :4]).all()


# Fitting into scikit-learn.


def test_grid_search_pickle_and_the_same_bits(model, sales):
    X, y = sales
    model.set_params(max_epochs=2)
    search = GridSearchCV(model, {"embedding_dim": [2, "auto"]}, cv=2, n_jobs=2)
    search.fit(X, y)
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    np.testing.assert_array_equal(again.predict(X), search.predict(X))
    np.testing.assert_array_equal(
        clone(search.best_estimator_).fit(X, y).predict(X), search.predict(X)
    )


def test_set_output_gives_frames(fitted, sales):
    X, _ = sales
    model = pickle.loads(pickle.dumps(fitted)).set_output(transform="pandas")
    frame = model.transform(X)
    assert list(frame) == model.get_feature_names_out().tolist()
    assert (frame.index == X.index).all()
    polars = pytest.importorskip("polars")
    frame = model.set_output(transform="polars").transform(X)
    assert isinstance(frame, polars.DataFrame)


def test_lr_find_and_early_stopping_work(model, sales):
    assert 1e-4 < lr_find(model, *sales).suggestion < 1
    model.set_params(early_stopping=True, max_epochs=3).fit(*sales)
    assert "validation_loss" in model.history_


# Bad input.


@pytest.mark.parametrize(
    ("change", "error", "named"),
    [
        (lambda X: X.drop(columns="State"), ValueError, "State"),
        (lambda X: X.assign(Promo="yes"), ValueError, "'Promo' should hold numbers"),
        (lambda X: X.assign(Promo=np.inf), ValueError, "infinity.*Promo"),
        (lambda X: X.iloc[:0], ValueError, "0 sample"),
    ],
)
def test_columns_that_do_not_fit_are_named_at_predict(
    fitted, sales, change, error, named
):
    X, _ = sales
    with pytest.raises(error, match=named):
        fitted.predict(change(X))


@pytest.mark.parametrize(
    ("change", "options", "named"),
    [
        (lambda X: X.assign(day=pd.Timestamp("2020-01-01")), {}, r"dates.*\.dt\."),
        (lambda X: pd.concat([X, X[["Day"]]], axis=1), {}, "twice there: .*Day"),
        (lambda X: X, {"categorical_features": ["Shop"]}, "'Shop', which is not"),
        (lambda X: X, {"categorical_features": "Store"}, "For one column write"),
        (lambda X: X, {"categorical_features": [True]}, "mask of 1 columns"),
        (lambda X: X, {"categorical_features": [99]}, "99, which is not a column"),
        (lambda X: X, {"categorical_features": None}, "text .* but is not among"),
        (lambda X: X, {"embedding_dim": {"Shop": 2}}, "embedding_dim names"),
        (lambda X: X, {"embedding_dim": lambda n: 0}, "must be at least 1"),
        (
            lambda X: X,
            {"embedding_dim": {"Store": 2.7}},
            "'Store' must be .* integer, got 2.7",
        ),
        (lambda X: X, {"embedding_dim": lambda n: n / 2}, "integer, got"),
        (lambda X: X, {"embedding_dim": 0}, "embedding_dim"),
        (lambda X: X, {"embedding_dropout": 1.0}, "embedding_dropout"),
        (lambda X: X, {"shared_embeddings": [("Store", "Shop")]}, "Shop"),
        (lambda X: X, {"max_categories": 1}, "max_categories"),
    ],
)
def test_what_cannot_be_fitted_says_why(model, sales, change, options, named):
    X, y = sales
    with pytest.raises(ValueError, match=named):
        model.set_params(**options).fit(change(X), y)
    assert not hasattr(model, "network_")
    assert not hasattr(model, "n_features_in_")


def test_values_that_cannot_be_compared_are_refused(sales):
    X, y = sales
    X = X.assign(State=[[1]] * len(X))
    with pytest.raises(TypeError, match="'State' holds values that cannot be compared"):
        EntityEmbeddingRegressor().fit(X, y)
