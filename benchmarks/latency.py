"""Predicting one row, and a million rows.

    python benchmarks/latency.py [--calls 300] [--rows 1000000]

Bars: one row in no more time than scikit-learn's MLPClassifier of the same layers, and
by a pack of eight of (128, 128), the default, in at most 1.5 times what one of (256,
256) takes, in an array or in a frame, whose categories scikit-learn one-hot encodes; a
million rows within 1.2 of a bare forward pass (the faster of the whole matrix at once
and of chunks), in bounded memory. What a correction takes is told beside them.
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
PEER_OF_PACKS = (256, 256)


def train(
    layers: tuple[int, ...], X: np.ndarray, y: np.ndarray, validation: Any = None
) -> tuple[Any, Any]:
    ours = NeuralClassifier(
        hidden_layer_sizes=layers,
        activation="relu",
        max_epochs=None if validation else 1,
        validation=validation,
        device="cpu",
        random_state=0,
    )
    theirs = MLPClassifier(PEER_OF_PACKS if validation else layers, max_iter=1)
    return ours.fit(X, y), theirs.fit(X, y)


def one_row(layers: tuple[int, ...], calls: int) -> list[Any]:
    X, y = smooth()
    ours, theirs = train(layers, X, y)
    return [str(layers), *time_of_a_row(ours, theirs, X[:1], calls)]


def one_row_of_a_pack(layers: tuple[int, ...], calls: int, n_places: int) -> list[Any]:
    """Time a pack on what is smooth, or differs from one of some places to the next."""
    X, y = smooth()
    if n_places:
        rng = np.random.default_rng(1)
        place = rng.integers(n_places, size=len(X))
        level = 3 * rng.standard_normal(n_places)
        X[:, 0], y = place, (rng.logistic(size=len(X)) < level[place]).astype(int)
    ours, theirs = train(layers, X, y, 8)
    name = f"{layers}, pack of 8, {len(ours.corrections_)} corrections"
    return [name, *time_of_a_row(ours, theirs, X[:1], calls)]


def smooth() -> tuple[np.ndarray, np.ndarray]:
    """Return rows, and classes that the first two columns make more or less likely."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2000, N_FEATURES))
    return X, (rng.logistic(size=len(X)) < X[:, 0] + X[:, 1]).astype(int)


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
    theirs = MLPClassifier(PEER_OF_PACKS, max_iter=1)
    kind = EntityEmbeddingClassifier if categories else NeuralClassifier
    ours = kind(max_epochs=1, validation=8, device="cpu").fit(frame, y)
    if categories:
        theirs = make_pipeline(encoder, theirs)
    theirs.fit(frame, y)
    name = f"a frame with {len(categories)} columns of categories, pack of 8"
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
    smooth_one, by_place = (
        one_row_of_a_pack((128, 128), options.calls, n) for n in (0, 200)
    )
    rows.append(smooth_one)
    rows += [one_row_of_a_frame(c, options.calls) for c in ([], [3, 7, 20, 50])]
    print_table(
        ["one row, microseconds", "skdl", "sklearn", "ratio"], [*rows, by_place]
    )
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
