"""Several quantiles by one network."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.metrics import d2_pinball_score
from sklearn.model_selection import cross_val_score

from skdl import EntityEmbeddingRegressor, NeuralRegressor

QUANTILES = [0.05, 0.5, 0.95]
N = 600


def fan(n, seed=0):
    """Return inputs of which the first says how much the target varies."""
    rng = np.random.RandomState(seed)
    X = rng.rand(n, 2)
    return X, 1000 + 100 * (0.1 + X[:, 0]) * rng.randn(n)


def regressor(**options):
    chosen = {"loss": "quantile", "quantile": QUANTILES, "hidden_layer_sizes": (32,)}
    chosen |= {"random_state": 0, "validation": None, "max_epochs": 30}
    return NeuralRegressor(**{**chosen, **options})


@pytest.fixture(scope="module")
def fitted():
    return regressor().fit(*fan(N))


@pytest.fixture(scope="module")
def pack():
    return regressor(validation=3, max_epochs=60).fit(*fan(N))


@pytest.mark.parametrize("which", ["fitted", "pack"])
def test_each_quantile_has_its_share_of_new_targets_below(which, request):
    X, y = fan(2000, seed=1)
    below = y[:, None] < request.getfixturevalue(which).predict(X)
    assert below.shape == (2000, 3)
    np.testing.assert_allclose(below.mean(axis=0), QUANTILES, atol=0.06)


@pytest.mark.parametrize("which", ["fitted", "pack"])
def test_no_quantile_crosses_another_far_from_the_training_rows_either(which, request):
    far = np.random.RandomState(0).randn(500, 2) * 100
    predicted = request.getfixturevalue(which).predict(far)
    assert (np.diff(predicted, axis=1) >= 0).all()


def test_quantiles_are_further_apart_where_the_target_varies_more(fitted):
    low, high = fitted.predict([[0.1, 0.5], [0.9, 0.5]])[:, [0, 2]].T
    quiet, loud = high - low
    assert loud > 2 * quiet


def test_one_network_predicts_as_several_networks_of_one_quantile_do(fitted):
    X, y = fan(N)
    new, truth = fan(2000, seed=1)
    together = fitted.predict(new)
    for column, quantile in enumerate(QUANTILES):
        alone = regressor(quantile=quantile).fit(X, y).predict(new)
        ours, theirs = (
            d2_pinball_score(truth, p, alpha=quantile)
            for p in (together[:, column], alone)
        )
        assert ours > theirs - 0.05


def test_the_score_is_the_mean_of_d2_and_serves_searches(fitted):
    X, y = fan(300, seed=1)
    weight = np.random.RandomState(0).rand(300)
    predicted = fitted.predict(X)
    for w in (None, weight):
        each = [
            d2_pinball_score(y, predicted[:, k], alpha=q, sample_weight=w)
            for k, q in enumerate(QUANTILES)
        ]
        assert fitted.score(X, y, sample_weight=w) == pytest.approx(
            np.mean(each), abs=0.01
        )
    assert len(cross_val_score(regressor(max_epochs=1), X, y, cv=2)) == 2


def test_packs_know_their_quantiles_out_of_fold(pack):
    X, y = fan(N)
    assert pack.oof_prediction_.shape == (N, 3)
    below = (y[:, None] < pack.oof_prediction_).mean(axis=0)
    np.testing.assert_allclose(below, QUANTILES, atol=0.06)
    each = [
        d2_pinball_score(y, pack.oof_prediction_[:, k], alpha=q)
        for k, q in enumerate(QUANTILES)
    ]
    assert pack.oof_score_ == pytest.approx(np.mean(each), abs=0.01)


def test_intervals_of_quantiles_cover_and_follow_the_spread(pack):
    X, y = fan(2000, seed=1)
    interval = pack.predict_interval(X, coverage=0.9)
    assert interval.shape == (2000, 2)
    inside = (interval[:, 0] <= y) & (y <= interval[:, 1])
    assert inside.mean() == pytest.approx(0.9, abs=0.04)
    quiet, loud = np.ptp(pack.predict_interval([[0.1, 0.5], [0.9, 0.5]]), axis=1)
    assert loud > 2 * quiet


def test_weights_move_quantiles():
    X, y = np.zeros((N, 1)), np.arange(N) % 2 * 1.0
    weight = np.where(y == 1, 9.0, 1.0)
    model = regressor(quantile=[0.3, 0.7], max_epochs=60)
    np.testing.assert_allclose(
        model.fit(X, y, sample_weight=weight).predict(X[:1]), [[1, 1]], atol=0.2
    )


def test_partial_fit_and_warm_start_go_on_in_the_units_that_are_there():
    X, y = fan(N)
    model = regressor(max_epochs=10).fit(X, y)
    before = model.predict(X)
    model.set_params(lr=1e-6).partial_fit(X, y + 5000)  # another unit altogether
    np.testing.assert_allclose(model.predict(X), before, rtol=0.01)
    warm = regressor(max_epochs=5, warm_start=True).fit(X, y).fit(X, y)
    assert (np.diff(warm.predict(X), axis=1) >= 0).all()
    stream = regressor()
    for start in range(0, N, 50):
        stream.partial_fit(X[start : start + 50], y[start : start + 50])
    assert (np.diff(stream.predict(X), axis=1) >= 0).all()
    assert 500 < stream.predict(X).mean() < 1500


def test_other_quantiles_do_not_go_on(fitted):
    model = regressor(max_epochs=1).fit(*fan(50))
    model.set_params(quantile=[0.1, 0.9])
    with pytest.raises(ValueError, match="quantile was"):
        model.partial_fit(*fan(50))


@pytest.mark.parametrize("options", [{"n_estimators": 2}, {"quantile": (0.5,)}])
def test_several_networks_and_a_list_of_one_have_columns_too(options):
    model = regressor(max_epochs=1, **options).fit(*fan(50))
    columns = 1 if "quantile" in options else 3
    assert model.predict(fan(4)[0]).shape == (4, columns)
    assert clone(model).get_params()["quantile"] == model.quantile


def test_a_checkpoint_knows_the_quantiles(tmp_path):
    path = tmp_path / "fit.pt"
    X, y = fan(50)
    model = regressor(max_epochs=2, checkpoint=path, verbose=0)
    model.fit(X, y)
    assert not path.exists()
    assert model.predict(X).shape == (50, 3)


def test_tables_with_categories_have_quantiles_too():
    frame = pd.DataFrame({"c": ["a", "b"] * 40})
    y = np.where(frame["c"] == "a", 0.0, 10.0) + np.random.RandomState(0).rand(80)
    options = {"loss": "quantile", "quantile": [0.1, 0.9], "random_state": 0}
    for validation in (None, 2):
        model = EntityEmbeddingRegressor(
            validation=validation, max_epochs=20, **options
        ).fit(frame, y)
        low, high = model.predict(frame[:2])
        assert low.max() < high.min()


@pytest.mark.parametrize(
    "quantile",
    [[0.5, 0.1], [0.1, 0.1], [], [0.0, 0.5], [0.5, 1], ["0.1"], [[0.1, 0.5]]],
)
def test_quantiles_that_do_not_rise_within_0_and_1_are_refused(quantile):
    with pytest.raises(ValueError, match=r"in rising order such as \[0.05"):
        regressor(quantile=quantile).fit(*fan(20))


@pytest.mark.parametrize("quantile", [0.9, [0.1, 0.9]])
def test_quantiles_need_their_loss(quantile):
    model = regressor(quantile=quantile).set_params(loss="squared_error")
    with pytest.raises(ValueError, match="loss='quantile', or leave quantile at 0.5"):
        model.fit(*fan(40))


def test_what_does_not_go_with_several_quantiles_is_refused():
    X, y = fan(40)
    with pytest.raises(ValueError, match="of one target, but y has 2 columns"):
        regressor().fit(X, np.column_stack([y, y]))
    frame = pd.DataFrame({"day": ["a", "b"] * 20})
    model = EntityEmbeddingRegressor(
        loss="quantile", quantile=QUANTILES, random_effects=["day"], max_epochs=1
    )
    with pytest.raises(ValueError, match="random_effects .* several quantiles"):
        model.fit(frame, y)
