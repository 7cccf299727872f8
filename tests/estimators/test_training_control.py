"""What users steer of a training, and what they are told about it."""

import functools

import numpy as np
import pytest
import torch
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdl import FineTuning, NeuralClassifier, NeuralRegressor


def classifier(**options):
    return NeuralClassifier(
        **{"hidden_layer_sizes": 16, "max_epochs": 5, "random_state": 0, **options}
    )


def regressor(**options):
    return NeuralRegressor(
        **{"hidden_layer_sizes": 16, "max_epochs": 30, "random_state": 0, **options}
    )


class StopAfter:
    """A callback that stops, or interrupts, at the end of the n-th epoch."""

    def __init__(self, n, interrupt=False):
        self.n, self.interrupt, self.seen = n, interrupt, 0

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        if self.interrupt and context.task_name == "epoch" and self.seen == self.n:
            raise KeyboardInterrupt

    def on_fit_task_end(self, estimator, context):
        if context.task_name != "epoch":
            return False
        self.seen += 1
        return not self.interrupt and self.seen == self.n


def test_history_has_a_row_an_epoch(blobs):
    X, y = blobs
    model = classifier().fit(X[:180], y[:180], X_val=X[180:], y_val=y[180:])
    assert model.history_.columns.tolist() == [
        "epoch",
        "loss",
        "lr",
        "seconds",
        "training_seconds",
        "validation_loss",
        "validation_score",
    ]
    assert model.history_["epoch"].tolist() == [1, 2, 3, 4, 5]
    assert (model.n_iter_, model.best_epoch_, model.lr_) == (5, 5, 0.01)
    assert model.history_["validation_score"].iloc[-1] == pytest.approx(
        model.score(X[180:], y[180:])
    )
    assert "validation_loss" not in classifier().fit(X, y).history_


def test_regressors_record_r2_on_held_out_data(line):
    X, y = line
    weight = np.linspace(1, 3, 60)
    model = regressor().fit(
        X[:180], y[:180], X_val=X[180:], y_val=y[180:], sample_weight_val=weight
    )
    assert model.history_["validation_score"].iloc[-1] == pytest.approx(
        model.score(X[180:], y[180:], weight), abs=1e-5
    )


def test_early_stopping_keeps_the_best_epoch_and_learns_nothing_from_held_out(rng):
    X = rng.normal(size=(150, 10))
    y = (X[:, 0] + rng.normal(scale=2, size=150) > 0).astype(int)  # easy to overfit
    model = classifier(
        max_epochs=200,
        early_stopping=True,
        n_iter_no_change=5,
        schedule="constant",
        dropout=0,
    ).fit(X[:100], y[:100], X_val=X[100:], y_val=y[100:])
    losses = model.history_["validation_loss"]
    assert model.n_iter_ < 200
    assert model.best_epoch_ == losses.idxmin() + 1
    probabilities = model.predict_proba(X[100:])
    loss = -np.log(probabilities[np.arange(50), y[100:]]).mean()
    assert loss == pytest.approx(losses.min(), rel=1e-4)
    assert model.network_[0].in_features == 10


def test_early_stopping_holds_out_data_of_its_own(blobs):
    model = classifier(early_stopping=True, validation=0.25).fit(*blobs)
    assert model.history_["validation_score"].iloc[-1] > 0.8


def test_warm_start_goes_on_from_the_last_weights(line):
    model = regressor(warm_start=True, max_epochs=5).fit(*line)
    once = model.score(*line)
    assert model.fit(*line).history_["loss"].iloc[0] < 0.5
    for _ in range(3):
        model.fit(*line)
    assert model.score(*line) > once
    with pytest.raises(ValueError, match="features"):
        model.fit(line[0][:, :2], line[1])
    assert model.score(*line) > once


def test_warm_start_refuses_new_labels(blobs):
    X, y = blobs
    model = classifier(warm_start=True).fit(X[y < 2], y[y < 2])
    with pytest.raises(ValueError, match="not in the classes"):
        model.fit(X, y)
    assert model.score(X[y < 2], y[y < 2]) > 0.9


def test_partial_fit_learns_call_by_call(blobs):
    X, y = blobs
    model = classifier(batch_size=16)
    with pytest.raises(ValueError, match="classes must be passed"):
        model.partial_fit(X, y)
    for _ in range(10):
        model.partial_fit(X[:120], y[:120], classes=[0, 1, 2])
        model.partial_fit(X[120:], y[120:])
    assert model.score(X, y) > 0.9
    assert len(model.history_) == 20
    assert model.history_["epoch"].tolist() == list(range(1, 21))
    with pytest.raises(ValueError, match="not the same as"):
        model.partial_fit(X, y, classes=[0, 1, 2, 3])


def test_partial_fit_continues_a_fit_and_keeps_the_optimizers_state(line):
    X, y = line
    model = regressor().fit(X, y)
    before = model.score(X, y)
    for _ in range(3):
        model.partial_fit(X, y)
    assert model.score(X, y) > before - 0.05
    steps = model._optimizer_state["state"]["state"][0]["step"]
    assert steps == 3 * -(-len(X) // 32)


def test_a_callback_that_returns_true_stops_training(blobs):
    model = classifier(max_epochs=50).set_callbacks(StopAfter(3)).fit(*blobs)
    assert model.n_iter_ == 3


def test_an_interruption_keeps_the_epochs_done_and_says_so(blobs):
    interrupted = classifier(max_epochs=50)
    calls = []

    def network(n_inputs, n_outputs):
        module = torch.nn.Linear(n_inputs, n_outputs)

        def count(*_):
            calls.append(1)
            if len(calls) > 40:
                raise KeyboardInterrupt

        module.register_forward_pre_hook(count)
        return module

    interrupted.set_params(network=network)
    with pytest.raises(KeyboardInterrupt, match="interrupted; the weights after epoch"):
        interrupted.fit(*blobs)
    calls.clear()
    assert 0 < interrupted.n_iter_ < 10
    assert interrupted.predict(blobs[0]).shape == (240,)


def test_an_interruption_before_the_first_epoch_is_done_leaves_nothing(blobs):
    model = classifier().set_callbacks(StopAfter(0, interrupt=True))
    with pytest.raises(KeyboardInterrupt):
        model.fit(*blobs)
    assert not hasattr(model, "network_")
    assert not hasattr(model, "n_features_in_")


def test_scoring_monitor_scores_every_epoch(blobs):
    monitor = ScoringMonitor(scoring="accuracy")
    model = classifier(max_epochs=8).set_callbacks(monitor).fit(*blobs)
    log = monitor.get_logs().data_as_pandas
    epochs = log[log["task_name"] == "epoch"]
    assert len(epochs) == 8
    assert epochs["accuracy"].iloc[-1] == pytest.approx(model.score(*blobs))
    assert epochs["accuracy"].iloc[-1] > epochs["accuracy"].iloc[0]


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_scoring_monitor_inside_a_grid_search(n_jobs, blobs):
    monitor = ScoringMonitor(scoring="accuracy")
    step = classifier(max_epochs=3).set_callbacks(monitor)
    GridSearchCV(
        make_pipeline(StandardScaler(), step),
        {"neuralclassifier__lr": [1e-3, 1e-2]},
        cv=2,
        n_jobs=n_jobs,
        error_score="raise",
    ).fit(*blobs)
    log = monitor.get_logs("all")
    rows = sum((run.data_as_pandas["task_name"] == "epoch").sum() for run in log)
    assert rows == 3 * (2 * 2 + 1)


@pytest.mark.parametrize("place", ["alone", "pipeline", "search"])
def test_progress_bar_shows_epochs(place, blobs, capsys):
    model = classifier(max_epochs=3)
    if place == "pipeline":
        model = make_pipeline(StandardScaler(), model)
    elif place == "search":
        model = GridSearchCV(model, {"lr": [1e-2]}, cv=2)
    model.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(*blobs)
    assert "NeuralClassifier" in capsys.readouterr().out


def test_verbose_shows_a_bar_or_a_line_an_epoch(blobs, capsys):
    classifier(verbose=1).fit(*blobs)
    assert "epoch 5/5 |" in capsys.readouterr().out
    classifier(verbose=2, early_stopping=True).fit(*blobs)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert "validation loss" in lines[0]
    classifier().fit(*blobs)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "schedule",
    [
        "one_cycle",
        "cosine",
        "warm_restarts",
        "flat_cosine",
        "constant",
        lambda p: 1 - p,
    ],
)
def test_every_schedule_trains(schedule, blobs):
    assert classifier(schedule=schedule, max_epochs=15).fit(*blobs).score(*blobs) > 0.9


@pytest.mark.parametrize(
    "optimizer",
    [
        "adamw",
        "adam",
        "sgd",
        torch.optim.RMSprop,
        functools.partial(torch.optim.NAdam, momentum_decay=1e-3),
    ],
    ids=str,
)
def test_every_optimizer_trains(optimizer, blobs):
    model = classifier(optimizer=optimizer, weight_decay=1e-4, max_epochs=20)
    assert model.fit(*blobs).score(*blobs) > 0.9


@pytest.mark.parametrize(
    "options",
    [
        {"clip_grad_norm": 0.5},
        {"batch_norm": True},
        {"precision": "bfloat16"},
        {"weight_averaging": "ema"},
        {"fine_tuning": FineTuning(layer_lr_decay=0.5)},
        {"label_smoothing": 0.1},
        {"batch_size": 1000, "max_epochs": 90},  # a step an epoch
        {"hidden_layer_sizes": ()},
        {"hidden_layer_sizes": (8, 8, 8)},
        {"dropout": 0.5},
    ],
    ids=str,
)
def test_every_option_trains(options, blobs):
    model = classifier(**{"max_epochs": 30, **options}).fit(*blobs)
    assert model.score(*blobs) > 0.88


def test_label_smoothing_makes_predictions_less_certain(blobs):
    certain = classifier(max_epochs=20).fit(*blobs).predict_proba(blobs[0]).max()
    smooth = classifier(max_epochs=20, label_smoothing=0.2).fit(*blobs)
    assert smooth.predict_proba(blobs[0]).max() < certain


class TwoLayers(torch.nn.Module):
    def __init__(self, n_inputs, n_outputs, width=4):
        super().__init__()
        self.first = torch.nn.Linear(n_inputs, width)
        self.last = torch.nn.Linear(width, n_outputs)

    def forward(self, x):
        return self.last(torch.tanh(self.first(x)))


def test_your_own_network_is_trained(blobs, line):
    assert classifier(network=TwoLayers, max_epochs=30).fit(*blobs).score(*blobs) > 0.9
    model = regressor(network=functools.partial(TwoLayers, width=32)).fit(*line)
    assert model.network_.first.out_features == 32
    assert model.score(*line) > 0.9


def test_averaged_weights_are_those_that_predict(blobs):
    X, y = blobs
    model = classifier(weight_averaging="ema", schedule="constant", lr=0.05)
    model.fit(X[:180], y[:180], X_val=X[180:], y_val=y[180:])
    assert model.history_["validation_score"].iloc[-1] == pytest.approx(
        model.score(X[180:], y[180:])
    )
    plain = model.set_params(weight_averaging=None).fit(X[:180], y[:180])
    assert plain.n_iter_ == 5


def test_lower_layers_move_less_with_layer_lr_decay(blobs):
    def moved(decay):
        model = classifier(
            network=TwoLayers,
            fine_tuning=FineTuning(layer_lr_decay=decay),
            weight_decay=0,
            max_epochs=2,
        ).fit(*blobs)
        start = classifier(network=TwoLayers, lr=1e-12, max_epochs=1).fit(*blobs)
        return (model.network_.first.weight - start.network_.first.weight).norm().item()

    assert moved(0.01) < 0.2 * moved(1.0)


def test_parameters_that_change_between_calls_are_checked_again(line):
    model = regressor().partial_fit(*line)
    for name, wrong in (("lr", -1.0), ("dropout", "much"), ("batch_size", 0)):
        right = model.get_params()[name]
        for _ in range(2):
            with pytest.raises(ValueError, match=name):
                model.set_params(**{name: wrong}).partial_fit(*line)
        model.set_params(**{name: right}).partial_fit(*line)


def test_an_interrupt_after_the_last_epoch_keeps_its_weights(blobs):
    X, y = blobs

    class AtTheEnd(StopAfter):
        def on_fit_task_end(self, estimator, context):
            super().on_fit_task_end(estimator, context)
            if context.task_name == "epoch" and self.seen == self.n:
                raise KeyboardInterrupt

    whole = classifier(max_epochs=3).fit(X, y)
    cut = classifier(max_epochs=3).set_callbacks(AtTheEnd(3))
    with pytest.raises(KeyboardInterrupt):
        cut.fit(X, y)
    assert cut.n_iter_ == 3
    np.testing.assert_array_equal(cut.predict_proba(X), whole.predict_proba(X))
