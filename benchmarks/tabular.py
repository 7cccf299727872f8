"""Default entity-embedding estimators beside fastai's tabular learner.

adult: official split, accuracy and AUC. taxis: 80/20 split (seed 0), RMSE of the
logarithm of the fare. fastai gets its usual processing, rules and 5 one-cycle epochs at
batch 64, a step size of 1e-2 (its `fit_one_cycle` default rate is 1e-3; both are run
and the better one counts for it). Each is a mean over seeds.

    python benchmarks/tabular.py [--seeds 3]

Bars: adult AUC at least .925 and accuracy at least .870; ahead of fastai, and one
network (`validation=None`) in no more time. Without fastai installed its rows are left
out.
"""

import argparse
import functools
import importlib.util
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from _common import bar, begin, load, print_table, rmse
from _fastai import FastaiTabular
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

from skdl import EntityEmbeddingClassifier, EntityEmbeddingRegressor
from skdl.datasets import load_adult, load_taxis

Split = tuple[pd.DataFrame, np.ndarray, pd.DataFrame, np.ndarray]
FASTAI_RATES = (1e-3, 1e-2)


def adult() -> Split:
    data = load(load_adult)
    y = (data.target == ">50K").to_numpy().astype(int)
    train = (data.split == "train").to_numpy()
    return data.data[train], y[train], data.data[~train], y[~train]


def taxis() -> Split:
    X, fare = load(load_taxis, return_X_y=True)
    X, X_test, y, y_test = train_test_split(
        X, np.log(fare.to_numpy()), test_size=0.2, random_state=0
    )
    return X, y, X_test, y_test


def skdl(split: Split, classifier: bool, seed: int, **how: Any) -> np.ndarray:
    kind = EntityEmbeddingClassifier if classifier else EntityEmbeddingRegressor
    model = kind(random_state=seed, **how).fit(*split[:2])
    return (
        model.predict_proba(split[2])[:, 1] if classifier else model.predict(split[2])
    )


def lightgbm(split: Split, classifier: bool, seed: int) -> np.ndarray:
    X, y, X_test, _ = split
    text = [c for c in X if not pd.api.types.is_numeric_dtype(X[c])]
    kinds = {c: pd.CategoricalDtype(X[c].dropna().unique()) for c in text}
    kind = LGBMClassifier if classifier else LGBMRegressor
    model = kind(random_state=seed, verbose=-1).fit(X.astype(kinds), y)
    X_test = X_test.astype(kinds)
    return model.predict_proba(X_test)[:, 1] if classifier else model.predict(X_test)


def fastai(split: Split, classifier: bool, seed: int, lr: float) -> np.ndarray:
    X, y, X_test, _ = split
    model = FastaiTabular(classifier, seed, lr=lr).fit(X, y)
    return model.predict_proba(X_test)[:, 1] if classifier else model.predict(X_test)


def contenders() -> dict[str, Callable[[Split, bool, int], np.ndarray]]:
    found: dict[str, Callable[..., Any]] = {
        "skdl": skdl,
        "skdl, one network": functools.partial(skdl, validation=None),
        "LightGBM": lightgbm,
    }
    if importlib.util.find_spec("fastai") is not None:
        for rate in FASTAI_RATES:
            found[f"fastai, lr {rate:g}"] = lambda split, classifier, seed, lr=rate: (
                fastai(split, classifier, seed, lr)
            )
    return found


def scores(predicted: np.ndarray, y: np.ndarray, classifier: bool) -> list[float]:
    if not classifier:
        return [rmse(y, predicted)]
    accuracy = float(np.mean((predicted > 0.5) == y))
    return [accuracy, float(roc_auc_score(y, predicted))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    begin("Default entity embeddings", "lightgbm")
    for name, make, classifier in (("adult", adult, True), ("taxis", taxis, False)):
        split, found, seconds = make(), {}, {}
        for seed in range(options.seeds):
            for who, run in contenders().items():
                started = time.perf_counter()
                predicted = run(split, classifier, seed)
                seconds.setdefault(who, []).append(time.perf_counter() - started)
                found.setdefault(who, []).append(
                    scores(predicted, split[3], classifier)
                )
        means = {who: np.mean(s, axis=0).tolist() for who, s in found.items()}
        headers = ["accuracy", "AUC"] if classifier else ["RMSE of log"]
        print_table(
            [name, *headers, "seconds"],
            [[who, *s, float(np.median(seconds[who]))] for who, s in means.items()],
        )
        if classifier:
            bar(f"{name}: accuracy", means["skdl"][0], 0.87, at_most=False)
            bar(f"{name}: AUC", means["skdl"][1], 0.925, at_most=False)
        peers = [who for who in means if who.startswith("fastai")]
        if peers:
            sign = 1 if classifier else -1
            best = max(peers, key=lambda who: sign * means[who][0])
            lead = sign * (means["skdl"][0] - means[best][0])
            bar(f"{name}: lead over {best}", lead, 0, at_most=False)
            alone = np.median(seconds["skdl, one network"])
            took = float(alone / np.median(seconds[best]))
            bar(f"{name}: one network's seconds / fastai's", took, 1, at_most=True)


if __name__ == "__main__":
    main()
