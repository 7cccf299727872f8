"""Numbers to tensors: scaling, missing values, awkward columns."""

import numpy as np
import pytest
import torch

from skdl.data import NumericEncoder


def encode(X, **options):
    encoder = NumericEncoder(**options).fit(X, np.random.RandomState(0))
    return encoder, encoder.transform(X)[0]


def test_columns_are_centred_on_the_median_and_scaled_by_the_quartiles():
    X = np.linspace(100, 200, 1001)[:, None]
    _, encoded = encode(X)
    z = (X[:, 0] - 150) / 50
    expected = z / np.sqrt(1 + (z / 3) ** 2)
    assert encoded[:, 0].numpy() == pytest.approx(expected, abs=1e-5)
    assert encoded.dtype == torch.float32


def test_outliers_stay_within_three():
    X = np.concatenate([np.arange(100.0), [1e30, -1e30, 1e300]])[:, None]
    _, encoded = encode(X)
    assert encoded.abs().max() <= 3.0 + 1e-6
    assert encoded[100, 0] == pytest.approx(3.0, abs=1e-5)
    assert encoded[101, 0] == pytest.approx(-3.0, abs=1e-5)


def test_large_offsets_keep_their_digits():
    X = 1.7e9 + np.arange(100.0)[:, None] * 1e-3
    _, encoded = encode(X)
    assert len(encoded.unique()) == 100


def test_missing_values_become_the_median_and_get_an_indicator():
    X = np.array([[1.0, 5.0], [np.nan, 6.0], [3.0, 7.0], [2.0, 8.0]])
    encoder, encoded = encode(X)
    assert encoder.missing.tolist() == [0]
    assert encoded.shape == (4, 3)
    assert encoded[1, 0] == 0
    assert encoded[:, 2].tolist() == [0, 1, 0, 0]
    # The indicator stays when nothing is missing, and comes for no other column.
    later = encoder.transform(np.array([[1.0, np.nan]]))[0]
    assert later.tolist()[0][1:] == [0.0, 0.0]


def test_without_scaling_only_missing_values_change():
    X = np.array([[1.0], [np.nan], [3.0], [8.0]])
    _, encoded = encode(X, scale=False)
    assert encoded[:, 0].tolist() == [1.0, 3.0, 3.0, 8.0]


@pytest.mark.parametrize("value", [0.0, 7.0, 1e-300, 0.1 + 0.2])
def test_a_constant_column_becomes_zero(value):
    _, encoded = encode(np.full((10, 1), value))
    assert encoded.tolist() == [[0.0]] * 10


def test_a_column_with_no_value_at_all_becomes_zero_without_an_indicator():
    _, encoded = encode(np.full((10, 1), np.nan))
    assert encoded.tolist() == [[0.0]] * 10


def test_rare_indicators_are_kept_though_their_quartiles_coincide():
    X = np.zeros((100, 1))
    X[:5] = 1
    _, encoded = encode(X)
    assert encoded.unique().tolist() == pytest.approx([0, 2 / np.sqrt(1 + 4 / 9)])


def test_chunks_agree_with_the_whole():
    X = np.random.default_rng(0).normal(size=(1000, 7))
    X[::13, 2] = np.nan
    encoder, encoded = encode(X)
    parts = torch.cat([part for (part,) in encoder.chunks(X, 64)])
    assert torch.equal(parts, encoded)


def test_read_only_and_reversed_arrays_are_taken():
    X = np.random.default_rng(0).normal(size=(50, 3))
    _, expected = encode(X)
    frozen = X.copy()
    frozen.setflags(write=False)
    assert torch.equal(encode(frozen)[1], expected)
    assert torch.equal(encode(X[::-1])[1], expected.flip(0))


def test_many_rows_are_sampled_for_quartiles_but_searched_for_missing_values():
    X = np.random.default_rng(0).normal(size=(300_000, 2))
    X[123_456, 1] = np.nan
    encoder = NumericEncoder().fit(X, np.random.RandomState(0))
    assert encoder.missing.tolist() == [1]
    assert encoder.center == pytest.approx([0, 0], abs=0.01)
