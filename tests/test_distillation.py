"""Networks that learn what slow models say."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from skdl import TRUSTED_TYPES, NeuralClassifier, NeuralRegressor, distill

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
    expected = student.fit(X, y)
    assert np.allclose(made.predict_proba(X), expected.predict_proba(X), atol=1e-5)


def test_a_classifier_of_others_learns_weighted_copies(blobs):
    X, y = blobs
    seen = {}

    class Student(LogisticRegression):
        def fit(self, X, y, sample_weight):
            seen.update(X=X, y=y, weight=sample_weight)
            return super().fit(X, y, sample_weight)

    made = distill(RandomForestClassifier(5), X, y, Student(), cv=2)
    assert made.score(X, y) > 0.9
    assert len(seen["X"]) > len(X)
    assert seen["weight"].sum() == pytest.approx(len(X), rel=0.05)


@pytest.fixture(scope="module")
def small(blobs):
    X, y = blobs
    frame = pd.DataFrame(X, columns=list("abcdef"))
    frame["kind"] = np.array(["u", "v"])[y % 2]
    forest = RandomForestClassifier(10, random_state=0)
    one_hot = OneHotEncoder(sparse_output=False)
    columns = make_column_transformer((one_hot, ["kind"]), remainder="passthrough")
    teacher = make_pipeline(columns, forest)
    return distill(teacher, frame, y, cv=2, random_state=0), frame, y


def test_the_default_student_is_one_small_network(small):
    made, frame, y = small
    assert made.network_.n_members == 1
    assert made.hidden_layer_sizes == (128, 128)
    assert made.predict_proba(frame[:3]).shape == (3, 3)
    assert len(made.oof_prediction_) == len(y)


def test_what_nobody_observed_is_not_measured(small):
    made, frame, _ = small
    assert not hasattr(made, "oof_score_")
    with pytest.raises(ValueError, match="predict_set needs rows"):
        made.predict_set(frame)


def test_what_is_drawn_without_a_seed_is_not_from_numpys_global_generator(blobs):
    before = np.random.get_state()
    teacher, student = (NeuralClassifier(max_epochs=1) for _ in range(2))
    distill(teacher, *blobs, student)
    after = np.random.get_state()
    assert after[2] == before[2]
    assert (after[1] == before[1]).all()


def test_a_student_is_kept_and_goes_on_with_labels_as_any_other(small):
    made, frame, y = small
    again = pickle.loads(pickle.dumps(made))
    assert np.array_equal(again.predict_proba(frame), made.predict_proba(frame))
    io = pytest.importorskip("skops.io", reason="skops is not installed")
    of_skops = io.loads(io.dumps(made), trusted=list(TRUSTED_TYPES))
    assert np.array_equal(of_skops.predict_proba(frame), made.predict_proba(frame))
    again.partial_fit(frame, y)
    with pytest.raises(ValueError, match="label indicators"):
        again.partial_fit(frame, np.eye(3)[y].astype(int))
    assert not np.array_equal(again.predict_proba(frame), made.predict_proba(frame))
    assert again.score(frame, y) > 0.8


def test_class_weights_of_a_student_go_by_the_most_probable_classes(blobs):
    X, y = blobs
    plain = NeuralClassifier(**SMALL, max_epochs=3)
    for weight in ("balanced", {0: 5.0, 1: 1.0, 2: 1.0}):
        student = NeuralClassifier(**SMALL, max_epochs=3, class_weight=weight)
        made = distill(GaussianNB(), X, y, student, cv=2, random_state=0)
        assert made.get_params()["class_weight"] == weight
        if weight != "balanced":
            other = distill(GaussianNB(), X, y, plain, cv=2, random_state=0)
            first = made.predict_proba(X)[:, 0].mean()
            assert first > other.predict_proba(X)[:, 0].mean()


def test_a_regressor_learns_predictions_and_targets(line):
    X, y = line
    student = NeuralRegressor(**SMALL, max_epochs=60, lr=0.01)
    made = distill(RandomForestRegressor(30, random_state=0), X, y, student, cv=3)
    assert made.score(X, y) > 0.7
    exact = distill(LinearRegression(), X, y, LinearRegression(), label_share=0.0)
    assert exact.score(X, y) > 0.99


@pytest.mark.parametrize(
    "last", [NeuralClassifier(**SMALL, max_epochs=30), LogisticRegression()]
)
def test_a_pipeline_learns_in_its_last_step(last, blobs, tmp_path):
    X, y = blobs
    forest = RandomForestClassifier(20, random_state=0)
    far = X * 1000 + 1e4
    student = Pipeline([("units", StandardScaler()), ("last", last)])
    made = distill(forest, far, y, student, cv=3, random_state=0)
    assert made.score(far, y) > 0.9
    assert not hasattr(student["units"], "mean_")
    np.testing.assert_allclose(made["units"].mean_, far.mean(axis=0))
    alone = distill(forest, made[:-1].transform(far), y, last, cv=3, random_state=0)
    np.testing.assert_array_equal(
        alone.predict(made[:-1].transform(far)), made.predict(far)
    )
    cached = Pipeline(student.steps, memory=str(tmp_path))
    again = distill(forest, far, y, cached, cv=3, random_state=0)
    np.testing.assert_array_equal(again.predict(far), made.predict(far))


def test_what_cannot_be_distilled_says_so(blobs):
    X, y = blobs
    with pytest.raises(TypeError, match="predict_proba.*CalibratedClassifierCV"):
        distill(LinearSVC(), X, y)
    with pytest.raises(ValueError, match="label_share"):
        distill(RandomForestClassifier(), X, y, label_share=2)
    with pytest.raises(ValueError, match="one column"):
        distill(RandomForestClassifier(), X, np.c_[y, y])


def test_students_that_cannot_learn_what_the_teacher_says_are_refused(blobs):
    X, y = blobs
    forest = RandomForestClassifier(5, random_state=0)
    tree, near = DecisionTreeClassifier(), KNeighborsClassifier()
    cases = {
        "a regressor": (forest, LinearRegression()),
        "search": (forest, GridSearchCV(tree, {"max_depth": [2]})),
        "sample_weight": (forest, make_pipeline(StandardScaler(), near)),
        "a classifier": (RandomForestRegressor(5), tree),
    }
    for word, (teacher, student) in cases.items():
        with pytest.raises(TypeError, match=word):
            distill(teacher, X, y, student)
