"""Tables with positions in bins, and the vectors that a member cannot learn."""

import numpy as np
import pandas as pd
import torch

from skdl.data import bins, numeric
from skdl.data.binned import BinnedTableEncoder, count_codes, untrained_rows
from skdl.data.bins import BinEncoder
from skdl.data.factors import factorize
from skdl.data.streamed import StreamedTable
from skdl.data.table import Table, TableEncoder

N = 40


def table():
    rng = np.random.RandomState(0)
    numeric = np.column_stack([rng.randn(N), np.ones(N), np.full(N, np.nan)])
    return Table([factorize(pd.Series(list("abcd" * 10)))], numeric)


def fitted(X, **options):
    encoder = BinnedTableEncoder(BinEncoder(), **options)
    return encoder.fit_with_target(X, np.arange(N) % 2, np.random.RandomState(0))


def test_positions_stand_between_the_numbers_and_the_groups():
    X = table()
    options = {"vocabulary_of_column": [0], "columns_of_groups": [[0]]}
    encoder = fitted(X, **options)
    plain = TableEncoder(**options).fit(X, np.random.RandomState(0))
    indices, numbers, positions, groups = encoder.transform(X)
    for found, expected in zip(
        (indices, numbers, groups), plain.transform(X), strict=True
    ):
        torch.testing.assert_close(found, expected)
    assert positions.shape == (N, 1)  # the others have a single value, or none
    assert positions.max() == encoder.n_bins[0]


def test_chunks_are_the_rows_of_all_at_once():
    X = table()
    encoder = fitted(X, vocabulary_of_column=[0])
    chunks = list(encoder.chunks(X, 16))
    assert [len(chunk[0]) for chunk in chunks] == [16, 16, 8]
    for part, whole in zip(
        zip(*chunks, strict=True), encoder.transform(X), strict=True
    ):
        torch.testing.assert_close(torch.cat(part), whole)


def test_plain_arrays_are_tables_without_categories():
    X = table().numeric
    indices, numbers, positions = fitted(X).transform(X)
    assert indices.shape == (N, 0)
    assert len(numbers) == len(positions) == N


def test_no_quantiles_mean_no_positions():
    encoder = BinnedTableEncoder(BinEncoder(0))
    encoder.fit_with_target(table().numeric, np.arange(N), np.random.RandomState(0))
    assert len(encoder.transform(table().numeric)) == 2


def test_a_category_of_blind_rows_alone_is_untrained():
    X = table()
    encoder = fitted(X, vocabulary_of_column=[0])
    blind = np.zeros((N, 2), dtype=bool)
    blind[::4, 0] = True  # all rows of "a"
    indices = encoder.transform(X)[0]
    seen = [count_codes(indices[~blind[:, m]], encoder) for m in range(2)]
    members, rows, unknown = untrained_rows(seen, encoder)
    code = int(indices[0, 0])
    assert (0, code) in set(zip(members.tolist(), rows.tolist(), strict=True))
    assert (1, code) not in set(zip(members.tolist(), rows.tolist(), strict=True))
    assert 0 not in rows  # the unknown category's own
    assert not unknown.any()


def test_tables_with_many_bins_are_predicted_in_smaller_chunks():
    rng = np.random.RandomState(0)
    few, many = (Table([], rng.randn(600, n)) for n in (2, 60))
    sizes = [
        BinnedTableEncoder(BinEncoder())
        .fit_with_target(X, np.arange(600) % 2, rng)
        .inference_rows
        for X in (few, many)
    ]
    assert 256 <= sizes[1] < sizes[0] == TableEncoder.inference_rows


def test_a_stream_of_many_rows_teaches_what_the_same_rows_in_memory_teach(monkeypatch):
    monkeypatch.setattr(bins, "_LEARNING_ROWS", 60)
    monkeypatch.setattr(numeric, "_QUARTILE_ROWS", 90)
    X, y = table(), np.arange(N) % 3
    stream = StreamedTable.__new__(StreamedTable)
    stream.shape = X.shape
    stream.chunks = lambda: ((a, X[a:b]) for a, b in ((0, 30), (30, N)))
    found, expected = (
        BinnedTableEncoder(BinEncoder(), [0]).fit_with_target(
            rows, y, np.random.RandomState(0)
        )
        for rows in (stream, X)
    )
    for a, b in zip(found.of_all(stream), expected.of_all(X), strict=True):
        assert a.equal(b)
