"""Trivial kernels, which tell whether Triton's interpreter runs here at all.

Only imported where `tests.kernels` is about to interpret others.
"""

import triton
import triton.language as tl


@triton.jit
def branches(x):
    """Make 2 of 1."""
    if tl.load(x) == 1:
        tl.store(x, 2)


@triton.jit
def loops(x, n):
    """Add 1 so many times."""
    total = tl.load(x)
    for _ in tl.range(0, n):
        total += 1
    tl.store(x, total)
