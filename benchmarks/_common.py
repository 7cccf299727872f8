"""What the benchmarks share: versions, tables, timing in turn."""

import importlib
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.preprocessing import OneHotEncoder


def begin(title: str, *packages: str) -> None:
    """Print what is measured and with which versions."""
    # scikit-learn's MLP says that it has not converged; that is the point of it here.
    warnings.simplefilter("ignore")
    versions = []
    for name in ("skdl", "sklearn", "torch", *packages):
        versions.append(f"{name} {importlib.import_module(name).__version__}")
    print(f"{title}\n({', '.join(versions)})\n")


def load(loader: Callable[..., Any], **options: Any) -> Any:
    """Load data, or say which file is missing and exit."""
    try:
        return loader(**options)
    except FileNotFoundError as error:
        sys.exit(str(error))


def print_table(headers: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print rows in aligned columns."""
    cells = [[_text(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(headers, *cells, strict=True)]
    for row in ([*headers], ["-" * w for w in widths], *cells):
        line = [row[0].ljust(widths[0])]
        line += [c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True)]
        print("  ".join(line), flush=True)
    print()


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def bar(what: str, value: float, limit: float, *, at_most: bool) -> None:
    """Print a figure beside its bar."""
    good = value <= limit if at_most else value >= limit
    sign = "<=" if at_most else ">="
    print(f"{what}: {value:.4g} ({sign} {limit:g}: {'ok' if good else 'MISSED'})")


def time_in_turn(
    contenders: dict[str, Callable[[], Any]], repeats: int
) -> dict[str, list[float]]:
    """Run every contender once a round, so that all share the machine's moods."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, run in contenders.items():
            started = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - started)
    return seconds


def ratio(seconds: dict[str, list[float]], over: str, under: str) -> float:
    """Return the median of the ratios of the same round."""
    pairs = zip(seconds[over], seconds[under], strict=True)
    return statistics.median(a / b for a, b in pairs)


def one_hot(frame: pd.DataFrame) -> ColumnTransformer:
    """Return a transformer that one-hot encodes text and passes numbers through."""
    text = [c for c in frame if not pd.api.types.is_numeric_dtype(frame[c])]
    return make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), text),
        remainder="passthrough",
        sparse_threshold=0,
    )


def rmse(y: np.ndarray, predicted: np.ndarray) -> float:
    """Return the root of the mean squared error."""
    return float(np.sqrt(np.mean((np.asarray(y) - predicted) ** 2)))
