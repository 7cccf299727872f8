"""Which columns of integers name things, and the codes of their values."""

import numpy as np
import pytest

from skdl.data.bins import BinEncoder
from skdl.data.categories import FIRST, MISSING, UNKNOWN
from skdl.data.integers import IntegerEncoder

N, SHOPS = 6000, 200


def fitted(columns, y, n_rows=N):
    X = np.stack(columns, axis=1).astype(float)
    bins = BinEncoder().fit_drawn(X, y)
    return IntegerEncoder().fit_drawn(X, y, bins, n_rows)


@pytest.fixture
def drawn():
    """Return shops, ages, shops' levels and noise."""
    rng = np.random.RandomState(0)
    shop, age = rng.randint(SHOPS, size=N), rng.randint(18, 90, size=N)
    return shop, age, rng.randn(SHOPS)[shop], rng.randn(N)


@pytest.mark.parametrize("kind", ["number", "classes", "two targets", "labels"])
def test_values_that_differ_from_their_neighbours_name_things(drawn, kind):
    shop, age, level, noise = drawn
    y = level + np.sin(age / 9) + noise
    if kind == "two targets":
        y = np.stack([noise, y], axis=1)
    if kind == "classes":
        y = np.digitize(y, [-1, 1])
    if kind == "labels":
        y = np.stack([noise > 0, y > 0], axis=1).astype(int)
    encoder = fitted([age, shop], y)
    assert encoder.columns == [1]
    np.testing.assert_array_equal(encoder.values[0], np.arange(SHOPS))
    assert encoder.rows_of_each == [N / SHOPS]
    assert encoder.sizes == [FIRST + SHOPS]


def test_amounts_name_nothing_however_they_bend(drawn):
    shop, age, _, noise = drawn
    for y in (np.sin(age / 3), age > 65, noise, (age - 50) ** 3):
        assert fitted([age, shop], y + 0.3 * noise).columns == []


def test_few_values_have_bins_of_their_own(drawn):
    shop, _, level, noise = drawn
    y = np.where(shop % 20 < 10, level, 0) + noise
    assert fitted([shop % 20], y).columns == []


def test_values_of_few_rows_name_nothing(drawn):
    shop, _, level, noise = drawn
    row = np.arange(N) // 10
    assert fitted([row], np.random.RandomState(1).randn(N)[row] + noise).columns == []
    few = shop[:900]
    assert fitted([few], (level + noise)[:900], 900).columns == []


def test_fractions_name_nothing(drawn):
    shop, _, level, noise = drawn
    assert fitted([shop + 0.5], level + noise).columns == []


def test_rows_that_are_there_twice_tell_once(drawn):
    shop, _, _, noise = drawn
    size = np.random.RandomState(2).randn(N)
    twice = np.repeat(np.arange(N // 6), 6)
    columns = [shop[twice], size[twice]]
    assert fitted(columns, noise[twice]).columns == []


def test_outliers_of_the_target_name_nothing(drawn):
    shop, age, _, noise = drawn
    heavy = np.random.RandomState(3).standard_cauchy(N) ** 3
    assert fitted([age, shop], heavy + noise).columns == []


def test_the_columns_that_tell_most_are_kept():
    rng = np.random.RandomState(0)
    shops = rng.randint(SHOPS, size=(10, N))
    levels = rng.randn(10, SHOPS) * np.linspace(1, 2, 10)[:, np.newaxis]
    y = sum(level[shop] for level, shop in zip(levels, shops, strict=True))
    assert fitted(list(shops), y).columns == list(range(2, 10))


def test_codes_are_places_among_the_known_values(drawn):
    shop, _, level, noise = drawn
    rare = np.where(np.arange(N) < 3, 1000, 2 * shop)
    encoder = fitted([noise, rare], level + noise)
    X = np.array([[0, 0], [0, 1], [0, 2], [0, 1000], [0, -5], [0, np.nan], [0, 2.5]])
    expected = [FIRST, UNKNOWN, FIRST + 1, UNKNOWN, UNKNOWN, MISSING, UNKNOWN]
    for kind in (np.float64, np.float32):
        codes = encoder.transform(X.astype(kind))
        np.testing.assert_array_equal(codes[:, 0], expected)
    assert codes.dtype == np.int32


def test_nothing_fitted_has_no_codes():
    assert IntegerEncoder().transform(np.zeros((3, 2))).shape == (3, 0)
