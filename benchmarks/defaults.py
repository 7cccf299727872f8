"""Default parameters beside those of scikit-learn's MLP and of LightGBM.

digits: accuracy over 5 stratified shuffled folds (seed 0). adult: official split,
one-hot by the user. california: 80/20 split (seed 0), logarithm of the house value.
The MLP is shown as it is and behind a StandardScaler.

    python benchmarks/defaults.py [--seeds 1]

Bars: digits at least .98; adult and california ahead of the MLP and of LightGBM.
"""

import argparse
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from _common import bar, begin, load, one_hot, print_table, rmse
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.datasets import load_digits
from sklearn.impute import SimpleImputer
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdl import NeuralClassifier, NeuralRegressor
from skdl.datasets import load_adult, load_california_housing

Split = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
MODELS = ("skdl", "MLP", "MLP, scaled", "LightGBM")


def model(name: str, classifier: bool, seed: int) -> Any:
    if name == "skdl":
        kind = NeuralClassifier if classifier else NeuralRegressor
        return kind(random_state=seed)
    if name == "LightGBM":
        kind = LGBMClassifier if classifier else LGBMRegressor
        return kind(random_state=seed, verbose=-1)
    mlp = (MLPClassifier if classifier else MLPRegressor)(random_state=seed)
    scaler = [StandardScaler()] if name == "MLP, scaled" else []
    return make_pipeline(SimpleImputer(strategy="median"), *scaler, mlp)


def digits() -> Iterator[Split]:
    X, y = load_digits(return_X_y=True)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    for train, test in folds.split(X, y):
        yield X[train], y[train], X[test], y[test]


def adult() -> Iterator[Split]:
    data = load(load_adult)
    train, test = (data.split == "train"), (data.split == "test")
    encoder = one_hot(data.data).fit(data.data[train])
    X, X_test = (encoder.transform(data.data[part]) for part in (train, test))
    y, y_test = (data.target[part].to_numpy() for part in (train, test))
    yield X, y, X_test, y_test


def california() -> Iterator[Split]:
    X, y = load(load_california_housing, return_X_y=True)
    X, X_test, y, y_test = train_test_split(
        X, np.log(y.to_numpy()), test_size=0.2, random_state=0
    )
    encoder = one_hot(X).fit(X)
    yield encoder.transform(X), y, encoder.transform(X_test), y_test


def run(
    name: str, classifier: bool, splits: list[Split], seeds: int
) -> tuple[list[float], float]:
    """Return the mean scores and the mean seconds of a fit."""
    scores, seconds = [], []
    for seed in range(seeds):
        for X, y, X_test, y_test in splits:
            fitted = model(name, classifier, seed)
            started = time.perf_counter()
            fitted.fit(X, y)
            seconds.append(time.perf_counter() - started)
            if not classifier:
                scores.append([rmse(y_test, fitted.predict(X_test))])
                continue
            scores.append([fitted.score(X_test, y_test)])
            if len(fitted.classes_) == 2:
                probability = fitted.predict_proba(X_test)[:, 1]
                scores[-1].append(
                    float(roc_auc_score(y_test == fitted.classes_[1], probability))
                )
    return np.mean(scores, axis=0).tolist(), float(np.mean(seconds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    begin("Defaults", "lightgbm")
    tasks = {
        "digits": (digits, True, ["accuracy"]),
        "adult": (adult, True, ["accuracy", "AUC"]),
        "california": (california, False, ["RMSE of log"]),
    }
    found: dict[str, dict[str, tuple[list[float], float]]] = {}
    for task, (make, classifier, headers) in tasks.items():
        splits = list(make())
        found[task] = {
            name: run(name, classifier, splits, options.seeds) for name in MODELS
        }
        print_table(
            [task, *headers, "seconds"],
            [[n, *scores, seconds] for n, (scores, seconds) in found[task].items()],
        )
    bar("digits accuracy", found["digits"]["skdl"][0][0], 0.98, at_most=False)
    for task in ("adult", "california"):
        (ours, *_), _ = found[task]["skdl"]
        for rival in ("MLP", "MLP, scaled", "LightGBM"):
            (score, *_), _ = found[task][rival]
            lead = ours - score if task == "adult" else score - ours
            bar(f"{task}: lead over {rival}", lead, 0, at_most=False)


if __name__ == "__main__":
    main()
