"""Texts read one after the other: vocabulary and ids as of the texts in memory."""

import gzip

import numpy as np
import pandas as pd
import pytest
import torch

from skdl.data import streams, text_streams
from skdl.data.analyzers import WordAnalyzer
from skdl.data.streams import StreamBatches
from skdl.data.text import TextEncoder
from skdl.data.text_streams import (
    TextStream,
    encoded_stream,
    fitted_stream,
    text_stream,
)

RNG = np.random.RandomState(0)
WORDS = [f"W{i}" for i in range(300)]
TEXTS = [" ".join(RNG.choice(WORDS, RNG.randint(0, 30))) for _ in range(200)]


@pytest.fixture
def on_disk(monkeypatch):
    monkeypatch.setattr(text_streams, "_IN_MEMORY", 100)
    monkeypatch.setattr(text_streams, "_CHUNK", 64)


def encoder(**options):
    return TextEncoder(WordAnalyzer(), **options)


@pytest.mark.parametrize(
    "options",
    [{}, {"lowercase": True, "max_vocab": 50}, {"min_frequency": 8}],
    ids=["all", "bounded", "frequent"],
)
def test_a_stream_teaches_the_vocabulary_of_the_texts(options, on_disk):
    expected, found = encoder(**options), encoder(**options)
    in_memory = expected.fit_transform(TEXTS)
    streamed = fitted_stream(found, TextStream(lambda: TEXTS))
    assert isinstance(streamed.ids, np.memmap)
    assert found.tokens == expected.tokens
    for known, other in ((found.counts, expected.counts), (streamed, in_memory)):
        for name in ("ids", "lengths"):
            a, b = getattr(known, name, known), getattr(other, name, other)
            np.testing.assert_array_equal(a, b)
    again = encoded_stream(found, TextStream(lambda: [*TEXTS[:9], "new word"]))
    other = expected.transform([*TEXTS[:9], "new word"])
    np.testing.assert_array_equal(again.ids, other.ids)


def test_of_too_many_tokens_the_frequent_ones_stay(on_disk, monkeypatch):
    monkeypatch.setattr(text_streams, "_MOST_COUNTED", 100)
    rare = [f"only{i} often the" for i in range(2000)]
    found = encoder(min_frequency=2)
    stream = fitted_stream(found, TextStream(lambda: rare))
    assert set(found.tokens) == {"often", "the", "<eos>", "<unk>"}
    assert found.counts[found.tokens.index("<unk>")] == 2000
    assert (stream.ids == found.unknown_id).sum() == 2000


@pytest.mark.parametrize("lengths", [None, np.full(50, 10)], ids=["whole", "runs"])
@pytest.mark.parametrize("batch_size", [1, 3])
def test_windows_of_a_memory_map_are_those_of_an_array(
    batch_size, lengths, tmp_path, monkeypatch
):
    monkeypatch.setattr(streams, "_RUN", 30)
    ids = RNG.randint(0, 9, 500).astype(np.int32)
    np.save(tmp_path / "ids.npy", ids)
    mapped = np.load(tmp_path / "ids.npy", mmap_mode="r+")
    found, expected = (
        StreamBatches(i, 4, lengths=lengths, batch_size=batch_size, bptt=7)
        for i in (mapped, ids)
    )
    assert found.n_tokens == expected.n_tokens
    windows = []
    for batches in (found, expected):
        torch.manual_seed(0)
        windows.append(list(batches))
    for ours, theirs in zip(*windows, strict=True):
        assert ours[0][0].equal(theirs[0][0])
        assert ours[1].equal(theirs[1])
    assert found.tensors()[0].equal(torch.from_numpy(ids))


def test_files_hold_a_text_a_line_or_a_row(tmp_path):
    lines = [text for text in TEXTS[:20]]
    (tmp_path / "a.txt").write_text("\n".join(lines[:10]) + "\n")
    with gzip.open(tmp_path / "b.txt.gz", "wt") as file:
        file.write("\r\n".join(lines[10:]))
    paths = [tmp_path / "a.txt", tmp_path / "b.txt.gz"]
    assert list(text_stream(paths)) == lines
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"number": range(20), "text": lines})
    frame.to_parquet(tmp_path / "c.parquet", row_group_size=7)
    assert list(text_stream(tmp_path / "c.parquet")) == lines
    frame.assign(other="a").to_parquet(tmp_path / "d.parquet")
    with pytest.raises(ValueError, match=r"one column of text, but has \['text', 'o"):
        list(text_stream(tmp_path / "d.parquet"))
    (tmp_path / "e.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"e.txt is no text in UTF-8"):
        list(text_stream(tmp_path / "e.txt"))


def test_what_is_in_memory_is_no_stream():
    for given in (TEXTS, tuple(TEXTS), np.array(TEXTS), pd.Series(TEXTS), "text", 3):
        assert text_stream(given) is None
    assert text_stream(iter(TEXTS)) is not None
    assert text_stream(iter(TEXTS), once=False) is None
    assert list(text_stream(lambda: TEXTS, once=False)) == TEXTS


def test_parts_of_a_stream_are_the_whole():
    rest, share = TextStream(lambda: TEXTS).parted(0.2, seed=0)
    assert sorted([*rest, *share]) == sorted(TEXTS)
    assert 20 < len(list(share)) < 60
    assert list(share) == list(share)
    parts = TextStream(lambda: ["a"]).parted(0.5, seed=0)
    with pytest.raises(ValueError, match="needs documents to hold out"):
        [list(part) for part in parts]


@pytest.mark.parametrize(
    ("texts", "message"),
    [([], "holds no documents"), (["a", None], "one is none, at position 1: None")],
)
def test_bad_streams_are_refused(texts, message):
    with pytest.raises(ValueError, match=message):
        fitted_stream(encoder(), TextStream(lambda: texts))
