"""Estimators on texts under onnxruntime: from strings to the same answers."""

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import skdl
from skdl import TextClassifier, TextLM, TextRegressor
from tests.export.test_onnx import check
from tests.persistence.models import LM

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

_rng = np.random.RandomState(0)
WORDS = ["fine", "dull", "École", "isn't", "good", "film", "東京", "plot,", "x²", "a"]
WORDS += ["bore,", "Great!", "actor’s", "the"]
TEXTS = [" ".join(_rng.choice(WORDS, _rng.randint(0, 20))) for _ in range(80)]
LABELS = np.array([("fine" in t) + ("dull" in t) for t in TEXTS])
# Nothing, other spaces, capitals beyond ASCII, words not seen, marks, repetitions.
ODD = ["", " ", "ÉCOLE\u00a0Σας\x1cfine\ndull", "NEU neu fine fine fine", "e\u0301 🙂!"]


def read_by(**settings):
    return {"language_model": TextLM(**{**LM, "batch_size": 8, **settings})}


def pattern(**settings):
    return {"token_pattern": r"(?u)\b\w\w+\b", **settings}


@pytest.mark.parametrize(
    ("model", "y", "inputs"),
    [
        (TextClassifier(random_state=0), LABELS > 0, ["texts"]),
        (TextClassifier(random_state=0), LABELS.astype(str), ["texts"]),
        (TextClassifier(random_state=0), np.c_[LABELS > 0, LABELS > 1] * 1, ["texts"]),
        (TextRegressor(random_state=0), np.c_[LABELS * 9.0 + 100, LABELS], ["texts"]),
        (
            TextClassifier(random_state=0, analyzer="char", ngram_range=(2, 4)),
            LABELS,
            ["texts"],
        ),
        (
            TextClassifier(random_state=0, token_pattern=None, lowercase=False),
            LABELS,
            ["texts"],
        ),
        (TextClassifier(random_state=0, **pattern()), LABELS, ["tokens"]),
    ],
    ids=["two", "three", "indicators", "real", "char", "blanks", "pattern"],
)
def test_words_and_runs_of_them(model, y, inputs, tmp_path):
    session = check(model.fit(TEXTS, y), TEXTS + ODD, tmp_path, ODD, [""])
    assert [i.name for i in session.get_inputs()] == inputs


@pytest.mark.parametrize(
    ("settings", "inputs"),
    [
        (read_by(), ["texts"]),
        (read_by(cell="qrnn", num_layers=2, pooling="mean"), ["texts"]),
        (read_by(**pattern()), ["texts", "tokens_to_read"]),
    ],
    ids=["lstm", "qrnn", "two-analyzers"],
)
def test_vectors_of_a_language_model(settings, inputs, tmp_path):
    model = TextClassifier(random_state=0, **settings).fit(TEXTS, LABELS)
    model._branches.stack.weights[:] = 1.0  # the vectors are to say something
    session = check(model, TEXTS + ODD, tmp_path, ODD, [""])
    assert [i.name for i in session.get_inputs()] == inputs


@pytest.mark.parametrize("cell", ["lstm", "qrnn"])
def test_a_reader_trained_on_labels(cell, tmp_path):
    model = TextRegressor(
        random_state=0, fine_tuning="gradual", max_epochs=2, **read_by(cell=cell)
    )
    model.fit(TEXTS, LABELS * 2.5)
    model._reader_stack.weights[:] = 1.0
    check(model, TEXTS + ODD, tmp_path, ODD, [""])


def test_a_pipeline_that_makes_texts_is_refused_by_step(tmp_path):
    steps = FunctionTransformer(), TextClassifier(random_state=0)
    model = make_pipeline(*steps).fit(TEXTS, LABELS)
    with pytest.raises(ValueError, match="'textclassifier'.*takes texts"):
        skdl.to_onnx(model, TEXTS, tmp_path / "m.onnx")
    check(model[1:], TEXTS, tmp_path)


def test_empty_tokens_are_refused(tmp_path):
    model = TextClassifier(random_state=0, analyzer=cut_at_blanks)
    model.fit([f"{text}  again" for text in TEXTS], LABELS)
    with pytest.raises(ValueError, match="empty tokens"):
        skdl.to_onnx(model, TEXTS, tmp_path / "m.onnx")


def cut_at_blanks(text):
    return text.split(" ")
