"""Surprise of tokens, texts that stand out, and what tokens say."""

import math
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks

import skdl
from skdl import (
    SurpriseDisplay,
    TextClassifier,
    TextLM,
    TextOutlierDetector,
    TextRegressor,
)

LOGS = ["open read close", "open write sync close"] * 60
ODD = "open write close"


@pytest.fixture(scope="module")
def lm():
    settings = {"embedding_dim": 16, "hidden_size": 16, "batch_size": 5, "bptt": 10}
    return TextLM(**settings, max_epochs=10, lr=0.02, random_state=0).fit(LOGS)


@pytest.fixture(scope="module")
def detector():
    return TextOutlierDetector(random_state=0).fit(LOGS)


@pytest.fixture(scope="module")
def classifier():
    texts = ["a fine film", "what a bore", "fine acting", "a bore of a film"] * 5
    return TextClassifier(random_state=0).fit(texts, ["+", "-", "+", "-"] * 5)


def test_nats_of_tokens_add_up_to_those_of_texts(lm):
    texts = [ODD, "", "open unheard-of close", *LOGS[:3]]
    found = lm.surprise(texts)
    sums = found.groupby("document")["nats"].sum()
    np.testing.assert_allclose(sums, -lm.score_samples(texts), rtol=1e-4)
    assert found["token"].tolist()[:5] == ["open", "write", "close", "<eos>", "<eos>"]
    assert found["position"].tolist()[:5] == [0, 1, 2, 3, 0]
    assert found.loc[~found["known"], "token"].tolist() == ["unheard-of"]


def test_expected_nats_are_the_entropy(lm):
    found = lm.surprise(["open"])
    _, chances = lm.predict_next(["", "open"], k=len(lm.tokens_))
    entropy = -(chances * np.log(np.maximum(chances, 1e-300))).sum(1)
    np.testing.assert_allclose(found["expected"], entropy, rtol=1e-3, atol=1e-5)


@pytest.mark.kernels
def test_surprise_is_the_same_in_any_windows(lm, monkeypatch):
    texts = [" ".join(LOGS[:9]), "open", *LOGS[:5]]
    before = lm.surprise(texts)["nats"]
    monkeypatch.setattr("skdl.training.text.documents._WINDOW", 5)
    monkeypatch.setattr("skdl.training.text.documents._BATCH", 3)
    monkeypatch.setattr("skdl.training.text.documents._SCORES", 9)
    np.testing.assert_allclose(lm.surprise(texts)["nats"], before, rtol=1e-3, atol=1e-5)


def test_a_common_word_in_the_wrong_place_stands_out(detector):
    assert detector.predict([LOGS[0], LOGS[1], ODD]).tolist() == [1, 1, -1]
    found = detector.surprise([ODD])
    assert found.loc[found["excess"].idxmax(), "token"] == "close"
    scores = detector.score_samples([LOGS[0], ODD])
    assert scores[0] > scores[1]
    np.testing.assert_allclose(
        detector.decision_function([ODD]), scores[1:] - detector.offset_
    )


def test_a_detector_takes_a_model_that_has_read_already(lm):
    detector = TextOutlierDetector(
        language_model=FrozenEstimator(lm), contamination=0.1
    )
    assert clone(detector).fit_predict([*LOGS, ODD])[-1] == -1
    assert make_pipeline(detector).fit(LOGS).predict([ODD]).tolist() == [-1]


def session(rng):
    steps = " ".join(rng.choice(["read", "write", "seek"], rng.randint(1, 6)))
    return (
        f"user {rng.randint(9999)} open file {rng.choice(list('abcd'))} {steps} close"
    )


def test_a_new_number_is_no_outlier_however_few_texts_there_are():
    rng = np.random.RandomState(0)
    texts = [session(rng) for _ in range(400)]
    detector = TextOutlierDetector(contamination=0.05, random_state=0).fit(texts[:300])
    assert (detector.predict(texts[:300]) == -1).mean() == pytest.approx(0.05, abs=0.01)
    assert (detector.predict(texts[300:]) == -1).mean() < 0.2
    odd = ["user 10000 open file read close", "user 10001 close"]
    assert detector.predict(odd).tolist() == [-1, -1]


@pytest.mark.parametrize("contamination", [0.1, 0.5])
def test_contamination_is_the_share_of_fits_texts_that_are_outliers(contamination):
    rng = np.random.RandomState(0)
    texts = [" ".join(rng.choice(list("abcdefgh"), 12)) for _ in range(100)]
    detector = TextOutlierDetector(contamination=contamination, random_state=0)
    found = detector.fit_predict(texts)
    # Texts that begin alike may have the same score, and are then judged alike.
    assert np.mean(found == -1) == pytest.approx(contamination, abs=0.02)
    assert (detector.predict(texts) == found).all()


@pytest.mark.usefixtures("on_cpu")
def test_a_detector_is_the_same_again(tmp_path):
    detector, again = (TextOutlierDetector(random_state=0).fit(LOGS) for _ in range(2))
    skdl.save(detector, tmp_path / "detector.skdl")
    for other in (
        again,
        pickle.loads(pickle.dumps(detector)),
        skdl.load(tmp_path / "detector.skdl"),
    ):
        assert other.offset_ == detector.offset_
        np.testing.assert_array_equal(
            other.score_samples([ODD]), detector.score_samples([ODD])
        )


@pytest.mark.parametrize(
    ("options", "X", "message"),
    [
        ({"contamination": 0.0}, LOGS, "contamination"),
        ({"contamination": "auto"}, LOGS, "contamination"),
        ({"language_model": 3}, LOGS, "must be a TextLM"),
        ({}, ["open"], "at least 2"),
        ({}, "open", "^X "),
        ({}, [None], "^X "),
    ],
    ids=str,
)
def test_a_detector_refuses_what_it_cannot_learn_from(options, X, message):
    detector = TextOutlierDetector(**options)
    with pytest.raises((ValueError, TypeError), match=message):
        detector.fit(X)
    assert not hasattr(detector, "language_model_")


@pytest.mark.parametrize(
    "check",
    [
        "check_estimator_cloneable",
        "check_estimator_repr",
        "check_get_params_invariance",
        "check_set_params",
        "check_no_attributes_set_in_init",
        "check_parameters_default_constructible",
        "check_valid_tag_types",
        "check_mixin_order",
    ],
)
def test_scikit_learns_checks_that_need_no_numbers(check):
    getattr(estimator_checks, check)("TextOutlierDetector", TextOutlierDetector())


# What tokens say.


def test_influence_is_what_is_lost_without_a_token(classifier):
    found = classifier.influence(["a fine bore", ""])
    assert found["token"].tolist() == ["a", "fine", "bore"]
    whole, without = classifier.predict_log_proba(["a fine bore", "a bore"])
    np.testing.assert_allclose(found.loc[1, ["+", "-"]].astype(float), whole - without)
    assert found.loc[1, "+"] > 0 > found.loc[2, "+"]


def cut_at_dashes(text):
    return text.split("-")


@pytest.mark.parametrize(
    ("options", "joined"),
    [
        ({"analyzer": cut_at_dashes}, "-"),
        ({"token_pattern": r"(?<=#)\w+"}, " #"),
        ({}, " "),
        ({"analyzer": "char", "ngram_range": (1, 2)}, " "),
    ],
    ids=["own analyzer", "pattern", "words", "characters"],
)
def test_influence_is_of_the_text_as_it_was_written(options, joined):
    texts = ["a fine film", "what a bore", "Fine acting", "a bore of a film"] * 5
    texts = [f" {text}".replace(" ", joined) for text in texts]
    lm = TextLM(analyzer="char", embedding_dim=4, hidden_size=4, max_epochs=1, bptt=9)
    model = TextClassifier(language_model=lm, random_state=0, **options)
    model.fit(texts, ["+", "-", "+", "-"] * 5)
    found = model.influence(texts[1:2])
    assert found.loc[found["token"] == "bore", "-"].gt(0).all()
    assert found["-"].abs().max() > 0
    said, cuts = [], []

    def saying(texts, tokens):
        said.extend(texts)
        cuts.extend(tokens)
        return np.zeros((len(texts), 2))

    model._saying = saying
    model.influence(texts[1:2])
    assert said[0] == texts[1]
    assert len(said) == len(cuts) == len(found) + 1


@pytest.mark.parametrize(
    "labels",
    [
        ("known", "unknown"),
        ("expected", "nats"),
        ("excess", "none"),
        ("token", "position"),
        (False, True),
        (0, 1),
    ],
    ids=str,
)
def test_labels_may_be_called_anything(labels):
    texts = ["a fine film", "what a bore", "fine acting", "a bore of a film"] * 5
    model = TextClassifier(random_state=0).fit(texts, [*labels] * 10)
    found = model.influence(["fine bore"])
    assert found.columns.is_unique
    assert found["token"].tolist() == ["fine", "bore"]
    display = SurpriseDisplay.from_estimator(model, ["fine bore"])
    assert display.axes_.shape == (1, 2)
    titles = [ax.get_title() for ax in display.axes_[0]]
    assert [t.removesuffix("_label") for t in titles] == sorted(map(str, labels))
    assert display.to_html().count("<td") == 2


def test_influence_on_numbers():
    model = TextRegressor(random_state=0).fit(["good", "bad"] * 10, [1.0, 0.0] * 10)
    found = model.influence(["good"])
    expected = model.predict(["good"]) - model.predict([""])
    np.testing.assert_allclose(found["prediction"], expected)


@pytest.mark.parametrize("which", ["lm", "detector", "classifier"])
def test_the_text_is_shown_in_colours(which, request):
    display = SurpriseDisplay.from_estimator(
        request.getfixturevalue(which), ["open <b> $x$ close", "fine"]
    )
    assert display.axes_.shape[0] == 2
    written = [t.get_text() for t in display.axes_[0, 0].texts]
    assert "".join(written).startswith("open<b>")
    page = display._repr_html_()
    assert "&lt;" in page
    assert "<b>" not in page.replace("<b>+</b>", "").replace("<b>-</b>", "")


def test_the_deepest_colour_is_the_most_surprising_token(lm):
    display = SurpriseDisplay.from_estimator(lm, [ODD])
    drawn = display.axes_[0, 0].texts
    redness = [t.get_bbox_patch().get_facecolor()[1] for t in drawn]
    assert np.argmin(redness) == display.tokens["nats"].argmax()


def test_what_is_not_known_stays_white_and_leaves_others_their_colour():
    told = {"document": [0, 0], "token": ["a", "b"], "value": [np.nan, 1.0]}
    found = SurpriseDisplay(pd.DataFrame(told)).to_html()
    assert "rgb(255,255,255)" in found
    assert found.count("rgb(") == 2
    assert "rgb(-" not in found


def test_texts_without_tokens_cannot_be_shown(classifier):
    with pytest.raises(ValueError, match="no tokens"):
        SurpriseDisplay.from_estimator(classifier, [""], plot=False)


def test_other_models_are_refused():
    with pytest.raises(TypeError, match="SurpriseDisplay needs"):
        SurpriseDisplay.from_estimator(skdl.NeuralClassifier(), ["a"])


# Writing that does not go round, and words that are alike.


@pytest.fixture(scope="module")
def looping(lm):
    """Return a model that finds one word likeliest whatever comes before."""
    model = pickle.loads(pickle.dumps(lm))
    with torch.no_grad():
        for parameter in model.network_.parameters():
            parameter.zero_()
        for i, token in enumerate(model.tokens_):
            model.network_.softmax.bias[i] = math.log({"read": 0.5}.get(token, 0.1))
    return model


def test_no_run_is_written_twice(looping):
    plain = looping.generate(["open"], temperature=0, max_new_tokens=6)
    assert plain == ["read read read read read read"]
    (text,) = looping.generate(
        ["open"], temperature=0, max_new_tokens=6, no_repeat_ngram_size=2
    )
    words = ["open", *text.split()]
    pairs = list(zip(words, words[1:], strict=False))
    assert len(set(pairs)) == len(pairs)


def test_a_text_ends_before_it_writes_a_run_twice(looping):
    (text,) = looping.generate(
        ["<unk>"], temperature=0, max_new_tokens=20, no_repeat_ngram_size=1
    )
    words = text.split()
    assert len(set(words)) == len(words) <= len(looping.tokens_) - 2


def test_a_penalty_turns_to_other_words(looping):
    (text,) = looping.generate(
        ["read"], temperature=0, max_new_tokens=1, repetition_penalty=10.0
    )
    assert text != "read"


def test_a_vocabulary_that_is_used_up_is_used_again(looping):
    (text,) = looping.generate(
        temperature=0, max_new_tokens=20, no_repeat_ngram_size=1, stop=None
    )
    assert len(text.split()) == 20


def test_one_string_is_written_on_as_one_string(lm):
    one = lm.generate("open read", temperature=0)
    assert one == lm.generate(["open read"], temperature=0)[0]


@pytest.mark.parametrize(
    "options",
    [
        {"repetition_penalty": 0},
        {"repetition_penalty": "high"},
        {"no_repeat_ngram_size": 0},
        {"no_repeat_ngram_size": 1.5},
    ],
    ids=str,
)
def test_options_out_of_range_are_refused(lm, options):
    with pytest.raises(ValueError, match=next(iter(options))):
        lm.generate("open", **options)


def test_the_nearest_words_are_those_with_the_most_similar_vectors(lm):
    found = lm.nearest("read", k=3)
    vectors = lm.embeddings_
    a, b = vectors.loc["read"], vectors.loc[found.index[0]]
    cosine = float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    assert found.iloc[0] == pytest.approx(cosine, rel=1e-4)
    assert found.is_monotonic_decreasing
    assert "read" not in found.index
    with pytest.raises(ValueError, match="close to it are.*'read'"):
        lm.nearest("reed")
    with pytest.raises(ValueError, match="k must be"):
        lm.nearest("read", k=0)
