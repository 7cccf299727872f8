"""What is known of columns does not depend on how their rows were cut."""

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skdl.data.numeric import NumericEncoder
from skdl.data.statistics import ColumnStatistics

EXAMPLES = int(os.environ.get("SKDL_EXAMPLES", "25"))


def cut(n_rows, seed, most):
    """Return slices of chunks of 1 to `most` rows."""
    rng, start = np.random.default_rng(seed), 0
    while start < n_rows:
        stop = min(n_rows, start + int(rng.integers(1, most + 1)))
        yield slice(start, stop)
        start = stop


def columns(rng, n_rows):
    """Return a normal, a growing, a skewed, a rare and a mostly missing column."""
    X = np.column_stack(
        [
            rng.normal(1e6, 3.0, n_rows),
            2000.0 + np.arange(n_rows) // 50,
            np.exp(rng.normal(size=n_rows)),
            (rng.random(n_rows) < 0.02).astype(float),
            np.where(rng.random(n_rows) < 0.8, np.nan, rng.normal(size=n_rows)),
        ]
    )
    return X


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.integers(1, 700), st.integers(0, 2**31), st.integers(1, 300))
def test_any_chunks_give_the_statistics_of_the_whole(n_rows, seed, most):
    X = columns(np.random.default_rng(seed), n_rows)
    whole, seen = ColumnStatistics(5).extended(X), ColumnStatistics(5)
    for rows in cut(n_rows, seed, most):
        seen = seen.extended(X[rows])
    assert seen.n_rows == whole.n_rows == n_rows
    np.testing.assert_array_equal(seen.low, whole.low)
    np.testing.assert_array_equal(seen.high, whole.high)
    np.testing.assert_array_equal(seen.has_missing, whole.has_missing)
    for j in range(5):
        np.testing.assert_allclose(
            np.sort(seen.present(j)), np.sort(whole.present(j)), rtol=1e-6, atol=1e-5
        )


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 300))
def test_any_chunks_give_about_the_scales_of_the_whole(seed, most):
    X = columns(np.random.default_rng(seed), 700)[:, :3]
    random = np.random.RandomState(0)
    whole = NumericEncoder().fit(X, random)
    first, *others = cut(700, seed, most)
    encoder = NumericEncoder().fit(X[first], random)
    for rows in others:
        encoder, _ = encoder.extended(X[rows])
    # Within what is not learned anew, and the noise of a sample of 128 rows.
    ratio = encoder.factor / whole.factor
    assert (np.abs(np.log(ratio)) < np.log(2.5)).all()
    assert (np.abs(encoder.center - whole.center) * whole.factor < 1.25).all()


def test_the_sample_is_bounded_and_every_row_has_the_same_chance():
    seen = ColumnStatistics(2)
    X = np.arange(20_000.0).reshape(-1, 2)
    for start in range(0, 10_000, 100):
        seen = seen.extended(X[start : start + 100])
    assert len(seen.present(0)) == seen.capacity
    low, middle, high = np.quantile(seen.present(0), [0.25, 0.5, 0.75])
    assert (low, middle, high) == pytest.approx((5e3, 1e4, 1.5e4), abs=2e3)


def test_rows_that_come_in_turns_are_all_in_the_sample():
    X = np.tile([0.0, 1.0, 2.0, 3.0], 1000)[:, None]
    _, counts = np.unique(
        ColumnStatistics(1).extended(X).present(0), return_counts=True
    )
    assert len(counts) == 4
    assert counts.min() > 15


def test_wide_tables_keep_little():
    wide = ColumnStatistics(1000).extended(np.zeros((500, 1000)))
    assert wide.capacity == 32
    assert wide._sample.nbytes <= 1000 * 256 * 4 / 8  # an eighth of a first layer


def test_large_offsets_keep_their_digits():
    X = 1.7e9 + np.arange(100.0)[:, None] * 1e-3
    values = ColumnStatistics(1).extended(X).present(0)
    assert len(np.unique(values)) == 100


def test_what_it_was_extended_from_stays_as_it_was():
    before = ColumnStatistics(1).extended(np.array([[1.0], [2.0]]))
    before.extended(np.array([[np.nan], [9.0]]))
    assert (before.n_rows, before.high.tolist()) == (2, [2.0])
    assert not before.has_missing.any()
    assert sorted(before.present(0)) == [1.0, 2.0]
