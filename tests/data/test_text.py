import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch

from skdl import datasets
from skdl.data import streams
from skdl.data.analyzers import resolve_analyzer
from skdl.data.streams import StreamBatches, longest_window, n_windows
from skdl.data.text import TextEncoder, check_texts


def encoder(analyzer="word", **options):
    pattern = options.pop("token_pattern", None)
    return TextEncoder(resolve_analyzer(analyzer, token_pattern=pattern), **options)


def test_every_document_ends_with_eos_and_is_counted():
    e = encoder()
    stream = e.fit_transform(["a b", "", "a"])
    assert [e.tokens[i] for i in stream.ids] == ["a", "b", *["<eos>"] * 2, "a", "<eos>"]
    assert stream.lengths.tolist() == [3, 1, 2]


def test_ids_go_by_frequency_and_rare_tokens_are_unknown():
    e = encoder(min_frequency=2)
    stream = e.fit_transform(["a a a b b c d"])
    assert e.tokens == ["a", "b", "<unk>", "<eos>"]
    assert e.counts.tolist() == [3, 2, 2, 1]
    assert stream.ids.tolist() == [0, 0, 0, 1, 1, 2, 2, 3]


def test_vocabulary_is_bounded():
    e = encoder(max_vocab=3)
    e.fit_transform(["a a b c d"])
    assert sorted(e.tokens) == ["<eos>", "<unk>", "a"]


def test_literal_unk_is_the_unknown_token():
    e = encoder()
    assert e.fit_transform(["<unk> a <unk>"]).ids.tolist().count(e.unknown_id) == 2
    assert e.tokens.count("<unk>") == 1


def test_new_tokens_are_unknown_and_do_not_enter_the_vocabulary():
    e = encoder()
    e.fit_transform(["a b"])
    before = list(e.tokens)
    assert e.transform(["a z"]).ids.tolist()[1] == e.unknown_id
    assert e.tokens == before
    assert e.id_of("z") is None


def test_words_may_be_matched_by_a_pattern():
    e = encoder(token_pattern=r"\w+|[^\w\s]", lowercase=True)
    e.fit_transform(["Oh, no!"])
    assert {"oh", ",", "no", "!"} <= set(e.tokens)


def test_characters_join_to_the_same_text():
    e = encoder("char")
    ids = e.fit_transform(["ab c\nd"]).ids
    assert e.decode(ids) == "ab c\nd"


def test_bpe_writes_any_text_in_its_pieces():
    pytest.importorskip("tokenizers")
    e = TextEncoder(resolve_analyzer("bpe", max_vocab=300))
    e.fit_transform(["low lower lowest newer newest"] * 20)
    again = pickle.loads(pickle.dumps(e))
    text = "lowest züge"
    ids = again.transform([text]).ids
    assert again.unknown_id not in ids
    assert again.decode(ids) == text
    assert len(ids) < len(text.encode())


def test_bpe_without_its_library_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tokenizers", None)
    with pytest.raises(ImportError, match=r"skdl\[text\]"):
        TextEncoder(resolve_analyzer("bpe")).fit_transform(["a"])


@pytest.mark.parametrize(
    "X",
    [
        ["a", "b"],
        ("a", "b"),
        np.array(["a", "b"]),
        np.array([["a"], ["b"]], dtype=object),
        pd.Series(["a", "b"], index=[7, 3]),
        pd.DataFrame({"text": ["a", "b"]}),
        pl.Series(["a", "b"]),
        pl.DataFrame({"text": ["a", "b"]}),
        pd.Series(["a", "b"], dtype="string"),
        pd.Series(["a", "b"], dtype="string[pyarrow]"),
        pa.array(["a", "b"]),
        pa.chunked_array([["a"], ["b"]]),
        pa.table({"text": ["a", "b"]}),
        (c for c in "ab"),
    ],
)
def test_texts_come_in_many_forms(X):
    assert check_texts(X) == ["a", "b"]


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        ([], ValueError, "no documents"),
        ("one text", TypeError, "one str"),
        (np.array("one text"), TypeError, "one str"),
        (b"one text", TypeError, "one bytes. Decode bytes"),
        (7, TypeError, "iterable of strings"),
        (["a", None], ValueError, "position 1: None. Fill missing"),
        (["a", np.nan], ValueError, "Fill missing"),
        (pd.Series(["a", pd.NA], dtype=object), ValueError, "<NA>. Fill missing"),
        (pd.Series(["a", pd.NA], dtype="string"), ValueError, "<NA>. Fill missing"),
        (pd.Series(["a", None], dtype="string[pyarrow]"), ValueError, "Fill missing"),
        (pd.Series(["a", np.nan]), ValueError, "nan. Fill missing"),
        (pa.array(["a", None]), ValueError, "position 1: None. Fill missing"),
        ([b"a"], ValueError, "Decode bytes"),
        ([1, 2], ValueError, "astype"),
        (np.array([["a", "b"]]), ValueError, "one column"),
    ],
)
def test_what_is_no_text_is_refused(X, error, message):
    with pytest.raises(error, match=message):
        check_texts(X)


def test_bad_pattern_is_refused():
    with pytest.raises(ValueError, match="regular expression"):
        resolve_analyzer("word", token_pattern="(")
    analyzer = resolve_analyzer("word", token_pattern="#(a|b)")
    assert analyzer("#a b") == ["a"]
    with pytest.raises(ValueError, match="token_pattern must have one group at most"):
        resolve_analyzer("word", token_pattern="(a)(b)")("ab")


def collect(batches):
    inputs, targets = [], []
    for (ids,), target, weight in batches:
        assert weight is None
        inputs.append(ids)
        targets.append(target)
    return inputs, targets


@pytest.mark.parametrize("variable", [False, True])
def test_every_token_of_a_stream_is_predicted_once(variable):
    ids = np.arange(1, 2001)
    batches = StreamBatches(ids, 0, batch_size=4, bptt=50, variable=variable)
    inputs, targets = collect(batches)
    assert len(inputs) == len(batches)
    whole = np.concatenate([t.numpy() for t in targets])
    np.testing.assert_array_equal(whole.T.ravel(), ids)
    read = np.concatenate([t.numpy() for t in inputs])
    np.testing.assert_array_equal(read.T.ravel(), ids - 1)


def test_windows_vary_around_bptt_and_the_rate_with_them():
    batches = StreamBatches(np.zeros(40_000), 0, batch_size=2, bptt=70, variable=True)
    lengths, factors = [], []
    for (ids,), _, _ in batches:
        lengths.append(len(ids))
        factors.append(batches.lr_factor)
    assert len(set(lengths)) > 5
    assert abs(np.median(lengths) - 70) < 5
    assert min(lengths) < 45
    np.testing.assert_allclose(factors, np.array(lengths) / 70)


@pytest.mark.parametrize("variable", [False, True])
@pytest.mark.parametrize("bptt", [1, 2, 3, 7, 10, 35, 1000])
@pytest.mark.parametrize("length", [1, 2, 11, 100, 999])
def test_an_epoch_has_as_many_windows_as_it_says(length, bptt, variable):
    ids = np.arange(2 * length)
    batches = StreamBatches(ids, 0, batch_size=2, bptt=bptt, variable=variable)
    lengths = [len(target) for _, target, _ in batches]
    assert len(lengths) == len(batches) == n_windows(length, bptt, variable=variable)
    assert sum(lengths) == length
    assert min(lengths) >= 1
    if not variable:
        assert max(lengths) <= bptt


def test_hardly_any_window_is_longer_than_the_longest():
    batches = StreamBatches(np.zeros(80_000), 0, batch_size=2, bptt=70, variable=True)
    torch.manual_seed(0)
    lengths = np.array([len(target) for _, target, _ in batches])
    assert (lengths <= longest_window(70, variable=True)).mean() > 0.99
    assert lengths.max() > longest_window(70)


def runs_read(batches):
    """Return the tokens of an epoch, stream after stream."""
    return torch.cat([target for _, target, _ in batches]).T.flatten().numpy()


def test_runs_of_documents_have_another_order_in_every_epoch(monkeypatch):
    monkeypatch.setattr(streams, "_RUN", 20)
    lengths = np.full(60, 5)
    ids = np.arange(300)
    batches = StreamBatches(ids, 0, lengths=lengths, batch_size=3, bptt=7)
    first, second = runs_read(batches), runs_read(batches)
    for read in (first, second):
        np.testing.assert_array_equal(np.sort(read), ids)
        breaks = np.flatnonzero(np.diff(read) != 1) + 1
        assert (breaks % 20 == 0).all()  # four documents stay together
        assert len(breaks) > 8
    assert (first != second).any()


def test_inputs_are_what_stands_before_in_the_new_order_too(monkeypatch):
    monkeypatch.setattr(streams, "_RUN", 20)
    batches = StreamBatches(
        np.arange(1, 301), 0, lengths=np.full(60, 5), batch_size=3, bptt=7
    )
    inputs, targets = collect(batches)
    read = torch.cat(inputs).T.flatten()
    predicted = torch.cat(targets).T.flatten()
    assert read[0] == 0
    assert torch.equal(read[1:], predicted[:-1])


def test_one_run_stays_as_it_is():
    ids = np.arange(300)
    batches = StreamBatches(ids, 0, lengths=np.full(60, 5), batch_size=3, bptt=7)
    np.testing.assert_array_equal(runs_read(batches), ids)


def test_batches_are_views():
    batches = StreamBatches(np.arange(100), 0, batch_size=2, bptt=10)
    (ids,), target, _ = next(iter(batches))
    assert ids.untyped_storage().data_ptr() == target.untyped_storage().data_ptr()


@pytest.mark.data
@pytest.mark.parametrize(
    ("loader", "n_tokens", "parts"),
    [
        ("load_ptb", 10_000, (929_589, 73_760, 82_430)),
        ("load_wikitext2", 33_278, (2_088_628, 217_646, 245_569)),
    ],
)
def test_corpora_have_the_tokens_of_the_papers(loader, n_tokens, parts):
    try:
        data = getattr(datasets, loader)()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    e = encoder()
    counts = [len(e.fit_transform(data.train))]
    counts += [len(e.transform(part)) for part in (data.valid, data.test)]
    assert tuple(counts) == parts
    assert len(e.tokens) == n_tokens
