"""Language models of files: what the same texts in memory teach."""

import numpy as np
import pytest
from sklearn.base import clone

from skdl import TextLM
from skdl.data import text_streams

RNG = np.random.RandomState(0)
TEXTS = [" ".join(RNG.choice(list("abcdefghij"), 20)) for _ in range(120)]
MODEL = TextLM(
    embedding_dim=8, hidden_size=8, max_epochs=2, batch_size=4, bptt=10, random_state=0
)
ON_CPU = clone(MODEL).set_params(device="cpu")  # which has the same bits each time


@pytest.fixture(autouse=True)
def on_disk(monkeypatch):
    monkeypatch.setattr(text_streams, "_IN_MEMORY", 1000)
    monkeypatch.setattr(text_streams, "_CHUNK", 500)


@pytest.fixture
def path(tmp_path):
    (tmp_path / "texts.txt").write_text("\n".join(TEXTS))
    return tmp_path / "texts.txt"


@pytest.fixture(scope="module")
def in_memory():
    return clone(ON_CPU).fit(TEXTS, X_val=TEXTS[:9])


class Texts:
    """Gives texts each time it is iterated."""

    def __iter__(self):
        return iter(TEXTS)


@pytest.mark.parametrize(
    "given",
    [lambda path: path, lambda path: Texts(), lambda path: (t for t in TEXTS)],
    ids=["file", "iterable", "generator"],
)
def test_texts_larger_than_memory_teach_what_they_teach_in_memory(
    given, path, in_memory
):
    model = clone(ON_CPU).fit(given(path), X_val=Texts())
    assert model.tokens_ == in_memory.tokens_
    losses = [m.history_["loss"].tolist() for m in (model, in_memory)]
    assert losses[0] == losses[1]
    assert model.perplexity(TEXTS) == in_memory.perplexity(TEXTS)


def test_documents_of_a_file_are_held_out_and_fits_go_on(path):
    model = clone(MODEL).set_params(early_stopping=True, validation=0.2).fit(path)
    assert model.history_["validation_loss"].notna().all()
    model.partial_fit(path)
    assert len(model.history_) == 3


def test_a_generator_that_must_be_read_twice_is_kept_in_memory():
    model = clone(MODEL).set_params(early_stopping=True, max_epochs=1)
    found = clone(model).fit(t for t in TEXTS)
    assert found.perplexity(TEXTS) == model.fit(TEXTS).perplexity(TEXTS)


def test_a_file_that_is_not_there_leaves_the_model(path, in_memory):
    model = clone(MODEL)
    with pytest.raises(FileNotFoundError):
        model.fit(path.with_name("other.txt"))
    assert not hasattr(model, "network_")
