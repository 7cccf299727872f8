"""What of errors out of fold is chance, so that intervals are as long as they say."""

import numpy as np
import pytest
from sklearn.datasets import make_friedman1
from sklearn.model_selection import KFold

from skdl import NeuralRegressor
from skdl.estimators.tables.chance import Spread

CHANCE, NOISE = 0.3, 0.8  # standard deviations
N, NEW = 600, 3000


def drawn(n_blind, n_seeing, learned, n=200_000):
    """Return what networks say whose chance and noise are known."""
    rng = np.random.RandomState(0)
    noise = NOISE * rng.randn(n, 1)
    chance = [CHANCE / np.sqrt(k) * rng.randn(n, 1) for k in (n_blind, n_seeing)]
    errors = noise - chance[0]
    gaps = chance[0] - chance[1] - learned * noise
    return Spread(errors, gaps, np.ones(n), n_blind, n_seeing, n_blind + n_seeing)


@pytest.mark.parametrize(
    ("n_blind", "n_seeing", "learned"), [(1, 3, 0.0), (1, 3, 0.4), (2, 6, 0.2)]
)
def test_chance_is_told_from_noise_that_networks_have_learned(
    n_blind, n_seeing, learned
):
    own = CHANCE**2 / n_blind
    too_much = 2 * own * (1 - n_blind / (n_blind + n_seeing))
    expected = np.sqrt(1 - too_much / (NOISE**2 + own))
    found = drawn(n_blind, n_seeing, learned).share()
    np.testing.assert_allclose(found, [expected], atol=0.01)


def test_errors_without_chance_count_whole():
    spread = drawn(1, 3, 0.4)
    noise = spread.errors
    share = Spread(noise, -0.4 * noise, spread.weight, 1, 3, 4).share()
    np.testing.assert_allclose(share, [1.0], atol=1e-6)
    assert Spread(0 * noise, 0 * noise, spread.weight, 1, 3, 4).share() == 1


def test_chance_of_a_few_rows_is_not_taken_from_the_errors_of_all():
    ordinary = drawn(1, 7, 0.2)
    few = np.arange(len(ordinary.errors)) % 33 == 0
    jump = np.where(few[:, None], 3.0, 0.0)
    given = ordinary.weight, 1, 7, 8
    with_jumps = Spread(ordinary.errors - jump, ordinary.gaps + jump, *given)
    assert with_jumps.share() == pytest.approx(ordinary.share(), abs=0.02)


def test_intervals_hold_beside_a_jump():
    def table(n, seed):
        rng = np.random.default_rng(seed)
        X = rng.uniform(-1, 1, size=(n, 6))
        return X, np.sign(X[:, 0] * X[:, 1]) + 0.1 * rng.normal(size=n)

    X, y = table(NEW, 140)
    low, high = (
        NeuralRegressor(random_state=40).fit(*table(1200, 40)).predict_interval(X).T
    )
    assert 0.87 < ((low <= y) & (y <= high)).mean() < 0.94


def test_never_less_than_half_of_an_error_counts():
    rng = np.random.RandomState(0)
    own, of_three = rng.randn(1000, 1), rng.randn(1000, 1) / np.sqrt(3)
    spread = Spread(-own, own - of_three, np.ones(1000), 1, 3, 4)  # all is chance
    np.testing.assert_allclose(spread.share(), [0.5])


@pytest.fixture(scope="module")
def table():
    return make_friedman1(N + NEW, noise=0.5, random_state=0)


def residuals(model):
    return np.sort(np.concatenate([f.values[:, 0] for f in model._conformal.folds]))


def test_random_folds_have_residuals_without_what_is_there_twice(table):
    X, y = table
    model = NeuralRegressor(
        hidden_layer_sizes=(64, 64), validation=np.int64(4), random_state=0
    )
    model.fit(X[:N], y[:N])
    errors = np.sort(y[:N] - model.oof_prediction_) / y[:N].std()
    share = residuals(model) / errors
    np.testing.assert_allclose(share, share[0], rtol=1e-3)
    assert 0.6 < share[0] < 0.99
    low, high = model.predict_interval(X[N:]).T
    covered = ((low <= y[N:]) & (y[N:] <= high)).mean()
    assert covered == pytest.approx(0.9, abs=0.05)


@pytest.mark.parametrize("how", ["splitter", "groups", "quantiles"])
def test_other_residuals_stay_as_they_are(table, how):
    X, y = (part[:N] for part in table)
    more, groups = {}, None
    if how == "splitter":
        more["validation"] = KFold(4)
    elif how == "groups":
        groups = np.arange(N) % 40
    else:
        more |= {"loss": "quantile", "quantile": 0.5}
    model = NeuralRegressor(
        **{"validation": 4, "max_epochs": 10, "random_state": 0, **more}
    ).fit(X, y, groups=groups)
    errors = np.sort(np.ravel(y - np.ravel(model.oof_prediction_))) / y.std()
    np.testing.assert_allclose(residuals(model), errors, rtol=2e-3, atol=1e-4)
