"""What users of TextLM rely on."""

import copy
import math
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks

from skdl import FineTuning, TextLM, TrainingDisplay, lr_find
from tests.names import named

TEXTS = [
    "the cat sat on the mat",
    "the dog sat on the rug",
    "a cat ate the fish",
    "a dog ate the bone",
] * 15
LABELS = ["cat", "dog", "cat", "dog"] * 15


def make(**options):
    settings = {
        "embedding_dim": 16,
        "hidden_size": 24,
        "batch_size": 4,
        "bptt": 12,
        "max_epochs": 12,
        "lr": 0.02,
        "random_state": 0,
    }
    return TextLM(**{**settings, **options})


@pytest.fixture(scope="module")
def model():
    return make().fit(TEXTS)


def uniform(texts, **options):
    """Return a model for which all tokens are equally likely."""
    model = make(
        **{"min_frequency": 1, "max_epochs": 1, "softmax": "full", **options}
    ).fit(texts)
    with torch.no_grad():
        for parameter in model.network_.parameters():
            parameter.zero_()
    return model


# Likelihoods.


def test_a_uniform_models_perplexity_is_the_size_of_the_vocabulary():
    model = uniform(TEXTS)
    v = len(model.tokens_)
    assert model.perplexity(TEXTS) == pytest.approx(v)
    np.testing.assert_allclose(model.perplexity(TEXTS, by_document=True), v, rtol=1e-5)
    assert model.score(TEXTS) == pytest.approx(-math.log(v))


def test_perplexity_is_what_a_hand_computes():
    """With a network of zeros the softmax has only its bias."""
    model = uniform(["a b a"], batch_size=1, bptt=2)
    chances = {"a": 0.5, "b": 0.25, "<eos>": 0.125, "<unk>": 0.125}
    with torch.no_grad():
        for i, token in enumerate(model.tokens_):
            model.network_.softmax.bias[i] = math.log(chances[token])
    # a, a, b, <eos>, then the unknown z and <eos>
    expected = -math.log(0.5 * 0.5 * 0.25 * 0.125 * 0.125 * 0.125)
    assert model.perplexity(["a a b", "z"]) == pytest.approx(math.exp(expected / 6))
    np.testing.assert_allclose(
        model.score_samples(["a a b", "z"]),
        [math.log(0.5 * 0.5 * 0.25 * 0.125), math.log(0.125**2)],
        rtol=1e-5,
    )
    bits = expected / math.log(2) / len("a a b\nz\n")
    assert model.bits_per_character(["a a b", "z"]) == pytest.approx(bits)


def test_a_stream_carries_the_state_and_documents_do_not(model):
    texts = ["the cat sat on", "the mat"]
    alone = model.score_samples(texts)
    np.testing.assert_allclose(
        alone, [model.score_samples([t])[0] for t in texts], rtol=1e-4
    )
    together = -math.log(model.perplexity(texts)) * 8
    assert together != pytest.approx(alone.sum(), rel=1e-3)


@pytest.mark.kernels
def test_long_documents_are_read_in_windows_with_the_same_result(model, monkeypatch):
    texts = [" ".join(TEXTS[:7]), "the cat", *TEXTS[:5]]
    before = model.score_samples(texts), model.transform(texts)
    monkeypatch.setattr("skdl.training.text.documents._WINDOW", 5)
    monkeypatch.setattr("skdl.training.text.documents._BATCH", 3)
    np.testing.assert_allclose(model.score_samples(texts), before[0], rtol=1e-4)
    np.testing.assert_allclose(model.transform(texts), before[1], atol=1e-5)


def test_a_dynamic_model_learns_from_what_it_has_predicted(model):
    new = ["mat the on rug cat a"] * 40
    assert model.perplexity(new, dynamic=True) < 0.8 * model.perplexity(new)


def test_a_dynamic_model_predicts_before_it_learns_and_leaves_the_model(model):
    before = model.perplexity(TEXTS)
    few = ["mat the on rug", "cat a dog"]  # one window
    assert model.perplexity(few, dynamic=True) == pytest.approx(
        model.perplexity(few), rel=1e-5
    )
    assert model.perplexity(TEXTS) == before
    with pytest.raises(ValueError, match="choose one of them"):
        model.perplexity(few, dynamic=True, by_document=True)


def test_it_learns(model):
    assert model.perplexity(TEXTS) < 4
    likely, unlikely = model.score_samples(["the cat sat on the mat", "mat cat the on"])
    assert likely > unlikely
    assert model.score_samples(["the cat"], per_token=True)[0] == pytest.approx(
        model.score_samples(["the cat"])[0] / 3
    )


def test_adaptive_softmax_learns_too():
    model = make(softmax=[4, 8]).fit(TEXTS)
    assert model.network_.softmax.cutoffs == [4, 8]
    assert model.perplexity(TEXTS) < 4
    chances = model.predict_next(["the"], k=len(model.tokens_))[1]
    assert chances.sum() == pytest.approx(1, abs=1e-5)


# What comes next.


def test_next_tokens_have_falling_probabilities(model):
    tokens, chances = model.predict_next(["the cat sat", "a dog"], k=3)
    assert tokens.shape == chances.shape == (2, 3)
    assert (np.diff(chances, axis=1) <= 0).all()
    assert tokens[:, 0].tolist() == model.predict(["the cat sat", "a dog"]).tolist()
    assert tokens[0, 0] == "on"


def test_same_seed_same_text(model):
    first, second, other = (
        model.generate(["the", "a dog"] * 4, random_state=seed) for seed in (3, 3, 4)
    )
    assert first == second != other


@pytest.mark.kernels
def test_generation_continues_as_if_the_text_had_been_read_whole(model):
    """The cached state gives what predicting anew after every token would."""
    (written,) = model.generate(["the cat"], temperature=0, max_new_tokens=4)
    text = "the cat"
    for token in written.split():
        assert model.predict([text]).tolist() == [token]
        text = f"{text} {token}"


def test_generation_keeps_to_its_options(model):
    greedy = model.generate(["the"], temperature=0)
    assert model.generate(["the"], top_k=1, random_state=0) == greedy
    assert model.generate(["the"], top_p=1e-6, random_state=0) == greedy
    (endless,) = model.generate(max_new_tokens=30, stop=None, random_state=0)
    assert len(endless.split()) == 30
    assert "<unk>" not in endless
    assert "<eos>" not in endless
    trained = make(max_epochs=40).fit(TEXTS)
    (short,) = trained.generate(["the cat"], stop="on", temperature=0)
    assert short == "sat"


def test_low_temperature_takes_likely_tokens(model):
    def mean_chance(temperature):
        texts = model.generate(
            ["the"] * 50, temperature=temperature, random_state=0, max_new_tokens=6
        )
        return model.score_samples([f"the {t}" for t in texts], per_token=True).mean()

    assert mean_chance(0.3) > mean_chance(3.0)


def test_prompts_of_unknown_words_are_written_on(model):
    assert len(model.generate(["xyzzy plugh", ""], random_state=0)) == 2
    assert model.predict(["xyzzy plugh"]).shape == (1,)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_new_tokens": 0}, "max_new_tokens"),
        ({"temperature": -1}, "temperature"),
        ({"top_k": 0}, "top_k"),
        ({"top_p": 0}, "top_p"),
        ({"stop": "nowhere"}, "stop must be a token"),
    ],
)
def test_generation_refuses_options_out_of_range(model, options, message):
    with pytest.raises(ValueError, match=message):
        model.generate(**options)


# Vectors.


def test_vectors_are_last_highest_and_mean(model):
    vectors = model.transform(["the cat sat"])
    assert vectors.shape == (1, 48)
    assert vectors.dtype == np.float32
    ids = [model.tokens_.index(t) for t in ("<eos>", "the", "cat", "sat")]
    network = copy.deepcopy(model.network_).cpu()
    with torch.no_grad():
        outputs = network(torch.tensor(ids)[:, None])[0].undropped[:, 0]
    expected = torch.cat([outputs[-1], outputs.amax(0), outputs.mean(0)])
    np.testing.assert_allclose(vectors[0], expected.numpy(), atol=1e-5)


def test_vectors_have_names_and_come_as_frames(model):
    names = model.get_feature_names_out()
    assert names[0] == "textlm_last0"
    assert names[-1] == "textlm_mean15"
    frame = copy.deepcopy(model).set_output(transform="pandas").transform(TEXTS[:3])
    assert isinstance(frame, pd.DataFrame)
    assert frame.columns.tolist() == names.tolist()


@pytest.mark.parametrize(("place", "kind"), [(0, "last"), (1, "max"), (2, "mean")])
def test_pooling_takes_one_kind_of_vectors(model, place, kind):
    every = model.transform(TEXTS[:5])
    one = copy.deepcopy(model).set_params(pooling=kind)
    np.testing.assert_array_equal(
        one.transform(TEXTS[:5]), np.split(every, 3, 1)[place]
    )
    assert one.get_feature_names_out().tolist() == [
        f"textlm_{kind}{i}" for i in range(16)
    ]


def test_an_unknown_pooling_is_refused_before_and_after_fitting(model):
    with pytest.raises(ValueError, match="'pooling' parameter"):
        make(pooling="sum").fit(TEXTS)
    with pytest.raises(ValueError, match="pooling must be .* got 'sum'"):
        copy.deepcopy(model).set_params(pooling="sum").transform(TEXTS)


def test_vectors_feed_a_classifier_in_a_pipeline():
    pipeline = make_pipeline(make(), StandardScaler(), LogisticRegression())
    assert pipeline.fit(TEXTS, LABELS).score(TEXTS, LABELS) > 0.9
    union = FeatureUnion([("lm", make(max_epochs=1)), ("lm2", make(max_epochs=1))])
    assert union.fit_transform(TEXTS).shape == (60, 96)
    assert len(union.get_feature_names_out()) == 96


# scikit-learn's ways.


@pytest.mark.parametrize(("cell", "share"), [("lstm", 0.1), ("qrnn", 0.0)])
def test_recurrent_dropout_goes_by_the_cell(cell, share):
    chosen = make(cell=cell, max_epochs=1, dropout=0.2).fit(TEXTS)
    chosen = chosen.network_.recurrent.layers
    assert {layer.dropout.p for layer in chosen} == {share}
    given = make(cell=cell, max_epochs=1, dropout={"recurrent": 0.15})
    layers = given.fit(TEXTS).network_.recurrent.layers
    assert {layer.dropout.p for layer in layers} == {0.15}


@pytest.mark.parametrize(
    ("max_epochs", "share"),
    [(1, 0.1), (5, 0.2), (10, 0.3), (1000, 0.35)],
    ids=str,
)
def test_a_text_that_is_read_often_has_more_dropout(max_epochs, share):
    model = make(max_epochs=max_epochs).partial_fit(TEXTS)  # one epoch of so many
    assert model.network_.output_dropout.p == pytest.approx(share)


def test_grid_search_tunes_dropout_and_size():
    grid = {"dropout": [0.0, 0.6], "hidden_size": [4, 24]}
    search = GridSearchCV(make(max_epochs=4), grid, cv=2).fit(TEXTS)
    assert search.best_params_["hidden_size"] == 24
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_parameters_survive_clone_and_repr():
    model = make(softmax="adaptive", dropout=0.5)
    assert clone(model).get_params() == model.get_params()
    assert "dropout=0.5" in repr(model)
    quick = TextLM.from_preset("quick")
    assert quick.hidden_size < TextLM().hidden_size
    big = TextLM.from_preset("awd", max_epochs=3)
    assert (big.hidden_size, big.max_epochs) == (1024, 3)
    with pytest.raises(ValueError, match="preset must be one of"):
        TextLM.from_preset("large")


@pytest.mark.kernels
def test_pickled_models_give_the_same(model):
    again = pickle.loads(pickle.dumps(model))
    assert again.perplexity(TEXTS) == model.perplexity(TEXTS)
    assert again.generate(random_state=1) == model.generate(random_state=1)
    assert again.tokens_ == model.tokens_


@pytest.mark.usefixtures("on_cpu")
@pytest.mark.kernels
def test_same_random_state_same_model_and_inputs_stay():
    texts, state = list(TEXTS), torch.random.get_rng_state()
    first, second = (make(max_epochs=2).fit(texts) for _ in range(2))
    assert texts == TEXTS
    assert torch.equal(state, torch.random.get_rng_state())
    for a, b in zip(
        first.network_.parameters(), second.network_.parameters(), strict=True
    ):
        assert torch.equal(a, b)
    again = first.fit(texts)
    assert again.score(texts) == second.score(texts)


def test_predicting_changes_nothing(model):
    before = dict(vars(model))
    model.transform(TEXTS)
    model.predict(["the"])
    model.generate(random_state=0)
    model.score(TEXTS)
    assert dict(vars(model)) == before


def test_notebook_representation_works_before_and_after_fit(model):
    assert "TextLM" in make()._repr_html_()
    assert "TextLM" in model._repr_html_()
    with pytest.raises(AttributeError, match="before fit"):
        _ = make().embeddings_


def test_methods_need_a_fit():
    from sklearn.exceptions import NotFittedError

    for method in ("transform", "predict", "score", "perplexity", "score_samples"):
        with pytest.raises(NotFittedError):
            getattr(make(), method)(TEXTS)
    with pytest.raises(NotFittedError):
        make().generate()


def test_tags_say_that_text_goes_in():
    tags = make().__sklearn_tags__()
    assert tags.input_tags.string
    assert not tags.target_tags.required


# Training.


def test_history_has_perplexity_and_speed():
    model = make(max_epochs=3).fit(TEXTS[:40], X_val=TEXTS[40:])
    history = model.history_
    assert len(history) == model.n_iter_ == 3
    np.testing.assert_allclose(history["perplexity"], np.exp(history["loss"]))
    np.testing.assert_allclose(
        history["validation_perplexity"], np.exp(history["validation_loss"])
    )
    assert (history["tokens_per_second"] > 0).all()
    assert TrainingDisplay.from_estimator(model).ax_.get_ylabel() == "perplexity"


def test_progress_shows_perplexity_and_speed(capsys):
    make(max_epochs=1, verbose=2).fit(TEXTS)
    assert "perplexity" in (shown := capsys.readouterr().out)
    assert "tokens/s" in shown


def test_lr_find_and_auto():
    result = lr_find(make(), TEXTS)
    assert 1e-4 < result.suggestion < 1
    assert make(lr="auto", max_epochs=2).fit(TEXTS * 4).lr_ > 0


def test_partial_fit_keeps_the_vocabulary():
    model = make().partial_fit(TEXTS)
    tokens, before = list(model.tokens_), model.score(TEXTS)
    for _ in range(5):
        model.partial_fit([*TEXTS, "entirely new words"] * 2)
    assert model.tokens_ == tokens
    assert model.score(TEXTS) > before
    assert len(model.history_) == 6


def test_warm_start_goes_on():
    model = make(max_epochs=4, warm_start=True).fit(TEXTS)
    before = model.score(TEXTS)
    assert model.fit(TEXTS).score(TEXTS) > before


def test_early_stopping_holds_texts_out():
    model = make(early_stopping=True, n_iter_no_change=2, max_epochs=60, lr=0.1)
    model.fit(TEXTS)
    assert "validation_loss" in model.history_
    assert model.best_epoch_ <= model.n_iter_
    one = make(early_stopping=True, max_epochs=2).fit([" ".join(TEXTS)])
    assert "validation_loss" in one.history_


def test_averaged_descent_needs_held_out_texts():
    sgd = {"optimizer": "sgd", "betas": (0.0, 0.9), "schedule": "constant", "lr": 5.0}
    model = make(weight_averaging="nt_asgd", **sgd)
    with pytest.raises(ValueError, match="X_val"):
        model.fit(TEXTS)
    assert model.fit(TEXTS, X_val=TEXTS[:8]).perplexity(TEXTS) < 20


@pytest.mark.kernels
@pytest.mark.parametrize(
    "options",
    [
        {"tie_weights": False},
        {"num_layers": 1},
        {"cell": "qrnn"},
        {"cell": "qrnn", "zoneout": 0.2, "precision": "bfloat16"},
        {"num_layers": 3, "dropout": {"recurrent": 0.5, "word": 0.2}},
        {"activation_penalty": 2.0, "temporal_penalty": 1.0},
        {"variable_bptt": False},
        {"precision": "bfloat16"},
        {"precision": "float32"},
        {"analyzer": "char", "bptt": 40},
        {"analyzer": lambda text: text.split("a")},
        {"weight_averaging": "ema"},
        {"fine_tuning": FineTuning(freeze=["recurrent"], thaw=1)},
        {"dropout": 0.95},
    ],
    ids=named,
)
def test_every_option_trains(options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = make(max_epochs=2, **options).fit(TEXTS)
    assert math.isfinite(model.score(TEXTS))
    assert isinstance(model.generate(random_state=0)[0], str)


def test_bpe_model_writes_text():
    pytest.importorskip("tokenizers")
    model = make(analyzer="bpe", max_vocab=300, bptt=10, max_epochs=100).fit(TEXTS)
    (text,) = model.generate(["the cat"], temperature=0)
    assert text.startswith(" ")
    assert set(text.split()) <= set(" ".join(TEXTS).split())


def test_a_fit_of_minutes_is_told_of_once_unless_progress_is_shown(monkeypatch):
    monkeypatch.setattr("skdl.estimators.text.windows._LONG", 0.0)
    with pytest.warns(
        UserWarning, match=r"reads 3\d\d tokens 1 times.*minutes"
    ) as told:
        make(max_epochs=1).fit(TEXTS)
    assert len(told) == 1
    assert told[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make(max_epochs=1, verbose=1).fit(TEXTS)


# Starting from another model.


def test_init_from_keeps_the_vectors_of_known_words(model):
    source_vectors = model.embeddings_
    texts = [*TEXTS, "the zebra sat", "a zebra ate"]
    new = make(init_from=model, max_epochs=1, lr=1e-9, weight_decay=0.0).fit(texts)
    vectors = new.embeddings_
    assert "zebra" in vectors.index
    np.testing.assert_allclose(vectors.loc["cat"], source_vectors.loc["cat"], atol=1e-5)
    np.testing.assert_allclose(vectors.loc["zebra"], source_vectors.mean(), atol=1e-5)
    assert new.perplexity(TEXTS) < 6


def test_init_from_survives_clone_when_frozen(model):
    template = make(init_from=FrozenEstimator(model), max_epochs=1, lr=1e-9)
    assert clone(template).fit(TEXTS).perplexity(TEXTS) < 6


@pytest.mark.parametrize(
    ("init_from", "error", "message"),
    [
        (make(), ValueError, "FrozenEstimator"),
        ("a path", TypeError, "fitted TextLM"),
    ],
)
def test_init_from_refuses_what_is_not_fitted(init_from, error, message):
    with pytest.raises(error, match=message):
        make(init_from=init_from).fit(TEXTS)


def test_init_from_refuses_other_sizes(model):
    with pytest.raises(ValueError, match="another size"):
        make(init_from=model, hidden_size=7).fit(TEXTS)


# Bad input.


@pytest.mark.parametrize("X", [[], ["a", None], ["a", np.nan], [b"a"], "one text"])
@pytest.mark.parametrize("method", ["fit", "partial_fit", "transform", "perplexity"])
def test_what_is_no_text_is_refused_and_changes_nothing(model, X, method):
    before = dict(vars(model))
    with pytest.raises((ValueError, TypeError), match="X "):
        getattr(model, method)(X)
    assert dict(vars(model)) == before


def test_empty_documents_are_documents(model):
    texts = ["", "the cat", ""]
    assert model.transform(texts).shape == (3, 48)
    assert np.isfinite(model.score_samples(texts)).all()
    with pytest.warns(UserWarning, match="batch_size"):
        make(min_frequency=1, max_epochs=1).fit(["", "", ""])


def test_one_token_in_all_is_enough():
    with pytest.warns(UserWarning, match="batch_size=1 is used"):
        model = make(min_frequency=1).fit(["a"])
    assert model.perplexity(["a"]) > 1


def test_a_vocabulary_of_nothing_but_unknown_words():
    with pytest.warns(UserWarning, match="batch_size"):
        model = make(min_frequency=5, max_epochs=1).fit(["a b c"])
    assert sorted(model.tokens_) == ["<eos>", "<unk>"]
    assert math.isfinite(model.score(["a"]))
    with pytest.raises(ValueError, match="nothing to write"):
        model.generate(stop=None)


def test_unseen_characters_are_unknown():
    model = make(analyzer="char", max_epochs=1).fit(TEXTS)
    assert math.isfinite(model.score(["żółw"]))


def test_short_text_has_fewer_streams_and_a_warning():
    with pytest.warns(UserWarning, match=r"The text has 37 tokens.*batch_size=3"):
        make(max_epochs=1).fit(TEXTS[:5] + ["a a a"])


@pytest.mark.slow
def test_a_document_of_a_quarter_of_a_million_tokens():
    text = "ab" * 125_000
    settings = {"analyzer": "char", "embedding_dim": 4, "hidden_size": 4}
    model = make(**settings, num_layers=1, batch_size=200, bptt=200, max_epochs=4)
    model.fit([text])
    assert model.transform([text]).shape == (1, 12)
    assert model.score([text]) > math.log(1 / 3)


@pytest.mark.parametrize(
    "options",
    [
        {"analyzer": "sentence"},
        {"hidden_size": 0},
        {"cell": "gru"},
        {"zoneout": 1.0},
        {"dropout": {"input": 1.0}},
        {"dropout": {"inputs": 0.5}},
        {"bptt": 0},
        {"softmax": [8, 4]},
        {"softmax": [1000]},
        {"min_frequency": 0},
        {"max_vocab": 2},
        {"token_pattern": "("},
        {"dropout": -1},
        {"dropout": "much"},
    ],
    ids=str,
)
def test_bad_parameters_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        make(**options).fit(TEXTS)


def test_sample_weight_is_refused_by_lr_find():
    with pytest.raises(ValueError, match="sample_weight"):
        lr_find(make(), TEXTS, sample_weight=np.ones(len(TEXTS)))


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
    ],
)
def test_scikit_learns_checks_that_need_no_numbers(check):
    getattr(estimator_checks, check)("TextLM", TextLM())


def test_a_model_may_learn_from_a_beginning_before_it_writes_on(model):
    before = copy.deepcopy(model.network_.state_dict())
    beginning = "the dog sat on the rug " * 30
    options = {"max_new_tokens": 8, "random_state": 0, "dynamic": True}
    found = model.generate([beginning, ""], **options)
    assert found == model.generate([beginning, ""], **options)
    assert len(found) == 2
    after = model.network_.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    learner = model._learner(beginning)
    assert any(not torch.equal(before[n], t) for n, t in learner.state_dict().items())
    assert model.generate([""], **options) == model.generate(
        [""], **{**options, "dynamic": False}
    )
