"""Targets: labels of any kind, several outputs, losses and weights."""

import numpy as np
import pandas as pd
import pytest
import torch

from skdl import NeuralClassifier, NeuralRegressor
from skdl.estimators.core.targets import ClassTarget


def regressor(**options):
    options = {"hidden_layer_sizes": 32, "max_epochs": 20, "random_state": 0, **options}
    return NeuralRegressor(**options)


def classifier(**options):
    return NeuralClassifier(
        **{"hidden_layer_sizes": 32, "max_epochs": 15, "random_state": 0, **options}
    )


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["no", "yes", "maybe"]),
        np.array(["no", "yes", "maybe"], dtype=object),
        np.array([10, -3, 7]),
        np.array([0.0, 1.0, 2.0]),
    ],
    ids=["string", "object", "integer", "float"],
)
def test_labels_of_any_kind_come_back(labels, blobs):
    X, y = blobs
    model = classifier().fit(X, labels[y])
    assert model.classes_.tolist() == sorted(labels.tolist())
    assert model.predict(X).dtype == labels.dtype
    assert (model.predict(X) == labels[y]).mean() > 0.9
    assert model.predict_proba(X).dtype == np.float64


@pytest.mark.parametrize("labels", [[1, 2], [False, True], ["a", "b"]])
def test_two_classes_have_two_columns_that_sum_to_one(labels, blobs):
    X, y = blobs
    labels = np.array(labels)[(y > 0).astype(int)]
    model = classifier().fit(X, labels)
    probabilities = model.predict_proba(X)
    assert probabilities.shape == (240, 2)
    assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-6)
    assert np.exp(model.predict_log_proba(X)) == pytest.approx(probabilities, rel=1e-5)
    assert model.score(X, labels) > 0.9


def test_a_categorical_series_is_a_target(blobs):
    X, y = blobs
    series = pd.Series(pd.Categorical.from_codes(y, ["x", "y", "z"]))
    assert classifier().fit(X, series).score(X, series) > 0.9


def test_label_indicators_are_predicted_column_by_column(rng):
    X = rng.normal(size=(300, 4))
    Y = (X[:, :3] > 0).astype(int)
    model = classifier(max_epochs=30).fit(X, Y)
    assert model.predict(X).shape == (300, 3)
    assert model.score(X, Y) > 0.85
    assert ((model.predict_proba(X) > 0.5) == model.predict(X)).all()


def test_several_targets_on_scales_of_their_own(rng):
    X = rng.normal(size=(300, 3))
    Y = np.column_stack([1e6 * X[:, 0] + 1e9, 1e-6 * X[:, 1]])
    model = regressor().fit(X, Y)
    assert model.predict(X).shape == (300, 2)
    assert model.score(X, Y) > 0.95


def test_a_small_signal_on_a_large_offset_is_found(rng):
    X = rng.normal(size=(300, 2))
    y = 1e9 + X[:, 0]
    assert regressor().fit(X, y).score(X, y) > 0.95


@pytest.mark.parametrize("quantile", [0.1, 0.9])
def test_quantile_loss_leaves_the_asked_share_below(quantile, rng):
    X = rng.uniform(-1, 1, size=(3000, 1))
    y = X[:, 0] + rng.exponential(size=3000)
    model = regressor(loss="quantile", quantile=quantile, max_epochs=15).fit(X, y)
    assert (y < model.predict(X)).mean() == pytest.approx(quantile, abs=0.03)


def test_absolute_error_predicts_medians_and_squared_error_means(rng):
    X = rng.uniform(-1, 1, size=(3000, 1))
    y = rng.exponential(size=3000)
    median = regressor(loss="absolute_error", max_epochs=10).fit(X, y).predict(X)
    mean = regressor(loss="squared_error", max_epochs=10).fit(X, y).predict(X)
    assert median.mean() == pytest.approx(np.log(2), abs=0.06)
    assert mean.mean() == pytest.approx(1, abs=0.06)


def test_huber_is_pulled_less_by_outliers_than_squared_error(rng):
    X = rng.uniform(-1, 1, size=(1000, 1))
    y = X[:, 0].copy()
    y[::20] += 100
    errors = {
        loss: np.abs(regressor(loss=loss).fit(X, y).predict(X) - X[:, 0]).mean()
        for loss in ("huber", "squared_error")
    }
    assert errors["huber"] < 0.9 * errors["squared_error"]


def test_poisson_predicts_positive_expected_counts(rng):
    X = rng.uniform(-1, 1, size=(2000, 1))
    y = rng.poisson(np.exp(3 + 1.5 * X[:, 0]))
    model = regressor(loss="poisson").fit(X, y)
    predicted = model.predict(X)
    assert (predicted > 0).all()
    assert predicted == pytest.approx(np.exp(3 + 1.5 * X[:, 0]), rel=0.2)


def test_a_constant_target_is_predicted(rng):
    X = rng.normal(size=(50, 2))
    assert regressor().fit(X, np.full(50, 7.0)).predict(X) == pytest.approx(7, abs=0.5)


def test_class_weight_moves_the_decision_toward_the_rare_class(rng):
    X = rng.normal(size=(1000, 1))
    y = (X[:, 0] + rng.normal(scale=1.5, size=1000) > 2.5).astype(int)
    plain = classifier().fit(X, y).predict(X).mean()
    balanced = classifier(class_weight="balanced").fit(X, y).predict(X).mean()
    by_hand = classifier(class_weight={0: 1, 1: 8}).fit(X, y).predict(X).mean()
    assert balanced > plain + 0.1
    assert by_hand > plain + 0.1


def test_weights_decide_between_rows_that_contradict_each_other():
    X = np.zeros((200, 1))
    y = np.repeat([0, 1], 100)
    weight = np.where(y == 1, 3.0, 1.0)
    model = classifier().fit(X, y, sample_weight=weight)
    assert model.predict_proba(X)[0, 1] == pytest.approx(0.75, abs=0.03)


def test_rows_of_zero_weight_are_as_good_as_absent(line):
    X, y = line
    X_more = np.vstack([X, np.full((30, 4), 1e6)])
    y_more = np.concatenate([y, np.full(30, -1e9)])
    weight = np.concatenate([np.ones(len(X)), np.zeros(30)])
    with_zeros = regressor().fit(X_more, y_more, sample_weight=weight)
    without = regressor().fit(X, y, sample_weight=np.ones(len(X)))
    assert (with_zeros.predict(X) == without.predict(X)).all()


def test_weights_count_relative_to_each_other_only(line):
    X, y = line
    weight = np.linspace(1, 2, len(X))
    first = regressor().fit(X, y, sample_weight=weight).predict(X)
    second = regressor().fit(X, y, sample_weight=weight * 1024).predict(X)
    assert first == pytest.approx(second, rel=1e-4)


def test_a_label_of_no_weight_is_still_a_class(blobs):
    X, y = blobs
    model = classifier().fit(X, y, sample_weight=(y != 2).astype(float))
    assert model.classes_.tolist() == [0, 1, 2]
    assert (model.predict(X) != 2).all()


def test_accuracy_by_weights_is_one_at_the_most():
    target = ClassTarget(np.arange(2))
    right, weight = torch.zeros(495, dtype=int), torch.linspace(0, 1, 495)
    for part in range(1, 495):
        rows = slice(part)
        score = target.score(torch.eye(2)[right[rows]], right[rows], weight[rows] + 0.1)
        assert score == 1
