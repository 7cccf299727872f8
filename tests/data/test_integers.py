"""Which columns of integers name things, and the codes of their values."""

import numpy as np
import pytest

from skdl.data.bins import BinEncoder
from skdl.data.categories import FIRST, MISSING, UNKNOWN
from skdl.data.integers import IntegerEncoder

N, SHOPS = 6000, 200


def fitted(columns, y, n_rows=N, blind=None):
    X = np.stack(columns, axis=1).astype(float)
    bins = BinEncoder().fit(X, y)
    return IntegerEncoder().fit(X, y, bins, n_rows, blind)


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
    assert fitted([few], (level + noise)[:900], n_rows=900).columns == []


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


def test_copies_beside_one_column_of_many_values_tell_once():
    rng = np.random.RandomState(0)
    for _ in range(5):
        x, z, noise = rng.randint(SHOPS, size=1200), rng.randn(1200), rng.rand(1200)
        copies = np.repeat(np.arange(1200), 5)
        classes = (noise < 0.5).astype(int)
        assert fitted([x[copies], z[copies]], classes[copies]).columns == []
        assert fitted([x[copies]], noise[copies]).columns == []


def test_what_holds_for_groups_alone_is_not_what_values_name():
    rng = np.random.RandomState(0)
    person = rng.randint(300, size=N)
    income, shop = rng.randint(SHOPS, size=300)[person], rng.randint(SHOPS, size=N)
    y = rng.randn(300)[person] + 0.3 * rng.randn(N)
    blind = (person % 4)[:, np.newaxis] == np.arange(4)
    assert fitted([income, shop], y).columns == [0]
    assert fitted([income, shop], y, blind=blind).columns == []
    y = y + rng.randn(SHOPS)[shop]
    for target in (y, np.digitize(y, [-1, 1])):
        assert fitted([income, shop], target, blind=blind).columns == [1]
    last = np.arange(N)[:, np.newaxis] > 0.8 * N
    assert 1 in fitted([income, shop], y, blind=last).columns


@pytest.mark.filterwarnings("error")
def test_targets_that_are_nearly_always_the_same_do_not_hide_others(drawn):
    shop, _, level, noise = drawn
    rare = (shop < 2) * 10.0
    constant = np.full(N, 3.0)
    for y in (rare, np.stack([level + noise, rare, constant], axis=1)):
        assert fitted([shop, noise], y).columns == [0]
    assert fitted([shop, noise], constant).columns == []
    assert fitted([shop, noise], (np.arange(N) % 500 == 0) * 1e300).columns == []


def test_of_many_rows_some_are_learned_from(drawn):
    shop, _, level, noise = drawn
    encoder = fitted([shop, noise], level + noise, n_rows=10 * N)
    assert encoder.columns == [0]
    assert encoder.rows_of_each == [10 * N / SHOPS]
    rare = np.where(np.arange(N) < 2, 1000, shop)  # of some twenty rows
    assert 1000 in fitted([rare, noise], level + noise, n_rows=10 * N).values[0]
    assert 1000 not in fitted([rare, noise], level + noise).values[0]


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
    X = np.array([[0, 0], [0, 1], [0, 2], [0, 1000], [0, -5], [0, np.nan], [0, 2.4]])
    expected = [FIRST, UNKNOWN, FIRST + 1, UNKNOWN, UNKNOWN, MISSING, FIRST + 1]
    for kind in (np.float64, np.float32):
        codes = encoder.transform(X.astype(kind))
        np.testing.assert_array_equal(codes[:, 0], expected)
    assert codes.dtype == np.int32


def test_nothing_fitted_has_no_codes():
    assert IntegerEncoder().transform(np.zeros((3, 2))).shape == (3, 0)
