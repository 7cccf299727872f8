"""Wrong input to estimators on labelled texts: one clear error, nothing half-fitted."""

import math

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator

from skdl import (
    NeuralClassifier,
    SurpriseDisplay,
    TextClassifier,
    TextLM,
    TextRegressor,
)

TEXTS = ["a fine film", "what a bore", "fine acting", "a bore of a film"] * 3
LABELS = ["+", "-"] * 6
SMALL = {"embedding_dim": 4, "hidden_size": 4, "max_epochs": 1, "min_frequency": 1}


@pytest.fixture(scope="module")
def model():
    return TextClassifier(random_state=0).fit(TEXTS, LABELS)


@pytest.fixture(scope="module")
def lm():
    return TextLM(**SMALL, batch_size=2, bptt=5, random_state=0).fit(TEXTS)


NOT_TEXTS = {
    "one string": "a fine film",
    "bytes": [b"a fine film", *TEXTS[1:]],
    "None": [None, *TEXTS[1:]],
    "NaN": [math.nan, *TEXTS[1:]],
    "NA in a Series of objects": pd.Series([pd.NA, *TEXTS[1:]], dtype=object),
    "NA of strings": pd.Series([pd.NA, *TEXTS[1:]], dtype="string"),
    "NA of Python's strings": pd.Series([pd.NA, *TEXTS[1:]], dtype="string[python]"),
    "NaN of str": pd.Series([None, *TEXTS[1:]], dtype="str"),
    "NaT": [pd.NaT, *TEXTS[1:]],
    "a number": [3, *TEXTS[1:]],
    "a mapping": dict(enumerate(TEXTS)),
    "two columns": pd.DataFrame({"a": TEXTS, "b": TEXTS}),
    "nothing": [],
}


@pytest.mark.parametrize("kind", NOT_TEXTS)
def test_what_is_no_text_is_refused_and_changes_nothing(model, kind):
    before = dict(vars(model))
    for call in (
        lambda X: model.fit(X, LABELS),
        model.predict,
        lambda X: TextRegressor().fit(X, np.arange(12.0)),
    ):
        with pytest.raises((ValueError, TypeError), match="^X "):
            call(NOT_TEXTS[kind])
    assert dict(vars(model)) == before


@pytest.mark.parametrize("texts", ["one string", "", [None], [b"a"], 3])
def test_unlabelled_texts_are_texts(texts):
    with pytest.raises((ValueError, TypeError)) as caught:
        TextClassifier().fit(TEXTS, LABELS, unlabeled=texts)
    assert "about unlabeled" in caught.value.__notes__[0]


def test_an_error_in_texts_held_out_says_so():
    with pytest.raises(ValueError, match="Fill missing") as caught:
        TextLM(**SMALL).fit(TEXTS, X_val=[*TEXTS, None])
    assert "X_val" in caught.value.__notes__[0]


@pytest.mark.parametrize("texts", [None, [], iter(()), pd.Series([], dtype="string")])
def test_there_may_be_no_unlabelled_texts(texts, model):
    found = clone(model).fit(TEXTS, LABELS, unlabeled=texts)
    np.testing.assert_array_equal(
        found.predict_proba(TEXTS), model.predict_proba(TEXTS)
    )


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (["+"] * 12, "only one class"),
        ([None, *LABELS[1:]], "1 missing labels"),
        (pd.Series([pd.NA, *LABELS[1:]], dtype="string"), "1 missing labels"),
        (pd.Series([None, *LABELS[1:]], dtype="category"), "1 missing labels"),
        ([pd.NA, *LABELS[1:]], "1 missing labels"),
        ([math.nan, *[1.0, 0.0] * 5, 1.0], "NaN|missing"),
        ([1, *LABELS[1:]], "mixes text and other labels"),
        (LABELS[:5], "inconsistent"),
        (np.arange(12) + 0.5, "Unknown label type"),
        (None, "TextLM"),
        (np.arange(36).reshape(12, 3), "MultiOutputClassifier"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_labels_that_are_none_are_refused(y, message):
    with pytest.raises(ValueError, match=message):
        TextClassifier().fit(TEXTS, y)


@pytest.mark.parametrize("missing", [None, pd.NA, math.nan], ids=str)
def test_a_missing_label_is_told_where_its_text_may_go(missing):
    for labels in ([missing, *LABELS[1:]], pd.Series([missing] + [1, 0] * 5 + [1])):
        with pytest.raises(ValueError, match=r"missing|NaN") as caught:
            TextClassifier().fit(TEXTS, labels)
        assert "unlabeled" in caught.value.__notes__[0]


def test_one_text_with_a_weight_is_too_few():
    for texts, weight in ((["a"], None), (["a", "b"], [0.0, 1.0])):
        with pytest.raises(ValueError, match="at least 2 are needed"):
            TextRegressor().fit(texts, np.arange(len(texts)), sample_weight=weight)


def test_a_held_out_label_that_is_new_is_told_of_as_such(lm):
    model = TextClassifier(language_model=lm, fine_tuning="gradual", max_epochs=1)
    with pytest.raises(ValueError, match="maybe") as caught:
        model.fit(TEXTS, LABELS, X_val=TEXTS[:1], y_val=["maybe"])
    assert "X_val" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ngram_range": (2, 1)}, "smaller one first"),
        ({"ngram_range": (0, 1)}, "positive integers"),
        ({"ngram_range": 2}, "ngram_range"),
        ({"ngram_range": "12"}, "ngram_range"),
        ({"token_pattern": "("}, "token_pattern"),
        ({"dropout": 1.0}, "dropout"),
        ({"bptt": 0}, "bptt"),
        ({"fine_tuning": "fast"}, "fine_tuning"),
        ({"fine_tuning": "gradual"}, "language_model is None"),
        ({"warm_start": True}, "warm_start must be False"),
        ({"class_weight": {"?": 2.0}}, "class_weight names"),
    ],
    ids=str,
)
def test_parameters_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        TextClassifier(**options).fit(TEXTS, LABELS)


@pytest.mark.parametrize(
    ("language_model", "error", "message"),
    [
        ("a path", TypeError, "must be a TextLM"),
        (NeuralClassifier(), TypeError, "got NeuralClassifier"),
        (FrozenEstimator(TextLM()), ValueError, "not fitted"),
    ],
    ids=["text", "another", "frozen too early"],
)
def test_what_is_no_language_model_is_refused(language_model, error, message):
    with pytest.raises(error, match=message):
        TextClassifier(language_model=language_model).fit(TEXTS, LABELS)


def test_held_out_texts_without_a_network_to_stop_are_refused():
    with pytest.raises(ValueError, match="X_val chooses the best epoch"):
        TextClassifier().fit(TEXTS, LABELS, X_val=TEXTS, y_val=LABELS)
    with pytest.raises(ValueError, match="without y_val"):
        TextClassifier().fit(TEXTS, LABELS, X_val=TEXTS)


def test_a_model_that_is_not_fitted_says_so():
    with pytest.raises(NotFittedError):
        TextClassifier().predict(TEXTS)


def test_names_from_elsewhere_are_answered():
    with pytest.raises(TypeError, match="that is max_vocab"):
        TextClassifier(max_features=1000)
    with pytest.raises(ValueError, match="that is analyzer"):
        TextClassifier().set_params(tokenizer=str.split)


# What looks wrong and is not.


def test_empty_and_unknown_texts_get_an_answer(model):
    chances = model.predict_proba(["", "zzz zzz", "\ud800"])
    assert np.isfinite(chances).all()
    empty = TextClassifier(random_state=0).fit([""] * 4, [0, 1, 1, 1])
    assert empty.predict([""]).tolist() == [1]


def test_lone_surrogates_are_characters():
    texts = ["\ud800 fine", "\udfff bore"] * 6
    model = TextClassifier(random_state=0).fit(texts, LABELS)
    assert model.predict(["fine"]).tolist() == ["+"]
    assert model.influence(texts[:1])["token"].tolist() == ["\ud800", "fine"]
    shown = SurpriseDisplay.from_estimator(model, texts[:1])._repr_html_()
    assert "\ufffd</span>" in shown.encode().decode()


@pytest.mark.parametrize("n", [2, 3, 5])
def test_a_handful_of_texts_is_enough(n):
    model = TextClassifier(random_state=0).fit(TEXTS[:n], LABELS[:n])
    assert set(model.predict(TEXTS)) <= {"+", "-"}


def test_a_reader_learns_from_one_text_at_a_time(lm):
    """Of two texts one is held out; batch norm has one to learn from."""
    model = TextClassifier(
        language_model=lm, fine_tuning="gradual", max_epochs=1, batch_size=1
    )
    for n in (2, 3):
        assert np.isfinite(model.fit(TEXTS[:n], LABELS[:n]).predict_proba(TEXTS)).all()


def test_texts_shorter_than_the_window_are_fine_tuned_on(lm):
    """The language model has words of its own; texts may be of one word, or none."""
    model = TextClassifier(
        language_model=lm,
        fine_tuning="gradual",
        max_epochs=2,
        bptt=500,
        analyzer="char",
        random_state=0,
    )
    texts = ["fine", "bore", "", "bore"] * 3
    model.fit(texts, LABELS)
    assert np.isfinite(model.predict_proba(texts)).all()
    assert model.language_model_.tokens_ == lm.tokens_


def test_a_language_model_of_other_cells_and_ties():
    lm = TextLM(**SMALL, cell="qrnn", tie_weights=False, batch_size=2, bptt=5)
    model = TextClassifier(
        language_model=lm, fine_tuning="gradual", max_epochs=1, random_state=0
    )
    assert model.fit(TEXTS, LABELS).predict(TEXTS).shape == (12,)


@pytest.mark.slow
def test_a_document_of_200_000_tokens_is_learned_from_and_read(lm):
    texts = [*TEXTS, "a fine bore of a film " * 34_000]
    model = TextClassifier(
        language_model=lm, fine_tuning="gradual", max_epochs=1, random_state=0
    )
    model.fit(texts, [*LABELS, "+"])
    assert np.isfinite(model.predict_proba(texts)).all()


@pytest.mark.parametrize("kind", [set, frozenset])
def test_texts_without_an_order_are_refused(kind):
    with pytest.raises(TypeError, match="in an order"):
        TextClassifier().fit(kind(TEXTS), LABELS)
