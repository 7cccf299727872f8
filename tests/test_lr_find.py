"""The learning-rate range test: what it finds, and what it leaves alone."""

import copy
import inspect
import os
import pickle
import warnings

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from torch import nn

from skdl import (
    LRFindDisplay,
    LRFindResult,
    NeuralClassifier,
    NeuralRegressor,
    lr_find,
)
from skdl.estimators.core.lr_sweep import sweep_estimator


@pytest.fixture
def model():
    return NeuralClassifier(hidden_layer_sizes=(32,), random_state=0)


def assert_same_state(before, after):
    """Compare attributes deeply, tensors and arrays by value."""
    first, second = (joblib.hash(copy.deepcopy(state)) for state in (before, after))
    assert first == second


def test_result_has_the_curve_and_every_rule(model, blobs):
    result = lr_find(model, *blobs)
    assert isinstance(result, LRFindResult)
    assert len(result.lrs) == len(result.losses) == len(result.smoothed_losses)
    assert result.lrs[0] == pytest.approx(1e-7)
    assert set(result.suggestions) == {"minimum", "steepest", "valley", "slide"}
    assert result.suggestion == result.suggestions["slide"]
    assert 1e-4 < result.suggestion < 1
    minimum = result.lrs[result.smoothed_losses.argmin()]
    assert result.suggestions["minimum"] == pytest.approx(minimum / 10)
    assert lr_find(model, *blobs, suggest="valley").suggestion == pytest.approx(
        result.suggestions["valley"]
    )


def test_repr_is_one_short_line(model, blobs):
    text = repr(lr_find(model, *blobs))
    assert "suggestion=" in text
    assert len(text) < 160
    assert "\n" not in text


def test_result_is_pickled_and_cannot_be_changed(model, blobs):
    result = lr_find(model, *blobs)
    again = pickle.loads(pickle.dumps(result))
    assert type(again) is LRFindResult
    assert repr(again) == repr(result)
    np.testing.assert_array_equal(again.losses, result.losses)
    with pytest.raises(AttributeError):
        result.suggested_by = "valley"


def test_what_the_display_runs_takes_what_lr_find_takes():
    public, core = (
        inspect.signature(function).parameters
        for function in (lr_find, sweep_estimator)
    )
    assert public == core


def test_suggestion_trains_well(model, blobs):
    X, y = blobs
    model.set_params(lr=lr_find(model, X, y).suggestion)
    assert model.fit(X, y).score(X, y) > 0.9


@pytest.mark.kernels
def test_same_random_state_same_curve_and_another_one_another(model, blobs):
    first, second = (lr_find(model, *blobs, random_state=3) for _ in range(2))
    np.testing.assert_array_equal(first.losses, second.losses)
    assert first.suggestions == second.suggestions
    other = lr_find(model, *blobs, random_state=4)
    assert other.losses[0] != first.losses[0]
    np.testing.assert_array_equal(
        lr_find(model, *blobs).losses, lr_find(model, *blobs, random_state=0).losses
    )


def test_unfitted_estimator_is_left_unchanged(model, blobs):
    before = copy.deepcopy(vars(model))
    lr_find(model, *blobs)
    assert_same_state(before, vars(model))


@pytest.mark.parametrize("warm_start", [False, True])
def test_fitted_estimator_is_left_unchanged(model, blobs, warm_start):
    model.set_params(warm_start=warm_start, max_epochs=2).fit(*blobs)
    before = copy.deepcopy(vars(model))
    weights = [p.detach().clone() for p in model.network_.parameters()]
    result = lr_find(model, *blobs)
    for kept, now in zip(weights, model.network_.parameters(), strict=True):
        torch.testing.assert_close(kept, now, rtol=0, atol=0)
    before.pop("network_")
    after = {k: v for k, v in vars(model).items() if k != "network_"}
    assert_same_state(before, after)
    fresh = lr_find(clone(model), *blobs)
    # With warm_start the test begins where the network is, else anew.
    assert (result.losses[0] < 0.9 * fresh.losses[0]) == warm_start


def test_global_random_states_are_left_alone(model, blobs):
    torch.manual_seed(1)
    np.random.seed(1)
    expected = torch.rand(1).item(), np.random.rand()
    torch.manual_seed(1)
    np.random.seed(1)
    lr_find(model, *blobs)
    assert (torch.rand(1).item(), np.random.rand()) == expected


def test_nothing_is_written(model, blobs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tmp_path.chmod(0o500)
    try:
        for name in ("TMPDIR", "HOME"):
            monkeypatch.setenv(name, str(tmp_path))
        lr_find(model, *blobs)
        assert os.listdir(tmp_path) == []
    finally:
        tmp_path.chmod(0o700)


def test_two_processes_at_once_find_the_same(model, blobs):
    found = joblib.Parallel(n_jobs=2)(
        joblib.delayed(lr_find)(model, *blobs) for _ in range(2)
    )
    expected = lr_find(model, *blobs).suggestions
    assert [r.suggestions for r in found] == [expected, expected]


def test_short_data_are_gone_through_again(blobs):
    X, y = (part[:40] for part in blobs)
    model = NeuralClassifier(batch_size=32, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        assert len(lr_find(model, X, y, num_iter=60, max_lr=1e-2).lrs) == 60


def test_pipeline_fits_its_earlier_steps_on_copies(blobs):
    X, y = blobs
    far = X * 1000 + 5000
    regressor = NeuralClassifier(scale_inputs=False, random_state=0)
    pipeline = make_pipeline(StandardScaler(), regressor)
    result = lr_find(pipeline, far, y)
    assert not hasattr(pipeline[0], "mean_")
    direct = lr_find(regressor, StandardScaler().fit_transform(far), y)
    np.testing.assert_array_equal(result.losses, direct.losses)


def test_pipeline_takes_a_data_frame_with_text(blobs):
    pandas = pytest.importorskip("pandas")
    X, y = blobs
    frame = pandas.DataFrame(X).add_prefix("x").assign(kind=np.where(y, "a", "b"))
    encoder = make_column_transformer(
        (OneHotEncoder(sparse_output=False), ["kind"]), remainder="passthrough"
    )
    assert lr_find(make_pipeline(encoder, NeuralClassifier()), frame, y).suggestion > 0


def test_sample_weight_counts(model, blobs):
    X, y = blobs
    result = lr_find(model, X, y, sample_weight=np.where(y == 0, 5.0, 0.2))
    assert result.losses[0] != lr_find(model, X, y).losses[0]


def test_divergence_ends_the_sweep(line):
    X, y = line
    model = NeuralRegressor(optimizer="sgd", random_state=0)
    assert len(lr_find(model, X, y, max_lr=1e6, num_iter=200).lrs) < 200


def test_auto_sets_lr_inside_fit(model, blobs):
    model.set_params(lr="auto", max_epochs=5).fit(*blobs)
    assert model.lr == "auto"
    assert 1e-4 < model.lr_ < 1
    assert clone(model).fit(*blobs).lr_ == model.lr_


def test_rate_does_not_go_by_which_batches_are_hard():
    # Of 32 rows some have far more to lose than others, whatever the rate is.
    rng = np.random.RandomState(0)
    X = rng.randn(2000, 5).astype(np.float32)
    y = (X[:, 0] + np.sin(2 * X[:, 1])) * np.exp(rng.randn(2000) / 2)
    rates = [
        NeuralRegressor(lr="auto", max_epochs=1, random_state=seed).fit(X, y).lr_
        for seed in range(8)
    ]
    assert min(rates) > 1e-3
    assert max(rates) < 0.1


@pytest.mark.filterwarnings("ignore:lr='auto' may be off")
def test_an_easy_start_is_no_lowest_point_to_diverge_from():
    # A few far targets cost a thousand times what others do: at the first of them the
    # loss is far above its lowest, whatever the rate is.
    rng = np.random.RandomState(0)
    X = rng.randn(1200, 5).astype(np.float32)
    y = np.exp(1.5 * X[:, 0] + rng.randn(1200))
    model = NeuralRegressor(lr="auto", max_epochs=1, batch_size=8)
    rates = [model.set_params(random_state=i).fit(X, y).lr_ for i in range(8)]
    assert min(rates) > 1e-4
    assert max(rates) < 0.1


def test_auto_finds_its_rate_in_each_fold_of_a_search(model, blobs):
    X, y = blobs
    model.set_params(lr="auto", max_epochs=5)
    search = GridSearchCV(model, {"dropout": [0.0, 0.1]}, cv=2, n_jobs=2).fit(X, y)
    alone = GridSearchCV(model, {"dropout": [0.0, 0.1]}, cv=2).fit(X, y)
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"]
    )
    assert search.best_estimator_.lr_ == alone.best_estimator_.lr_


def test_auto_does_not_read_the_rows_held_out(model, blobs):
    X, y = blobs
    model.set_params(lr="auto", max_epochs=2)
    rates = [
        clone(model).fit(X[:200], y[:200], X_val=held_out, y_val=y[200:]).lr_
        for held_out in (X[200:], X[200:] * 100)
    ]
    assert rates[0] == rates[1]


# Bad input.


@pytest.mark.parametrize(
    ("estimator", "named"),
    [
        (LogisticRegression(), "the estimator is LogisticRegression"),
        (make_pipeline(StandardScaler()), "last step of the Pipeline"),
        (make_pipeline(StandardScaler(), LogisticRegression()), "LogisticRegression"),
        ("adamw", "the estimator is str"),
        (TransformedTargetRegressor(), "Give its regressor"),
    ],
)
def test_without_a_network_there_is_nothing_to_sweep(estimator, named, blobs):
    with pytest.raises(TypeError, match=named):
        lr_find(estimator, *blobs)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"min_lr": 1.0, "max_lr": 0.1}, "min_lr must be positive and below max_lr"),
        ({"min_lr": 0.1, "max_lr": 0.1}, "min_lr must be positive and below max_lr"),
        ({"min_lr": 0.0}, "min_lr must be positive"),
        ({"min_lr": -1.0}, "min_lr must be positive"),
        ({"num_iter": 9}, "num_iter must be at least 10, got 9"),
        ({"suggest": "best"}, "suggest must be one of .*'slide'"),
    ],
)
def test_impossible_ranges_are_refused(model, blobs, options, named):
    with pytest.raises(ValueError, match=named):
        lr_find(model, *blobs, **options)


class Overflowing(nn.Module):
    """A network whose outputs are not finite."""

    def __init__(self, n_inputs, n_outputs):
        super().__init__()
        self.layer = nn.Linear(n_inputs, n_outputs)

    def forward(self, x):
        return self.layer(x) * float("inf")


def test_loss_that_is_never_finite_is_an_error(blobs):
    model = NeuralClassifier(network=Overflowing, random_state=0)
    with pytest.raises(ValueError, match="not finite at min_lr=1e-07"):
        lr_find(model, *blobs)
    with pytest.raises(ValueError, match="lr='auto' found no learning rate"):
        model.set_params(lr="auto").fit(*blobs)
    assert not hasattr(model, "network_")


def test_flat_curve_warns_and_still_suggests(blobs):
    X, y = blobs
    with pytest.warns(ConvergenceWarning, match="flat"):
        result = lr_find(NeuralClassifier(random_state=0), np.zeros_like(X), y)
    assert result.suggestion > 0


def test_lowest_loss_at_the_last_rate_warns(model, blobs):
    with pytest.warns(ConvergenceWarning, match="raise max_lr"):
        lr_find(model, *blobs, min_lr=1e-4, max_lr=1e-2)


def test_lowest_loss_at_the_first_rates_warns(model, blobs):
    with pytest.warns(ConvergenceWarning, match="lower min_lr"):
        lr_find(model.set_params(optimizer="sgd"), *blobs, min_lr=10.0, max_lr=1e4)


class Dull(nn.Module):
    """A network that hardly learns, at any rate."""

    def __init__(self, n_inputs, n_outputs):
        super().__init__()
        self.layer = nn.Linear(n_inputs, n_outputs)

    def forward(self, x):
        return self.layer(x) * 1e-4


def partial_fit(model, X, y):
    return model.set_params(lr="auto").partial_fit(X, y, classes=[0, 1, 2])


@pytest.mark.parametrize(
    "call",
    [
        lr_find,
        lambda model, X, y: LRFindDisplay.from_estimator(model, X, y),
        lambda model, X, y: model.set_params(lr="auto").fit(X, y),
        partial_fit,
    ],
    ids=["lr_find", "display", "fit", "partial_fit"],
)
def test_doubts_point_to_the_line_that_called(call, blobs):
    if "LRFindDisplay" in call.__code__.co_names:
        pytest.importorskip("matplotlib")
    model = NeuralClassifier(network=Dull, optimizer="sgd", random_state=0)
    model.set_params(max_epochs=1)
    with pytest.warns(ConvergenceWarning, match="may be off") as caught:
        call(model, *blobs)
    assert {warning.filename for warning in caught} == {__file__}


def test_wrong_data_give_the_message_of_fit(model, blobs):
    X, y = blobs
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        lr_find(model, X, y[:-1])


def test_a_search_is_tested_with_what_it_searches(blobs):
    X, y = blobs
    model = NeuralClassifier(max_epochs=1, random_state=0)
    pipeline = make_pipeline(StandardScaler(), model)
    search = GridSearchCV(pipeline, {"neuralclassifier__dropout": [0.5]}, cv=2)
    assert lr_find(search, X, y).suggestions == lr_find(pipeline, X, y).suggestions
    best = lr_find(search.fit(X, y), X, y)
    pipeline.set_params(neuralclassifier__dropout=0.5)
    assert best.suggestions == lr_find(pipeline, X, y).suggestions
