"""Are probabilities as certain as they are right? Expected calibration error.

The error (Guo et al. 2017, arXiv 1706.04599) sorts test rows by the probability of the
predicted class into 15 bins of one width, and is the mean distance between accuracy
and probability of a bin, by its rows. It is not zero for a perfect model: the last
column is what one with skdl's probabilities would have, labels drawn from them. All
seeds' test rows are binned together.

    python benchmarks/calibration.py [--tables small] [--seeds 1 2 3] [--threads 1]
"""

import argparse

import numpy as np
import torch
from _common import begin, print_table
from _tables import SMALL, TABLES, split_table
from tables import lightgbm, skdl

BINS = 15
DRAWS = 50


def calibration_error(certainty: np.ndarray, right: np.ndarray) -> float:
    """Return the mean distance of accuracy and certainty over the bins."""
    bins = np.minimum((certainty * BINS).astype(int), BINS - 1)
    apart = np.bincount(bins, weights=certainty - right, minlength=BINS)
    return float(np.abs(apart).sum() / len(certainty))


def certainties(table: str, seed: int, threads: int) -> dict[str, tuple]:
    """Return each model's certainty on the test rows, and whether it was right."""
    split = split_table(table, seed)
    found = {}
    for name, contender in {"skdl": skdl, "lightgbm": lightgbm}.items():
        model, X, X_test = contender(split, seed, threads)
        model.fit(X, split.y)
        probabilities = model.predict_proba(X_test)
        right = model.classes_[probabilities.argmax(axis=1)] == split.y_test
        found[name] = probabilities.max(axis=1), right.astype(float)
    return found


def of_a_perfect_model(certainty: np.ndarray) -> float:
    """Return the mean error where each prediction is right as often as it says."""
    rng = np.random.RandomState(0)
    draws = [rng.rand(len(certainty)) < certainty for _ in range(DRAWS)]
    return float(np.mean([calibration_error(certainty, right) for right in draws]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    names = [name for name, source in TABLES.items() if source.is_classification]
    parser.add_argument(
        "--tables", nargs="+", default=["small"], choices=[*names, "small", "all"]
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    begin("Expected calibration error, 15 bins", "lightgbm")
    torch.set_num_threads(given.threads)
    groups = {"small": [n for n in names if n in SMALL], "all": names}
    rows = []
    for table in (t for name in given.tables for t in groups.get(name, (name,))):
        runs = [certainties(table, seed, given.threads) for seed in given.seeds]
        pooled = {
            name: [np.concatenate([run[name][part] for run in runs]) for part in (0, 1)]
            for name in runs[0]
        }
        ours, theirs = (calibration_error(*pooled[n]) for n in ("skdl", "lightgbm"))
        perfect = of_a_perfect_model(pooled["skdl"][0])
        verdict = "ok" if ours <= theirs else "MISSED"
        rows.append([table, len(pooled["skdl"][0]), ours, theirs, verdict, perfect])
        print(f"{table}: {ours:.4f}, LightGBM {theirs:.4f}", flush=True)
    print()
    print_table(["table", "rows", "skdl", "lightgbm", "at most", "perfect"], rows)


if __name__ == "__main__":
    main()
