"""A category is itself, whatever holds it; what is not known is said once."""

import pickle
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from skdl import EntityEmbeddingRegressor

GROUP = np.random.default_rng(0).integers(0, 4, 200)
TARGET = np.array([0.0, 3.0, -2.0, 5.0])[GROUP]


def fit(column, **options):
    X = pd.DataFrame({"c": column})
    options = {"max_epochs": 3, "random_state": 0, **options}
    return EntityEmbeddingRegressor(categorical_features=["c"], **options).fit(
        X, TARGET
    )


def taken(values):
    """Return one of four values for each row."""
    return [values[g] for g in GROUP]


def objects(values):
    return pd.Series(values, dtype=object)


IDS = [2**60 + i for i in range(4)]
HOLES = [None if i == 5 else v for i, v in enumerate(taken(IDS))]


@pytest.fixture(scope="module")
def by_id():
    return fit(taken(IDS), max_epochs=15, lr=0.02)


@pytest.mark.parametrize(
    "X",
    [
        pl.DataFrame({"c": HOLES}),
        pa.table({"c": HOLES}),
        pa.table({"c": HOLES}).to_pandas(types_mapper=pd.ArrowDtype),
        pd.DataFrame({"c": objects(HOLES)}),
        pd.DataFrame({"c": pd.array(HOLES, dtype="Int64")}),
        pd.DataFrame({"c": objects(HOLES).astype("category")}),
        pd.DataFrame({"c": objects([v and str(v) for v in HOLES])}),
        pd.DataFrame({"c": objects([v and Decimal(v) for v in HOLES])}),
    ],
    ids=["polars", "arrow", "arrow dtype", "object", "Int64", "category", "text", "D"],
)
def test_a_missing_identifier_changes_no_other_row(by_id, X):
    expected = by_id.predict(pd.DataFrame({"c": taken(IDS)}))
    assert np.corrcoef(expected, TARGET)[0, 1] > 0.99
    others = np.arange(len(HOLES)) != 5
    np.testing.assert_array_equal(by_id.predict(X)[others], expected[others])


@pytest.mark.parametrize("rows", [taken(IDS), HOLES], ids=["whole", "with a hole"])
def test_identifiers_in_arrays_and_lists_stay_exact(rows):
    X = [[v, 1.5] for v in rows]
    model = EntityEmbeddingRegressor(categorical_features=[0], max_epochs=1)
    assert model.fit(X, TARGET).categories_[0].tolist() == IDS
    if None not in rows:
        model.fit(np.array([[v] for v in rows]), TARGET)
        assert model.categories_[0].tolist() == IDS


SIZES = [1.2, 1.4, 1.6, 2.0]


@pytest.fixture(scope="module")
def by_size():
    return {
        kind: fit(np.array(taken(SIZES), dtype=kind)) for kind in ("f8", "f4", "f2")
    }


@pytest.mark.parametrize("fitted", ["f8", "f4", "f2"])
@pytest.mark.parametrize(
    "convert",
    [
        lambda v: np.array(v, dtype="f8"),
        lambda v: np.array(v, dtype="f4"),
        lambda v: np.array(v, dtype="f2"),
        lambda v: np.array(v, dtype=">f4"),
        lambda v: pd.array(np.array(v, dtype="f4"), dtype="Float32"),
        lambda v: pd.array(v, dtype="float[pyarrow]"),
        lambda v: objects([np.float32(x) for x in v]),
        lambda v: objects([Decimal(str(x)) for x in v]),
        lambda v: [str(x) for x in v],
        lambda v: pd.Series(np.array(v, dtype="f4")).astype("category"),
    ],
    ids=lambda convert: "",
)
def test_a_float_is_the_same_at_any_width(by_size, fitted, convert):
    model = by_size[fitted]
    expected = model.predict(pd.DataFrame({"c": np.array(taken(SIZES), dtype=fitted)}))
    assert len(set(expected)) == 4
    X = pd.DataFrame({"c": convert(taken(SIZES))})
    np.testing.assert_array_equal(model.predict(X), expected)
    assert model.nearest("c", 1.6).index.tolist().count(1.6) == 0
    assert sorted([*model.nearest("c", 1.6).index, 1.6]) == SIZES


SPELLINGS = {
    "integers": lambda v: v,
    "floats": lambda v: [float(x) for x in v],
    "text": lambda v: [str(x) for x in v],
    "text of floats": lambda v: [f"{x}.0" for x in v],
    "decimals": lambda v: objects([Decimal(f"{x}.00") for x in v]),
    "bytes": lambda v: objects([str(x).encode() for x in v]),
    "text category": lambda v: pd.Series([str(x) for x in v]).astype("category"),
}


@pytest.fixture(scope="module")
def by_number():
    return fit(taken([17, 18, 19, 20]))


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_seventeen_is_one_category_in_a_column_of_numbers(by_number, spelling):
    column = taken([17, 18, 19, 20])
    expected = by_number.predict(pd.DataFrame({"c": column}))
    X = pd.DataFrame({"c": SPELLINGS[spelling](column)})
    np.testing.assert_array_equal(by_number.predict(X), expected)


TRUTHS = {
    "bool": lambda b: b,
    "integers": lambda b: b.astype(int),
    "floats": lambda b: b.astype(np.float32),
    "objects": lambda b: objects(b.tolist()),
    "nullable": lambda b: pd.array(b, dtype="boolean"),
    "True": lambda b: np.where(b, "True", "False"),
    "true": lambda b: np.where(b, "true", "false"),
    "TRUE": lambda b: np.where(b, "TRUE", "FALSE"),
    "1": lambda b: np.where(b, "1", "0"),
}


@pytest.mark.parametrize("fitted", ["bool", "integers", "True", "true"])
def test_true_is_one_category_in_a_column_of_truth(fitted):
    truth = GROUP > 1
    model = fit(TRUTHS[fitted](truth), max_epochs=1)
    expected = model.predict(pd.DataFrame({"c": TRUTHS[fitted](truth)}))
    assert len(set(expected)) == 2
    for name, convert in TRUTHS.items():
        found = model.predict(pd.DataFrame({"c": convert(truth)}))
        np.testing.assert_array_equal(found, expected, err_msg=name)


def test_versions_in_text_stay_apart_and_numbers_are_not_taken_for_them():
    versions = taken(["3.1", "3.10", "2.7", "3.2"])
    model = fit(versions, max_epochs=1)
    assert len(set(model.predict(pd.DataFrame({"c": versions})))) == 4
    numbers = pd.DataFrame({"c": [float(v) for v in versions]})
    with pytest.warns(UserWarning, match="such as 3.1, where fit saw"):
        assert len(set(model.predict(numbers))) == 1


@pytest.mark.usefixtures("on_cpu")
def test_a_row_does_not_depend_on_the_batch_where_true_and_one_are_mixed():
    mixed = objects(taken([True, 1, "a", 0]))
    model = fit(mixed)
    whole = model.predict(pd.DataFrame({"c": mixed}))
    backwards = model.predict(pd.DataFrame({"c": mixed[::-1]}))[::-1]
    np.testing.assert_array_equal(backwards, whole)
    alone = [model.predict(pd.DataFrame({"c": mixed[i : i + 1]}))[0] for i in range(20)]
    np.testing.assert_array_equal(alone, whole[:20])
    assert len(set(whole)) == 4


def test_new_categories_come_at_any_width():
    model = fit(np.array(taken(SIZES)))
    more = pd.DataFrame({"c": np.array(taken([1.2, 1.4, 1.6, 2.2]), dtype="f4")})
    model.partial_fit(more, TARGET)
    assert model.categories_["c"].tolist() == [*SIZES, 2.2]


# Saying what is not known.


def test_a_column_that_is_mostly_unknown_is_named_once():
    model = fit(taken(["red", "green", "blue", "grey"]))
    shouted = pd.DataFrame({"c": taken(["RED", "GREEN", "BLUE", "grey"])})
    rows = (GROUP < 3).sum()
    wanted = (
        rf"'c' .* {rows} of 200 rows, such as '[A-Z]+', where fit saw such as '[a-z]"
    )
    with pytest.warns(UserWarning, match=wanted) as said:
        model.predict(shouted)
    assert len(said) == 1
    assert said[0].filename == __file__
    model.predict(shouted)  # under "error" a second time would raise
    again = pickle.loads(pickle.dumps(model))
    with pytest.warns(UserWarning, match="'c' most categories are unknown"):
        again.predict(shouted)


def test_one_new_category_in_most_rows_is_named():
    model = fit(taken(["red", "green", "blue", "grey"]), max_epochs=1)
    with pytest.warns(UserWarning, match="9 of 10 rows, such as 'rot', where fit saw"):
        model.predict(pd.DataFrame({"c": ["rot"] * 9 + ["red"]}))


def test_a_few_new_categories_are_no_reason_to_speak():
    model = fit(taken(["red", "green", "blue", "grey"]))
    column = taken(["red", "green", "blue", "violet"])
    model.predict(pd.DataFrame({"c": column}))
    model.predict(pd.DataFrame({"c": ["violet"]}))
    model.predict(pd.DataFrame({"c": [None] * 9 + ["red"]}))


def test_groups_that_are_meant_to_be_new_are_no_reason_to_speak():
    X = pd.DataFrame({"day": taken(["mo", "tu", "we", "th"]), "c": taken("abcd")})
    model = EntityEmbeddingRegressor(max_epochs=1, random_effects=["day"])
    model.fit(X, TARGET).predict(X.assign(day=taken(["fr", "sa", "su", "x"])))


def test_predicting_changes_nothing_of_the_model():
    model = fit(taken(["red", "green", "blue", "grey"]), max_epochs=1)
    before = pickle.dumps(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.predict(pd.DataFrame({"c": np.array(taken(SIZES), dtype="f4")}))
    assert pickle.dumps(model) == before
