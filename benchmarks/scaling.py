"""Fits of Parquet files: memory, and rows a second beside the same fit in memory.

Files are made by a generator: 18 numbers, two columns of categories with some ten
thousand levels each, and a target. Each fit runs in a process of its own, in which its
peak memory is read; one epoch.

    python benchmarks/scaling.py [--rows 2000000] [--in-memory 500000] [--folds 4]

With `--folds` there is one more fit, of all rows, by so many networks side by side.

Bars, at 20,000,000 rows: peak memory below 1.5 GB; at least .7 of the rows a second of
training in memory, R^2 on new rows within .005 of it; time a row within 10% of that of
100,000 rows.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from _common import bar, begin, print_table

FILE_ROWS, GROUP_ROWS = 500_000, 125_000
LEVELS, NUMBERS = 20_000, 18


def rows(first: int, n: int) -> pd.DataFrame:
    """Return rows of the table; the same wherever it is cut at files."""
    rng = np.random.default_rng(first)
    x = rng.standard_normal((n, NUMBERS), dtype=np.float32)
    shop, item = (np.sqrt(rng.random(n)) * LEVELS for _ in range(2))
    shop, item = shop.astype(np.int32), item.astype(np.int32)
    noise = rng.standard_normal(n, dtype=np.float32)
    y = np.sin(shop) + np.cos(item) + x[:, 0] * x[:, 1] + x[:, 2] + 0.5 * noise
    frame = pd.DataFrame(x, columns=[f"x{j}" for j in range(NUMBERS)])
    frame["shop"], frame["item"] = shop, item
    return frame.assign(y=y.astype(np.float32))


def write(folder: Path, n_rows: int) -> None:
    for first in range(0, n_rows, FILE_ROWS):
        part = rows(first, min(FILE_ROWS, n_rows - first))
        path = folder / f"{first:010d}.parquet"
        part.to_parquet(path, row_group_size=GROUP_ROWS, index=False)


def fit_once(folder: str, in_memory: bool, folds: int | None) -> None:
    """Fit, and print what it took."""
    from skdl import EntityEmbeddingRegressor

    model = EntityEmbeddingRegressor(
        categorical_features=["shop", "item"],
        embedding_dim=8,
        hidden_layer_sizes=(128, 64),
        batch_size=1024,
        max_epochs=1,
        validation=folds,
        random_state=0,
    )
    started = time.perf_counter()
    if in_memory:
        frame = pd.read_parquet(folder)
        model.fit(frame.drop(columns="y"), frame["y"])
    else:
        model.fit(folder, "y")
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    new = rows(10**9, 50_000)
    print(
        json.dumps(
            {
                "seconds": seconds,
                "training": float(model.history_["seconds"].sum()),
                "gigabytes": peak / 1e9,
                "score": model.score(new.drop(columns="y"), new["y"]),
            }
        )
    )


def measured(
    folder: Path, *, in_memory: bool, folds: int | None = None
) -> dict[str, float]:
    call = [sys.executable, __file__, "--fit", str(folder)]
    call += ["--folds", str(folds)] if folds else []
    done = subprocess.run(
        call + ["--whole"] * in_memory, check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def line(name: str, n_rows: int, run: dict[str, float]) -> list:
    rate = n_rows / run["training"]
    numbers = [run["seconds"], run["training"], rate, run["gigabytes"], run["score"]]
    return [name, *numbers]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--in-memory", type=int, default=500_000)
    parser.add_argument("--folds", type=int)
    parser.add_argument("--fit", help=argparse.SUPPRESS)
    parser.add_argument("--whole", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.fit:
        fit_once(args.fit, args.whole, args.folds)
        return
    begin("Rows from Parquet files", "pyarrow")
    table, found = [], {}
    sizes = [100_000, args.in_memory, args.rows]
    for n_rows in sizes:
        with tempfile.TemporaryDirectory() as name:
            write(Path(name), n_rows)
            kinds = (True, False) if n_rows == args.in_memory else (False,)
            for whole in kinds:
                found[n_rows, whole] = run = measured(Path(name), in_memory=whole)
                table.append(line(f"{n_rows:,}{' in memory' * whole}", n_rows, run))
            if args.folds and n_rows == args.rows:
                run = measured(Path(name), in_memory=False, folds=args.folds)
                table.append(line(f"{n_rows:,}, {args.folds} folds", n_rows, run))
    print_table(
        ["rows", "seconds", "of training", "rows/s", "peak GB", "R^2, new rows"], table
    )
    whole, files = found[args.in_memory, True], found[args.in_memory, False]
    few, many = found[100_000, False], found[args.rows, False]
    share = whole["training"] / files["training"]
    bar("rows a second, of in memory", share, 0.7, at_most=False)
    difference = abs(whole["score"] - files["score"])
    bar("R^2 apart", difference, 0.005, at_most=True)
    bar("peak gigabytes", many["gigabytes"], 1.5, at_most=True)
    by_row = (many["training"] / args.rows) / (few["training"] / 100_000)
    bar("time a row, of that of 100,000 rows", by_row, 1.1, at_most=True)


if __name__ == "__main__":
    main()
