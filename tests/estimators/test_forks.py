"""Fitted estimators in forked children: they predict and fit, and never hang."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

# In a process of its own: torch computes with two threads, so that OpenMP has some, and
# forks. A child that hangs is ended by the alarm, and its exit code is then negative.
# GPUs are hidden: CUDA does not survive a fork.
BEGINNING = """
import multiprocessing, os, signal, threading
import numpy as np
import pandas as pd
import torch
from torch import nn

from skdl import (
    EntityEmbeddingRegressor,
    ImageClassifier,
    NeuralClassifier,
    TextLM,
)

torch.set_num_threads(2)
rng = np.random.default_rng(0)
X = rng.normal(size=(600, 100)).astype(np.float32)
y = (X[:, 0] > 0).astype(int)
table = pd.DataFrame({"city": rng.choice(list("abcdef"), 600), "size": X[:, 0]})
pictures = rng.integers(0, 255, size=(128, 16, 16), dtype=np.uint8)
texts = ["the cat sat on the mat", "a dog lay on the rug"] * 40
ones = {"max_epochs": 1, "random_state": 0}
wide = {"hidden_layer_sizes": (512, 512), "batch_size": 128}

def with_dropout(n_inputs, n_outputs):
    return nn.Sequential(nn.Linear(n_inputs, 512), nn.Dropout(), nn.Linear(512, 2))

def text(**options):
    model = TextLM(embedding_dim=32, hidden_size=128, batch_size=8, bptt=20, **options)
    model.fit(texts)
    return lambda: model.score_samples(texts)

def dense(**options):
    model = NeuralClassifier(**options, **ones).fit(X, y)
    return lambda: np.append(model.predict_proba(X), model.predict_proba(X[:1]))

def conv():
    options = {"augmentation": {"shift": 0.1}, "batch_size": 128, **ones}
    model = ImageClassifier(**options).fit(pictures, y[:128])
    return lambda: model.predict_proba(pictures)

def embedding():
    model = EntityEmbeddingRegressor(**wide, **ones).fit(table, X[:, 0])
    return lambda: model.predict(table)

def run(child):
    pid = os.fork()
    if pid == 0:
        signal.alarm(120)
        code = 2
        try:
            code = 0 if child() else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

FITS = {
    "dense": lambda: dense(**wide),
    "own network": lambda: dense(network=with_dropout, batch_size=300),
    "conv": conv,
    "embedding": embedding,
    "lstm": lambda: text(**ones),
    "qrnn": lambda: text(cell="qrnn", **ones),
}
"""

PREDICT_AND_FIT = """
for kind, fit in FITS.items():
    predict = fit()
    expected = predict()
    assert torch.get_num_threads() == 2
    predicts = run(lambda: np.allclose(predict(), expected, atol=1e-5))
    fits = run(lambda: np.allclose(fit()(), expected, atol=1e-3))
    assert np.array_equal(predict(), expected) and torch.get_num_threads() == 2
    print(kind, predicts, fits)
"""

# A server that loads its model, forks, and answers in threads; and a pool of processes.
IN_THREADS = """
predict = dense(**wide)
expected = predict()

def in_a_thread():
    found = []
    thread = threading.Thread(target=lambda: found.append(predict()))
    thread.start()
    thread.join()
    return np.allclose(found[0], expected, atol=1e-5) and len(predict())

def child_of_a_child():
    return predict() is not None and run(lambda: len(predict())) == 0

def answer(_):
    signal.alarm(120)
    return bool(np.allclose(predict(), expected, atol=1e-5))

with multiprocessing.get_context("fork").Pool(2) as pool:
    answers = pool.map(answer, range(4))
print(run(in_a_thread), run(child_of_a_child), *answers)
"""

# A callback forks in the middle of a fit, while another thread fits too.
DURING_A_FIT = """
predict = dense(**wide)
expected = predict()
codes = []

class Forks:
    def setup(self, estimator, context):
        pass
    def teardown(self, estimator, context):
        pass
    def on_fit_task_begin(self, estimator, context):
        pass
    def on_fit_task_end(self, estimator, context):
        codes.append(run(lambda: np.allclose(predict(), expected, atol=1e-5)))

stop = threading.Event()
def go_on_fitting():
    while not stop.is_set():
        NeuralClassifier(network=with_dropout, **ones).fit(X[:200], y[:200])

other = threading.Thread(target=go_on_fitting)
other.start()
model = NeuralClassifier(network=with_dropout, max_epochs=3, random_state=0)
model.set_callbacks(Forks()).fit(X, y)
stop.set()
other.join()
print(set(codes))
"""


def output(program):
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", BEGINNING + program],
        capture_output=True,
        text=True,
        check=True,
        timeout=500,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
    ).stdout.strip()


def test_a_forked_child_predicts_and_fits():
    kinds = ["dense", "own network", "conv", "embedding", "lstm", "qrnn"]
    assert output(PREDICT_AND_FIT).splitlines() == [f"{kind} 0 0" for kind in kinds]


def test_a_child_answers_in_threads_forks_itself_and_serves_a_pool():
    assert output(IN_THREADS) == "0 0 True True True True"


def test_a_child_that_is_forked_during_a_fit_predicts():
    assert output(DURING_A_FIT) == "{0}"
