"""One-cycle against constant rates: epochs to the same validation score.

Trains at constant rates for --epochs epochs and notes the best validation score of any
rate at any epoch, each a mean over seeds. Then trains with one-cycle for ever more
epochs until its last epoch reaches that score. Both have the same rates to choose from.

    python benchmarks/super_convergence.py [--epochs 30] [--seeds 2] [--figure FILE.png]

Bar: one-cycle needs at most half of the epochs that the constant rate had. The effect
is that of Smith & Topin 2018, "Super-convergence", arXiv 1708.07120.
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np
from _common import bar, begin, print_table
from _validation import Task, tasks

LRS = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
LENGTHS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30)


def curve(task: Task, seeds: int, **options: object) -> np.ndarray:
    """Return the validation score after each epoch, the mean over seeds."""
    curves = []
    for seed in range(seeds):
        model = task.estimator(batch_size=256, random_state=seed, **options)
        model.fit(task.X, task.y, X_val=task.X_val, y_val=task.y_val)
        curves.append(model.history_["validation_score"])
    return np.mean(curves, axis=0)


def constant_curves(task: Task, epochs: int, seeds: int) -> dict[float, np.ndarray]:
    how = {"schedule": "constant", "max_epochs": epochs}
    return {lr: curve(task, seeds, lr=lr, **how) for lr in LRS}


def one_cycle_scores(
    task: Task, target: float, epochs: int, seeds: int
) -> dict[int, float]:
    """Return the last score of ever longer cycles, until one reaches the target."""
    scores: dict[int, float] = {}
    for length in (n for n in LENGTHS if n <= epochs):
        scores[length] = max(
            float(curve(task, seeds, lr=lr, max_epochs=length)[-1]) for lr in LRS
        )
        if scores[length] >= target:
            break
    return scores


def draw(ax: plt.Axes, name: str, constant: dict, cycles: dict, target: float) -> None:
    """Draw the best score so far of each constant rate, and the end of each cycle."""
    colours = plt.get_cmap("viridis")(np.linspace(0, 0.9, len(constant)))
    for colour, (lr, scores) in zip(colours, constant.items(), strict=True):
        best = np.maximum.accumulate(scores)
        epochs = range(1, len(scores) + 1)
        ax.plot(epochs, best, color=colour, label=f"{lr:g}")
    ax.axhline(target, color="gray", linestyle=":", label="best of these")
    ax.plot(
        *zip(*cycles.items(), strict=True),
        color="black",
        marker="o",
        label="one-cycle of that\nmany epochs",
    )
    every = np.concatenate([*constant.values(), list(cycles.values())])
    low = np.quantile(every, 0.1)
    ax.set_ylim(low, every.max() + 0.08 * (every.max() - low))
    ax.set(title=name, xlabel="epochs", ylabel="validation score")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--figure", help="where to draw the curves")
    options = parser.parse_args()
    begin("Super-convergence: one-cycle against constant rates")
    figure, axes = plt.subplots(1, 3, figsize=(14, 3.8), layout="constrained")
    rows, shares = [], {}
    names = ("adult", "california", "mnist_10k")
    for ax, task in zip(axes, tasks(*names), strict=True):
        constant = constant_curves(task, options.epochs, options.seeds)
        target = max(float(scores.max()) for scores in constant.values())
        reached = min(
            int(s.argmax()) + 1 for s in constant.values() if s.max() == target
        )
        cycles = one_cycle_scores(task, target, options.epochs, options.seeds)
        length, score = max(cycles.items())
        rows.append([task.name, target, reached, score, length])
        shares[task.name] = length / options.epochs if score >= target else np.inf
        draw(ax, task.name, constant, cycles, target)
    print_table(
        ["", "best constant", "at epoch", "one-cycle", "of epochs"],
        rows,
    )
    for name, share in shares.items():
        bar(f"{name}: one-cycle's epochs / constant's", share, 0.5, at_most=True)
    if options.figure:
        # One legend for all, beside the curves.
        figure.legend(
            *axes[0].get_legend_handles_labels(),
            loc="outside right center",
            title="constant rate,\nbest so far",
            alignment="left",
        )
        figure.savefig(options.figure, dpi=100)


if __name__ == "__main__":
    main()
