"""Predicting one row, and a million rows.

    python benchmarks/latency.py [--calls 300] [--rows 1000000]

Bars: one row in no more time than scikit-learn's MLPClassifier of the same layers, and
by a pack of four in at most 1.5 times that, in an array or in a frame, whose categories
scikit-learn one-hot encodes; a million rows within 1.2 of a bare forward pass (the
faster of the whole matrix at once and of chunks), in bounded memory.
"""

import argparse
import resource
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch
from _common import bar, begin, print_table, ratio, time_in_turn
from sklearn.compose import make_column_transformer
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skdl import EntityEmbeddingClassifier, NeuralClassifier

N_FEATURES = 32


def train(
    layers: tuple[int, ...], X: np.ndarray, y: np.ndarray, validation: Any = None
) -> tuple[Any, Any]:
    ours = NeuralClassifier(
        hidden_layer_sizes=layers,
        activation="relu",
        max_epochs=1,
        validation=validation,
        device="cpu",
    )
    theirs = MLPClassifier(layers, max_iter=1)
    return ours.fit(X, y), theirs.fit(X, y)


def one_row(layers: tuple[int, ...], calls: int, validation: Any = None) -> list[Any]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2000, N_FEATURES))
    ours, theirs = train(layers, X, (X[:, 0] > 0).astype(int), validation)
    name = f"{layers}, pack of {validation}" if validation else str(layers)
    return [name, *time_of_a_row(ours, theirs, X[:1], calls)]


def time_of_a_row(ours: Any, theirs: Any, row: Any, calls: int) -> list[float]:
    seconds = time_in_turn(
        {"skdl": lambda: ours.predict(row), "sklearn": lambda: theirs.predict(row)},
        calls,
    )
    medians = [1e6 * statistics.median(s) for s in seconds.values()]
    return [*medians, ratio(seconds, "skdl", "sklearn")]


def one_row_of_a_frame(categories: list[int], calls: int) -> list[Any]:
    """Time a pack on ten numbers and columns of so many categories."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.standard_normal((2000, 10))).add_prefix("number")
    numbers, y = list(frame), (frame["number0"] > 0).astype(int)
    for i, n in enumerate(categories):
        frame[f"category{i}"] = rng.integers(n, size=2000).astype(str)
    encoder = make_column_transformer(
        (StandardScaler(), numbers),
        (OneHotEncoder(handle_unknown="ignore"), list(frame)[len(numbers) :]),
    )
    theirs = MLPClassifier((256, 256), max_iter=1)
    kind = EntityEmbeddingClassifier if categories else NeuralClassifier
    ours = kind(max_epochs=1, validation=4, device="cpu").fit(frame, y)
    if categories:
        theirs = make_pipeline(encoder, theirs)
    theirs.fit(frame, y)
    name = f"a frame with {len(categories)} columns of categories, pack of 4"
    return [name, *time_of_a_row(ours, theirs, frame.iloc[[0]], calls)]


def bare_pass(network: torch.nn.Module, X: np.ndarray, rows: int) -> Callable:
    inputs = torch.from_numpy(X)

    @torch.inference_mode()
    def run() -> None:
        torch.cat([network(part).softmax(1) for part in inputs.split(rows)])

    return run


def many_rows(n_rows: int) -> tuple[dict[str, list[float]], float]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, N_FEATURES), dtype=np.float32)
    y = X[:, :5].argmax(axis=1)
    ours, _ = train((256, 128), X[:5000], y[:5000])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ours.predict(X)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    contenders: dict[str, Callable] = {"skdl": lambda: ours.predict_proba(X)}
    for rows in (2048, 4096, 8192, 16384, n_rows):
        contenders[f"bare, {rows} rows"] = bare_pass(ours.network_, X, rows)
    return time_in_turn(contenders, 5), grown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()
    begin("Latency of predict")
    rows = [one_row(layers, options.calls) for layers in ((100,), (256, 128))]
    rows.append(one_row((256, 256), options.calls, validation=4))
    rows += [one_row_of_a_frame(c, options.calls) for c in ([], [3, 7, 20, 50])]
    print_table(["one row, microseconds", "skdl", "sklearn", "ratio"], rows)
    seconds, grown = many_rows(options.rows)
    print_table(
        [f"{options.rows} rows", "seconds"],
        [[name, statistics.median(s)] for name, s in seconds.items()],
    )
    for layers, *_, found in rows:
        most = 1.5 if "pack" in layers else 1.0
        bar(f"one row, {layers}: skdl / sklearn", found, most, at_most=True)
    bare = [name for name in seconds if name != "skdl"]
    fastest = min(bare, key=lambda name: statistics.median(seconds[name]))
    found = ratio(seconds, "skdl", fastest)
    bar(f"{options.rows} rows: skdl / {fastest}", found, 1.2, at_most=True)
    print(f"memory that predict needs beside the data: {grown:.0f} MiB")


if __name__ == "__main__":
    main()
