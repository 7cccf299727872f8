"""How often intervals and sets of 90% cover, on tables they were not made for.

Intervals (`predict_interval`) of regressors and sets (`predict_set`) of classifiers
with defaults, on the tables and splits of `_tables.py`. Tables in order of time are
validated on their end (``validation="last"``). Coverage of a few hundred test rows
varies: its standard error is printed beside it. Lengths are in standard
deviations of the target. Where more predictions than 90% are right, no set is larger
than one and the coverage is the accuracy.

    python benchmarks/intervals.py [--tables small jumps] [--seeds 1 2 3 4 5 6]
        [--threads 1]
"""

import argparse
from typing import Any

import numpy as np
import pandas as pd
import torch
from _common import begin, print_table
from _tables import SMALL, TABLES, split_table
from tables import skdl

COVERAGE = 0.9
LEAST, MOST = 0.88, 0.92
KINDS = ("classes", "numbers")


def measure(table: str, seed: int, threads: int) -> dict[str, Any]:
    """Return coverage and size on the test rows of a table."""
    split = split_table(table, seed)
    by_time = TABLES[table].by_time
    options = {"validation": "last", "n_estimators": 4} if by_time else {}
    model, X, X_test = skdl(split, seed, threads, **options)
    model.fit(X, split.y)
    if split.is_classification:
        sets = model.predict_set(X_test, coverage=COVERAGE)
        right = split.y_test[:, None] == model.classes_
        hits, size = (sets & right).any(axis=1), sets.sum(axis=1).mean()
        accuracy = (model.predict(X_test) == split.y_test).mean()
    else:
        low, high = model.predict_interval(X_test, coverage=COVERAGE).T
        hits = (low <= split.y_test) & (split.y_test <= high)
        size, accuracy = (high - low).mean() / split.y.std(), np.nan
    return {
        "table": table,
        "kind": KINDS[not split.is_classification],
        "hits": hits.sum(),
        "rows": len(hits),
        "size": size,
        "accuracy": accuracy,
    }


def summary(results: pd.DataFrame) -> None:
    """Print coverage by table, over all seeds."""
    for kind, of_kind in results.groupby("kind"):
        rows = []
        for table, runs in of_kind.groupby("table", sort=False):
            rows_tested = runs["rows"].sum()
            covered = runs["hits"].sum() / rows_tested
            error = np.sqrt(covered * (1 - covered) / rows_tested)
            row = [table, len(runs), rows_tested, covered, error, runs["size"].mean()]
            if kind == "numbers":
                row.append("ok" if LEAST <= covered <= MOST else "outside")
            else:
                row.append(runs["accuracy"].mean())
            rows.append(row)
        size, last = (
            ("length", "88 to 92%") if kind == "numbers" else ("size", "accuracy")
        )
        print_table(
            [kind, "seeds", "rows", "coverage", "standard error", size, last], rows
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--tables",
        nargs="+",
        default=["small", "jumps"],
        choices=[*TABLES, "small", "all"],
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3, 4, 5, 6])
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    begin("Intervals and sets of 90%")
    torch.set_num_threads(given.threads)
    groups = {"small": SMALL, "all": tuple(TABLES)}
    tables = [t for name in given.tables for t in groups.get(name, (name,))]
    results = []
    for table in tables:
        seeds = given.seeds[:1] if TABLES[table].by_time else given.seeds
        results += [measure(table, seed, given.threads) for seed in seeds]
        print(f"{table} done", flush=True)
    print()
    summary(pd.DataFrame(results))


if __name__ == "__main__":
    main()
