"""One row predicted alone by a pack: what it is among others, however it comes."""

import copy
import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

from skdl import (
    EntityEmbeddingClassifier,
    EntityEmbeddingRegressor,
    NeuralClassifier,
    NeuralRegressor,
    load,
    save,
)
from skdl.estimators.tables import frames

# A row alone has a way of its own on CPUs, where bits do not depend on other rows.
pytestmark = pytest.mark.usefixtures("on_cpu")

rng = np.random.default_rng(0)
N = 520  # from 500 rows on layers are as wide as they get
X = rng.normal(size=(N, 6))
X[:, 4] = rng.integers(0, 3, N)
X[:, 5] = 1.0
GAPS = X.copy()
GAPS[::7, 1] = np.nan
CLASSES = np.array(["low", "middle", "high"])[np.digitize(X[:, 0], [-0.5, 0.5])]
LABELS = (X[:, :3] > 0).astype(int)
TARGET = X[:, 0] * 100 + X[:, 1] ** 2
TARGETS = np.stack([TARGET, -X[:, 2]], axis=1)
FRAME = pd.DataFrame(X[:, :4], columns=["a", "b", "c", "d"]).assign(
    city=rng.choice(["Bonn", "Ulm", "Rom"], N),
    day=rng.integers(0, 40, N).astype(str),
    truth=X[:, 3] > 0,
)
FRAME.loc[::9, "city"] = None
SHORT = {"validation": 4, "random_state": 0, "device": "cpu"}


def short(kind, **options):
    """Return an estimator whose training is cut short."""
    return kind(max_epochs=1, **SHORT, **options)


CASES = {
    "classes": lambda: short(NeuralClassifier).fit(GAPS, CLASSES),
    "labels": lambda: short(NeuralClassifier).fit(X, LABELS),
    "weighed": lambda: short(NeuralClassifier, class_weight="balanced").fit(X, CLASSES),
    "number": lambda: short(NeuralRegressor).fit(GAPS, TARGET),
    "numbers": lambda: short(NeuralRegressor).fit(X, TARGETS),
    "quantiles": lambda: short(
        NeuralRegressor, loss="quantile", quantile=[0.1, 0.5, 0.9]
    ).fit(X, TARGET),
    "counts": lambda: short(NeuralRegressor, loss="poisson").fit(X, np.abs(TARGET)),
    "piecewise": lambda: short(NeuralRegressor, numeric_embedding="piecewise").fit(
        X, TARGET
    ),
    "cosine": lambda: short(NeuralRegressor, numeric_embedding="cosine").fit(X, TARGET),
    "plain": lambda: short(NeuralRegressor, numeric_embedding=None).fit(X, TARGET),
    "unscaled": lambda: short(NeuralRegressor, scale_inputs=False).fit(X, TARGET),
    "normalised": lambda: short(
        NeuralClassifier, batch_norm=True, dropout=0.2, activation="relu"
    ).fit(X, CLASSES),
    "settings": lambda: short(
        NeuralClassifier, n_estimators=8, diversity="settings"
    ).fit(X, CLASSES),
    "table": lambda: short(EntityEmbeddingClassifier).fit(FRAME, CLASSES),
    "effects": lambda: short(EntityEmbeddingRegressor, random_effects=["day"]).fit(
        FRAME, TARGET
    ),
    "array as table": lambda: short(EntityEmbeddingClassifier).fit(GAPS, CLASSES),
    "named": lambda: short(NeuralClassifier).fit(FRAME[["a", "b", "c"]], CLASSES),
    "more": lambda: short(NeuralClassifier).fit(X, CLASSES).partial_fit(GAPS, CLASSES),
}
DATA = {
    "classes": GAPS,
    "number": GAPS,
    "array as table": GAPS,
    "more": GAPS,
    "table": FRAME,
    "effects": FRAME,
    "named": FRAME[["a", "b", "c"]],
}
_fitted = {}


def fitted(name):
    if name not in _fitted:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            _fitted[name] = CASES[name]()
    return _fitted[name]


def rows_of(name):
    return DATA.get(name, X)


def row_of(rows, i):
    return rows.iloc[[i]] if isinstance(rows, pd.DataFrame) else rows[i : i + 1]


def output(model, rows):
    """Return probabilities or predictions."""
    return getattr(model, "predict_proba", model.predict)(rows)


@pytest.mark.parametrize("name", CASES)
def test_a_row_alone_is_what_it_is_among_others(name):
    model, rows = fitted(name), rows_of(name)
    assert model.network_.function_of_one_row() is not None
    whole = output(model, rows)
    some = [0, 7, 9, 63, 100, N - 1]  # the first have missing values
    alone = np.concatenate([output(model, row_of(rows, i)) for i in some])
    size = np.abs(whole).mean()
    np.testing.assert_allclose(alone, whole[some], rtol=1e-5, atol=1e-5 * size)
    if hasattr(model, "classes_") and whole.shape[1] == len(model.classes_):
        assert {type(v) for v in model.predict(row_of(rows, 0)).tolist()} == {
            type(v) for v in model.predict(rows).tolist()
        }


def test_rows_beside_each_other_have_the_bits_that_they_have_among_all():
    model = fitted("classes")
    whole = output(model, GAPS)
    for n in (2, 3, 16, 17):
        np.testing.assert_array_equal(output(model, GAPS[:n]), whole[:n])


def test_a_small_table_gives_one_row_the_bits_that_it_has_among_others():
    model = NeuralClassifier(**SHORT).fit(X[:90], CLASSES[:90])
    whole = output(model, X)
    alone = [output(model, X[i : i + 1])[0] for i in range(40)]
    np.testing.assert_array_equal(alone, whole[:40])


HOLDERS = {
    "list": np.ndarray.tolist,
    "Fortran": np.asfortranarray,
    "backwards": lambda row: np.ascontiguousarray(row[:, ::-1])[:, ::-1],
    "swapped bytes": lambda row: row.astype(row.dtype.newbyteorder()),
    "tensor": torch.tensor,
    "frame": pd.DataFrame,
    "polars": pl.DataFrame,
    "objects": lambda row: row.astype(object),
    "part": lambda row: np.concatenate([row, row])[1:],
}


@pytest.mark.parametrize("name", ["classes", "array as table"])
@pytest.mark.parametrize("holder", HOLDERS)
def test_a_row_may_be_held_by_anything(name, holder):
    model = fitted(name)
    for i in (0, 1):
        row = GAPS[i : i + 1].copy()
        row.flags.writeable = False
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # names that fit did not see
            found = output(model, HOLDERS[holder](row))
        np.testing.assert_array_equal(found, output(model, row))


@pytest.mark.parametrize("name", ["classes", "number", "table", "effects", "settings"])
def test_a_copy_of_any_kind_predicts_the_same_bits(name, tmp_path):
    model, row = fitted(name), row_of(rows_of(name), 7)
    expected = output(model, row)
    save(model, tmp_path / "model")
    copies = [
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
        load(tmp_path / "model"),
    ]
    for other in copies:
        np.testing.assert_array_equal(output(other, row), expected)
        assert other.network_.function_of_one_row() is not None


def test_what_is_learned_later_counts():
    model, row = copy.deepcopy(fitted("classes")), GAPS[3:4]
    before = output(model, row)
    model.partial_fit(GAPS, CLASSES)
    after = output(model, row)
    assert not np.array_equal(before, after)
    np.testing.assert_allclose(after, output(model, GAPS)[3:4], rtol=1e-5, atol=1e-6)
    model.set_params(lr=0.02)
    np.testing.assert_array_equal(output(model, row), after)
    model.set_params(max_epochs=2).fit(-GAPS, CLASSES)
    again = output(model, row)
    np.testing.assert_allclose(again, output(model, GAPS)[3:4], rtol=1e-5, atol=1e-6)
    assert not np.array_equal(again, after)


def test_new_categories_of_later_rows_count():
    model = copy.deepcopy(fitted("table"))
    row = row_of(FRAME, 5).assign(city="Oslo")
    output(model, row)
    later = FRAME.assign(city="Oslo")
    model.partial_fit(later, CLASSES)
    found = output(model, row)
    among = output(model, pd.concat([row, FRAME]))[:1]
    np.testing.assert_allclose(found, among, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["classes", "table"])
def test_threads_do_not_disturb_each_other(name):
    model, rows = fitted(name), rows_of(name)
    expected = [output(model, row_of(rows, i)) for i in range(24)]
    fresh = pickle.loads(pickle.dumps(model))
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda i: output(fresh, row_of(rows, i % 24)), range(96)))
    for i, probabilities in enumerate(found):
        np.testing.assert_array_equal(probabilities, expected[i % 24])


SURROUNDINGS = {
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "meta": lambda: torch.device("meta"),
}


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("name", SURROUNDINGS)
def test_settings_of_torch_change_nothing(name, first):
    expected = output(fitted("table"), row_of(FRAME, 3))
    model = pickle.loads(pickle.dumps(fitted("table")))
    if not first:
        output(model, row_of(FRAME, 3))
    with SURROUNDINGS[name]():
        inside = output(model, row_of(FRAME, 3))
    np.testing.assert_array_equal(inside, expected)
    np.testing.assert_array_equal(output(model, row_of(FRAME, 3)), expected)


def test_another_default_type_changes_nothing():
    model, row = fitted("classes"), GAPS[:1]
    expected = output(model, row)
    torch.set_default_dtype(torch.float64)
    try:
        fresh = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(output(model, row), expected)
        np.testing.assert_array_equal(output(fresh, row), expected)
    finally:
        torch.set_default_dtype(torch.float32)


def test_weights_that_a_user_changes_count():
    model = copy.deepcopy(fitted("number"))
    output(model, GAPS[:1])
    with torch.no_grad():
        for parameter in model.network_.parameters():
            parameter.mul_(0.5)
    among = output(model, GAPS)[:1]
    np.testing.assert_allclose(output(model, GAPS[:1]), among, rtol=1e-5)


def test_what_is_not_finite_is_refused_as_ever():
    model = copy.deepcopy(fitted("number"))
    with torch.no_grad():
        model.network_.head.layers[-1].bias.fill_(torch.inf)
    with pytest.raises(ValueError, match="not finite for 1 of 1 rows"):
        model.predict(GAPS[:1])


# Few rows are validated in another way: what comes of it is the same.

NAMES = ["a", "b", "c"]
FRAMES = {
    "float64": {name: [1.5, np.nan] for name in NAMES},
    "float32": {name: np.float32([1.5, 2.25]) for name in NAMES},
    "both": {"a": np.float32([0.1, 2]), "b": [0.1, 1.0], "c": np.float32([1, 2])},
    "narrow": {"a": np.float32([0.1, 2]), "b": np.int16([1, 2]), "c": [1.0, 2.0]},
    "float32 and int16": {
        "a": np.float32([0.1, 2]),
        "b": np.int16([1, 2]),
        "c": np.float32([1, 2]),
    },
    "float32 and int64": {
        "a": np.float32([0.1, 2]),
        "b": [2**40 + 1, 2],
        "c": np.float32([1, 2]),
    },
    "integers": {"a": [1, 2], "b": [2**53 + 1, 3], "c": np.uint8([1, 2])},
    "truth": {name: [True, False] for name in NAMES},
    "truth and numbers": {"a": [True, False], "b": [1.5, 2.0], "c": [1, 2]},
    "float16": {name: np.float16([1.5, 0.1]) for name in NAMES},
    "nullable": {name: pd.array([1.5, None], dtype="Float64") for name in NAMES},
    "nullable integers": {name: pd.array([1, None], dtype="Int64") for name in NAMES},
    "objects": {name: np.array([1, 2.5], dtype=object) for name in NAMES},
    "sparse": {name: pd.arrays.SparseArray([0.0, 1.0]) for name in NAMES},
    "swapped": {name: np.array([1.5, 2.0], dtype=">f8") for name in NAMES},
    "categories": {name: pd.Categorical([1.0, 2.0]) for name in NAMES},
    "text of numbers": {name: ["1.5", "2"] for name in NAMES},
    "huge": {name: [1e300, -1e308] for name in NAMES},
}
WRONG = {
    "infinite": {name: [1.0, np.inf] for name in NAMES},
    "text": {name: ["x", "y"] for name in NAMES},
    "dates": {name: pd.to_datetime(["2020-01-01", "2020-01-02"]) for name in NAMES},
    "complex": {name: [1j, 2j] for name in NAMES},
    "too few": {"a": [1.0], "b": [1.0]},
    "another order": {"c": [1.0], "b": [1.0], "a": [1.0]},
    "other names": {"x": [1.0], "b": [1.0], "c": [1.0]},
    "too many": {name: [1.0] for name in [*NAMES, "d"]},
    "no rows": {name: np.zeros(0) for name in NAMES},
}


def outcome(function, *given):
    """Return what a function returns, or its error, and the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = function(*given)
        except (TypeError, ValueError) as error:
            found = type(error), str(error)
    return found, [(w.category, str(w.message)) for w in caught]


def thoroughly(model, X):
    """Validate as is done for many rows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(model), "_few_as_fitted", lambda self, X: None)
        return outcome(model._new_inputs, X)


@pytest.mark.parametrize("columns", [*FRAMES, *WRONG])
def test_few_rows_of_a_frame_are_validated_as_many(columns):
    model, frame = fitted("named"), pd.DataFrame({**FRAMES, **WRONG}[columns])
    found, told = outcome(model._new_inputs, frame)
    expected, expected_told = thoroughly(model, frame)
    assert told == expected_told
    if columns in WRONG:
        assert found == expected
        assert isinstance(found, tuple)
    else:
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


ARRAYS = {
    "float64": GAPS[:2],
    "float32": GAPS[:2].astype(np.float32),
    "integers": np.ones((2, 6), dtype=int),
    "float16": np.ones((2, 6), dtype=np.float16),
    "infinite": np.full((2, 6), np.inf),
    "infinite and missing": np.array([[np.inf, np.nan, 1, 1, 1, 1.0]]),
    "one row": GAPS[0],
    "too few": GAPS[:2, :5],
    "no rows": GAPS[:0],
    "huge": np.full((3, 6), 1e308),
    "masked": np.ma.masked_greater(X[:2], 0),
    "axes": np.ones((2, 6, 1)),
}


@pytest.mark.parametrize("name", ["classes", "array as table", "named"])
@pytest.mark.parametrize("array", ARRAYS)
def test_few_rows_of_an_array_are_validated_as_many(name, array):
    model, given = fitted(name), ARRAYS[array]
    if name == "named":
        given = given[..., :3]
    found, told = outcome(model._new_inputs, given)
    expected, expected_told = thoroughly(model, given)
    assert told == expected_told
    assert type(found) is type(expected)
    if isinstance(found, tuple):
        assert found == expected
        return
    found, expected = (getattr(t, "numeric", t) for t in (found, expected))
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", ["classes", "number", "array as table"])
def test_numbers_far_beyond_those_of_fit_are_nothing_to_warn_of(name):
    model = fitted(name)
    far = np.array([[1e308, -1e308, 1.7e308, -1.7e308, 3e307, 1e300]])
    many = np.concatenate([far, np.repeat(GAPS, 4, axis=0)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        alone, among = output(model, far), output(model, many)[:1]
    size = np.abs(among).mean()
    np.testing.assert_allclose(alone, among, rtol=1e-5, atol=1e-5 * size)


@pytest.mark.parametrize(
    "columns", [["a", "b", pd.NA], ["a", "b", None], [1, 2, 3], [("a", "b")] * 3]
)
@pytest.mark.parametrize("name", ["named", "table"])
def test_names_that_are_no_text_are_judged_as_those_of_many_rows(name, columns):
    model, rows = fitted(name), rows_of(name)
    given = rows.iloc[:1, : len(columns)].set_axis(columns, axis=1)
    found, told = outcome(model._new_inputs, given)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frames, "has_names", lambda frame, names: False)
        expected, expected_told = thoroughly(model, given)
    assert told == expected_told
    if isinstance(expected, tuple):
        assert found == expected
    else:
        np.testing.assert_array_equal(found, expected)


def test_an_array_without_the_names_of_fit_is_told_each_time():
    model = fitted("named")
    for _ in range(2):
        with pytest.warns(UserWarning, match="does not have valid feature names"):
            model.predict(X[:1, :3])


def test_one_named_row_is_learned_as_an_array_is():
    models = []
    for given in (FRAME[NAMES], FRAME[NAMES].astype(object)):
        model = copy.deepcopy(fitted("named"))
        for i in range(3):
            model.partial_fit(given.iloc[[i]], CLASSES[i : i + 1])
        models.append(model.predict_proba(FRAME[NAMES]))
    np.testing.assert_array_equal(*models)
