"""Batches of whole documents."""

import numpy as np
import torch

from skdl.data import documents
from skdl.data.documents import DocumentBatches
from skdl.data.text import TokenStream

LENGTHS = [3, 1, 7, 2, 9, 4, 3]


def batches(**options):
    ids = np.concatenate([10 * (i + 1) + np.arange(n) for i, n in enumerate(LENGTHS)])
    stream = TokenStream(ids.astype(np.int32), np.array(LENGTHS))
    target = torch.arange(len(LENGTHS))
    return DocumentBatches(stream, 99, target, None, batch_size=3, **options)


def test_every_document_comes_once_an_epoch_and_is_read_a_token_behind():
    seen = []
    for (ids, lengths), target, weight in batches():
        assert weight is None
        for row, length, document in zip(ids, lengths, target, strict=True):
            first, *rest = row[len(row) - int(length) :].tolist()
            assert first == 99
            i = int(document)
            assert rest == [10 * (i + 1) + t for t in range(LENGTHS[i] - 1)]
            assert set(row[: len(row) - int(length)].tolist()) <= {99}
        seen += target.tolist()
    assert sorted(seen) == list(range(len(LENGTHS)))


def test_documents_of_a_batch_are_about_as_long():
    for _, target, _ in batches():
        lengths = [LENGTHS[i] for i in target.tolist()]
        assert max(lengths) <= 3 * min(lengths)


def test_of_a_long_document_the_end_is_read(monkeypatch):
    monkeypatch.setattr(documents, "_LONGEST", 4)
    for (ids, lengths), target, _ in batches():
        assert ids.shape[1] <= 4
        for row, length, document in zip(ids, lengths, target, strict=True):
            i = int(document)
            last = 10 * (i + 1) + LENGTHS[i] - 2
            assert int(row[-1]) == (last if LENGTHS[i] > 1 else 99)
            assert int(length) == min(4, LENGTHS[i])
