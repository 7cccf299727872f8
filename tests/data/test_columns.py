"""Columns: what they hold is found by looking; nothing goes through float64."""

import datetime as dt
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from skdl.data.columns import as_factors, as_numbers, kind_of
from skdl.data.containers import as_array, as_pandas
from tests.names import named

DAY = dt.date(2020, 1, 1)


def objects(*values):
    return pd.Series(values, dtype=object)


def arrow(values, kind):
    return pd.Series(values, dtype=pd.ArrowDtype(kind))


NUMBERS = {
    "decimals": objects(Decimal("1.5"), None),
    "decimals and floats": objects(Decimal("1.5"), np.nan, 2.5),
    "floats with NA": objects(1.5, pd.NA),
    "integers and floats": objects(1, 1.5, None),
    "fractions": objects(Fraction(3, 2), np.nan),
    "numbers and booleans": objects(True, 1.5),
    "float32 objects": objects(np.float32(1.5), 2.0),
    "arrow decimals": arrow([Decimal("1.5"), None], pa.decimal128(5, 2)),
    "arrow halves": arrow([1.5, None], pa.float16()),
    "nullable": pd.Series([1.5, None], dtype="Float32"),
    "sparse": pd.Series(pd.arrays.SparseArray([1.5, 0.0])),
    "big-endian": pd.Series(np.array([1.5, 2.0], dtype=">f8")),
    "polars decimals": as_pandas(pl.DataFrame({"a": [Decimal("1.5"), None]}))["a"],
}
DATES = {
    "dates": objects(DAY, None),
    "times": objects(dt.time(1), None),
    "timestamps": objects(pd.Timestamp(DAY), pd.NaT),
    "differences": objects(dt.timedelta(1)),
    "numpy differences": objects(np.timedelta64(1, "s")),
    "numpy dates": objects(np.datetime64("2020")),
    "periods as objects": objects(pd.Period("2020")),
    "dates and text": objects("2020-01-01", DAY),
    "datetime64": pd.Series(pd.to_datetime([DAY])),
    "with a zone": pd.Series(pd.to_datetime([DAY]).tz_localize("UTC")),
    "timedelta64": pd.Series(pd.to_timedelta([1])),
    "periods": pd.Series(pd.period_range("2020", periods=2)),
    "categories": pd.Series(pd.to_datetime([DAY])).astype("category"),
    "categories of objects": objects(DAY).astype("category"),
    "arrow dates": arrow([DAY], pa.date32()),
    "arrow times": arrow([dt.time(1)], pa.time64("us")),
    "arrow differences": arrow([dt.timedelta(1)], pa.duration("s")),
    "arrow dictionary": pd.Series(
        pd.arrays.ArrowExtensionArray(
            pa.chunked_array([pa.array([DAY]).dictionary_encode()])
        )
    ),
    "polars dates": as_pandas(pl.DataFrame({"a": [DAY, None]}))["a"],
    "polars times": as_pandas(pl.DataFrame({"a": [dt.time(1), None]}))["a"],
    "arrow table of times": as_pandas(pa.table({"a": [dt.time(1), None]}))["a"],
    "arrow table of categories": as_pandas(
        pa.table({"a": pa.array([DAY, None]).dictionary_encode()})
    )["a"],
}
CATEGORIES = {
    "text": objects("a", None),
    "text and numbers": objects("a", 1),
    "bytes": objects(b"a"),
    "booleans": objects(True, None),
    "nothing": objects(None, np.nan, pd.NA),
    "nullable booleans": pd.Series([True, None], dtype="boolean"),
    "string": pd.Series(["a", None], dtype="string"),
    "numbers of a category type": pd.Series([1, 2]).astype("category"),
    "intervals": pd.Series(pd.cut([1, 2, 3], 2)),
    "arrow dictionary": arrow(["a", None], pa.dictionary(pa.int32(), pa.string())),
    "arrow dictionary of numbers": arrow([1], pa.dictionary(pa.int32(), pa.int64())),
    "arrow nulls": arrow([None], pa.null()),
    "arrow bytes": arrow([b"a"], pa.binary()),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_are_numbers(name):
    column = NUMBERS[name]
    assert kind_of(column) == "numbers"
    values = as_numbers(column, "a")
    assert 1.5 in values
    assert np.isnan(values).tolist() == column.isna().tolist()


def refusal_of(name):
    spans = name in ("timedelta64", "arrow differences")
    remedy = r"\.dt\.total_seconds" if spans else r"\.dt\.year"
    return f"holds dates or times .*{remedy}"


@pytest.mark.parametrize("name", DATES)
@pytest.mark.parametrize("read", [as_factors, as_numbers])
def test_dates_are_refused_whatever_holds_them(name, read):
    assert kind_of(DATES[name]) == "dates"
    with pytest.raises(ValueError, match=f"'day' {refusal_of(name)}"):
        read(DATES[name], "day")


@pytest.mark.parametrize("name", CATEGORIES)
def test_categories_are_categories(name):
    assert kind_of(CATEGORIES[name]) == "categories"
    factors = as_factors(CATEGORIES[name], "a")
    assert (factors.codes == -1).tolist() == CATEGORIES[name].isna().tolist()


@pytest.mark.parametrize("column", [objects(1j), objects(1j, 2), pd.Series([1 + 1j])])
@pytest.mark.parametrize("read", [as_factors, as_numbers])
def test_complex_numbers_are_refused(column, read):
    with pytest.raises(ValueError, match="Complex data not supported: Column 'z'"):
        read(column, "z")


@pytest.mark.parametrize(
    "column",
    [
        objects((1, 2)),
        objects([1]),
        objects({"a": 1}),
        objects(object()),
        arrow([[1]], pa.list_(pa.int8())),
    ],
    ids=named,
)
def test_what_has_no_text_of_its_own_is_no_category(column):
    with pytest.raises(TypeError, match="'a' holds values that cannot be compared"):
        as_factors(column, "a")


def test_integers_that_no_float_holds_are_named():
    column = objects(10**400, 1)
    with pytest.raises(ValueError, match="'id' .* too large for float64"):
        as_numbers(column, "id")
    assert as_factors(column, "id").values.tolist() == [10**400, 1]


def test_of_a_column_that_was_empty_nothing_is_known():
    with pytest.warns(UserWarning, match="'a' was all missing in fit"):
        values = as_numbers(objects("x", None), "a", empty=True)
    assert np.isnan(values).all()


# Containers.

IDS = [2**60 + 1, None, 2**60 + 2]


@pytest.mark.parametrize(
    "frame",
    [
        pl.DataFrame({"id": IDS}),
        pl.DataFrame({"id": pl.Series(IDS, dtype=pl.Int128)}),
        pl.DataFrame({"id": pl.Series(IDS, dtype=pl.UInt64)}),
        pa.table({"id": IDS}),
        pa.table({"id": pa.array(IDS).dictionary_encode()}),
        pa.table({"id": IDS}).to_batches()[0],
        pa.table({"id": IDS}).to_pandas(types_mapper=pd.ArrowDtype),
        pd.DataFrame({"id": pd.array(IDS, dtype="Int64")}),
        pd.DataFrame({"id": objects(*IDS)}),
        pd.DataFrame(as_array([[i] for i in IDS])).set_axis(["id"], axis=1),
        pd.DataFrame(as_array([[i, 1.5] for i in IDS])).set_axis(["id", "b"], axis=1),
    ],
    ids=lambda f: type(f).__module__.partition(".")[0],
)
def test_integers_with_missing_ones_stay_exact(frame):
    factors = as_factors(as_pandas(frame)["id"], "id")
    rows = [None if c < 0 else factors.values[c] for c in factors.codes]
    assert rows == IDS


def test_missing_values_of_a_dictionary_stay_missing():
    table = pa.table({"a": pa.array(["x", None, "y"]).dictionary_encode()})
    assert as_pandas(table)["a"].isna().tolist() == [False, True, False]


def test_widths_of_floats_are_kept():
    for frame in (
        pl.DataFrame({"a": pl.Series([1.2, None], dtype=pl.Float32)}),
        pa.table({"a": pa.array([1.2, None], pa.float32())}),
    ):
        assert as_pandas(frame)["a"].dtype == np.float32
    for column in (
        pd.Series([1.2], dtype=np.float16),
        pd.Series([1.2], dtype="Float32"),
        pd.Series([1.2], dtype="float[pyarrow]"),
        pd.Series([1.2], dtype=np.float32).astype("category"),
    ):
        assert str(as_factors(column, "a").values[0]) == "1.2"


def test_masked_values_are_missing():
    array = as_array(np.ma.masked_equal([[1, 7], [2, 3]], 7))
    assert array.tolist() == [[1, None], [2, 3]]
