"""Networks that learn what slow models say."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.svm import LinearSVC

from skdl import (
    EntityEmbeddingClassifier,
    NeuralClassifier,
    NeuralRegressor,
    distill,
)

SMALL = {"hidden_layer_sizes": 16, "random_state": 0}


def test_a_student_learns_the_teachers_probabilities_of_rows_it_has_not_seen(blobs):
    X, y = blobs
    names = np.array(["a", "b", "c"])[y]
    forest = RandomForestClassifier(30, random_state=0)
    student = NeuralClassifier(**SMALL, max_epochs=30)
    made = distill(forest, X, names, student, cv=3, random_state=0)
    teacher = forest.fit(X, names)
    assert made is not student
    assert list(made.classes_) == ["a", "b", "c"]
    assert made.score(X, names) > 0.9
    apart = np.abs(made.predict_proba(X) - teacher.predict_proba(X)).mean()
    assert apart < 0.1


def test_labels_alone_are_a_plain_fit_of_the_student(blobs):
    X, y = blobs
    student = NeuralClassifier(**SMALL, max_epochs=3)
    made = distill(RandomForestClassifier(3), X, y, student, cv=2, label_share=1.0)
    expected = student.fit(X, y, sample_weight=np.ones(len(y)))
    assert np.allclose(made.predict_proba(X), expected.predict_proba(X), atol=1e-5)


def test_copies_of_a_row_are_held_out_together(blobs, monkeypatch):
    X, y = blobs
    frame = pd.DataFrame(X)
    frame["kind"] = np.array(["u", "v"])[y % 2]
    seen = {}
    plain = EntityEmbeddingClassifier.fit

    def fit(self, X, y, **given):
        seen.update(given, X=X, y=y)
        return plain(self, X, y, **given)

    monkeypatch.setattr(EntityEmbeddingClassifier, "fit", fit)
    student = EntityEmbeddingClassifier(**SMALL, validation=4, max_epochs=2)
    distill(RandomForestClassifier(5), frame.iloc[:, :6], y, student, cv=2)
    rows, weight = seen["groups"], seen["sample_weight"]
    assert len(rows) > len(y)
    total = np.bincount(rows, weight)
    assert (total > 0.9).all()
    assert np.allclose(total, 1, atol=0.05)
    assert frame.iloc[rows, :6].equals(seen["X"])


def test_a_regressor_learns_predictions_and_targets(line):
    X, y = line
    student = NeuralRegressor(**SMALL, max_epochs=60, lr=0.01)
    made = distill(RandomForestRegressor(30, random_state=0), X, y, student, cv=3)
    assert made.score(X, y) > 0.7
    exact = distill(LinearRegression(), X, y, LinearRegression(), label_share=0.0)
    assert exact.score(X, y) > 0.99


def test_what_cannot_be_distilled_says_so(blobs):
    X, y = blobs
    with pytest.raises(TypeError, match="predict_proba.*CalibratedClassifierCV"):
        distill(LinearSVC(), X, y)
    with pytest.raises(ValueError, match="label_share"):
        distill(RandomForestClassifier(), X, y, label_share=2)
    with pytest.raises(ValueError, match="one column"):
        distill(RandomForestClassifier(), X, np.c_[y, y])
