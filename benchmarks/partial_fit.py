"""Learning row by row: what one call of partial_fit takes, and how well it learns.

    python benchmarks/partial_fit.py [--rows 500]

Bars: a call with one row takes at most twice the time of scikit-learn's MLPClassifier,
each with its defaults and with equal layers; the accuracy after all rows is within .02
of it.
"""

import argparse
import statistics
from typing import Any

import numpy as np
from _common import bar, begin, print_table, ratio, time_in_turn
from sklearn.neural_network import MLPClassifier

from skdl import NeuralClassifier

CLASSES = [0, 1]


class RowByRow:
    """Gives a model the next row at each call."""

    def __init__(self, model: Any, X: np.ndarray, y: np.ndarray) -> None:
        self.model, self.X, self.y = model, X, y
        self.seen = 0

    def __call__(self) -> None:
        row = slice(self.seen, self.seen + 1)
        self.model.partial_fit(self.X[row], self.y[row], classes=CLASSES)
        self.seen += 1


def row_by_row(n_rows: int, models: dict[str, Any], title: str) -> tuple[list, dict]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, 2))
    y = (X[:, 0] > 0).astype(int)
    calls = {name: RowByRow(model, X, y) for name, model in models.items()}
    seconds = time_in_turn(calls, n_rows)
    milliseconds = [1e3 * statistics.median(s) for s in seconds.values()]
    scores = {name: model.score(X, y) for name, model in models.items()}
    times = ratio(seconds, "skdl", "sklearn")
    return [title, *milliseconds, times, *scores.values()], {"ratio": times, **scores}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=500)
    n_rows = parser.parse_args().rows
    begin("partial_fit, one row a call")
    layers = (256, 128)
    usual, found = row_by_row(
        n_rows,
        {
            "skdl": NeuralClassifier(device="cpu", random_state=0),
            "sklearn": MLPClassifier(random_state=0),
        },
        "defaults",
    )
    equal, equal_found = row_by_row(
        n_rows,
        {
            "skdl": NeuralClassifier(
                hidden_layer_sizes=layers, device="cpu", random_state=0
            ),
            "sklearn": MLPClassifier(layers, random_state=0),
        },
        f"layers {layers}",
    )
    print_table(
        ["", "skdl ms", "sklearn ms", "ratio", "skdl accuracy", "sklearn accuracy"],
        [usual, equal],
    )
    bar("time, defaults", found["ratio"], 2.0, at_most=True)
    bar("time, equal layers", equal_found["ratio"], 2.0, at_most=True)
    bar("accuracy", found["skdl"], found["sklearn"] - 0.02, at_most=False)


if __name__ == "__main__":
    main()
