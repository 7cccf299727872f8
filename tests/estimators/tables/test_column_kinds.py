"""A column's kind is found by looking, in fit and in predict alike."""

import datetime as dt
import pickle
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from sklearn.model_selection import KFold

from skdl import (
    EmbeddingTransformer,
    EntityEmbeddingClassifier,
    EntityEmbeddingRegressor,
    NeuralRegressor,
)
from skdl.estimators.tables.target_type import (
    MOST_CLASSES,
    as_plain_target,
    resolve_target_type,
)
from tests.data.test_columns import DATES, refusal_of

RNG = np.random.default_rng(0)
N = 240
NUMBER = RNG.integers(0, 1000, N) / 8
COLOUR = RNG.choice(["red", "green", "blue"], N)
TARGET = NUMBER * 2 + (COLOUR == "red") * 30
FRAME = pd.DataFrame({"x": NUMBER, "c": COLOUR})


def regressor(**options):
    return EntityEmbeddingRegressor(**{"max_epochs": 1, "random_state": 0, **options})


def neural(**options):
    return NeuralRegressor(**{"max_epochs": 1, "random_state": 0, **options})


def objects(values):
    return pd.Series(values, dtype=object)


@pytest.fixture(scope="module")
def fitted():
    return regressor().fit(FRAME, TARGET)


@pytest.fixture(scope="module")
def plain():
    return neural().fit(FRAME[["x"]], TARGET)


# Numbers are numbers.

HOLDERS = {
    "decimals": lambda v: objects([Decimal(str(x)) for x in v]),
    "floats as objects": lambda v: objects(list(v)),
    "arrow decimals": lambda v: pd.array(
        [Decimal(str(x)) for x in v], dtype=pd.ArrowDtype(pa.decimal128(9, 3))
    ),
    "nullable": lambda v: pd.array(v, dtype="Float64"),
    "big-endian": lambda v: np.array(v, dtype=">f8"),
    "float32": lambda v: np.array(v, dtype="f4"),
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_numbers_of_any_holder_are_the_same_numbers(holder, fitted, plain):
    X = FRAME.assign(x=HOLDERS[holder](NUMBER))
    model = regressor().fit(X, TARGET)
    assert list(model.embeddings_) == ["c"]
    expected = fitted.predict(FRAME)
    np.testing.assert_allclose(model.predict(FRAME), expected, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(fitted.predict(X), expected, rtol=1e-5, atol=1e-4)
    expected = plain.predict(FRAME[["x"]])
    np.testing.assert_allclose(plain.predict(X[["x"]]), expected, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(
        neural().fit(X[["x"]], TARGET).predict(X[["x"]]), expected, rtol=1e-5, atol=1e-4
    )


def test_polars_decimals_are_numbers(fitted, plain):
    X = pl.DataFrame({"x": [Decimal(str(x)) for x in NUMBER], "c": COLOUR})
    np.testing.assert_allclose(fitted.predict(X), fitted.predict(FRAME))
    assert list(regressor().fit(X, TARGET).embeddings_) == ["c"]
    np.testing.assert_allclose(
        plain.predict(X[["x"]]), plain.predict(FRAME[["x"]]), rtol=1e-6
    )


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, pd.NaT], ids=str)
def test_what_is_missing_among_objects_is_missing(missing):
    holes = np.where(np.arange(N) % 7, NUMBER, np.nan)
    X = pd.DataFrame({"x": objects([missing if np.isnan(h) else h for h in holes])})
    for make in (regressor, neural):
        model = make().fit(pd.DataFrame({"x": holes}), TARGET)
        expected = model.predict(pd.DataFrame({"x": holes}))
        np.testing.assert_array_equal(model.predict(X), expected)
        np.testing.assert_array_equal(make().fit(X, TARGET).predict(X), expected)


# Dates are refused.


@pytest.mark.parametrize("name", DATES)
def test_dates_are_refused_by_all(name, fitted, plain):
    column = DATES[name]
    days = column.iloc[np.resize(np.arange(len(column)), N)].set_axis(range(N))
    wanted = refusal_of(name)
    for X in (FRAME.assign(day=days), FRAME[["x"]].assign(day=days)):
        with pytest.raises(ValueError, match=f"'day' {wanted}"):
            regressor(categorical_features=["day"]).fit(X, TARGET)
        with pytest.raises(ValueError, match=f"'day' {wanted}"):
            neural().fit(X.drop(columns="c", errors="ignore"), TARGET)
        with pytest.raises(ValueError, match=f"'day' {wanted}"):
            EmbeddingTransformer().fit(X, TARGET)
    for column in ("x", "c"):
        with pytest.raises(ValueError, match=f"'{column}' {wanted}"):
            fitted.predict(FRAME.assign(**{column: days}))
    with pytest.raises(ValueError, match=f"'x' {wanted}"):
        plain.predict(pd.DataFrame({"x": days}))


@pytest.mark.parametrize(
    "X",
    [
        np.array([["2020-01-01"]] * 9, dtype="M8[D]"),
        np.array([[1]] * 9, dtype="m8[s]"),
        np.array([[dt.date(2020, 1, 1)]] * 9, dtype=object),
        [[dt.date(2020, 1, 1)]] * 9,
        [[np.datetime64("2020-01-01")]] * 9,
        pl.DataFrame({"a": [dt.date(2020, 1, 1)] * 9}),
        pa.table({"a": [dt.time(1)] * 9}),
    ],
    ids=["M8", "m8", "objects", "list", "list of M8", "polars", "arrow"],
)
@pytest.mark.parametrize("make", [regressor, neural])
def test_dates_in_arrays_are_refused(X, make):
    with pytest.raises(ValueError, match="holds dates or times"):
        make().fit(X, range(9))
    model = make().fit(np.arange(9.0)[:, None], range(9))
    with pytest.raises(ValueError, match="holds dates or times"):
        model.predict(X if not hasattr(X, "columns") else np.array(X, dtype=object))


def test_complex_numbers_are_refused_when_predicting(fitted, plain):
    X = FRAME.assign(x=NUMBER + 1j)
    with pytest.raises(ValueError, match="Complex data not supported"):
        fitted.predict(X)
    with pytest.raises(ValueError, match="Complex data not supported"):
        plain.predict(X[["x"]])


# Columns that say little.


def test_text_in_a_column_that_was_empty_is_said_and_not_used():
    X = FRAME.assign(e=np.nan)
    model = regressor().fit(X, TARGET)
    expected = model.predict(X)
    with pytest.warns(UserWarning, match="'e' was all missing in fit"):
        found = model.predict(X.assign(e="text"))
    np.testing.assert_array_equal(found, expected)
    with pytest.raises(ValueError, match="'x' should hold numbers"):
        model.predict(X.assign(x="text"))


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("drop_harmful", [True, False])
def test_a_fold_that_knows_nothing_of_a_column(first, drop_harmful):
    known = (np.arange(N) < N // 5) == first
    X = FRAME.assign(
        number=objects([1.5 if k else None for k in known]),
        text=objects(["u" if k else None for k in known]),
        truth=objects([True if k else None for k in known]),
    )
    transformer = EmbeddingTransformer(
        regressor(),
        cv=KFold(5),
        drop_harmful=drop_harmful,
    ).set_output(transform="pandas")
    encoded = transformer.fit_transform(X, TARGET)
    assert np.isfinite(encoded.drop(columns="number")).to_numpy().all()
    np.testing.assert_array_equal(encoded["number"].isna(), ~known)


# Which columns are categories.


@pytest.mark.parametrize(
    ("chosen", "categorical"),
    [
        (["store"], ["store", "c", "flag"]),
        ([0], ["store", "c", "flag"]),
        (["c"], ["c", "flag"]),
        ([], ["c", "flag"]),
        ("from_dtype", ["c", "flag"]),
        ([True, False, True, False], ["store", "c"]),
        ([False, False, True, True], ["c", "flag"]),
    ],
    ids=str,
)
def test_names_add_to_what_types_say_and_a_mask_is_complete(chosen, categorical):
    X = pd.DataFrame(
        {"store": RNG.integers(0, 5, N), "x": NUMBER, "c": COLOUR, "flag": NUMBER > 9}
    )
    model = regressor(categorical_features=chosen).fit(X, TARGET)
    assert list(model.embeddings_) == categorical


@pytest.mark.parametrize("chosen", [None, [True, False]])
def test_text_that_a_mask_leaves_out_is_named(chosen):
    with pytest.raises(ValueError, match="'c' holds text .* a mask say of every"):
        regressor(categorical_features=chosen).fit(FRAME, TARGET)


# What a network cannot take gets its value or one clear message.


@pytest.mark.parametrize("make", [regressor, neural, EmbeddingTransformer])
@pytest.mark.parametrize(
    "X", [FRAME[[]], np.zeros((N, 0)), pl.DataFrame(), np.zeros((N, 0), dtype=object)]
)
def test_no_columns_are_refused(make, X):
    with pytest.raises(ValueError, match=r"0 feature\(s\)"):
        make().fit(X, TARGET)


@pytest.mark.parametrize("kind", [">f8", ">f4", ">i4", "f2", "longdouble"])
def test_arrays_of_any_byte_order_and_width_are_taken(kind):
    X = np.column_stack([RNG.integers(0, 4, N), RNG.integers(0, 9, N)])
    for make in (lambda: regressor(categorical_features=[0]), neural):
        expected = make().fit(X, TARGET).predict(X)
        found = make().fit(X.astype(kind), TARGET.astype(">f8")).predict(X)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    frame = pd.DataFrame({"k": X[:, 0].astype(kind), "z": X[:, 1].astype(kind)})
    model = regressor(categorical_features=["k"]).fit(frame, TARGET)
    assert model.categories_["k"].tolist() == [0, 1, 2, 3]


def test_integers_of_400_digits_are_categories_and_no_numbers():
    big = objects([10**400 + i % 3 for i in range(N)])
    model = regressor(categorical_features=["id"]).fit(FRAME.assign(id=big), TARGET)
    assert model.categories_["id"].tolist() == [10**400 + i for i in range(3)]
    with pytest.raises(ValueError, match="'id' holds integers that are too large"):
        regressor().fit(FRAME.assign(id=big), TARGET)
    with pytest.raises(ValueError, match="too large for float64"):
        neural().fit(pd.DataFrame({"id": big}), TARGET)
    with pytest.raises(ValueError, match="too large for float64"):
        neural().fit(np.array(big)[:, None], TARGET)


def test_lone_surrogates_are_text_like_any_other():
    names = objects([f"\ud800{i}" for i in range(N)])
    for most in (None, 8):
        model = regressor(max_categories=most).fit(FRAME.assign(c=names), TARGET)
        found = pickle.loads(pickle.dumps(model)).predict(FRAME.assign(c=names))
        assert np.isfinite(found).all()


def test_tuples_are_refused_with_advice():
    X = FRAME.assign(c=pd.Series([("a", 1)] * N))
    with pytest.raises(TypeError, match="'c' .*'tuple'.* Join what belongs together"):
        regressor().fit(X, TARGET)


def test_arrow_tables_and_tensors_are_taken(fitted, plain):
    table = pa.Table.from_pandas(FRAME)
    np.testing.assert_array_equal(fitted.predict(table), fitted.predict(FRAME))
    assert regressor().fit(table, TARGET).feature_names_in_.tolist() == ["x", "c"]
    model = neural().fit(table.select(["x"]), TARGET)
    assert model.feature_names_in_.tolist() == ["x"]
    X = np.column_stack([NUMBER, NUMBER > 50])
    with_gradient = torch.tensor(X, requires_grad=True)
    target = torch.tensor(TARGET, requires_grad=True)
    for make in (regressor, neural):
        expected = make().fit(X, TARGET).predict(X)
        found = make().fit(with_gradient, target).predict(with_gradient)
        np.testing.assert_array_equal(found, expected)
    assert np.isfinite(neural().fit(with_gradient.bfloat16(), TARGET).predict(X)).all()


@pytest.mark.parametrize("make", [regressor, neural])
def test_a_query_that_has_not_been_run_is_learned_from_and_not_predicted(make):
    query = pl.from_pandas(FRAME[["x"]]).lazy()
    model, expected = make().fit(query, TARGET), make().fit(FRAME[["x"]], TARGET)
    np.testing.assert_array_equal(*(m.predict(FRAME[["x"]]) for m in (model, expected)))
    with pytest.raises(TypeError, match="X is a LazyFrame.*predict_to_parquet"):
        model.predict(query)


def test_masked_values_are_missing_and_not_data():
    X = np.ma.masked_less(np.column_stack([NUMBER, NUMBER]), 20)
    holes = X.filled(np.nan)
    for make in (regressor, neural):
        model = make().fit(holes, TARGET)
        np.testing.assert_array_equal(model.predict(X), model.predict(holes))


# What the target is.


@pytest.mark.parametrize("rows", [60, 3_000, 12_000])
@pytest.mark.parametrize(
    ("values", "found"),
    [
        (lambda n: np.arange(n) % 30, "multiclass"),
        (lambda n: np.arange(n) * 7 % 101, "continuous"),
        (lambda n: np.arange(n) % 2 * 1.0, "binary"),
        (lambda n: np.arange(n) % 5 / 4, "continuous"),
        (lambda n: objects([Decimal(i % 5) / 4 for i in range(n)]), "continuous"),
        (lambda n: objects([i % 5 / 4 for i in range(n)]), "continuous"),
        (lambda n: objects([i % 5 for i in range(n)]), "multiclass"),
        (lambda n: np.array(list("abcde"))[np.arange(n) % 5], "multiclass"),
        (lambda n: np.arange(n) % 2 == 1, "binary"),
        (lambda n: np.arange(2 * n).reshape(n, 2) % 2, "binary"),
        (lambda n: np.arange(2 * n).reshape(n, 2) / 8, "continuous"),
    ],
)
def test_the_target_is_told_by_its_values_and_not_by_its_rows(values, found, rows):
    y = as_plain_target(np.asarray(values(rows)))
    assert resolve_target_type(y, "auto") == found


@pytest.mark.parametrize(
    ("y", "family"),
    [
        (np.arange(N) % 30, EntityEmbeddingClassifier),
        (objects([Decimal(i % 5) / 4 for i in range(N)]), EntityEmbeddingRegressor),
        (objects([i % 5 for i in range(N)]), EntityEmbeddingClassifier),
    ],
)
def test_the_default_estimator_is_chosen_by_the_target(y, family):
    transformer = EmbeddingTransformer(drop_harmful=False)
    assert type(transformer.fit(FRAME, y).estimator_) is family


def test_target_type_decides():
    y = np.arange(N) % 101
    assert y.max() > MOST_CLASSES
    for target_type, family in (
        ("multiclass", EntityEmbeddingClassifier),
        ("continuous", EntityEmbeddingRegressor),
    ):
        model = EmbeddingTransformer(target_type=target_type, drop_harmful=False)
        assert type(model.fit(FRAME, y).estimator_) is family
    with pytest.raises(ValueError, match="two values, but y holds 101"):
        EmbeddingTransformer(target_type="binary").fit(FRAME, y)
    with pytest.raises(ValueError, match="target_type"):
        EmbeddingTransformer(target_type="number").fit(FRAME, y)


def test_numbers_that_come_as_text_are_told():
    numbers = np.random.RandomState(0).randn(60).round(3)
    texts = np.array([["ab"[i % 2], number] for i, number in enumerate(numbers)])
    with pytest.warns(UserWarning, match=r"columns \[1\] hold numbers as text"):
        EntityEmbeddingRegressor(max_epochs=1).fit(texts, numbers)
    frame = pd.DataFrame(texts, columns=["letter", "number"])
    codes = [f"{i:05d}" for i in range(60)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        named = EntityEmbeddingRegressor(max_epochs=1, categorical_features=["number"])
        named.fit(frame, numbers)
        few = frame.assign(number=np.where(numbers > 0, "1.5", "2"), code=codes)
        EntityEmbeddingRegressor(max_epochs=1).fit(few, numbers)
