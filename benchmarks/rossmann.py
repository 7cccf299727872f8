"""Both tables of Guo & Berkhahn 2016: models without and with entity embeddings.

Rows and features of the paper: oldest first, the last tenth held out (or a tenth of the
shuffled rows), 200,000 training rows drawn with replacement (seed 123), the logarithm
of the sales learned, the mean absolute percentage error of the sales reported. The
vectors are those of the network's first member, as in the paper, handed on by
``Pipeline([EmbeddingTransformer, model])``.

    python benchmarks/rossmann.py [--split time random] [--models knn forest gbm]
    python benchmarks/rossmann.py --models  # the network alone
    python benchmarks/rossmann.py --validate  # on training rows: three seasons, or a
                                              # tenth of them
    python benchmarks/rossmann.py --split time --models --validate --no-effects

Without embeddings trees get the categories as numbers, and KNN the one-hot encoding of
the paper: the L1 distance of one-hot rows counts the columns that differ, so it is
computed from the categories with the Hamming distance, and shown for 5,000 of the test
rows to save time. Bars: the paper's errors with
embeddings, and three minutes a split for all that skdl does, on two cores.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from _common import bar, begin, load, print_table
from lightgbm import LGBMRegressor
from sklearn.ensemble import RandomForestRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import mean_absolute_percentage_error
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, OrdinalEncoder

from skdl import EmbeddingTransformer, EntityEmbeddingRegressor
from skdl.datasets import load_rossmann

PAPER = {  # with embeddings
    "random": {"knn": 0.099, "forest": 0.089, "gbm": 0.071, "network": 0.070},
    "time": {"knn": 0.116, "forest": 0.108, "gbm": 0.115, "network": 0.093},
}
# Seasons of the training rows, on which the split by time is validated: each is
# predicted from the days before it.
SEASONS = (
    ("2014-05-02", "2014-08-01"),
    ("2014-08-01", "2014-11-01"),
    ("2015-02-01", "2015-05-01"),
)
COLUMNS = ("Store", "DayOfWeek", "Promo", "Year", "Month", "Day", "State")
DATE = ("Year", "Month", "Day")
# Chosen on validation rows: for the split by time on the means of the three seasons.
TUNED: dict[str, dict[str, Any]] = {
    "time": {
        "n_estimators": 5,
        "hidden_layer_sizes": (256, 128),
        "dropout": 0.0,
        "embedding_dropout": 0.05,
        "max_epochs": 10,
        # What all stores, or those of a state, share on one day, such as a holiday,
        # is no use on other days.
        "random_effects": [DATE, (*DATE, "State")],
    },
    # The paper's short vectors, which nearest neighbours need, and a little dropout on
    # them, for which they are better by .005 and the network worse by .001. Four
    # networks of 18 epochs are .0003 worse than five of (512, 256) units and 20 epochs,
    # and take .6 of their time.
    "random": {
        "n_estimators": 4,
        "hidden_layer_sizes": (512, 192),
        "dropout": 0.0,
        "embedding_dropout": 0.03,
        "max_epochs": 18,
        "embedding_dim": {
            "Store": 10,
            "DayOfWeek": 6,
            "Promo": 1,
            "Year": 2,
            "Month": 6,
            "Day": 10,
            "State": 6,
        },
    },
}
N_TRAIN = 200_000
SECONDS = 180


class Split(NamedTuple):
    """Training rows with the logarithm of the sales, and held-out rows."""

    X: pd.DataFrame
    y: np.ndarray
    X_test: pd.DataFrame
    sales: np.ndarray


def rows_in_order(kind: str) -> tuple[pd.DataFrame, np.ndarray]:
    """Return all rows and their sales, in the order in which the last are held out."""
    X, sales = load(load_rossmann, return_X_y=True)
    sales = sales.to_numpy(dtype=float)
    if kind == "random":
        order = np.random.RandomState(0).permutation(len(X))
        X, sales = X.iloc[order], sales[order]
    return X, sales


def drawn_from(X: pd.DataFrame, sales: np.ndarray, n_first: int, end: int) -> Split:
    """Draw training rows from the first rows, and hold out those up to `end`."""
    drawn = np.random.RandomState(123).randint(n_first, size=N_TRAIN)
    held_out = slice(n_first, end)
    return Split(X.iloc[drawn], np.log(sales[drawn]), X.iloc[held_out], sales[held_out])


def paper_split(kind: str) -> dict[str, Split]:
    X, sales = rows_in_order(kind)
    return {f"{kind} split": drawn_from(X, sales, len(X) * 9 // 10, len(X))}


def validation_splits(kind: str) -> dict[str, Split]:
    """Return splits of the training rows: three seasons, or a tenth of them."""
    X, sales = rows_in_order(kind)
    end = len(X) * 9 // 10  # the test rows are left out of sight
    if kind == "random":
        return {"random, validation": drawn_from(X, sales, end * 9 // 10, end)}
    dates = pd.to_datetime(X[:end][list(DATE)].rename(columns=str.lower))
    found = {}
    for season in SEASONS:
        first, until = (int((dates < pd.Timestamp(day)).sum()) for day in season)
        found[f"season from {season[0]}"] = drawn_from(X, sales, first, until)
    return found


def network(kind: str, effects: bool = True) -> EntityEmbeddingRegressor:
    """Return the network, with what was chosen on validation rows of either split."""
    chosen = TUNED[kind] if effects else {**TUNED[kind], "random_effects": None}
    return EntityEmbeddingRegressor(
        categorical_features=list(COLUMNS),
        loss="absolute_error",
        weight_decay=0.01,
        batch_size=512,
        random_state=0,
        **chosen,
    )


def knn(metric: str) -> KNeighborsRegressor:
    return KNeighborsRegressor(
        10, weights="distance", metric=metric, algorithm="brute", n_jobs=-1
    )


def models() -> dict[str, tuple[Callable[[], Any], Callable[[], Any]]]:
    """Return for each model the one without and the one with embeddings."""

    def forest() -> RandomForestRegressor:
        return RandomForestRegressor(
            200, max_depth=35, max_features=0.3, n_jobs=-1, random_state=0
        )

    def gbm() -> LGBMRegressor:
        return LGBMRegressor(
            n_estimators=3000,
            learning_rate=0.02,
            num_leaves=255,
            max_depth=10,
            subsample=0.7,
            subsample_freq=1,
            colsample_bytree=0.7,
            random_state=0,
            verbose=-1,
        )

    return {
        "gbm": (gbm, gbm),
        "knn": (lambda: knn("hamming"), lambda: _normalized(knn("manhattan"))),
        "forest": (forest, forest),
    }


def _normalized(model: Any) -> Any:
    return make_pipeline(Normalizer(), model)


def error(model: Any, split: Split) -> float:
    """Return the error of a fitted model of the logarithm."""
    predicted = np.exp(model.predict(split.X_test))
    return float(mean_absolute_percentage_error(split.sales, predicted))


def study(title: str, split: Split, net: Any, chosen: list[str]) -> dict[str, float]:
    """Print the errors without and with embeddings; return those with, and seconds."""
    started = time.perf_counter()
    net.fit(split.X, split.y)
    rows = [["network", "", error(net, split), time.perf_counter() - started]]
    transformer = EmbeddingTransformer(FrozenEstimator(net), cv=None)
    transformer.fit(split.X, split.y)
    for part in (split.X, split.X_test):
        transformer.transform(part)
    ours = time.perf_counter() - started
    print(f"{title}: network {rows[0][2]:.4f}, skdl {ours:.0f} s", flush=True)
    for name in chosen:
        started = time.perf_counter()
        found = compare(name, split, net)
        rows.append([name, *found, time.perf_counter() - started])
        print(
            f"{title}: {name} {found[0]:.4f}, with vectors {found[1]:.4f}", flush=True
        )
    print_table([title, "without", "with embeddings", "seconds"], rows)
    return {**{row[0]: row[2] for row in rows}, "seconds": ours}


def compare(name: str, split: Split, net: Any) -> tuple[float, float]:
    """Return a model's error without and with the vectors of a network."""
    plain, embedded = models()[name]
    few = slice(None, None, len(split.sales) // 5000 if name == "knn" else None)
    without = make_pipeline(OrdinalEncoder(), plain()).fit(split.X, split.y)
    vectors = EmbeddingTransformer(
        FrozenEstimator(net),
        cv=None,
        rotate=name != "knn",  # Manhattan distances change with the axes
    )
    with_vectors = make_pipeline(vectors, embedded()).fit(split.X, split.y)
    part = split._replace(X_test=split.X_test[few], sales=split.sales[few])
    return error(without, part), error(with_vectors, split)


def check(kind: str, found: dict[str, float]) -> None:
    """Hold the errors against the paper's."""
    for name, limit in PAPER[kind].items():
        if name in found:
            bar(f"{kind}, {name} with embeddings", found[name], limit, at_most=True)
    bar(f"{kind}: seconds of skdl", found["seconds"], SECONDS, at_most=True)


def defaults(title: str, split: Split, effects: Any) -> None:
    """Print what default settings give, without and, if given, with random effects."""
    named = {"categorical_features": list(COLUMNS)}
    kinds = {
        "": named,
        ", one network": {**named, "validation": None},
        ", integers as numbers": {},
    }
    for chosen in (None, effects) if effects else (None,):
        for what, options in kinds.items():
            if chosen and not options:
                continue  # effects are of categories
            net = EntityEmbeddingRegressor(
                random_effects=chosen, random_state=0, **options
            )
            started = time.perf_counter()
            net.fit(split.X, split.y)
            seconds = time.perf_counter() - started
            print(
                f"{title}: default settings{what}"
                f"{', random effects' if chosen else ''}: "
                f"{error(net, split):.4f} in {seconds:.0f} s",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    kinds, names = ["time", "random"], ["knn", "forest", "gbm"]
    parser.add_argument("--split", nargs="+", choices=kinds, default=kinds)
    parser.add_argument("--models", nargs="*", choices=names, default=names)
    parser.add_argument("--validate", action="store_true", help="on training rows")
    parser.add_argument("--defaults", action="store_true", help="default settings too")
    parser.add_argument(
        "--no-effects", action="store_true", help="without random effects of dates"
    )
    options = parser.parse_args()
    begin("Rossmann sales: mean absolute percentage error", "lightgbm")
    for kind in options.split:
        splits = validation_splits(kind) if options.validate else paper_split(kind)
        found = []
        for title, split in splits.items():
            net = network(kind, not options.no_effects)
            found.append(study(title, split, net, options.models))
            if options.defaults:
                defaults(title, split, TUNED[kind].get("random_effects"))
        if options.validate:
            means = pd.DataFrame(found).mean().drop("seconds")
            print(f"{kind}, means on validation rows:\n{means.to_string()}", flush=True)
        else:
            check(kind, found[0])


if __name__ == "__main__":
    main()
