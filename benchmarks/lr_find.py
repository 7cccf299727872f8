"""Rules that read the range test, beside a grid of ten fixed rates.

For each data set: held-out scores (accuracy, or R^2 of the logarithm) of training at
ten fixed rates, and at the rate that each rule of `lr_find` suggests from the test of
``lr="auto"``. The rule is chosen on these validation parts; no test row is read.

    python benchmarks/lr_find.py [--seeds 1] [--peers]

Bar: ``lr="auto"`` reaches 99% of the best fixed rate's score on every data set, at a
cost of at most 100 steps or one and a half epochs, whichever is less. With --peers only
the place of the curve's minimum is compared with torch-lr-finder's and fastai's, where
they are installed (bar: within a factor of 2).
"""

import argparse

import numpy as np
from _common import bar, begin, print_table
from _validation import Task, tasks

from skdl import lr_find
from skdl.estimators.core.auto_lr import AUTO_RANGE, DEFAULT_SUGGESTION

GRID = np.geomspace(3e-4, 3e-1, 10)
# One-hot stores make 1,200 columns: fewer epochs keep the study short.
EPOCHS = {"rossmann": 6}


def study(task: Task, seeds: int) -> dict[str, float]:
    """Return the scores of the grid's best rate and of each rule."""
    name, estimator, X, y, X_val, y_val = task
    epochs = EPOCHS.get(name, 30)
    scores: dict[str, list[float]] = {}
    rates: dict[str, list[float]] = {}
    for seed in range(seeds):
        model = estimator(
            random_state=seed,
            max_epochs=epochs,
            batch_size=256 if len(X) > 5000 else 32,
        )
        steps = -(-len(X) // model.batch_size)
        num_iter = max(30, min(100, steps * 3 // 2))
        result = lr_find(model, X, y, num_iter=num_iter, **AUTO_RANGE)
        chosen = {f"grid {r:.1e}": r for r in GRID} | result.suggestions
        for label, rate in chosen.items():
            model.set_params(lr=float(rate))
            scores.setdefault(label, []).append(model.fit(X, y).score(X_val, y_val))
            rates.setdefault(label, []).append(rate)
    means = {label: float(np.mean(values)) for label, values in scores.items()}
    best = max((label for label in means if "grid" in label), key=means.get)
    print_table(
        [name, "rate", "score", "of the best"],
        [
            [label, f"{np.mean(rates[label]):.2e}", mean, f"{mean / means[best]:.4f}"]
            for label, mean in means.items()
        ],
    )
    return {k: v / means[best] for k, v in means.items() if "grid" not in k}


def peers(task: Task) -> None:
    """Print where each finder has the lowest loss of its curve."""
    from _lr_finders import lowest_losses

    print_table(
        [f"{task.name}: rate at the lowest smoothed loss", "rate", "of skdl's"],
        lowest_losses(task),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--peers", action="store_true")
    options = parser.parse_args()
    begin("Learning-rate range test: rules against a grid of fixed rates")
    shares: dict[str, list[float]] = {}
    for task in tasks("digits", "adult", "california", "letter", "rossmann"):
        if options.peers:
            peers(task)
            continue
        for rule, share in study(task, options.seeds).items():
            shares.setdefault(rule, []).append(share)
    if options.peers:
        return
    print_table(
        ["rule", "worst share", "mean share"],
        [[rule, min(s), float(np.mean(s))] for rule, s in shares.items()],
    )
    bar(
        f"lr='auto' ({DEFAULT_SUGGESTION}), worst share of the best rate's score",
        min(shares[DEFAULT_SUGGESTION]),
        0.99,
        at_most=False,
    )


if __name__ == "__main__":
    main()
