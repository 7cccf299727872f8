"""Small data sets that several tests share."""

import signal

import numpy as np
import pytest
import torch
from sklearn.datasets import make_classification, make_regression


@pytest.fixture(scope="session")
def blobs():
    """Three separable classes, 240 rows of 6 numbers."""
    return make_classification(
        n_samples=240,
        n_features=6,
        n_informative=5,
        n_redundant=0,
        n_classes=3,
        n_clusters_per_class=1,
        class_sep=2.0,
        random_state=0,
    )


@pytest.fixture(scope="session")
def line():
    """A linear target with little noise, 240 rows of 4 numbers."""
    return make_regression(
        n_samples=240, n_features=4, noise=1.0, n_informative=4, random_state=0
    )


@pytest.fixture(scope="session", autouse=True)
def interrupts_arrive():
    """Let SIGINT interrupt, also where the tests run in the background of a shell."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def on_cpu(monkeypatch):
    """Let device="auto" be the CPU, for bits that only CPUs promise.

    On a GPU sums may round otherwise from run to run, and in products of other sizes.
    It holds in this process and in children that are forked from it, not in workers
    that begin anew: what is fitted there needs device="cpu".
    """
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.fixture
def rng():
    return np.random.default_rng(0)
