"""Positions of numbers in bins."""

import numpy as np
import pytest
import torch

from skdl.data.binned import BinnedTableEncoder
from skdl.data.bins import BinEncoder

RNG = np.random.RandomState


def fitted(column, y=None, **options):
    """Fit an encoder on one column; without a target none matters."""
    column = np.asarray(column, dtype=np.float64)
    y = np.zeros(len(column)) if y is None else y
    return BinEncoder(**options).fit(column.reshape(-1, 1), y)


def positions(encoder, column):
    X = np.asarray(column, dtype=np.float64).reshape(-1, 1)
    return encoder.transform(X)[:, 0].numpy()


def test_a_position_is_the_bins_below_and_the_fraction_of_its_own():
    encoder = fitted(np.linspace(0, 1, 641) ** 2, n_quantiles=4, n_leaves=1)
    np.testing.assert_allclose(encoder.edges[0], [0, 1 / 16, 1 / 4, 9 / 16, 1])
    found = positions(encoder, [0, 1 / 16, (1 / 16 + 1 / 4) / 2, 1, -5, 7])
    np.testing.assert_allclose(found, [0, 1, 1.5, 4, 0, 4])
    assert encoder.n_bins == [4]


def test_bins_from_quantiles_have_the_same_number_of_rows():
    column = RNG(0).lognormal(size=3200)
    encoder = fitted(column, n_quantiles=16, n_leaves=1)
    rows = np.bincount(positions(encoder, column).astype(int), minlength=16)[:16]
    assert rows.min() > 190
    assert rows.max() < 210


@pytest.mark.parametrize("classes", [True, False])
def test_where_the_target_changes_there_is_an_edge_even_in_the_tail_of_a_spike(classes):
    column = np.where(RNG(0).rand(2000) < 0.92, 0.0, RNG(1).uniform(1, 1000, 2000))
    y = (column > 700) if classes else np.where(column > 700, 5.0, 0.0)
    quantiles = fitted(column, n_quantiles=8, n_leaves=1).edges[0]
    edges = fitted(column, y.astype(int) if classes else y, n_quantiles=8).edges[0]
    near = np.sort(column)[np.searchsorted(np.sort(column), 700) + np.array([-1, 0])]
    assert np.any((edges >= near[0]) & (edges <= near[1]))
    assert not np.any((quantiles >= near[0]) & (quantiles <= near[1]))


def test_integers_with_few_values_have_an_edge_at_each():
    column = RNG(0).randint(1, 8, 1000)
    encoder = fitted(column, y=RNG(1).rand(1000))
    np.testing.assert_array_equal(encoder.edges[0], np.arange(1, 8))
    np.testing.assert_array_equal(positions(encoder, column), column - 1)


def test_there_are_never_more_bins_than_gaps_between_values():
    for n_values in range(2, 40):
        column = RNG(n_values).choice(RNG(1).rand(n_values), 2000)
        encoder = fitted(column, y=RNG(0).rand(2000))
        assert encoder.n_bins[0] <= len(np.unique(column)) - 1


def test_few_rows_make_few_bins():
    column, y = RNG(0).rand(100), RNG(1).rand(100)
    assert fitted(column, y).n_bins[0] <= 12
    assert fitted(column[:10], y[:10]).n_bins[0] <= 1


def test_columns_without_two_values_have_no_bins():
    X = np.ones((50, 4))
    X[:, 1] = np.nan
    X[::2, 2] = np.nan
    X[:, 3] = np.arange(50) % 2
    encoder = BinEncoder().fit(X, np.arange(50) % 2)
    assert encoder.columns.tolist() == [3]
    assert encoder.transform(X).shape == (50, 1)
    none = BinEncoder().fit(X[:, :3], np.zeros(50))
    assert none.transform(X[:, :3]).shape == (50, 0)


def test_missing_values_are_at_the_median():
    column = np.append(np.arange(101.0), [np.nan] * 30)
    encoder = fitted(column, n_quantiles=4)
    found = positions(encoder, [np.nan, 50])
    assert found[0] == found[1] > 0


def test_large_offsets_keep_their_digits():
    column = 1.7e9 + np.arange(1000.0)  # seconds
    y = (np.arange(1000) >= 333).astype(int)
    encoder = fitted(column, y, n_quantiles=2, n_leaves=2)
    assert 1.7e9 + 332.5 in encoder.edges[0]
    assert np.all(np.diff(positions(encoder, column)) > 0)


def test_many_rows_are_learned_from_by_a_sample_that_the_seed_decides():
    column = RNG(0).rand(60_000)
    first, again = (
        BinnedTableEncoder(BinEncoder())
        .fit_with_target(column.reshape(-1, 1), column > 0.3, RNG(0))
        .bins
        for _ in range(2)
    )
    np.testing.assert_array_equal(first.edges[0], again.edges[0])
    assert 0 < column.min() <= first.edges[0][0]


def test_several_targets_and_float32_values_are_taken():
    X = RNG(0).rand(300, 2).astype(np.float32)
    encoder = BinEncoder().fit(X, np.c_[X[:, 0] > 0.5, X[:, 1] > 0.2].astype(int))
    found = encoder.transform(X)
    assert found.dtype == torch.float32
    assert found.shape == (300, 2)
    encoder = BinEncoder().fit(X, np.c_[X, X])
    assert min(encoder.n_bins) > 5


def test_values_are_not_written_to_and_may_be_read_only():
    X = RNG(0).rand(100, 2)
    X[3, 0] = np.nan
    X.flags.writeable = False
    BinEncoder().fit(X, np.zeros(100)).transform(X)
