"""Fits that several processes share: one network, the same in all of them."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from skdl.training.ranks import join_ranks
from tests.estimators import ranks

pytestmark = pytest.mark.slow
SCRIPT = Path(ranks.__file__)
ROOT = SCRIPT.parents[2]


def started(*arguments):
    """Start two processes as torchrun does."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    shared |= {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return [
        subprocess.Popen(
            [sys.executable, str(SCRIPT), *arguments],
            env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]


# Two processes that import torch take about ten seconds, whatever they do then.
@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranks")
    processes = started(str(folder))
    outputs = [process.communicate(timeout=240) for process in processes]
    assert [process.returncode for process in processes] == [0, -9], outputs[0][1]
    assert "2 processes share each batch" in outputs[0][1]
    assert "processes" not in outputs[1][1]
    assert not list(folder.iterdir())  # the checkpoint is removed
    lines = [out.splitlines() for out, _ in outputs]
    assert len(lines[1]) == 1
    return [json.loads(line) for line in (lines[0][0], lines[1][0], *lines[0][1:])]


@pytest.mark.parametrize(
    "name", ["weighted", "stopped", "pack", "dropped", "saved", "table"]
)
def test_all_processes_end_with_the_same_network(name, shared):
    assert shared[0][name] == shared[1][name]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    return ranks.fits(tmp_path_factory.mktemp("alone"))


@pytest.mark.parametrize("name", ["weighted", "stopped", "pack", "saved"])
def test_two_processes_learn_what_one_learns(name, shared, alone):
    np.testing.assert_allclose(shared[0][name], alone[name], atol=1e-5)
    assert shared[0]["epochs"] == alone["epochs"]
    assert 1 < alone["epochs"][0] < 12  # it was stopped


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ("fewer", "rows"),
        ("others", "rows"),
        ("others of a pack", "rows"),
        ("parameters", r"value of max_epochs"),
    ],
)
def test_processes_that_are_given_other_things_are_told_so_in_all_of_them(
    given, what, shared
):
    for found in shared[:2]:
        assert f"must be given the same {what}" in found[given]


@pytest.mark.parametrize(
    ("given", "reason"),
    [("refused", "0 feature"), ("refused of a pack", "inconsistent numbers")],
)
def test_what_one_process_refuses_ends_the_fit_in_the_other(given, reason, shared):
    assert "rank 1 has ended its fit with ValueError: " in shared[0][given]
    assert reason in shared[0][given]
    assert "rank" not in shared[1][given]
    assert reason in shared[1][given]


def test_what_all_processes_refuse_is_told_as_if_they_were_alone(shared):
    for found in shared[:2]:
        assert found["refused by both"].startswith("Found array with 0 feature")


def test_a_worker_of_joblib_is_none_of_the_processes(shared):
    for found in shared[:2]:
        assert "in a worker of joblib" in found["joblib"]


def test_a_process_that_dies_ends_the_fit_in_the_others(shared):
    assert "one of them has ended, with an error of its own or killed" in shared[2]


def test_no_thread_of_a_group_is_left_to_crash_a_process_as_it_ends(shared):
    assert shared[3] == []


def test_world_size_without_a_launcher_is_told_and_the_fit_is_alone():
    with pytest.warns(UserWarning, match="was not started by torchrun"):
        assert join_ranks({"WORLD_SIZE": "2", "RANK": "0"}) is None
    assert join_ranks({"WORLD_SIZE": "1"}) is None
    assert join_ranks({}) is None
    with pytest.raises(ValueError, match="WORLD_SIZE='two' in the environment must be"):
        join_ranks({"WORLD_SIZE": "two"})
