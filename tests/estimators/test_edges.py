"""Numbers at the edge and shapes of splits: the right value, or one clear error."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import NotFittedError
from sklearn.metrics import log_loss

from skdl import (
    EntityEmbeddingClassifier,
    ImageClassifier,
    ImageRegressor,
    NeuralClassifier,
    NeuralRegressor,
    TextLM,
    lr_find,
)

SMALL = {"hidden_layer_sizes": 8, "max_epochs": 2, "random_state": 0}


def classifier(**options):
    return NeuralClassifier(**{**SMALL, **options})


def regressor(**options):
    return NeuralRegressor(**{**SMALL, **options})


def flat_network(n_inputs, n_outputs):
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.LazyLinear(n_outputs))


# Probabilities.


def test_rows_of_probabilities_sum_to_one_as_neighbours_want_it(blobs, recwarn):
    X, y = blobs
    probabilities = classifier(n_estimators=2).fit(X, y).predict_proba(X)
    assert probabilities.dtype == np.float64
    assert np.abs(probabilities.sum(axis=1) - 1).max() < 1e-12
    assert log_loss(y, probabilities) > 0
    assert np.random.default_rng(0).multinomial(1, probabilities).sum() == len(X)
    assert json.loads(json.dumps(list(probabilities[0]))) == probabilities[0].tolist()
    assert not [w for w in recwarn if "sum to one" in str(w.message)]


@pytest.mark.usefixtures("on_cpu")
@pytest.mark.parametrize("rows", [1, 2, 15, 17, 100])
def test_a_rows_probabilities_do_not_depend_on_its_neighbours(rows, blobs):
    X, y = blobs
    model = classifier().fit(X, y)
    assert (model.predict_proba(X[:rows]) == model.predict_proba(X)[:rows]).all()


def test_indicators_and_pictures_have_float64_probabilities_too(blobs, rng):
    X, y = blobs
    indicators = np.eye(3, dtype=int)[y]
    assert classifier().fit(X, indicators).predict_proba(X).dtype == np.float64
    pictures = rng.random((40, 8, 8))
    model = ImageClassifier(max_epochs=1, test_time_augmentation=True, random_state=0)
    probabilities = model.fit(pictures, y[:40]).predict_proba(pictures)
    assert np.abs(probabilities.sum(axis=1) - 1).max() < 1e-12


def test_chances_of_all_next_tokens_sum_to_one():
    texts = ["a b c d", "b c a d"] * 8
    model = TextLM(hidden_size=8, embedding_dim=8, max_epochs=1, batch_size=2, bptt=5)
    _, chances = model.fit(texts).predict_next(["a", "b"], k=len(model.tokens_))
    assert np.abs(chances.sum(axis=1) - 1).max() < 1e-12


# Targets.


@pytest.mark.parametrize("unit", [1e154, 1e170, 1e300, 1e-154, 1e-170, 1e-300])
@pytest.mark.parametrize("loss", ["squared_error", "quantile", "poisson"])
def test_predictions_scale_with_targets_however_large_or_small(unit, loss, line):
    X, y = line
    y = np.abs(y) / np.abs(y).max()
    plain = regressor(loss=loss).fit(X, y).predict(X)
    scaled = regressor(loss=loss).fit(X, y * unit).predict(X)
    assert scaled / unit == pytest.approx(plain, rel=1e-4, abs=1e-6)


def test_each_target_has_a_unit_of_its_own(line):
    X, y = line
    Y = np.column_stack([y * 1e300, y * 1e-300, y])
    predicted = regressor(max_epochs=20).fit(X, Y).predict(X)
    for column, unit in zip(predicted.T, (1e300, 1e-300, 1), strict=True):
        assert np.corrcoef(column / unit, y)[0, 1] > 0.9


@pytest.mark.filterwarnings("ignore:invalid value encountered in reduce:RuntimeWarning")
def test_predictions_beyond_the_largest_number_are_the_largest_number(line):
    X, _ = line
    y = np.where(X[:, 0] > 0, 1.5e308, -1.5e308)
    model = regressor(max_epochs=30).fit(X, y)
    predicted = model.predict(X * 3)
    assert np.isfinite(predicted).all()
    assert ((predicted > 0) == (X[:, 0] > 0)).mean() > 0.95


def test_held_out_or_later_targets_in_another_unit_are_refused(line):
    X, y = line
    with pytest.raises(ValueError, match="in the same unit") as caught:
        regressor().fit(X, y, X_val=X, y_val=y * 1e60)
    assert "X_val" in caught.value.__notes__[0]
    model = regressor().partial_fit(X, y)
    with pytest.raises(ValueError, match="in the same unit"):
        model.partial_fit(X, y * 1e60)


BAD_TARGETS = {
    "text": (["a"] * 240, "NeuralRegressor predicts numbers.*NeuralClassifier"),
    "categories": (pd.Categorical(["a", "b"] * 120), "predicts numbers"),
    "dates": (pd.date_range("2020", periods=240), "dates or times"),
    "spans": (pd.timedelta_range("1s", periods=240), "dates or times"),
    "complex": (np.full(240, 1j), "Complex"),
    "None": ([None, *range(239)], "NaN, None or infinity, the first at row 0"),
    "400 digits": ([10**400] * 240, "too large for float64"),
    "three axes": (np.zeros((240, 1, 1)), "dim 3"),
    "no columns": (np.zeros((240, 0)), r"0 feature\(s\)"),
    "one row": (np.zeros((1, 240)), "inconsistent"),
}


@pytest.mark.parametrize("case", sorted(BAD_TARGETS))
def test_targets_that_are_no_numbers(case, line):
    X, _ = line
    y, message = BAD_TARGETS[case]
    for model in (regressor(), ImageRegressor(max_epochs=1)):
        told = message.replace("NeuralR", type(model).__name__[:-9] + "R")
        with pytest.raises(ValueError, match=told.replace("NeuralClassifier", "")):
            model.fit(X.reshape(240, 2, 2) if "Image" in str(model) else X, y)
    with pytest.raises(ValueError, match=message):
        regressor().partial_fit(X, y)


@pytest.mark.parametrize("bad", [[None] * 240, [None, *range(239)]])
def test_held_out_targets_with_none(bad, line):
    X, y = line
    with pytest.raises(ValueError, match="None or infinity"):
        regressor().fit(X, y, X_val=X, y_val=bad)
    labels = np.arange(240) % 3
    with pytest.raises(ValueError, match="missing labels"):
        classifier().fit(X, labels, X_val=X, y_val=[None, *labels[1:]])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a", "b", None] * 80, "missing labels"),
        (["a", "b", float("nan")] * 80, "NaN"),
        (["a", 1, 2] * 80, "mixes text and other"),
        (np.array([1, 2, None] * 80, dtype=object), "missing labels"),
    ],
)
def test_labels_that_are_missing_or_of_two_kinds(labels, message, blobs):
    with pytest.raises(ValueError, match=message):
        classifier().fit(blobs[0], labels)


def test_numbers_in_an_array_of_objects_are_labels(blobs):
    X, y = blobs
    model = classifier(max_epochs=20).fit(X, y.astype(object))
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.score(X, y) > 0.9


# Labels of one kind after those of another.


@pytest.mark.parametrize("kind", [NeuralClassifier, ImageClassifier])
@pytest.mark.parametrize("way", ["partial_fit", "warm_start", "held out"])
@pytest.mark.parametrize("first", ["labels", "indicators"])
def test_labels_after_indicators_and_the_other_way_round(kind, way, first, blobs):
    X, y = blobs
    X = X[:40, :4].reshape(40, 2, 2) if kind is ImageClassifier else X[:40]
    given = {"labels": y[:40], "indicators": np.eye(3, dtype=int)[y[:40]]}
    then = given.pop("indicators" if first == "labels" else "labels")
    (now,) = given.values()
    model = kind(max_epochs=1, random_state=0, warm_start=way == "warm_start")
    refused = pytest.raises(ValueError, match="y has shape .* fitted on")
    if way == "held out":
        with refused:
            model.fit(X, now, X_val=X, y_val=then)
    elif way == "warm_start":
        model.fit(X, now)
        with refused:
            model.fit(X, then)
    else:
        model.partial_fit(X, now, classes=None if now.ndim == 2 else [0, 1, 2])
        with refused:
            model.partial_fit(X, then)


@pytest.mark.parametrize(
    "classes",
    [[0, 1, 2, np.nan], [0, 1, 2, None], ["a", 0, 1, 2], [[0, 1, 2]], [], 3, "abc"],
    ids=str,
)
def test_classes_that_are_no_list_of_labels(classes, blobs):
    X, y = blobs
    model = classifier()
    with pytest.raises(ValueError, match="classes"):
        model.partial_fit(X, y, classes=classes)
    with pytest.raises(NotFittedError):
        model.predict(X)
    model.partial_fit(X, y, classes={0, 1, 2})
    with pytest.raises(ValueError, match="classes"):
        model.partial_fit(X, y, classes=classes)


# Weights.


@pytest.mark.parametrize(
    ("class_weight", "message"),
    [
        ({0: np.nan, 1: 1, 2: 1}, r"class_weight\[0\].*nan"),
        ({0: -1, 1: 1, 2: 1}, r"class_weight\[0\].*-1"),
        ({0: np.inf, 1: 1, 2: 1}, r"class_weight\[0\].*inf"),
        ({0: "x", 1: 1, 2: 1}, r"class_weight\[0\].*'x'"),
        ({0: None, 1: 1, 2: 1}, r"class_weight\[0\].*None"),
        ({0: 10**400, 1: 1, 2: 1}, r"class_weight\[0\].*000"),
        ({"0": 1, "1": 1, "2": 5}, "class_weight names .'0', '1', '2'"),
        ({7: 1}, r"class_weight names \[7\]"),
        ({0: 0, 1: 0, 2: 0}, "class_weight is 0 for every class"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_weights_of_classes_that_cannot_be(class_weight, message, blobs):
    X, y = blobs
    model = classifier(class_weight=class_weight)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)
    with pytest.raises(ValueError, match=message):
        model.partial_fit(X, y, classes=[0, 1, 2])
    assert not hasattr(model, "network_")


def test_weights_of_a_class_that_a_fold_lacks_are_taken(blobs):
    X, y = blobs
    few = y < 2
    model = classifier(class_weight={0: 1, 1: 2, 2: 3}).fit(X[few], y[few])
    assert model.classes_.tolist() == [0, 1]


@pytest.mark.parametrize("weight", [1e300, 1.7e308, 1e-300, 1e-320])
def test_weights_of_any_size_count_relative_to_each_other(weight, line):
    X, y = line
    plain = regressor().fit(X, y, sample_weight=np.ones(240)).predict(X)
    scaled = regressor().fit(X, y, sample_weight=np.full(240, weight)).predict(X)
    assert scaled == pytest.approx(plain, rel=1e-5)
    model = regressor().partial_fit(X, y, sample_weight=np.full(240, weight))
    assert np.isfinite(model.predict(X)).all()


def test_held_out_weights_that_are_all_zero(blobs):
    X, y = blobs
    with pytest.raises(ValueError, match="at least one non-zero"):
        classifier().fit(X, y, X_val=X, y_val=y, sample_weight_val=np.zeros(240))
    lost = y == 2
    model = classifier(class_weight={0: 1, 1: 1, 2: 0})
    with pytest.raises(ValueError, match="held-out rows have weight zero"):
        model.fit(X, y, X_val=X[lost], y_val=y[lost])


def test_what_is_held_out_is_drawn_from_rows_that_have_a_weight(blobs):
    X, y = blobs
    weight = np.zeros(240)
    weight[:40] = 1
    stopping = classifier(early_stopping=True)
    some = stopping.fit(X, y, sample_weight=weight)
    expected = some.predict_proba(X)
    alone = stopping.fit(X[:40], y[:40], sample_weight=np.ones(40)).predict_proba(X)
    assert (alone == expected).all()


# Inputs.


@pytest.mark.parametrize("sign", [1, -1])
def test_inputs_beyond_float32_are_refused_where_nothing_scales_them(sign, blobs):
    X, y = blobs
    far = sign * np.abs(X) * 1e300
    told = "beyond 3.4e38"
    for fit in (
        lambda m: m.fit(far, y),
        lambda m: m.fit(X, y).predict(far),
        lambda m: m.fit(X, y, X_val=far, y_val=y),
        lambda m: m.partial_fit(far, y, classes=[0, 1, 2]),
    ):
        with pytest.raises(ValueError, match=told):
            fit(classifier(scale_inputs=False))
    table = EntityEmbeddingClassifier(**SMALL, scale_inputs=False)
    with pytest.raises(ValueError, match=told):
        table.fit(far, y)
    deep = classifier(network=flat_network, scale_inputs=False)
    with pytest.raises(ValueError, match=told):
        deep.fit(far.reshape(240, 2, 3), y)
    with pytest.raises(ValueError, match=told):
        ImageClassifier(max_epochs=1).fit(far.reshape(240, 2, 3), y)


@pytest.mark.filterwarnings("ignore:invalid value encountered in reduce:RuntimeWarning")
@pytest.mark.parametrize("unit", [1e300, 1e-300, "largest"])
def test_scaled_inputs_may_have_any_unit(unit, line):
    X, y = line
    plain = regressor(max_epochs=10).fit(X, y).predict(X)
    factor = 1.7e308 / np.abs(X).max() if unit == "largest" else unit
    scaled = regressor(max_epochs=10).fit(X * factor, y).predict(X * factor)
    assert scaled == pytest.approx(plain, rel=1e-3, abs=1e-2 * y.std())


@pytest.mark.parametrize("kind", [">f8", ">f4", ">i4", ">i2"])
def test_numbers_in_the_other_byte_order_are_numbers(kind, blobs):
    X, y = blobs
    X = (X * 10).astype(kind)
    native = X.astype(kind[1:])
    for model, fitted_on, given in (
        (classifier(), native, X),
        (classifier(network=flat_network), native.reshape(240, 2, 3), None),
        (EntityEmbeddingClassifier(**SMALL), native, X),
        (ImageClassifier(max_epochs=1, random_state=0), None, None),
    ):
        fitted_on = native.reshape(240, 2, 3) if fitted_on is None else fitted_on
        given = X.reshape(240, 2, 3) if given is None else given
        expected = model.fit(fitted_on, y).predict_proba(fitted_on)
        swapped = model.fit(given, y.astype(">i4"), sample_weight=np.ones(240, kind))
        assert swapped.predict_proba(given) == pytest.approx(expected, abs=1e-5)
    frame = pd.DataFrame(X, columns=list("abcdef"))
    assert classifier().fit(frame, y).predict(frame).shape == (240,)


@pytest.mark.parametrize("kind", [torch.float64, torch.float32, torch.bfloat16])
def test_tensors_with_gradients_are_data_like_any_other(kind, line):
    X, y = (torch.tensor(part).to(kind) for part in line)
    weight = torch.linspace(1, 2, 240).to(kind)
    wide = torch.float64 if kind == torch.float64 else torch.float32
    plain = {name: t.to(wide).numpy() for name, t in {"X": X, "y": y}.items()}
    held_out = {f"{name}_val": array for name, array in plain.items()}
    heavy = weight.to(wide).numpy()
    for tensor in (X, y, weight):
        tensor.requires_grad_()
    for given, expected in (
        (regressor().fit(X, y), regressor().fit(**plain)),
        (regressor().fit(list(X), y), regressor().fit(**plain)),
        (regressor().fit(X, y, X_val=X, y_val=y), regressor().fit(**plain, **held_out)),
        (regressor().fit(X, y, weight), regressor().fit(**plain, sample_weight=heavy)),
        (regressor().partial_fit(X, y), regressor().partial_fit(**plain)),
    ):
        predicted = expected.predict(plain["X"])
        assert given.predict(X) == pytest.approx(predicted, rel=1e-4, abs=1e-3)
    assert lr_find(regressor(), X, y).suggestion > 0
    assert X.requires_grad
    pictures = X.reshape(240, 2, 2)
    ImageRegressor(max_epochs=1, random_state=0).fit(pictures, y).predict(pictures)


def test_batch_norm_of_one_row_is_named_and_an_odd_row_is_no_batch(line):
    X, y = line
    for model in (
        regressor(batch_norm=True, batch_size=1),
        regressor(batch_norm=True, batch_size=1, lr="auto"),
    ):
        with pytest.raises(ValueError, match="Batch norm .* 2 rows .* batch_size"):
            model.fit(X, y)
        with pytest.raises(ValueError, match="Batch norm"):
            lr_find(model, X, y)
    with pytest.raises(ValueError, match="Batch norm"):
        regressor(batch_norm=True).partial_fit(X[:1], y[:1])
    model = regressor(batch_norm=True, batch_size=2).fit(X[:5], y[:5])
    assert np.isfinite(model.predict(X)).all()


def test_large_pictures_are_standardised(rng):
    X = rng.random((40, 8, 8))
    y = np.arange(40) % 2
    model = ImageClassifier(max_epochs=1, random_state=0)
    expected = model.fit(X, y).predict_proba(X)
    scaled = model.fit(X * 1e30, y).predict_proba(X * 1e30)
    assert scaled == pytest.approx(expected, abs=1e-3)


def test_held_out_targets_are_given_in_the_unit_that_the_network_is_trained_in(line):
    X, y = line
    y = np.exp(y / np.abs(y).max())
    model = TransformedTargetRegressor(
        regressor(max_epochs=20), func=np.log, inverse_func=np.exp
    )
    model.fit(X, y, X_val=X, y_val=np.log(y))
    score = model.regressor_.history_["validation_score"].iloc[-1]
    assert score == pytest.approx(model.regressor_.score(X, np.log(y)), abs=1e-5)
