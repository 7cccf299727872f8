"""Models in services: threads and processes answer alike, nothing global changes."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
import torch

import skdl
from skdl import NeuralClassifier, NeuralRegressor
from tests.persistence.models import LABELS, SMALL, X, answer, changes, global_state


@pytest.fixture
def unchanged():
    before = global_state()
    yield
    assert changes(before) == []


def test_sixteen_threads_answer_as_one(case):
    model, rows, method = case
    expected = answer(model, rows, method)
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: answer(model, rows, method), range(48)))
    assert all(np.array_equal(one, expected) for one in found)


def test_a_fit_leaves_global_state(fit):
    changed, _ = fit
    assert changed == []


@pytest.mark.usefixtures("unchanged")
def test_predicting_and_storing_leave_global_state(case, tmp_path):
    model, rows, method = case
    answer(model, rows, method)
    skdl.save(model, tmp_path / "m")
    answer(skdl.load(tmp_path / "m"), rows, method)


class Fails(torch.nn.Linear):
    """A network that fails in the middle of training."""

    def forward(self, x):
        if torch.is_grad_enabled():
            raise RuntimeError("in the middle")
        return super().forward(x)


def save_what_cannot_be():
    skdl.save(NeuralClassifier(network=lambda i, o: None), "nowhere")


@pytest.mark.parametrize(
    "fails",
    [
        lambda: NeuralClassifier(network=Fails, **SMALL).fit(X[:, [0, 2]], LABELS),
        lambda: NeuralRegressor(validation=4, random_state=0).fit(X, ["a"] * len(X)),
        lambda: NeuralClassifier(**SMALL).fit(X, LABELS).predict(X[:, :2]),
        lambda: NeuralClassifier(**SMALL).fit(X, LABELS).predict([["a"] * 4]),
        save_what_cannot_be,
        lambda: skdl.load(__file__),
    ],
    ids=["training", "target", "columns", "text", "save", "load"],
)
@pytest.mark.usefixtures("unchanged")
def test_global_state_is_left_also_by_what_raises(fails):
    with pytest.raises((ValueError, RuntimeError, TypeError)):
        fails()


def in_a_process(model):
    """Answer in another process; with a file's path, load it there."""
    if isinstance(model, str):
        model = skdl.load(model)
    return model.predict_proba(X)


@pytest.mark.slow
@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_processes_of_every_start_method_answer_alike(dense, method, tmp_path):
    skdl.save(dense, tmp_path / "m")
    expected = dense.predict_proba(X)
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        found = list(pool.map(in_a_process, [dense, str(tmp_path / "m")], timeout=120))
    assert all(np.allclose(one, expected, atol=1e-6) for one in found)
