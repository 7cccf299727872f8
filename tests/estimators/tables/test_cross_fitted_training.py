"""Fits with `validation` survive, stop and report as others do."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.callback import ProgressBar, ScoringMonitor

from skdl import (
    NeuralRegressor,
    TrainingDisplay,
)
from skdl.networks.packed_embedding import PackedEmbeddingNetwork

N = 90
rng = np.random.RandomState(0)
X = rng.randn(N, 4)
Y = X[:, 0] + 0.1 * rng.randn(N)
MODEL = NeuralRegressor(
    validation=3, hidden_layer_sizes=(8,), max_epochs=70, random_state=0
)


class AtLook:
    """A callback that stops, or interrupts, at the end of the n-th look."""

    def __init__(self, n, interrupt=False):
        self.n, self.interrupt, self.seen = n, interrupt, 0

    def setup(self, estimator, context):
        self.seen = 0

    def on_fit_task_begin(self, estimator, context, **data):
        if self.interrupt and context.task_name == "epoch" and self.seen == self.n:
            raise KeyboardInterrupt

    def on_fit_task_end(self, estimator, context, **data):
        self.seen += context.task_name == "epoch"
        return not self.interrupt and self.seen == self.n

    def teardown(self, estimator, context):
        pass


def test_a_callback_stops_it():
    model = clone(MODEL).set_callbacks(AtLook(2)).fit(X, Y)
    assert len(model.history_) == 2


def test_an_interrupt_keeps_the_best_look():
    expected = clone(MODEL).set_callbacks(AtLook(2)).fit(X, Y)
    model = clone(MODEL).set_callbacks(AtLook(2, interrupt=True))
    with pytest.raises(KeyboardInterrupt, match="are kept"):
        model.fit(X, Y)
    np.testing.assert_array_equal(model.predict(X), expected.predict(X))
    np.testing.assert_array_equal(model.oof_prediction_, expected.oof_prediction_)


def test_an_interrupt_before_the_first_look_leaves_nothing():
    model = clone(MODEL).set_callbacks(AtLook(0, interrupt=True))
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y)
    assert not hasattr(model, "network_")
    assert not hasattr(model, "oof_prediction_")


def test_callbacks_of_scikit_learn_follow_the_looks(capsys):
    monitor = ScoringMonitor(scoring="r2")
    model = clone(MODEL).set_callbacks(ProgressBar(), monitor).fit(X, Y)
    assert len(model.history_) > 1


def test_verbose_shows_the_looks(capsys):
    clone(MODEL).set_params(verbose=2).fit(X, Y)
    out = capsys.readouterr().out
    assert "look 1/" in out
    assert "validation loss" in out


def test_training_that_diverges_says_so():
    model = clone(MODEL).set_params(optimizer="sgd", lr=1e3)
    with pytest.raises(FloatingPointError, match="Training diverged"):
        model.fit(X, Y)
    assert not hasattr(model, "network_")


def test_fits_in_threads_have_the_bits_they_have_alone():
    models = [clone(MODEL).set_params(random_state=i, dropout=0.3) for i in range(3)]
    alone = [clone(model).fit(X, Y).oof_prediction_ for model in models]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda m: m.fit(X, Y).oof_prediction_, models))
    for a, b in zip(alone, together, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_batch_that_does_not_fit_is_split(monkeypatch):
    expected = clone(MODEL).set_params(dropout=0.0).fit(X, Y)
    each = PackedEmbeddingNetwork.each

    def cramped(self, *inputs):
        if self.training and len(inputs[0]) > 20:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return each(self, *inputs)

    monkeypatch.setattr(PackedEmbeddingNetwork, "each", cramped)
    model = clone(MODEL).set_params(dropout=0.0)
    with pytest.warns(RuntimeWarning, match="Memory ran out"):
        model.fit(X, Y)
    np.testing.assert_allclose(model.predict(X), expected.predict(X), atol=0.05)
    assert model.history_["rows_at_once"].iloc[0] <= 20


def test_the_display_draws_the_looks():
    display = TrainingDisplay.from_estimator(clone(MODEL).fit(X, Y))
    labels = [line.get_label() for line in display.axes_[0].get_lines()]
    assert "out-of-fold loss" in labels
