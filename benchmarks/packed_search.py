"""PackedSearchCV beside GridSearchCV: 32 candidates on 5 folds of a small network.

Both are timed in turn, each with two cores to use: the grid search in two processes
that are warm, the packed search in one thread. Refitting the best is left out.

    python benchmarks/packed_search.py [--rows 1000] [--units 32] [--rounds 2]

Bars: at least 3 times faster, and the same ranking.
"""

import argparse

from _common import bar, begin, print_table, ratio, time_in_turn
from scipy.stats import spearmanr
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV

from skdl import NeuralClassifier, PackedSearchCV

GRID = {
    "lr": [1e-3, 3e-3, 1e-2, 3e-2],
    "weight_decay": [1e-3, 1e-2, 0.1, 0.3],
    "dropout": [0.0, 0.1],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--units", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_args()
    begin("32 candidates x 5 folds as one network")
    X, y = make_classification(args.rows, 10, n_informative=6, random_state=0)
    model = NeuralClassifier(
        hidden_layer_sizes=(args.units, args.units),
        max_epochs=args.epochs,
        random_state=0,
    )
    how = {"cv": 5, "refit": False, "scoring": "neg_log_loss"}
    grid = GridSearchCV(model, GRID, n_jobs=2, **how)
    packed = PackedSearchCV(model, GRID, **how)
    GridSearchCV(model, {"lr": [1e-2, 1e-3]}, n_jobs=2, **how).fit(X, y)  # warm
    PackedSearchCV(model, {"lr": [1e-2]}, **how).fit(X, y)
    seconds = time_in_turn(
        {"grid": lambda: grid.fit(X, y), "packed": lambda: packed.fit(X, y)},
        args.rounds,
    )
    print_table(
        ["", "seconds", "best score", "best"],
        [
            [name, min(seconds[name]), search.best_score_, search.best_params_]
            for name, search in (("grid", grid), ("packed", packed))
        ],
    )
    theirs, ours = (s.cv_results_["mean_test_score"] for s in (grid, packed))
    print(f"largest difference of a mean score: {abs(theirs - ours).max():.2g}")
    bar("times faster", ratio(seconds, "grid", "packed"), 3, at_most=False)
    bar("rank correlation", spearmanr(theirs, ours).statistic, 0.999, at_most=False)


if __name__ == "__main__":
    main()
