"""Searches on the engines that joblib runs: the same result, and threads shared out."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Client, Listener
from unittest import mock

import joblib
import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV

from skdl import NeuralClassifier
from skdl.estimators.core import ranks
from skdl.training.ranks import Ranks
from skdl.training.runtime import Runtime

RNG = np.random.RandomState(0)
X = RNG.randn(80, 3)
Y = (X[:, 0] > 0).astype(int)
MODEL = NeuralClassifier(hidden_layer_sizes=(8,), max_epochs=3, random_state=0)
GRID = {"lr": [1e-5, 1e-2]}


def score_and_threads(estimator, X, y):
    """Return a score, and how many threads a worker computes with."""
    return {
        "score": estimator.score(X, y),
        "threads": torch.get_num_threads(),
        "process": os.getpid(),
    }


def search():
    return GridSearchCV(MODEL, GRID, cv=2, scoring=score_and_threads, refit="score")


@pytest.fixture(scope="module")
def alone():
    return search().fit(X, Y)


@contextmanager
def loky():
    with joblib.parallel_config("loky", n_jobs=2):
        yield


@contextmanager
def threads():
    with joblib.parallel_config("threading", n_jobs=2):
        yield


@contextmanager
def dask():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.Client(
            processes=False, n_workers=1, threads_per_worker=2, dashboard_address=None
        ),
        joblib.parallel_config("dask"),
    ):
        yield


@contextmanager
def ray():
    engine = pytest.importorskip("ray")
    from ray.util.joblib import register_ray

    register_ray()
    engine.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        with joblib.parallel_config("ray", n_jobs=2):
            yield
    finally:
        engine.shutdown()


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("engine", [loky, threads, dask, ray])
def test_engines_find_what_one_process_finds(engine, alone):
    with engine():
        found = search().fit(X, Y)
    assert found.best_params_ == alone.best_params_
    scores = found.cv_results_["mean_test_score"]
    np.testing.assert_array_equal(scores, alone.cv_results_["mean_test_score"])
    assert (found.predict_proba(X) == alone.predict_proba(X)).all()


def test_processes_share_the_threads_of_the_machine():
    with loky():
        found = search().fit(X, Y).cv_results_
    of_each = {found[f"split{i}_test_threads"][j] for i in (0, 1) for j in (0, 1)}
    assert max(of_each) <= max(1, joblib.cpu_count() // 2)
    assert found["split0_test_process"][0] != os.getpid()


patching = threading.Lock()  # of what threads share


def device_of_worker(meeting=None):
    """Return the GPU that a fit in this worker takes, of two that are made believe.

    With a meeting, not before another worker is there.
    """
    if meeting is not None:
        with Client(meeting) as other:
            other.recv()
    with (
        patching,
        mock.patch("torch.cuda.device_count", return_value=2),
        mock.patch.object(ranks, "ranks_of_fit", return_value=None),
    ):
        return str(ranks.in_ranks(Runtime(torch.device("cuda"))).device)


def let_pairs_go_on(meeting, n_pairs):
    """Let two workers at a time go on, who are not the same since both wait."""
    for _ in range(n_pairs):
        with meeting.accept() as one, meeting.accept() as other:
            one.send("two are here")
            other.send("two are here")


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("engine", [loky, threads, dask])
def test_workers_take_the_gpus_in_turn(engine):
    with engine(), Listener() as meeting:
        alone = device_of_worker()
        pairs = threading.Thread(target=let_pairs_go_on, args=(meeting, 4), daemon=True)
        pairs.start()
        found = joblib.Parallel(batch_size=1)(
            joblib.delayed(device_of_worker)(meeting.address) for _ in range(8)
        )
        pairs.join()
    assert alone == "cuda"
    assert set(found) == {"cuda:0", "cuda:1"}


@pytest.fixture
def two_processes(monkeypatch):
    """Make believe two processes that train together on a machine with one GPU."""
    monkeypatch.setattr(ranks, "ranks_of_fit", lambda: Ranks(1, 2))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    return monkeypatch


def test_processes_that_train_together_have_a_gpu_of_their_own(two_processes):
    together = Runtime(torch.device("cuda"))
    two_processes.setenv("LOCAL_RANK", "0")  # the other is on another machine
    found = ranks.in_ranks(together)
    assert (str(found.device), found.ranks) == ("cuda:0", Ranks(1, 2))
    for name in ("cuda:0", "cpu"):  # what is named is the one
        named = ranks.in_ranks(Runtime(torch.device(name)))
        assert (str(named.device), named.ranks) == (name, Ranks(1, 2))


@pytest.mark.parametrize("local", ["1", None])
def test_more_processes_than_gpus_are_refused(two_processes, local):
    two_processes.delenv("LOCAL_RANK", raising=False)
    if local is not None:
        two_processes.setenv("LOCAL_RANK", local)
    with pytest.raises(ValueError, match=r"Process 1 of .* --nproc-per-node=1"):
        ranks.in_ranks(Runtime(torch.device("cuda")))


def test_the_number_of_a_thread_that_is_gone_is_free_again():
    def number():
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(ranks.worker_number).result()

    assert number() == number()


def test_a_gpu_that_is_named_is_the_one_and_alone_there_is_no_turn():
    assert device_of_worker() == "cuda"
    named = Runtime(torch.device("cuda", 1))
    assert ranks.in_ranks(named) is named
    with threads():
        found = joblib.Parallel()(
            joblib.delayed(ranks.in_ranks)(named) for _ in range(2)
        )
    assert found == [named, named]
