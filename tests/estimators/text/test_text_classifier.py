"""What users of TextClassifier and TextRegressor rely on."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn import config_context
from sklearn.base import clone
from sklearn.callback import ProgressBar
from sklearn.compose import make_column_transformer
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks

import skdl
from skdl import (
    FineTuning,
    TextClassifier,
    TextLM,
    TextRegressor,
    TrainingDisplay,
    lr_find,
)
from skdl.datasets import make_reviews

TEXTS, LABELS = make_reviews(90, random_state=0, return_X_y=True)
TEXTS, LABELS = TEXTS.tolist(), LABELS.to_numpy()
TRAINING, TEST = slice(0, 60), slice(60, 90)
FEW = slice(0, 20)


def assert_same(found, expected):
    """Compare chances; on a GPU sums of two trainings may round otherwise."""
    atol = 1e-3 if torch.cuda.is_available() else 0.0
    np.testing.assert_allclose(found, expected, rtol=0, atol=atol)


def fitted(**options):
    return TextClassifier(**{"random_state": 0, **options}).fit(
        TEXTS[TRAINING], LABELS[TRAINING]
    )


@pytest.fixture(scope="module")
def model():
    return fitted()


@pytest.fixture(scope="module")
def lm():
    settings = {"embedding_dim": 8, "hidden_size": 8, "batch_size": 4}
    return TextLM(**settings, max_epochs=1, random_state=0).fit(TEXTS[TRAINING])


@pytest.fixture(scope="module")
def tuned(lm):
    settings = {"fine_tuning": "gradual", "max_epochs": 3, "bptt": 20}
    return fitted(language_model=lm, early_stopping=False, **settings)


# What it predicts.


def test_it_learns_labels_that_are_text(model):
    assert model.classes_.tolist() == ["neg", "pos"]
    assert model.score(TEXTS[TEST], LABELS[TEST]) > 0.75
    chances = model.predict_proba(TEXTS[TEST])
    assert chances.dtype == np.float64
    np.testing.assert_allclose(chances.sum(1), 1)
    top = model.classes_[chances.argmax(1)]
    assert (model.predict(TEXTS[TEST]) == top).all()
    np.testing.assert_allclose(
        model.predict_log_proba(TEXTS[TEST]), np.log(chances), rtol=1e-6
    )


def test_what_is_said_of_its_own_texts_is_by_models_that_have_not_seen_them(model):
    held_out = model.oof_prediction_
    assert held_out.shape == (60, 2)
    right = model.classes_[held_out.argmax(1)] == LABELS[TRAINING]
    assert model.oof_score_ == pytest.approx(right.mean())
    assert model.score(TEXTS[TRAINING], LABELS[TRAINING]) > model.oof_score_


def test_the_report_names_branches_and_what_they_count(model, tuned):
    report = model.branches_
    assert report.index.tolist() == ["presence", "tf-idf", "topics", "together"]
    assert report.loss["together"] < report.loss.drop("together").min() + 0.05
    assert (report.weight.drop("together") >= 0).all()
    assert tuned.branches_.index.tolist()[-3:] == [
        "language model",
        "together",
        "reader",
    ]


def test_three_classes_and_one_that_occurs_once():
    labels = np.array(["a", "b", "c"])[[len(t) % 2 for t in TEXTS[:20]]]
    labels[7] = "c"
    model = TextClassifier(random_state=0).fit(TEXTS[:20], labels)
    chances = model.predict_proba(TEXTS[TEST])
    assert chances.shape == (30, 3)
    np.testing.assert_allclose(chances.sum(1), 1)


def test_several_labels_at_once():
    words = [text.split() for text in TEXTS]
    Y = np.array([["music" in w, "plot" in w] for w in words], dtype=int)
    model = TextClassifier(random_state=0).fit(TEXTS[TRAINING], Y[TRAINING])
    found = model.predict(TEXTS[TEST])
    assert found.shape == (30, 2)
    assert (found == Y[TEST]).mean() > 0.8
    assert model.classes_.tolist() == [0, 1]


def test_a_regressor_predicts_numbers():
    lengths = np.array([float(len(text.split())) for text in TEXTS])
    model = TextRegressor(random_state=0).fit(TEXTS[TRAINING], lengths[TRAINING])
    assert model.score(TEXTS[TEST], lengths[TEST]) > 0.5
    assert model.oof_prediction_.shape == (60,)
    both = np.column_stack([lengths, -lengths])
    two = TextRegressor(random_state=0).fit(TEXTS[TRAINING], both[TRAINING])
    assert two.predict(TEXTS[TEST]).shape == (30, 2)


def test_a_weight_of_zero_is_an_absent_text(model):
    more = [*TEXTS[TRAINING], "a fine film", "what a bore"]
    labels = [*LABELS[TRAINING], "neg", "pos"]
    weighted = TextClassifier(random_state=0).fit(
        more, labels, sample_weight=[1.0] * 60 + [0.0] * 2
    )
    np.testing.assert_array_equal(
        weighted.predict_proba(TEXTS[TEST]), model.predict_proba(TEXTS[TEST])
    )
    assert np.isnan(weighted.oof_prediction_[60:]).all()


def test_class_weights_move_predictions(model):
    heavy = fitted(class_weight={"pos": 20.0})
    before = (model.predict(TEXTS[TEST]) == "pos").sum()
    assert (heavy.predict(TEXTS[TEST]) == "pos").sum() > before


def test_a_class_that_weighs_nothing_is_not_learned_from():
    labels = np.array(["a", "b", "c"])[np.arange(20) % 3]
    weights = {"a": 1.0, "b": 1.0, "c": 0.0}
    model = TextClassifier(class_weight=weights, random_state=0)
    model.fit(TEXTS[:20], labels)
    assert np.isnan(model.oof_prediction_[labels == "c"]).all()
    assert not np.isnan(model.oof_prediction_[labels != "c"]).any()
    assert "c" not in model.predict(TEXTS[TEST])


def test_other_tokens_and_runs():
    for options in (
        {"analyzer": "char", "ngram_range": (2, 3)},
        {"ngram_range": (2, 2)},
        {"analyzer": str.split, "max_vocab": 60},
    ):
        assert fitted(**options).score(TEXTS[TRAINING], LABELS[TRAINING]) > 0.6


def test_unlabelled_texts_teach_topics():
    few = TextClassifier(random_state=0)
    alone = few.fit(TEXTS[:20], LABELS[:20]).predict_proba(TEXTS[TEST])
    together = few.fit(TEXTS[:20], LABELS[:20], unlabeled=TEXTS[20:60])
    assert (together.predict_proba(TEXTS[TEST]) != alone).any()
    assert together.oof_prediction_.shape == (20, 2)
    none = few.fit(TEXTS[:20], LABELS[:20], unlabeled=[])
    np.testing.assert_array_equal(none.predict_proba(TEXTS[TEST]), alone)


# Language models.


def test_vectors_of_a_language_model_are_a_branch_and_the_model_stays(lm):
    before = lm.transform(TEXTS[:3])
    model = fitted(language_model=FrozenEstimator(lm))
    assert "language model" in model.branches_.index
    assert model.language_model_ is not lm
    np.testing.assert_array_equal(lm.transform(TEXTS[:3]), before)
    again = clone(model).fit(TEXTS[TRAINING], LABELS[TRAINING])
    np.testing.assert_array_equal(
        again.predict_proba(TEXTS[TEST]), model.predict_proba(TEXTS[TEST])
    )


@pytest.mark.usefixtures("on_cpu")
def test_a_language_model_that_is_not_fitted_learns_from_all_texts():
    new = TextLM(embedding_dim=4, hidden_size=4, max_epochs=1, min_frequency=1)
    model = TextClassifier(language_model=new, random_state=0)
    model.fit(TEXTS[:20], LABELS[:20], unlabeled=["an unheard of word", "other"])
    assert "unheard" in model.language_model_.tokens_
    assert not hasattr(new, "network_")
    same = clone(model).fit(
        TEXTS[:20], LABELS[:20], unlabeled=["an unheard of word", "other"]
    )
    np.testing.assert_array_equal(
        same.predict_proba(TEXTS[TEST]), model.predict_proba(TEXTS[TEST])
    )


def test_fine_tuning_trains_a_copy_and_keeps_its_history(lm, tuned):
    assert len(tuned.history_) == tuned.n_iter_ == 3
    assert {"validation_loss", "validation_score"} <= set(tuned.history_)
    assert tuned.network_ is not None
    given = lm.network_.recurrent.layers[1].weight_hh
    assert (tuned.network_.reading.recurrent.layers[1].weight_hh != given).any()
    read = tuned.language_model_.network_.recurrent.layers[1].weight_hh
    assert (read == given).all()


def test_a_reader_learns_numbers_too(lm):
    model = TextRegressor(
        language_model=lm, fine_tuning="gradual", max_epochs=2, bptt=20, random_state=0
    )
    numbers = 100.0 + (LABELS[TRAINING] == "pos")
    model.fit(TEXTS[TRAINING], numbers)
    assert "reader" in model.branches_.index
    assert set(model.history_) >= {"validation_loss", "validation_score"}
    assert np.corrcoef(model.predict(TEXTS[TEST]), LABELS[TEST] == "pos")[0, 1] > 0.3
    assert model.predict(TEXTS[TEST]).min() > 99


def test_held_out_texts_choose_the_readers_epoch(lm):
    model = TextClassifier(
        language_model=lm,
        fine_tuning=FineTuning(freeze="reading"),
        max_epochs=2,
        random_state=0,
    )
    model.fit(TEXTS[TRAINING], LABELS[TRAINING], X_val=TEXTS[TEST], y_val=LABELS[TEST])
    assert len(model.history_) == 2
    given = lm.network_.embedding.weight
    assert (model.network_.reading.embedding.weight == given).all()


def test_a_checkpoint_goes_on_with_the_same_result(lm, tuned, tmp_path):
    path = tmp_path / "fit.pt"
    model = TextClassifier(**tuned.get_params(deep=False)).set_params(checkpoint=path)

    class StopError(Exception):
        pass

    def keep(record, so_far):
        if record.epoch == 2:
            raise StopError
        return False

    with pytest.MonkeyPatch.context() as patch:
        name = "skdl.estimators.core.callbacks.EpochReporter.epoch_end"
        patch.setattr(name, lambda self, record, so_far: keep(record, so_far))
        with pytest.raises(StopError):
            model.fit(TEXTS[TRAINING], LABELS[TRAINING])
    assert path.exists()
    model.fit(TEXTS[TRAINING], LABELS[TRAINING])
    assert_same(model.predict_proba(TEXTS[TEST]), tuned.predict_proba(TEXTS[TEST]))


def test_a_readers_rate_can_be_looked_for(lm):
    model = TextClassifier(language_model=lm, fine_tuning="gradual", random_state=0)
    assert lr_find(model, TEXTS[:20], LABELS[:20], num_iter=10).suggestion > 0
    with pytest.raises(ValueError, match="with fine_tuning only"):
        lr_find(TextClassifier(), TEXTS[:20], LABELS[:20])


def test_without_a_network_there_is_no_training_to_draw(model, tuned):
    assert TrainingDisplay.from_estimator(tuned).axes_ is not None
    with pytest.raises(TypeError, match="no training history"):
        TrainingDisplay.from_estimator(model)


# scikit-learn.


def test_the_same_seed_gives_the_same_bits(model, tuned):
    for first in (model, tuned):
        again = TextClassifier(**first.get_params(deep=False))
        again.fit(TEXTS[TRAINING], LABELS[TRAINING])
        assert_same(again.predict_proba(TEXTS[TEST]), first.predict_proba(TEXTS[TEST]))


def test_a_text_is_predicted_alike_alone_and_among_others(model, tuned):
    for one in (model, tuned):
        together = one.predict_proba(TEXTS[TEST])
        alone = [one.predict_proba([text])[0] for text in TEXTS[TEST]]
        np.testing.assert_allclose(alone, together, atol=1e-6)


@pytest.mark.parametrize("how", ["pickle", "deepcopy", "save"])
def test_models_are_kept_whole(model, tuned, how, tmp_path):
    for first in (model, tuned):
        if how == "pickle":
            again = pickle.loads(pickle.dumps(first))
        elif how == "deepcopy":
            again = copy.deepcopy(first)
        else:
            skdl.save(first, tmp_path / "model.skdl")
            again = skdl.load(tmp_path / "model.skdl")
        np.testing.assert_array_equal(
            again.predict_proba(TEXTS[TEST]), first.predict_proba(TEXTS[TEST])
        )
        pd.testing.assert_frame_equal(again.branches_, first.branches_)


def test_a_pickle_holds_a_language_model_once(tuned):
    again = pickle.loads(pickle.dumps(tuned))
    assert "left out" in repr(again.language_model)
    with pytest.raises(ValueError, match="set_params"):
        again.fit(TEXTS[:4], LABELS[:4])


def test_pipelines_searches_and_columns():
    frame = pd.DataFrame({"id": np.arange(24), "text": TEXTS[:24]})
    columns = make_column_transformer(("passthrough", ["text"]))
    pipeline = make_pipeline(columns, TextClassifier(random_state=0))
    grid = {"textclassifier__ngram_range": [(1, 1), (1, 2)]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(frame, LABELS[:24])
    assert search.score(frame, LABELS[:24]) > 0.8
    assert set(search.best_params_) == set(grid)


def test_weights_and_other_texts_are_routed():
    with config_context(enable_metadata_routing=True):
        inner = TextClassifier(random_state=0).set_fit_request(
            sample_weight=True, unlabeled=True
        )
        pipeline = make_pipeline(FunctionTransformer(), inner)
        pipeline.fit(
            TEXTS[:20],
            LABELS[:20],
            sample_weight=np.arange(20.0),
            unlabeled=["an unheard of word"] * 2,
        )
    assert "unheard" in pipeline[-1]._reading.encoder.tokens
    assert np.isnan(pipeline[-1].oof_prediction_[0]).all()


@pytest.mark.parametrize(
    "given",
    [
        pd.Series(TEXTS[:20], dtype=object),
        pd.Series(TEXTS[:20], dtype="string"),
        np.array(TEXTS[:20]),
        pd.DataFrame({"text": TEXTS[:20]}),
        (text for text in TEXTS[:20]),
    ],
    ids=["Series", "string", "array", "frame", "generator"],
)
def test_texts_come_in_any_container(given):
    model = TextClassifier(random_state=0).fit(given, LABELS[:20])
    expected = TextClassifier(random_state=0).fit(TEXTS[:20], LABELS[:20])
    np.testing.assert_array_equal(
        model.predict_proba(TEXTS[TEST]), expected.predict_proba(TEXTS[TEST])
    )


def test_callbacks_see_the_fit(tuned, capsys):
    for first in (tuned, TextClassifier()):
        model = clone(first).set_callbacks(ProgressBar())
        model.set_params(language_model=first.language_model)
        model.fit(TEXTS[TRAINING], LABELS[TRAINING])


@pytest.mark.parametrize("kind", [TextClassifier, TextRegressor])
@pytest.mark.parametrize(
    "check",
    [
        "check_estimator_cloneable",
        "check_estimator_repr",
        "check_estimator_tags_renamed",
        "check_get_params_invariance",
        "check_set_params",
        "check_no_attributes_set_in_init",
        "check_parameters_default_constructible",
        "check_valid_tag_types",
        "check_mixin_order",
    ],
)
def test_scikit_learns_checks_that_need_no_numbers(kind, check):
    getattr(estimator_checks, check)(kind.__name__, kind())
