"""Whatever holds a table, predictions are those of the plain frame, or one clear error.

Tables of a few rows and columns are drawn and converted, column by column and as a
whole. `SKDL_EXAMPLES` is the number of tables of each test: 25 by default, 2,000 for
the long form.
"""

import functools
import pickle
import warnings
from decimal import Decimal
from unittest import mock

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.frozen import FrozenEstimator

from skdl import EmbeddingTransformer, EntityEmbeddingRegressor, NeuralRegressor
from tests.any_examples import any_of

ANY = any_of()

# Of each column of categories the values that are fitted; one more is unknown.
VALUES = {
    "id": [2**60 + i for i in range(5)],
    "size": [1.2, 1.4, 0.1, 2.0, 1e-7],
    "number": [17, 18, -3, 0, 400],
    "text": ["red", "grün", "3.10", "3.1", "True"],
    "code": ["17", "18", "x", "", "-3"],
    "truth": [True, False, True, False, True],
}
UNKNOWN = {
    "id": 2**60 + 9,
    "size": 7.3,
    "number": 99,
    "text": "violet",
    "code": "z",
    "truth": None,  # there is no third
}
CATEGORIES = list(VALUES)
FIT_ROWS = 60


def objects(values):
    return pd.Series(values, dtype=object)


def spelled(convert):
    return lambda values: objects([None if v is None else convert(v) for v in values])


def nullable(kind):
    return lambda values: pd.Series(pd.array(values, dtype=kind))


def in_arrow(kind):
    return nullable(pd.ArrowDtype(kind))


def numpy_floats(kind):
    return lambda values: pd.Series(
        np.array([np.nan if v is None else v for v in values]).astype(kind)
    )


def plainly(values):
    """Return what a user would call the plain column: no value is changed by it."""
    return objects(values)


def category(values):
    return objects(values).astype("category")


def dictionary(kind):
    def convert(values):
        array = pa.array(values, type=kind).dictionary_encode()
        return pd.Series(pd.arrays.ArrowExtensionArray(pa.chunked_array([array])))

    return convert


def one_of_types(values):
    """Return objects of another type in each row."""
    types = [float, Decimal, int, np.int64, np.float32]
    return objects(
        [None if v is None else types[i % 5](v) for i, v in enumerate(values)]
    )


INTEGERS = {
    "objects": plainly,
    "Int64": nullable("Int64"),
    "arrow": in_arrow(pa.int64()),
    "category": category,
    "dictionary": dictionary(pa.int64()),
    "text": spelled(str),
    "text of floats": spelled(lambda v: f"{v}.0"),
    "decimals": spelled(Decimal),
    "decimals with zeros": spelled(lambda v: Decimal(f"{v}.00")),
    "bytes": spelled(lambda v: str(v).encode()),
    "string": lambda values: spelled(str)(values).astype("string"),
}
TEXTS = {
    "objects": plainly,
    "string": nullable("string"),
    "arrow": in_arrow(pa.string()),
    "large": in_arrow(pa.large_string()),
    "category": category,
    "dictionary": dictionary(pa.string()),
    "bytes": spelled(str.encode),
    "str_": spelled(np.str_),
}
HOLDERS = {
    "id": INTEGERS,
    "number": {
        **INTEGERS,
        "floats": numpy_floats("f8"),
        "float32": numpy_floats("f4"),
        "float16": numpy_floats("f2"),
        "big-endian": numpy_floats(">f8"),
        "types": one_of_types,
    },
    "size": {
        "objects": plainly,
        "floats": numpy_floats("f8"),
        "float32": numpy_floats("f4"),
        "from float32": lambda values: numpy_floats("f4")(values).astype("f8"),
        "Float32": nullable("Float32"),
        "arrow": in_arrow(pa.float32()),
        "category": lambda values: numpy_floats("f4")(values).astype("category"),
        "text": spelled(str),
        "decimals": spelled(lambda v: Decimal(str(v))),
        "scalars": spelled(np.float32),
    },
    "text": TEXTS,
    "code": TEXTS,
    "truth": {
        "objects": plainly,
        "boolean": nullable("boolean"),
        "arrow": in_arrow(pa.bool_()),
        "category": category,
        "numbers": spelled(int),
        "floats": numpy_floats("f4"),
        "True": spelled(str),
        "true": spelled(lambda v: str(v).lower()),
        "TRUE": spelled(lambda v: str(v).upper()),
        "mixed": lambda values: objects(
            [v if v is None or i % 2 else int(v) for i, v in enumerate(values)]
        ),
    },
    "x": {
        "floats": numpy_floats("f8"),
        "objects": plainly,
        "NA": lambda values: objects([pd.NA if v is None else v for v in values]),
        "Float64": nullable("Float64"),
        "arrow": in_arrow(pa.float64()),
        "decimals": spelled(lambda v: Decimal(str(v))),
        "arrow decimals": lambda values: pd.Series(
            pd.array(
                [None if v is None else Decimal(str(v)) for v in values],
                dtype=pd.ArrowDtype(pa.decimal128(12, 4)),
            )
        ),
        "big-endian": numpy_floats(">f8"),
    },
}


def to_polars(frame):
    """Return a frame of polars; columns that it cannot hold become text or floats."""
    columns = {}
    for name in frame:
        values = [None if pd.isna(v) else v for v in frame[name].tolist()]
        try:
            columns[name] = pl.Series(values, strict=True)
        except TypeError:
            columns[name] = pl.Series([None if v is None else str(v) for v in values])
    return pl.DataFrame(columns)


def to_arrow(frame):
    """Return a table of Arrow; columns that it cannot hold become text."""
    columns = {}
    for name in frame:
        values = [None if pd.isna(v) else v for v in frame[name].tolist()]
        try:
            columns[name] = pa.array(values)
        except pa.ArrowException:
            columns[name] = pa.array([None if v is None else str(v) for v in values])
    return pa.table(columns)


WHOLES = {
    "pandas": lambda frame: frame,
    "index": lambda frame: frame.set_axis(np.arange(len(frame)) * 7 + 3, axis=0),
    "polars": to_polars,
    "arrow": to_arrow,
    "batch": lambda frame: to_arrow(frame).to_batches()[0],
    "objects": lambda frame: frame.astype(object).to_numpy(),
    "list": lambda frame: frame.astype(object).to_numpy().tolist(),
    "categories": lambda frame: frame.assign(
        **{name: frame[name].astype(object).astype("category") for name in CATEGORIES}
    ),
}


def plain_frame(rows):
    """Return rows of values as the plain frame."""
    names = [*CATEGORIES, "x"]
    return pd.DataFrame(
        {name: plainly([row[j] for row in rows]) for j, name in enumerate(names)}
    )


def fit_rows():
    rng = np.random.default_rng(0)
    rows = []
    for i in range(FIT_ROWS):
        row = [VALUES[name][int(rng.integers(5))] for name in CATEGORIES]
        row = [None if rng.random() < 0.1 else v for v in row]
        rows.append([*row, None if i % 9 == 4 else float(rng.integers(0, 80)) / 8])
    for k in range(5):  # every value is there
        rows[k][: len(CATEGORIES)] = [VALUES[name][k] for name in CATEGORIES]
    return rows


FIT = fit_rows()
TARGET = np.random.default_rng(1).normal(size=FIT_ROWS)


@pytest.fixture(scope="module", autouse=True)
def unknown_categories_have_trained_vectors():
    with mock.patch("skdl.estimators.tables.embedding.UNKNOWN_RATE", 0.1):
        yield


@functools.cache
def model():
    # On the CPU, where bits do not depend on the rows beside.
    return EntityEmbeddingRegressor(
        categorical_features=CATEGORIES, max_epochs=2, device="cpu", random_state=0
    ).fit(plain_frame(FIT), TARGET)


def predict(estimator, X, method="predict"):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*most categories are unknown", UserWarning)
        warnings.filterwarnings("ignore", "X (does not have|has) .*feature names")
        return getattr(estimator, method)(X)


def rows_of_values(unknown=True):
    def values(name):
        extra = [None, UNKNOWN[name]] if unknown else [None]
        return st.sampled_from([*VALUES[name], *extra])

    number = st.one_of(st.none(), st.integers(-80, 80).map(lambda i: i / 8))
    row = st.tuples(*[values(name) for name in CATEGORIES], number)
    return st.lists(row, min_size=1, max_size=8)


holders = st.fixed_dictionaries(
    {name: st.sampled_from(sorted(choice)) for name, choice in HOLDERS.items()}
)
wholes = st.sampled_from(sorted(WHOLES))


def held(frame, chosen):
    return pd.DataFrame(
        {name: HOLDERS[name][chosen[name]](frame[name].tolist()) for name in frame}
    )


@ANY
@given(rows=rows_of_values(), chosen=holders)
def test_each_column_may_be_held_by_anything(rows, chosen):
    frame = plain_frame(rows)
    expected = predict(model(), frame)
    np.testing.assert_array_equal(predict(model(), held(frame, chosen)), expected)


@ANY
@given(rows=rows_of_values(), whole=wholes, chosen=holders)
def test_the_table_may_be_held_by_anything(rows, whole, chosen):
    frame = plain_frame(rows)
    expected = predict(model(), frame)
    np.testing.assert_array_equal(predict(model(), WHOLES[whole](frame)), expected)
    if whole in ("polars", "arrow", "objects", "list"):
        # What a column is read as from a narrower type, another library gets too.
        both = WHOLES[whole](held(frame, {**chosen, "size": "floats", "x": "floats"}))
        np.testing.assert_array_equal(predict(model(), both), expected)


@ANY
@given(rows=rows_of_values(), order=st.randoms(use_true_random=False), chosen=holders)
def test_a_row_does_not_depend_on_its_neighbours(rows, order, chosen):
    frame = held(plain_frame(rows), chosen)
    expected = predict(model(), frame)
    shuffled = list(range(len(rows)))
    order.shuffle(shuffled)
    other = held(plain_frame([rows[i] for i in shuffled]), chosen)
    np.testing.assert_array_equal(predict(model(), other), expected[shuffled])
    alone = [predict(model(), frame.iloc[i : i + 1])[0] for i in range(len(rows))]
    np.testing.assert_array_equal(alone, expected)


@settings(ANY, max_examples=max(5, ANY.max_examples // 10))
@given(whole=wholes, chosen=holders, later=holders)
def test_what_is_fitted_does_not_depend_on_what_holds_it(whole, chosen, later):
    # Text and bytes are read as text in fit: these columns keep their type here.
    kept = {"text", "bytes", "string", "text of floats", "category", "dictionary"}
    # Arrow and polars have no columns of several types, which become text there, too.
    of_one_type = whole in ("polars", "arrow", "batch")
    plain = plain_frame(FIT)
    chosen = {
        name: "objects"
        if (holder in kept and name in ("id", "number", "size"))
        or (holder in ("mixed", "types") and of_one_type)
        else holder
        for name, holder in chosen.items()
    }
    frame = held(plain, chosen)
    fitted = EntityEmbeddingRegressor(
        categorical_features=np.arange(len(CATEGORIES)).tolist(),
        max_epochs=1,
        random_state=0,
    )
    expected = fitted.fit(plain, TARGET).predict(plain)
    fitted.fit(WHOLES[whole](frame) if whole != "categories" else frame, TARGET)
    found = predict(fitted, held(plain, later))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@ANY
@given(rows=rows_of_values(), chosen=holders, order=st.permutations(range(7)))
def test_columns_are_matched_by_name_or_refused(rows, chosen, order):
    frame = held(plain_frame(rows), chosen)
    transformer = frozen()
    other = frame.iloc[:, list(order)]
    if list(order) == list(range(7)):
        expected = predict(transformer, plain_frame(rows), "transform")
        found = predict(transformer, other, "transform")
        np.testing.assert_array_equal(found, expected)
        return
    for call in (
        lambda: model().predict(other),
        lambda: transformer.transform(other),
        lambda: EmbeddingTransformer(FrozenEstimator(model())).fit(
            other, [0] * len(rows)
        ),
    ):
        with pytest.raises(ValueError, match="must be in the same order"):
            call()


@functools.cache
def frozen():
    return EmbeddingTransformer(FrozenEstimator(model())).fit(plain_frame(FIT), TARGET)


@functools.cache
def dense():
    X = plain_frame(FIT)[["x"]].astype(float)
    return NeuralRegressor(max_epochs=1, random_state=0).fit(X, TARGET)


@ANY
@given(
    rows=rows_of_values(),
    holder=st.sampled_from(sorted(HOLDERS["x"])),
    whole=st.sampled_from(["pandas", "polars", "arrow", "objects", "list"]),
)
def test_numbers_for_a_dense_network_may_be_held_by_anything(rows, holder, whole):
    plain = plain_frame(rows)[["x"]].astype(float)
    X = WHOLES[whole](pd.DataFrame({"x": HOLDERS["x"][holder](plain["x"].tolist())}))
    np.testing.assert_array_equal(predict(dense(), X), dense().predict(plain))


@ANY
@given(first=rows_of_values(unknown=False), chosen=holders)
def test_going_on_learns_nothing_new_from_what_is_known(first, chosen):
    again = pickle.loads(pickle.dumps(model()))
    frame = held(plain_frame(first), chosen)
    again.partial_fit(frame, np.zeros(len(first)))
    for name in CATEGORIES:
        assert again.categories_[name].tolist() == model().categories_[name].tolist()
