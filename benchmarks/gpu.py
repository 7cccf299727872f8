"""All that is claimed of a GPU, each figure beside its goal.

    python benchmarks/gpu.py [--parts tabular steps defaults rossmann search lstm ...]
    python benchmarks/gpu.py --device cpu --rows 20000 --parts tabular rossmann search

Goals on one H100: rows a second of a table at batch 256 at least 8 times skorch's and 3
times a bare eager loop's; steps captured in a graph at least twice as fast as kernel
after kernel, less than one wait for the device in twenty of them, and from pinned
memory at .7 of the rate of rows that are on the card; ten epochs of all 844,338 rows of
Rossmann in 15 s; what default settings train on 15,000 rows of letter, eight networks,
5 times sooner than on the CPU beside it; a packed search at least 3 times faster than
one network after the other; LSTM layers in float16 1.5 times as fast as in bfloat16;
the kernel of QRNN at 60% of the bandwidth of a copy; Penn Treebank at a perplexity of
57 in ten minutes.
Where there is no GPU nothing is measured; on a CPU the goals say nothing, and the parts
only show that they run.
"""

import argparse
import subprocess
import sys
import time
import warnings
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from _common import bar, begin, load, print_table, ratio, time_in_turn
from _tables import split_table
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV
from throughput import bare_loop, skdl_epoch, skorch_epoch

from skdl import (
    EntityEmbeddingClassifier,
    EntityEmbeddingRegressor,
    NeuralClassifier,
    PackedSearchCV,
)
from skdl.datasets import load_rossmann
from skdl.estimators.core import batches
from skdl.networks.recurrent import LSTMLayer, RecurrentStack
from skdl.training import trainer

HERE = Path(__file__).parent
COLUMNS, BATCH = 32, 256


def tabular(args: argparse.Namespace) -> None:
    """Measure rows a second beside skorch and a bare loop."""
    rng = np.random.RandomState(0)
    X = rng.randn(args.rows, COLUMNS).astype(np.float32)
    y = X[:, :5].argmax(1)
    epoch = skdl_epoch(X, y, BATCH, args.device)
    contenders = {
        "bare": bare_loop(X, y, BATCH, args.device),
        "skorch": skorch_epoch(X, y, BATCH, args.device),
    }
    for run in contenders.values():
        run()
    seconds = time_in_turn(contenders, args.rounds)
    seconds["skdl"] = [epoch() for _ in range(args.rounds)]
    print_table(
        ["batch 256", "rows/s"],
        [[name, args.rows / min(times)] for name, times in seconds.items()],
    )
    bar("times skorch", ratio(seconds, "skorch", "skdl"), 8, at_most=False)
    bar("times a bare loop", ratio(seconds, "bare", "skdl"), 3, at_most=False)


def steps(args: argparse.Namespace) -> None:
    """Measure captured steps, rows in pinned memory, and waits for the device."""
    if not args.device.startswith("cuda"):
        print("Only a GPU has graphs.")
        return
    rng = np.random.RandomState(0)
    X = rng.randn(args.rows, COLUMNS).astype(np.float32)
    y = X[:, :5].argmax(1)
    model = NeuralClassifier(
        batch_size=BATCH, max_epochs=1, device=args.device, random_state=0
    )

    def fit(*patches: Any) -> None:
        with ExitStack() as stack:
            for patch in patches:
                stack.enter_context(patch)
            model.fit(X, y)

    one_by_one = mock.patch.object(trainer, "step_graphs", return_value=None)
    pinned = mock.patch.object(batches, "fits_on", return_value=False)
    fit()
    seconds = time_in_turn(
        {
            "captured": fit,
            "one by one": lambda: fit(one_by_one),
            "pinned": lambda: fit(pinned),
        },
        args.rounds,
    )
    bar("captured, times", ratio(seconds, "one by one", "captured"), 2, at_most=False)
    bar("pinned / resident", ratio(seconds, "captured", "pinned"), 0.7, at_most=False)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        fit()
        torch.cuda.set_sync_debug_mode("default")
    waits = sum("synchronizing CUDA operation" in str(w.message) for w in told)
    bar("waits a step", waits / (args.rows / BATCH), 0.05, at_most=True)


def defaults(args: argparse.Namespace) -> None:
    """Measure fits with default settings, which are packs, beside the CPU's."""
    rows, times = [], {}
    for name in ("taxis", "letter"):
        split = split_table(name, seed=12)
        classes = split.is_classification
        make = EntityEmbeddingClassifier if classes else EntityEmbeddingRegressor
        for device in (args.device, args.device, "cpu"):  # the first builds kernels
            model = make(device=device, random_state=0)
            started = time.perf_counter()
            model.fit(split.X, split.y)
            times[device] = time.perf_counter() - started
        for device in dict.fromkeys([args.device, "cpu"]):
            rows.append([name, device, len(split.X), times[device]])
    print_table(["default settings", "device", "rows", "seconds of fit"], rows)
    bar("letter, times the CPU", times["cpu"] / times[args.device], 5, at_most=False)


def rossmann(args: argparse.Namespace) -> None:
    """Measure seconds of ten epochs of all rows."""
    data = load(load_rossmann)
    frame, sales = data.data[: args.rossmann_rows], data.target[: args.rossmann_rows]
    model = EntityEmbeddingRegressor(
        max_epochs=10, batch_size=4096, device=args.device, random_state=0
    )
    started = time.perf_counter()
    model.fit(frame, np.log(sales))
    seconds = time.perf_counter() - started
    bar(f"seconds of 10 epochs of {len(frame):,} rows", seconds, 15, at_most=True)


def search(args: argparse.Namespace) -> None:
    """Measure a packed search beside one network after the other."""
    X, y = make_classification(2000, 20, random_state=0)
    model = NeuralClassifier(
        hidden_layer_sizes=(64,), max_epochs=5, device=args.device, random_state=0
    )
    grid = {"lr": [0.003, 0.01, 0.03], "weight_decay": [0.01, 0.1]}
    how = {"cv": 3, "refit": False}
    PackedSearchCV(model, {"lr": [0.01]}, **how).fit(X, y)  # warm
    seconds = time_in_turn(
        {
            "alone": lambda: GridSearchCV(model, grid, **how).fit(X, y),
            "packed": lambda: PackedSearchCV(model, grid, **how).fit(X, y),
        },
        args.rounds,
    )
    bar("times one by one", ratio(seconds, "alone", "packed"), 3, at_most=False)


def qrnn(args: argparse.Namespace) -> None:
    """Measure the kernels, in a script of their own."""
    run("qrnn.py", "--parts", "gpu", "--device", args.device)


def lstm(args: argparse.Namespace) -> None:
    """Measure layers in float16, whose weights stay on the chip, beside bfloat16."""
    stack = RecurrentStack([512, 1024, 1024, 512]).to(args.device)
    x = torch.randn(70, 80, 512, device=args.device)

    def steps() -> None:
        for _ in range(10):
            with torch.autocast(x.device.type, torch.bfloat16):
                output, _ = stack(x)
            output.float().pow(2).mean().backward()
        if args.device.startswith("cuda"):
            torch.cuda.synchronize()

    def in_bfloat16() -> None:
        with mock.patch.object(LSTMLayer, "_persists", return_value=False):
            steps()

    in_bfloat16()
    steps()
    contenders = {"bfloat16": in_bfloat16, "float16": steps}
    seconds = time_in_turn(contenders, args.rounds)
    tokens = 10 * 70 * 80
    rows = [[name, tokens / min(times)] for name, times in seconds.items()]
    print_table(["LSTM layers, 80 x 70 tokens", "tokens/s"], rows)
    times = ratio(seconds, "bfloat16", "float16")
    bar("float16 over bfloat16, times", times, 1.5, at_most=False)


def ptb(args: argparse.Namespace) -> None:
    """Train on Penn Treebank for ten minutes, in a script of its own."""
    what = ["--device", args.device, "--data", "ptb", "--minutes", "10", "--dynamic"]
    run("perplexity_by_minutes.py", *what)


def run(script: str, *arguments: str) -> None:
    subprocess.run([sys.executable, str(HERE / script), *arguments], check=True)


PARTS = {
    "tabular": tabular,
    "steps": steps,
    "defaults": defaults,
    "rossmann": rossmann,
    "search": search,
    "lstm": lstm,
    "qrnn": qrnn,
    "ptb": ptb,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rossmann-rows", type=int, default=844_338)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    if args.device.startswith("cuda") and not torch.cuda.is_available():
        sys.exit(f"There is no GPU here, so nothing was measured.\n\n{__doc__}")
    begin(f"On {args.device}", "skorch")
    for name in args.parts:
        print(f"-- {name}", flush=True)
        PARTS[name](args)


if __name__ == "__main__":
    main()
