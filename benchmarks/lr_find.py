"""Rules that read the range test, beside a grid of ten fixed rates.

For each data set: held-out scores (accuracy, or R^2 of the logarithm) of training at
ten fixed rates, and at the rate that each rule of `lr_find` suggests from the test of
``lr="auto"``. The rule is chosen on these validation parts; no test row is read.

    python benchmarks/lr_find.py [--seeds 1] [--peers]

Bar: ``lr="auto"`` reaches 99% of the best fixed rate's score on every data set, at a
cost of at most 100 steps or one and a half epochs, whichever is less. With --peers the
place of the curve's minimum is compared with torch-lr-finder and fastai, where they are
installed.
"""

import argparse
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pandas as pd
from _common import bar, begin, load, one_hot, print_table
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skdl import NeuralClassifier, NeuralRegressor, lr_find
from skdl.datasets import (
    load_adult,
    load_california_housing,
    load_letter,
    load_rossmann,
)
from skdl.estimators._fitting import AUTO_RANGE, DEFAULT_SUGGESTION

GRID = np.geomspace(3e-4, 3e-1, 10)
Data = tuple[str, Callable, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def data_sets() -> Iterator[Data]:
    X, y = load_digits(return_X_y=True)
    yield "digits", NeuralClassifier, *halves(X, y)

    adult = load(load_adult)
    train = (adult.split == "train").to_numpy()
    yield "adult", NeuralClassifier, *halves(adult.data[train], adult.target[train])

    X, y = load(load_california_housing, return_X_y=True)
    X, _, y, _ = train_test_split(X, np.log(y), test_size=0.2, random_state=0)
    yield "california", NeuralRegressor, *halves(X, y)

    X, y = load(load_letter, return_X_y=True)
    yield "letter", NeuralClassifier, *halves(X[:16_000], y[:16_000])

    X, y = load(load_rossmann, return_X_y=True)
    past = X[: len(X) * 9 // 10].sample(62_500, random_state=0).astype({"Store": str})
    # One-hot stores make 1,200 columns: fewer epochs keep the study short.
    regressor = partial(NeuralRegressor, max_epochs=6)
    yield "rossmann", regressor, *halves(past, np.log(y[past.index]))


def halves(X: pd.DataFrame, y: pd.Series) -> tuple[np.ndarray, ...]:
    """Split four to one into training and validation rows, text one-hot encoded."""
    X, X_val, y, y_val = train_test_split(X, y, test_size=0.2, random_state=1)
    if isinstance(X, pd.DataFrame):
        encoder = one_hot(X).fit(X)
        X, X_val = (encoder.transform(part).astype(np.float32) for part in (X, X_val))
    return X, np.asarray(y), X_val, np.asarray(y_val)


def study(data: Data, seeds: int) -> dict[str, float]:
    """Return the scores of the grid's best rate and of each rule."""
    name, estimator, X, y, X_val, y_val = data
    scores: dict[str, list[float]] = {}
    rates: dict[str, list[float]] = {}
    for seed in range(seeds):
        model = estimator(random_state=seed, batch_size=256 if len(X) > 5000 else 32)
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


def peers(data: Data) -> None:
    """Print where each finder has the lowest loss of its curve."""
    from _lr_finders import lowest_losses

    name, estimator, X, y, *_ = data
    print(f"{name}: rate at the lowest smoothed loss")
    for who, rate in lowest_losses(estimator, X, y).items():
        print(f"    {who}: {rate:.2e}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--peers", action="store_true")
    options = parser.parse_args()
    begin("Learning-rate range test: rules against a grid of fixed rates")
    shares: dict[str, list[float]] = {}
    for data in data_sets():
        for rule, share in study(data, options.seeds).items():
            shares.setdefault(rule, []).append(share)
        if options.peers:
            peers(data)
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
