"""Vocabularies: the same category whatever type it comes as."""

import numpy as np
import pandas as pd
import pytest

from skdl.data.categories import MISSING, UNKNOWN, Vocabulary
from skdl.data.factors import factorize
from skdl.data.table import Table, TableEncoder


def vocabulary(values, **options):
    return Vocabulary(**options).fit([factorize(pd.Series(values))])


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(["1", "2", None]),
        pd.Series([1, 2, None], dtype="Int64"),
        pd.Series([1.0, 2.0, np.nan]),
        pd.Series([1, 2, pd.NA], dtype=object),
        pd.Series(pd.Categorical(["1", "2", None], categories=["2", "x", "1"])),
        pd.Series(["1", "2", None], dtype="string[pyarrow]"),
        pd.Series([1, 2, None], dtype="int64[pyarrow]"),
    ],
    ids=lambda c: str(c.dtype),
)
def test_codes_do_not_depend_on_the_type(column):
    known = vocabulary([1, 2, 2, None])
    assert known.encode(factorize(column)).tolist() == [2, 3, MISSING]


def test_numbers_are_in_order_and_come_before_text():
    assert vocabulary([10, 9, "b", "a", 2.5]).categories == [2.5, 9, 10, "a", "b"]


def test_booleans_are_categories():
    known = vocabulary([True, False, True])
    assert known.categories == [False, True]
    assert known.encode(factorize(pd.Series(["True", "False"]))).tolist() == [3, 2]


def test_values_never_seen_are_unknown():
    codes = vocabulary(["a"]).encode(factorize(pd.Series(["b", "a", None])))
    assert codes.tolist() == [UNKNOWN, 2, MISSING]


def test_counts_are_by_code():
    known = vocabulary(["b", "a", "b", None])
    assert known.counts.tolist() == [0, 1, 1, 2]
    assert known.knows_missing


def test_a_full_vocabulary_hashes_what_is_rare():
    values = ["often"] * 5 + ["also"] * 4 + [f"rare{i}" for i in range(100)]
    known = vocabulary(values, max_categories=8)
    assert len(known) == 2 + 8
    assert {"often", "also"} <= set(known.categories)
    codes = known.encode(factorize(pd.Series([f"rare{i}" for i in range(100)])))
    assert set(codes) <= set(range(2, 10))
    assert known.code("never seen") >= 2 + len(known.categories)
    assert known.counts.sum() == len(values)


def test_extending_appends_and_keeps_codes():
    known = vocabulary(["b", "d"])
    more = known.extended([factorize(pd.Series(["a", "d", "c"]))])
    assert more.categories == ["b", "d", "a", "c"]
    assert more.counts.tolist() == [0, 0, 1, 2, 1, 1]
    assert known.categories == ["b", "d"]


def test_indices_are_offset_by_vocabulary():
    table = Table(
        [factorize(pd.Series(c)) for c in (["x", "y"], ["p", "q"], ["y", "x"])],
        np.zeros((2, 0), dtype=np.float32),
    )
    encoder = TableEncoder([0, 1, 0]).fit(table, np.random.RandomState(0))
    assert encoder.offsets.tolist() == [0, 4]
    assert encoder.indices(table).tolist() == [[2, 6, 3], [3, 7, 2]]


def test_chunks_are_the_whole_in_parts():
    rng = np.random.default_rng(0)
    table = Table([factorize(rng.integers(0, 5, 100))], rng.normal(size=(100, 2)))
    encoder = TableEncoder([0]).fit(table, np.random.RandomState(0))
    whole = encoder.transform(table)
    parts = list(encoder.chunks(table, 32))
    assert len(parts) == 4
    for j in range(2):
        np.testing.assert_array_equal(
            np.concatenate([part[j] for part in parts]), whole[j]
        )
