"""What is no table, names from elsewhere, arguments of methods: said in one message."""

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from skdl import (
    EntityEmbeddingClassifier,
    ImageClassifier,
    NeuralClassifier,
    NeuralRegressor,
    TextLM,
    lr_find,
)

ROWS = 40
SMALL = {"hidden_layer_sizes": 8, "max_epochs": 1, "random_state": 0}
LABELS = np.arange(ROWS) % 2
NAN = float("nan")


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    return pd.DataFrame(rng.normal(size=(ROWS, 3)), columns=list("abc"))


@pytest.fixture(scope="module")
def jobs(frame):
    return frame.assign(a=["nurse", "cook"] * (ROWS // 2))


@pytest.fixture(scope="module")
def numeric(frame):
    return NeuralClassifier(**SMALL).fit(frame, LABELS)


@pytest.fixture(scope="module")
def table(jobs):
    return EntityEmbeddingClassifier(**SMALL).fit(jobs, LABELS)


@pytest.fixture(scope="module")
def pictures():
    X = np.random.default_rng(0).integers(0, 256, (ROWS, 8, 8), dtype=np.uint8)
    return X, ImageClassifier(max_epochs=1, random_state=0).fit(X, LABELS)


@pytest.fixture(scope="module")
def language():
    return TextLM(
        hidden_size=8, embedding_dim=8, batch_size=2, bptt=5, max_epochs=1
    ).fit(["a b c", "b c a"] * 8)


NO_TABLES = {
    "Series": (lambda row: row, r"X is a Series of 3 values.*frame.iloc\[\[0\]\]"),
    "polars": (lambda row: pl.Series([1.0, 2.0]), "X is a Series of 2 values"),
    "tuple": (tuple, "X is a tuple of 3 values.*takes a table"),
    "list": (list, "X is a list of 3 values"),
    "array": (lambda row: row.to_numpy(), "X is a ndarray of 3 values"),
    "dict": (dict, r"X is a dict.*pd.DataFrame\(\[X\]\)"),
    "dict of lists": (lambda row: {"a": [1, 2]}, r"X is a dict.*pd.DataFrame\(X\)"),
    "list of dicts": (lambda row: [dict(row)], r"list of dicts.*pd.DataFrame\(X\)"),
    "None": (lambda row: None, "X is None, but"),
    "str": (lambda row: "nurse", "X is a str, but"),
    "set": (set, "X is a set, but"),
    "generator": (lambda row: (value for value in row), "X is a generator, but"),
}
NO_CELLS = [[1, 2], {"a": 1}, {1, 2}, np.zeros(2)]


@pytest.mark.parametrize("case", sorted(NO_TABLES))
@pytest.mark.parametrize("text", [False, True])
def test_one_row_and_what_is_no_table(case, text, numeric, table, frame, jobs):
    convert, message = NO_TABLES[case]
    model, data = (table, jobs) if text else (numeric, frame)
    X = convert(data.iloc[0])
    for method in (model.predict, model.predict_proba, model.encode):
        with pytest.raises((TypeError, ValueError), match=message):
            method(X)
    with pytest.raises((TypeError, ValueError), match=message):
        type(model)(**SMALL).fit(X, LABELS)
    with pytest.raises((TypeError, ValueError), match=message):
        model.partial_fit(X, LABELS)
    assert model.predict(data.iloc[[0]]).shape == (1,)


@pytest.mark.parametrize("cell", NO_CELLS, ids=str)
def test_cells_that_are_no_numbers(cell, numeric, frame):
    X = frame.assign(a=pd.Series([cell] * ROWS, dtype=object))
    for call in (numeric.predict, lambda X: NeuralClassifier(**SMALL).fit(X, LABELS)):
        with pytest.raises(
            TypeError, match="X holds a .* must be a string or a number"
        ):
            call(X)


def test_one_picture(pictures):
    X, model = pictures
    from PIL import Image

    for single in (Image.fromarray(X[0]), "picture.png", None, {"a": 1}, 3):
        with pytest.raises(TypeError, match="takes many pictures"):
            model.predict(single)
    with pytest.raises(ValueError, match="X is one picture.*give one by itself as"):
        model.predict(X[0])
    for row in (X[0].ravel(), pd.Series(X[0].ravel())):
        with pytest.raises(ValueError, match=r"one row of 64 numbers.*reshape\(1, -1"):
            model.predict(row)
    assert model.predict(X[:1]).shape == (1,)
    with pytest.raises(ValueError, match="without pixels"):
        ImageClassifier().fit(X[:, :0], LABELS)
    with pytest.raises(ValueError, match="without columns"):
        ImageClassifier().fit(pd.DataFrame(index=range(ROWS)), LABELS)


def test_texts_by_key_are_not_their_keys(language):
    with pytest.raises(TypeError, match="got a dict; give its texts"):
        language.perplexity({"title": "a b"})
    with pytest.raises(TypeError, match="got a dict"):
        TextLM().fit({"title": "a b"})


@pytest.mark.parametrize("make", [pa.array, lambda t: pa.table({"text": t})])
def test_texts_of_arrow_are_texts(make, language):
    texts = ["a b", "c"]
    assert language.perplexity(make(texts)) == language.perplexity(texts)


def test_half_a_surrogate_pair_is_a_character_and_has_no_bytes():
    texts = ["a \ud800 b", "b a"] * 8
    model = TextLM(min_frequency=1, hidden_size=8, embedding_dim=8, max_epochs=1)
    model.set_params(batch_size=2, bptt=5).fit(texts)
    assert "\ud800" in model.tokens_
    with pytest.raises(ValueError, match="lone surrogate"):
        model.set_params(analyzer="bpe").fit(texts)
    model.fit(["a b", "b a"] * 8)
    with pytest.raises(ValueError, match="lone surrogate"):
        model.perplexity(texts)


# Columns that are no numbers.

DAYS = pd.date_range("2020", periods=ROWS)
NO_NUMBERS = {
    "dates": lambda f: f.assign(a=DAYS),
    "spans": lambda f: f.assign(a=DAYS - DAYS[0]),
    "periods": lambda f: f.assign(a=DAYS.to_period("M")),
    "objects": lambda f: f.assign(a=pd.Series([datetime.date(2020, 1, 1)] * ROWS)),
    "array": lambda f: np.repeat(DAYS.to_numpy()[:, None], 3, axis=1),
    "polars": lambda f: pl.DataFrame(f.assign(a=DAYS)),
    "arrow": lambda f: pa.table({"a": DAYS, "b": f["b"], "c": f["c"]}),
    "lists": lambda f: [[datetime.datetime(2020, 1, 1), 1, 2]] * ROWS,
}


@pytest.mark.filterwarnings("ignore:X does not have valid feature names:UserWarning")
@pytest.mark.parametrize("case", sorted(NO_NUMBERS))
def test_dates_are_refused_in_fit_and_in_predict(case, numeric, frame):
    X = NO_NUMBERS[case](frame)
    for call in (numeric.predict, lambda X: NeuralClassifier().fit(X, LABELS)):
        with pytest.raises((ValueError, TypeError), match="dates"):
            call(X)


def test_pictures_and_arrays_of_dates_are_refused(pictures):
    X = np.zeros((ROWS, 8, 8), dtype="M8[s]")
    with pytest.raises(ValueError, match="dates or times"):
        pictures[1].predict(X)
    with pytest.raises(ValueError, match="dates or times"):
        NeuralClassifier(network=lambda i, o: None).fit(X, LABELS)


@pytest.mark.filterwarnings("ignore:X does not have valid feature names:UserWarning")
def test_integers_of_hundreds_of_digits(numeric, frame):
    for X in ([[10**400, 1, 2]] * ROWS, frame.assign(a=[10**400] * ROWS)):
        with pytest.raises(ValueError, match="too large for float64"):
            numeric.predict(X)


def test_numbers_in_objects_are_numbers_and_na_is_missing(frame):
    y = frame["a"] + frame["b"]
    plain = frame.mask(frame["c"] > 0.5)
    objects = plain.astype(object)
    objects = objects.where(objects.notna(), pd.NA)
    options = {**SMALL, "max_epochs": 3}
    expected = NeuralRegressor(**options).fit(plain, y).predict(plain)
    for X in (objects, objects.to_numpy()):
        model = NeuralRegressor(**options).fit(X, y)
        assert model.predict(X) == pytest.approx(expected)
    decimals = frame.map(Decimal)
    model = NeuralRegressor(**options).fit(decimals, y)
    assert model.predict(decimals) == pytest.approx(
        NeuralRegressor(**options).fit(frame, y).predict(frame)
    )


def test_a_table_of_arrow_has_names(numeric, frame):
    X = pa.table({name: frame[name].to_numpy() for name in "abc"})
    assert (numeric.predict(X) == numeric.predict(frame)).all()
    with pytest.raises(ValueError, match="feature names"):
        numeric.predict(X.select(["b", "a", "c"]))


@pytest.mark.parametrize("names", [[0, 1, 2], [("x", 1), ("x", 2), ("y", 1)]])
def test_columns_named_by_numbers_or_tuples_are_compared(names, frame):
    X = frame.set_axis(pd.Index(names, tupleize_cols=False), axis=1)
    model = NeuralClassifier(**SMALL).fit(X, LABELS)
    assert model.predict(X).shape == (ROWS,)
    other = X[[names[2], names[0], names[1]]]
    for call in (
        model.predict,
        lambda X: model.partial_fit(X, LABELS),
        lambda other: NeuralClassifier(**SMALL).fit(
            X, LABELS, X_val=other, y_val=LABELS
        ),
    ):
        with pytest.raises(ValueError, match="feature names should match"):
            call(other)
    model.fit(other, LABELS).predict(other)


def test_names_that_are_there_twice(frame):
    with pytest.raises(ValueError, match="(?s)unique.*'?a'? 2|must be unique.*'a'"):
        NeuralClassifier().fit(frame.set_axis(["a", "a", "b"], axis=1), LABELS)


# Names from elsewhere.


@pytest.mark.parametrize(
    ("method", "name", "answer"),
    [
        ("fit", "epochs", "for the constructor or set_params: max_epochs"),
        ("fit", "batch_size", "for the constructor or set_params: batch_size"),
        ("fit", "class_weight", "constructor or set_params: class_weight"),
        ("fit", "validation_split", "set_params: validation"),
        ("fit", "eval_metric", "ScoringMonitor"),
        ("fit", "X_valid", "that is X_val"),
        ("partial_fit", "sample_weights", "that is sample_weight"),
        ("partial_fit", "epochs", "set_params: max_epochs"),
        ("predict", "batch_size", "set_params: batch_size"),
        ("predict", "verbose", "set_params: verbose"),
        ("predict", "num_iteration", "it knows X"),
        ("predict_proba", "raw_score", "model.encode"),
    ],
)
def test_keywords_of_other_libraries_methods_are_answered(
    method, name, answer, numeric, frame
):
    args = (frame, LABELS) if "fit" in method else (frame,)
    with pytest.raises(TypeError, match=f"{method} has no .*{name!r}.*{answer}"):
        getattr(numeric, method)(*args, **{name: 1})


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("learning_rate_init", "that is lr"),
        ("num_boost_round", "that is max_epochs"),
        ("reg_lambda", "that is weight_decay"),
        ("beta_1", "betas, whose first"),
        ("epsilon", "eps="),
        ("units", "that is hidden_layer_sizes"),
        ("fp16", "that is precision"),
        ("scale_pos_weight", "class_weight="),
        ("input_shape", "found by fit"),
        ("num_workers", "OMP_NUM_THREADS"),
        ("warmup_steps", "that is schedule"),
    ],
)
def test_parameters_of_other_libraries_are_answered(name, answer):
    with pytest.raises(TypeError, match=f"{name!r}.*{answer}"):
        NeuralClassifier(**{name: 1})
    with pytest.raises(ValueError, match=f"{name!r}.*{answer}"):
        NeuralClassifier().set_params(**{name: 1})


# Arguments of methods and functions.


@pytest.mark.parametrize(
    "how",
    [
        {"max_lr": np.inf},
        {"max_lr": NAN},
        {"max_lr": 10**400},
        {"min_lr": NAN},
        {"min_lr": "a"},
        {"min_lr": None},
        {"num_iter": 2.5},
        {"num_iter": 20.5},
        {"num_iter": "many"},
        {"num_iter": 10**30},
        {"suggest": 3},
        {"suggest": ["slide"]},
    ],
    ids=str,
)
def test_lr_find_names_the_argument_that_cannot_be(how, frame):
    (name,) = how
    with pytest.raises(ValueError, match=name):
        lr_find(NeuralClassifier(), frame, LABELS, **how)


@pytest.mark.parametrize("k", [0, -1, 2.5, "a", None, NAN, True, 10**30], ids=str)
def test_how_many_neighbours_and_next_tokens(k, language, table):
    with pytest.raises(ValueError, match="k must be"):
        language.predict_next(["a"], k=k)
    with pytest.raises(ValueError, match="k must be"):
        table.nearest("a", "nurse", k=k)
    with pytest.raises(ValueError, match="column must be"):
        table.nearest(["a"], "nurse")


@pytest.mark.parametrize(
    "how",
    [
        {"max_new_tokens": 0},
        {"max_new_tokens": 2.5},
        {"max_new_tokens": None},
        {"temperature": NAN},
        {"temperature": "a"},
        {"temperature": -1},
        {"temperature": 10**400},
        {"top_k": 0},
        {"top_k": 2.5},
        {"top_p": NAN},
        {"top_p": "a"},
        {"top_p": 0},
        {"stop": 3},
        {"stop": ["a"]},
    ],
    ids=str,
)
def test_generate_names_the_argument_that_cannot_be(how, language):
    (name,) = how
    with pytest.raises(ValueError, match=name):
        language.generate(["a"], **how)


def test_the_least_temperature_and_share_take_the_likeliest(language):
    expected = language.generate(["a"], temperature=0, max_new_tokens=5)
    for how in ({"temperature": 1e-320}, {"top_p": 1e-320}):
        assert language.generate(["a"], **how, max_new_tokens=5) == expected
    assert language.generate(["a"], temperature=10**30, max_new_tokens=2)


@pytest.mark.parametrize("outputs", [[0, 9], [0.5, 1], [0], "a", [-1, 0]], ids=str)
def test_outputs_of_activation_maps(outputs, pictures):
    X, model = pictures
    with pytest.raises(ValueError, match="outputs must be 2 integers from 0 to 1"):
        model.activation_maps(X[:2], outputs=outputs)
    assert model.activation_maps(X[:2], outputs=[0, 1]).shape == (2, 8, 8)
