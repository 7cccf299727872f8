"""Triton kernels in tests: compiled on a GPU, interpreted where there is none."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch

KERNEL_DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


@contextmanager
def interpreted(name: str, *, has_loops: bool) -> Iterator[None]:
    """Let a module of kernels be imported inside as what Triton's interpreter runs.

    Skips where the interpreter fails on trivial kernels: not every Triton's goes with
    every NumPy. A module that was there, compiled, is there again afterwards.
    """
    pytest.importorskip("triton", reason="Triton is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRITON_INTERPRET", "1")
        for module in (name, "tests.probe_triton"):
            package, _, last = module.rpartition(".")
            patch.delitem(sys.modules, module, raising=False)
            patch.delattr(importlib.import_module(package), last, raising=False)
        try:
            _probe(has_loops)
            yield
        finally:
            for module in (name, "tests.probe_triton"):
                package, _, last = module.rpartition(".")
                sys.modules.pop(module, None)
                vars(sys.modules[package]).pop(last, None)


def _probe(has_loops: bool) -> None:
    probe = importlib.import_module("tests.probe_triton")
    x = torch.ones(1)
    try:
        probe.branches[(1,)](x)
        if has_loops:
            probe.loops[(1,)](x, 3)
    except Exception as error:  # of any kind, from inside of Triton
        pytest.skip(f"Triton's interpreter fails on a trivial kernel: {error}")
    assert x == (5 if has_loops else 2)


@contextmanager
def runnable(name: str, *, has_loops: bool) -> Iterator[None]:
    """Let a module of kernels run inside on `KERNEL_DEVICE`."""
    if KERNEL_DEVICE.type == "cuda":
        pytest.importorskip("triton", reason="Triton is not installed")
        yield
        return
    with interpreted(name, has_loops=has_loops):
        yield
