"""Intervals and sets from rows that networks have not learned from."""

import pickle

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import PredefinedSplit, ShuffleSplit, TimeSeriesSplit

from skdl import EntityEmbeddingClassifier, NeuralClassifier, NeuralRegressor
from skdl.estimators.tables.conformal import Conformal, conformal, held_out

SMALL = {"hidden_layer_sizes": (16,), "max_epochs": 20, "random_state": 0}
N, NEW = 400, 2000


def numbers(n, seed=0):
    """Return inputs and a target whose noise has long right tails."""
    rng = np.random.RandomState(seed)
    X = rng.randn(n, 3)
    return X, 50 + 10 * (X[:, 0] + rng.exponential(size=n))


def regressor(**options):
    return NeuralRegressor(**{"validation": 4, **SMALL, **options})


def classifier(**options):
    return NeuralClassifier(**{"validation": 4, **SMALL, **options})


def covered(interval, y):
    return (interval[..., 0] <= y) & (y <= interval[..., 1])


@pytest.fixture(scope="module")
def fitted():
    # On the CPU, where bits do not depend on the rows beside.
    return regressor(device="cpu").fit(*numbers(N))


@pytest.fixture(scope="module")
def blurred():
    """Return inputs and overlapping classes."""
    rng = np.random.RandomState(0)
    y = rng.randint(4, size=N + NEW)
    return rng.randn(N + NEW, 3) + y[:, None] * [0.8, 0.4, 0.0], y


@pytest.fixture(scope="module")
def fitted_classifier(blurred):
    X, y = blurred
    return classifier().fit(X[:N], y[:N])


@pytest.mark.parametrize("coverage", [0.5, 0.9])
def test_intervals_cover_the_share_that_was_asked_for(fitted, coverage):
    X, y = numbers(NEW, seed=1)
    interval = fitted.predict_interval(X, coverage=coverage)
    assert interval.shape == (NEW, 2)
    assert covered(interval, y).mean() == pytest.approx(coverage, abs=0.05)


def test_both_tails_of_an_interval_are_of_one_size(fitted):
    X, y = numbers(NEW, seed=1)
    low, high = fitted.predict_interval(X, coverage=0.8).T
    assert (y < low).mean() == pytest.approx(0.1, abs=0.04)
    assert (y > high).mean() == pytest.approx(0.1, abs=0.04)


def test_an_interval_of_more_coverage_holds_that_of_less(fitted):
    X, _ = numbers(50, seed=1)
    narrow, wide = (fitted.predict_interval(X, coverage=c) for c in (0.5, 0.95))
    assert (wide[:, 0] < narrow[:, 0]).all()
    assert (wide[:, 1] > narrow[:, 1]).all()


def test_an_interval_is_the_same_whatever_rows_are_beside_and_in_a_pickle(fitted):
    X, _ = numbers(50, seed=1)
    interval = fitted.predict_interval(X)
    np.testing.assert_array_equal(fitted.predict_interval(X[7:8]), interval[7:8])
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict_interval(X), interval)


def test_several_targets_have_an_interval_each():
    X, y = numbers(N)
    both = np.column_stack([y, -3 * y])
    interval = regressor().fit(X, both).predict_interval(X[:9])
    assert interval.shape == (9, 2, 2)
    assert (interval[..., 0] < interval[..., 1]).all()
    assert (interval[:, 0] > 0).all()
    assert (interval[:, 1] < 0).all()


def test_weights_say_whose_errors_count():
    rng = np.random.RandomState(0)
    X = np.zeros((N, 1))
    noisy = np.arange(N) % 2 == 0
    y = rng.randn(N) * np.where(noisy, 10, 1)
    quiet = np.where(noisy, 1e-3, 1.0)
    wide = regressor().fit(X, y).predict_interval(X[:1])
    narrow = regressor().fit(X, y, sample_weight=quiet).predict_interval(X[:1])
    assert np.ptp(narrow) < 5 < 20 < np.ptp(wide)
    none = regressor().fit(X, y, sample_weight=1.0 * ~noisy).predict_interval(X[:1])
    assert np.ptp(none) < 5


def test_rows_that_no_fold_holds_out_say_nothing_of_errors():
    rng = np.random.RandomState(0)
    X = np.zeros((N, 1))
    fold = np.where(np.arange(N) < N // 2, -1, np.arange(N) % 3)
    y = rng.randn(N) * np.where(fold < 0, 30, 1)
    model = regressor(validation=PredefinedSplit(fold)).fit(X, y)
    assert model._conformal.total == N // 2
    assert np.ptp(model.predict_interval(X[:1])) < 10


@pytest.mark.parametrize(
    "validation",
    [
        "last",
        TimeSeriesSplit(3),
        ShuffleSplit(5, test_size=0.3, random_state=0),
    ],
)
def test_any_folds_give_intervals(validation):
    X, y = numbers(N)
    new, truth = numbers(NEW, seed=1)
    model = regressor(validation=validation, n_estimators=6).fit(X, y)
    assert covered(model.predict_interval(new), truth).mean() > 0.8


def test_counts_have_intervals_on_their_scale():
    rng = np.random.RandomState(0)
    X = rng.randn(N, 2)
    y = rng.poisson(np.exp(1 + X[:, 0]))
    interval = regressor(loss="poisson").fit(X, y).predict_interval(X)
    assert covered(interval, y).mean() == pytest.approx(0.9, abs=0.07)


def test_sets_hold_the_right_class_of_the_share_that_was_asked_for(
    fitted_classifier, blurred
):
    X, y = (part[N:] for part in blurred)
    sizes = []
    for coverage in (0.7, 0.9):
        sets = fitted_classifier.predict_set(X, coverage=coverage)
        assert sets.shape == (NEW, 4)
        assert sets.dtype == bool
        hits = sets[np.arange(NEW), y]
        assert hits.mean() == pytest.approx(coverage, abs=0.05)
        sizes.append(sets.sum(axis=1).mean())
    assert 1 < sizes[0] < sizes[1] < 4


def test_no_set_is_empty_and_each_holds_the_class_that_is_predicted(
    fitted_classifier, blurred
):
    X = blurred[0][:100]
    sets = fitted_classifier.predict_set(X, coverage=0.05)
    best = fitted_classifier.predict_proba(X).argmax(axis=1)
    assert sets[np.arange(100), best].all()
    assert sets.sum(axis=1).min() == 1


def test_classes_of_text_and_tables_with_categories_have_sets_too():
    rng = np.random.RandomState(0)
    color = rng.choice(["red", "green"], 80)
    y = np.where(rng.rand(80) < 0.2, "no", np.where(color == "red", "yes", "perhaps"))
    model = EntityEmbeddingClassifier(validation=2, **SMALL).fit(color[:, None], y)
    sets = model.predict_set([["red"], ["green"]], coverage=0.6)
    assert model.classes_.tolist() == ["no", "perhaps", "yes"]
    assert sets.tolist() == [[False, False, True], [False, True, False]]


# What is refused.


@pytest.mark.parametrize("coverage", [0, 1, 1.5, "0.9", None])
def test_a_coverage_that_is_no_share_is_named(fitted, coverage):
    with pytest.raises(ValueError, match="coverage must be a number between 0 and 1"):
        fitted.predict_interval(numbers(5)[0], coverage=coverage)


def test_a_coverage_that_few_rows_cannot_tell_is_refused(fitted):
    with pytest.raises(ValueError, match=r"400 held-out rows.*at most 0\.995"):
        fitted.predict_interval(numbers(5)[0], coverage=0.999)


@pytest.mark.parametrize(
    ("model", "method"), [(regressor, "predict_interval"), (classifier, "predict_set")]
)
def test_without_folds_there_is_one_clear_error(model, method):
    X, y = numbers(60)
    y = y if model is regressor else y > 60
    with pytest.raises(NotFittedError):
        getattr(model(), method)(X)
    one = model(validation=None, max_epochs=1).fit(X, y)
    with pytest.raises(ValueError, match=f"{method} needs rows.*validation=4"):
        getattr(one, method)(X)


def test_after_partial_fit_nobody_knows_how_wrong_a_pack_is():
    X, y = numbers(60)
    model = regressor(max_epochs=1).fit(X, y)
    model.partial_fit(X, y)
    with pytest.raises(ValueError, match="not on with partial_fit"):
        model.predict_interval(X)


def test_label_indicators_have_no_sets():
    X, y = numbers(60)
    model = classifier(max_epochs=1).fit(X, np.column_stack([y > 60, X[:, 0] > 0]))
    with pytest.raises(ValueError, match="label indicators use predict_proba"):
        model.predict_set(X)


# The quantiles themselves.


def test_an_interval_of_one_network_is_its_prediction_and_ranks_of_residuals():
    residuals = np.arange(-10.0, 9.0)[:, None]  # 19 of them: ranks 1 and 19 of 20
    known = Conformal([held_out([0], residuals, np.ones(19))], 19.0)
    low, high = known.interval(np.array([[[5.0]], [[7.0]]]), 0.9, (0, 0))
    np.testing.assert_allclose(low, [-5, -3])
    np.testing.assert_allclose(high, [13, 15])


def test_residuals_go_with_the_networks_of_their_fold():
    folds = [held_out([m], np.zeros((50, 1)), np.ones(50)) for m in range(2)]
    each = np.array([[[1.0], [4.0]]])  # two networks, both always right
    low, high = Conformal(folds, 100.0).interval(each, 0.9, (0, 0))
    np.testing.assert_allclose([low[0], high[0]], [1, 4])


def test_a_row_in_several_folds_counts_once():
    rows = np.array([0, 1])
    fold = (np.array([0]), rows, np.zeros((2, 1)))
    known = conformal([fold, fold], np.zeros((3, 1)), None)
    assert known.total == 2
    assert sum(f.mass[-1, 0] for f in known.folds) == pytest.approx(2)
