"""Parameters are known by what they are, in this process and in another one."""

import copy
import functools
import os
import pathlib
import pickle
import re
import subprocess
import sys
import threading

import cloudpickle
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.frozen import FrozenEstimator
from torch import nn

import skdl
from skdl import NeuralClassifier, TextLM
from skdl.estimators.core.description import described
from tests.names import named

WIDTH = 8


def helper(x):
    return x * WIDTH


def network(n_inputs, n_outputs):
    return nn.Linear(n_inputs, helper(n_outputs))


class Net(nn.Module):
    sizes = (4, 5)

    def __init__(self, n_inputs, n_outputs, width=3):
        super().__init__()
        self.layer = nn.Linear(n_inputs, n_outputs)

    def forward(self, x):
        return self.layer(x) if self.training in {True, False, "a", "b"} else x


class Schedule:
    def __init__(self, factor):
        self.factor = factor

    def __call__(self, progress):
        return self.factor


def generator(seed=0, draws=0):
    made = np.random.RandomState(seed)
    made.random_sample(draws)
    return made


VALUES = {
    "function": network,
    "class": Net,
    "partial": functools.partial(Net, width=5),
    "lambda": lambda progress: 1 - progress,
    "object": Schedule(2),
    "method": Schedule(2).__call__,
    "generator": generator(),
    "mapping": {"b": [1, 2.5], "a": {3, 4, 5}},
    "array": np.arange(5000.0),
    "mask": np.array([True, False]),
    "index": pd.Index(["a", "b"]),
    "path": pathlib.Path("a/b"),
    "pattern": re.compile("a+").findall,
    "tensor": torch.ones(3),
    "optimizer": torch.optim.RMSprop,
    "builtin": str.split,
}


def changed(function, **names):
    """Return the same function in a world where some names mean something else."""
    world = {**function.__globals__, **names}
    kind = type(function)
    made = kind(function.__code__, world, function.__name__, function.__defaults__)
    made.__qualname__ = function.__qualname__
    return made


@pytest.mark.parametrize("name", VALUES)
def test_copies_are_the_same(name):
    value = VALUES[name]
    assert described(copy.deepcopy(value)) == described(value)
    assert described(cloudpickle.loads(cloudpickle.dumps(value))) == described(value)


def test_another_process_says_the_same():
    script = (
        "from tests.estimators.core.test_description import VALUES, described\n"
        "for name, value in VALUES.items(): print(name, described(value))"
    )
    root = pathlib.Path(skdl.__file__).parents[1]
    said = [
        subprocess.run(
            [sys.executable, "-c", script],
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(root), "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout.decode()
        for seed in ("1", "2")
    ]
    here = "".join(f"{name} {described(v)}\n" for name, v in VALUES.items())
    assert said == [here, here]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lambda x: 2 * x, lambda x: 3 * x),
        (lambda x, n=2: n * x, lambda x, n=3: n * x),
        (lambda x, *, n=2: n * x, lambda x, *, n=3: n * x),
        (lambda x: np.sin(x), lambda x: np.cos(x)),
        (network, changed(network, helper=lambda x: x)),
        (network, changed(network, helper=changed(helper, WIDTH=9))),
        (functools.partial(Net, width=5), functools.partial(Net, width=6)),
        (Net, type("Net", (nn.Module,), {**vars(Net), "sizes": (4, 6)})),
        (Schedule(2), Schedule(3)),
        (Schedule(2).__call__, Schedule(3).__call__),
        (generator(0), generator(1)),
        (generator(0), generator(0, draws=1)),
        (np.arange(5000.0), np.arange(5000.0)[::-1]),
        (np.arange(5000), np.arange(5000.0)),
        (re.compile("a+").findall, re.compile("b+").findall),
        (torch.ones(3), torch.zeros(3)),
        (torch.optim.SGD, torch.optim.Adam),
        (1, True),
        ("1", 1),
        (None, "None"),
    ],
    ids=named,
)
def test_what_does_something_else_is_told_apart(one, other):
    assert described(one) != described(other)


def test_what_a_closure_holds_is_looked_at():
    def build(width, names):
        return lambda n_inputs, n_outputs: (width, names, lambda: width)

    assert described(build(3, ["a"])) == described(build(3, ["a"]))
    assert described(build(3, ["a"])) != described(build(4, ["a"]))
    assert described(build(3, ["a"])) != described(build(3, ["b"]))


@pytest.mark.parametrize(
    ("one", "other"),
    [((8, 4), [8, 4]), (1, 1.0), (np.float32(0.5), 0.5), (np.array([1, 2]), [1, 2])],
)
def test_what_means_the_same_is_the_same(one, other):
    assert described(one) == described(other)


def test_what_refers_to_itself_ends():
    def recursive(n):
        return recursive(n - 1) if n else other(n)

    def other(n):
        return recursive(n)

    endless = [1]
    endless.append(endless)
    assert described(recursive) == described(recursive)
    assert "itself" in described(endless)


def test_what_cannot_be_told_apart_is_an_error():
    with pytest.raises(ValueError, match=r"type lock cannot be told apart"):
        described({"a": threading.Lock()})


def test_fitted_models_are_known_by_their_weights():
    texts = ["a b c d e f g h"] * 20
    options = {"hidden_size": 4, "embedding_dim": 4, "batch_size": 2, "bptt": 4}
    one, same, other = (
        TextLM(**options, max_epochs=1, random_state=seed).fit(texts)
        for seed in (0, 0, 1)
    )
    assert described(one) == described(same) == described(copy.deepcopy(one))
    assert described(one) == described(pickle.loads(pickle.dumps(one)))
    assert described(one) != described(other)
    assert described(FrozenEstimator(one)) == described(FrozenEstimator(same))
    assert described(FrozenEstimator(one)) != described(FrozenEstimator(other))
    assert described(NeuralClassifier(lr=1)) != described(NeuralClassifier(lr=2))
