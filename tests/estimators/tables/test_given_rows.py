"""Packs that are validated on rows that `fit` is given as `X_val`."""

import numpy as np
import pandas as pd
import pytest

from skdl import EntityEmbeddingClassifier, NeuralRegressor, TrainingDisplay

SMALL = {"hidden_layer_sizes": (8,), "random_state": 0}


def numbers(n=90):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 3))
    return X, X @ [1.0, -2.0, 0.5] + 0.3 * rng.normal(size=n)


@pytest.fixture(scope="module")
def fitted():
    X, y = numbers()
    return NeuralRegressor(**SMALL).fit(X[:60], y[:60], X_val=X[60:], y_val=y[60:])


def test_four_networks_learn_from_all_rows_and_stop_by_the_given_ones(fitted):
    X, y = numbers()
    assert fitted.network_.n_members == 4
    best = fitted.history_["validation_loss"].idxmin()
    assert fitted.best_epoch_ == np.ceil(fitted.history_["epoch"][best])
    score = fitted.history_["validation_score"][best]
    assert fitted.score(X[60:], y[60:]) == pytest.approx(score, rel=1e-5)


def test_no_training_row_has_a_prediction_out_of_fold(fitted):
    assert not hasattr(fitted, "oof_prediction_")
    assert not hasattr(fitted, "oof_score_")
    assert fitted.feature_importances_.shape == (3,)
    texts = TrainingDisplay.from_estimator(fitted).ax_.get_legend().get_texts()
    assert texts[1].get_text() == "validation loss"


def test_intervals_come_from_the_given_rows(fitted):
    X, y = numbers()
    low, high = fitted.predict_interval(X[60:], coverage=0.8).T
    assert 0.7 <= ((low <= y[60:]) & (y[60:] <= high)).mean() <= 1.0


def test_other_given_rows_change_nothing_but_when_training_ends(fitted):
    X, y = numbers()
    far = 1e3 * np.ones((20, 3))
    other = NeuralRegressor(**SMALL).fit(X[:60], y[:60], X_val=far, y_val=far[:, 0])
    ours, theirs = fitted._encoder.numeric, other._encoder.numeric
    np.testing.assert_array_equal(theirs.center, ours.center)
    both = min(len(other.history_), len(fitted.history_))
    np.testing.assert_array_equal(
        other.history_["loss"][:both], fitted.history_["loss"][:both]
    )


def test_weights_count_in_the_loss_of_given_rows():
    X, y = numbers()
    weight = np.r_[np.ones(20), np.zeros(10)]
    wrong = np.where(weight > 0, y[60:], 1e3)
    found = [
        NeuralRegressor(**SMALL).fit(
            X[:60], y[:60], X_val=X[60:], y_val=target, sample_weight_val=weight
        )
        for target in (y[60:], wrong)
    ]
    np.testing.assert_array_equal(*(m.history_["validation_loss"] for m in found))


def test_new_categories_in_given_rows_count_as_unknown():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"town": rng.choice(list("abc"), 120), "x": rng.random(120)})
    y = np.where(frame["town"] == "a", "yes", "no")
    new = frame[80:].assign(town="d")
    model = EntityEmbeddingClassifier(**SMALL)
    model.fit(frame[:80], y[:80], X_val=new, y_val=y[80:])
    assert model.network_.n_members == 4
    assert "d" not in model.categories_["town"]
    with pytest.raises(ValueError, match="maybe") as told:
        model.fit(frame[:80], y[:80], X_val=new, y_val=["maybe"] * 40)
    assert "held-out data" in told.value.__notes__[0]


@pytest.mark.parametrize(
    ("given", "n_rows"),
    [
        ({"max_epochs": 2}, 30),
        ({"n_iter_no_change": 3, "early_stopping": True, "max_epochs": 2}, 30),
        ({}, 5),
    ],
)
def test_one_network_where_it_is_told_how_or_few_rows_are_given(given, n_rows):
    X, y = numbers()
    model = NeuralRegressor(**SMALL, **given)
    model.fit(X[:60], y[:60], X_val=X[-n_rows:], y_val=y[-n_rows:])
    assert not hasattr(model.network_, "n_members")
    assert "validation_loss" in model.history_


def test_early_stopping_is_what_a_pack_does_anyway(fitted):
    X, y = numbers()
    model = NeuralRegressor(early_stopping=True, **SMALL)
    model.fit(X[:60], y[:60], X_val=X[60:], y_val=y[60:])
    np.testing.assert_array_equal(model.predict(X), fitted.predict(X))


def test_groups_with_given_rows_are_refused():
    X, y = numbers()
    with pytest.raises(ValueError, match="groups say .* X_val that is held out"):
        NeuralRegressor(**SMALL).fit(X, y, X_val=X, y_val=y, groups=np.arange(90))
