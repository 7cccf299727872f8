"""Numbers of CPU threads: one in a small fit, and nobody else notices."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from skdl.threads import alone, one_thread, threads_here
from skdl.training.runtime import Runtime


@pytest.fixture
def three():
    """Let torch have three threads, and then as many as before."""
    allowed = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(allowed)


def in_new_thread(function=threads_here):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


def test_small_steps_get_one_thread_and_large_ones_what_is_allowed(three):
    runtime = Runtime(torch.device("cpu"))
    with runtime.threads(1e6):
        assert torch.get_num_threads() == 1
    with runtime.threads(1e9):
        assert torch.get_num_threads() == 3


def test_who_reads_ahead_leaves_the_threads_to_training(three):
    with ThreadPoolExecutor(1) as ahead:
        assert ahead.submit(alone, torch.get_num_threads).result() == 1
    assert torch.get_num_threads() == in_new_thread() == 3


@pytest.mark.parametrize("error", [None, KeyboardInterrupt])
def test_the_number_is_put_back(three, error):
    if error is None:
        with one_thread():
            pass
    else:
        with pytest.raises(error), one_thread():
            raise error
    assert torch.get_num_threads() == 3
    assert in_new_thread() == 3


def test_threads_that_begin_meanwhile_have_what_the_user_has_set(three):
    entered, leave = threading.Event(), threading.Event()

    def fit():
        with one_thread():
            entered.set()
            leave.wait()
            return torch.get_num_threads()

    with ThreadPoolExecutor(1) as pool:
        fitting = pool.submit(fit)
        entered.wait()
        assert in_new_thread() == 3
        with one_thread():  # the first to enter is the first to leave
            leave.set()
            assert fitting.result() == 1
            assert torch.get_num_threads() == 1
        assert pool.submit(threads_here).result() == 3
    assert torch.get_num_threads() == 3
    assert in_new_thread() == 3


def test_a_thread_with_a_number_of_its_own_keeps_it_and_the_others_theirs(three):
    def own():
        torch.set_num_threads(2)
        with one_thread():
            pass
        return torch.get_num_threads()

    def inside():
        with one_thread():
            return in_new_thread()

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(own).result() == 2
    torch.set_num_threads(3)
    assert in_new_thread(inside) == 3
    assert torch.get_num_threads() == 3


FORKED = """
import os, sys, threading
import torch
from skdl.threads import one_thread, threads_here

torch.set_num_threads(3)

def in_child(check):
    pid = os.fork()
    if pid == 0:
        os._exit(0 if check() else 1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

codes = [in_child(lambda: torch.get_num_threads() == 1)]
with one_thread():  # what is left in the child must not be three
    pid = os.fork()
if pid == 0:
    os._exit(0 if torch.get_num_threads() == 1 else 1)
codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
from skdl import randomness, threads

def locked(lock):
    held, done = threading.Event(), threading.Event()
    def hold():
        with lock:
            held.set()
            done.wait()
    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    def check():
        cpu = torch.device("cpu")
        with randomness.drawing_from(randomness.Randomness(0, cpu)):
            with randomness.lent_generators():
                return threads_here() == 1
    codes.append(in_child(check))  # forked while another thread has the lock
    done.set()
    thread.join()

locked(threads._setting)
locked(randomness._loans)
assert torch.get_num_threads() == 3
print(codes)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_has_one_thread_and_locks_that_nobody_holds():
    output = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKED],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,  # a child that hangs
    ).stdout
    assert output.strip() == "[0, 0, 0, 0]"
