"""Seconds per epoch beside a bare torch loop, scikit-learn's MLP and skorch.

100,000 x 32 float32, layers 256-128 with ReLU, 5 classes, AdamW; epochs are timed in
turn and ratios are taken within a round.

    python benchmarks/throughput.py [--device cuda] [--repeats 7]

Bars: skdl / bare at most 1.10 at every batch size; skorch / skdl at least 2.5 at 256
(on a GPU at least 4); scikit-learn / skdl at least 1.3 at 256 and 1024; the peak memory
of a fit at most twice the float32 data above the bare loop's.
"""

import argparse
import resource
import statistics
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import torch
from _common import bar, begin, print_table, ratio, time_in_turn
from sklearn.neural_network import MLPClassifier
from skorch import NeuralNetClassifier
from torch import nn

from skdl import NeuralClassifier

N_FEATURES, N_CLASSES = 32, 5
LAYERS = (256, 128)
LR = 1e-3
MEMORY_ROWS = 2_000_000


def make_data(n_rows: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, N_FEATURES), dtype=np.float32)
    return X, (X[:, :N_CLASSES]).argmax(axis=1)


def make_network() -> nn.Module:
    return nn.Sequential(
        nn.Linear(N_FEATURES, LAYERS[0]),
        nn.ReLU(),
        nn.Linear(LAYERS[0], LAYERS[1]),
        nn.ReLU(),
        nn.Linear(LAYERS[1], N_CLASSES),
    )


def bare_loop(
    X: np.ndarray, y: np.ndarray, batch_size: int, device: str
) -> Callable[[], None]:
    """Return a function that trains one epoch, written as plainly as it goes."""
    inputs, target = torch.from_numpy(X).to(device), torch.from_numpy(y).to(device)
    network = make_network().to(device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=LR, fused=True)

    def epoch() -> None:
        order = torch.randperm(len(inputs), device=device)
        shuffled, labels = inputs[order], target[order]
        for start in range(0, len(inputs), batch_size):
            optimizer.zero_grad()
            part = slice(start, start + batch_size)
            loss = nn.functional.cross_entropy(network(shuffled[part]), labels[part])
            loss.backward()
            optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()

    return epoch


def skdl_model(batch_size: int, device: str, **options: object) -> NeuralClassifier:
    return NeuralClassifier(
        hidden_layer_sizes=LAYERS,
        activation="relu",
        dropout=0.0,
        lr=LR,
        batch_size=batch_size,
        device=device,
        random_state=0,
        **options,
    )


def skdl_epoch(
    X: np.ndarray, y: np.ndarray, batch_size: int, device: str
) -> Callable[[], float]:
    """Return a function that fits two epochs and returns the seconds of the second."""

    def epoch() -> float:
        model = skdl_model(batch_size, device, max_epochs=2).fit(X, y)
        return float(model.history_["seconds"].iloc[-1])

    return epoch


def sklearn_epoch(X: np.ndarray, y: np.ndarray, batch_size: int) -> Callable[[], None]:
    model = MLPClassifier(LAYERS, batch_size=batch_size, learning_rate_init=LR)
    return lambda: model.partial_fit(X, y, classes=np.arange(N_CLASSES))


def skorch_epoch(
    X: np.ndarray, y: np.ndarray, batch_size: int, device: str
) -> Callable[[], None]:
    net = NeuralNetClassifier(
        make_network,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.AdamW,
        lr=LR,
        batch_size=batch_size,
        max_epochs=1,
        train_split=None,
        verbose=0,
        device=device,
        callbacks__valid_acc=None,
    ).initialize()
    return lambda: net.partial_fit(X, y)


def compare(batch_size: int, device: str, repeats: int) -> dict[str, list[float]]:
    X, y = make_data(100_000)
    ours = skdl_epoch(X, y, batch_size, device)
    measured: list[float] = []
    contenders = {
        "bare": bare_loop(X, y, batch_size, device),
        "skdl": lambda: measured.append(ours()),
        "sklearn": sklearn_epoch(X, y, batch_size),
        "skorch": skorch_epoch(X, y, batch_size, device),
    }
    for warm_up in contenders.values():
        warm_up()
    measured.clear()
    seconds = time_in_turn(contenders, repeats)
    seconds["skdl"] = measured  # without the preparation of the fit
    return seconds


def peak_memory(who: str) -> int:
    """Return the peak memory, in bytes, of one epoch in a process of its own."""
    command = [sys.executable, __file__, "--memory-of", who]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return int(output.split()[-1])


def measure_memory(who: str) -> None:
    X, y = make_data(MEMORY_ROWS)
    if who == "bare":
        bare_loop(X, y, 4096, "cpu")()
    else:
        skdl_model(4096, "cpu", max_epochs=1).fit(X, y)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[64, 256, 1024])
    parser.add_argument("--memory-of", choices=["bare", "skdl"], help="internal")
    options = parser.parse_args()
    if options.memory_of:
        measure_memory(options.memory_of)
        return
    begin("Seconds per epoch, 100,000 x 32, layers 256-128", "skorch")
    figures = {
        size: compare(size, options.device, options.repeats)
        for size in options.batch_sizes
    }
    print_table(
        ["batch size", "bare", "skdl", "sklearn", "skorch"],
        [[b, *(statistics.median(s) for s in f.values())] for b, f in figures.items()],
    )
    for size, seconds in figures.items():
        bar(f"{size}: skdl / bare", ratio(seconds, "skdl", "bare"), 1.1, at_most=True)
        if size == 256:
            least = 4.0 if options.device == "cuda" else 2.5
            found = ratio(seconds, "skorch", "skdl")
            bar(f"{size}: skorch / skdl", found, least, at_most=False)
        if size >= 256 and options.device == "cpu":
            found = ratio(seconds, "sklearn", "skdl")
            bar(f"{size}: sklearn / skdl", found, 1.3, at_most=False)
    if options.device == "cpu":
        data = MEMORY_ROWS * N_FEATURES * 4
        extra = (peak_memory("skdl") - peak_memory("bare")) / data
        bar("peak memory above the bare loop's, in data", extra, 2.0, at_most=True)


if __name__ == "__main__":
    main()
