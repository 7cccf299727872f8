"""Whether a pure-noise identifier hurts the model behind an encoder.

A random identifier with 2,000 levels is put beside the real columns of adult, taxis
(zones) and Rossmann. For each encoder: 5-fold cross-validated score without it and with
it, in standard errors of the difference over the folds.

    python benchmarks/leakage.py --quick   # what the bars are about; 15 minutes
    python benchmarks/leakage.py           # all encoders; an hour or more
    python benchmarks/leakage.py --encoders OneHotEncoder --data taxis [--rows 10000]

What takes the time is training: in each of five folds, without and with the identifier,
four networks at once for 500 to 5,000 steps. The table has the CPU seconds of a fit of
the encoder.

Bar: behind EmbeddingTransformer as it comes, the identifier lowers the score by at most
one standard error. Cross-fitting (`cv`) and judging columns (`drop_harmful`) are shown
on and off: it is why the defaults are what they are.
"""

import argparse
import time
from typing import Any

import numpy as np
import pandas as pd
from _common import bar, begin, load, print_table
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.metrics import get_scorer
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, TargetEncoder

from skdl import EmbeddingTransformer
from skdl.datasets import load_adult, load_rossmann, load_taxis

NOISE_LEVELS = 2000
SECONDS = "seconds of the encoder"
ZONES = ["pickup_zone", "dropoff_zone", "pickup_borough", "dropoff_borough"]


def tables(n_rows: int) -> dict[str, tuple[pd.DataFrame, pd.Series, str]]:
    """Return features, target and score of each data set."""
    adult = load(load_adult)
    X, y = adult.data[adult.split == "train"], adult.target[adult.split == "train"]
    taxis, fare = load(load_taxis, return_X_y=True)
    taxis = taxis[[*ZONES, "passengers", "payment", "color"]]
    stores, sales = load(load_rossmann, return_X_y=True)
    stores = stores.astype({"Store": str, "DayOfWeek": str})
    result = {
        "adult": (X, y, "roc_auc"),
        "taxis": (taxis, np.log(fare), "r2"),
        "rossmann": (stores, np.log(sales), "r2"),
    }
    for name, (X, y, score) in result.items():
        kept = X.sample(min(n_rows, len(X)), random_state=0)
        result[name] = (kept, y[kept.index], score)
    return result


def encoders(text: list[str]) -> dict[str, Any]:
    options = {"handle_unknown": "use_encoded_value", "unknown_value": -1}
    columns = {
        "OneHotEncoder": OneHotEncoder(
            handle_unknown="infrequent_if_exist",
            max_categories=255,
            sparse_output=False,
        ),
        "OrdinalEncoder": OrdinalEncoder(**options),
        "TargetEncoder": TargetEncoder(random_state=0),
    }
    result: dict[str, Any] = {
        "EmbeddingTransformer": EmbeddingTransformer(random_state=0),
        "EmbeddingTransformer, cv=5": EmbeddingTransformer(cv=5, random_state=0),
        "cv=5, not judged": EmbeddingTransformer(
            cv=5, drop_harmful=False, random_state=0
        ),
        "cv=None, not judged": EmbeddingTransformer(drop_harmful=False, random_state=0),
    }
    for name, encoder in columns.items():
        result[name] = make_column_transformer(
            (encoder, text), remainder="passthrough", sparse_threshold=0
        )
    return result


def models(classifier: bool) -> dict[str, Any]:
    if classifier:
        return {
            "gbm": LGBMClassifier(random_state=0, verbose=-1),
            "forest": RandomForestClassifier(
                100, min_samples_leaf=3, n_jobs=-1, random_state=0
            ),
        }
    return {
        "gbm": LGBMRegressor(random_state=0, verbose=-1),
        "forest": RandomForestRegressor(
            100, min_samples_leaf=3, max_features=0.5, n_jobs=-1, random_state=0
        ),
    }


def scores(
    encoder: Any, behind: dict[str, Any], X: Any, y: Any, scoring: str
) -> dict[str, np.ndarray]:
    """Return the score of each model on each fold; the encoder is fitted once a fold.

    The same as cross-validating a Pipeline of both. Under `SECONDS` are the CPU seconds
    of the encoder's fits.
    """
    folds = (StratifiedKFold if scoring == "roc_auc" else KFold)(
        5, shuffle=True, random_state=0
    )
    scorer = get_scorer(scoring)
    found: dict[str, list[float]] = {name: [] for name in [*behind, SECONDS]}
    for train, test in folds.split(X, y):
        fitted = clone(encoder)
        started = time.process_time()
        encoded = fitted.fit_transform(X.iloc[train], y.iloc[train])
        found[SECONDS].append(time.process_time() - started)
        held_out = fitted.transform(X.iloc[test])
        for name, model in behind.items():
            model.fit(encoded, y.iloc[train])
            found[name].append(scorer(model, held_out, y.iloc[test]))
    return {name: np.array(values) for name, values in found.items()}


def study(
    name: str, X: Any, y: Any, scoring: str, options: argparse.Namespace
) -> dict[str, float]:
    """Print a table; return the worst loss of each encoder, in standard errors."""
    if scoring == "roc_auc":
        y = (y == y.unique()[0]).astype(int)
    rng = np.random.default_rng(0)
    noisy = X.assign(identifier=rng.integers(0, NOISE_LEVELS, len(X)).astype(str))
    text = [c for c in X if not pd.api.types.is_numeric_dtype(X[c])]
    behind = {k: models(scoring == "roc_auc")[k] for k in options.models}
    plain, with_noise = encoders(text), encoders([*text, "identifier"])
    rows, worst = [], {}
    for label in plain:
        if label not in options.encoders:
            continue
        before = scores(plain[label], behind, X, y, scoring)
        after = scores(with_noise[label], behind, noisy, y, scoring)
        shares = []
        for who in behind:
            loss = before[who] - after[who]
            paired = loss.mean() / (standard_error(loss) or np.inf)
            shares.append(float(loss.mean() / standard_error(before[who])))
            means = before[who].mean(), after[who].mean()
            times = [float(x[SECONDS].mean()) for x in (before, after)]
            rows.append([label, who, *means, shares[-1], float(paired), *times])
        worst[label] = max(shares)
    headers = ["encoder", "model", "without", "with", "in s.e.", "in paired s.e."]
    headers += ["CPU s without", "CPU s with"]
    print_table([f"{name}: {headers[0]}", *headers[1:]], rows)
    return worst


def standard_error(values: np.ndarray) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--models", nargs="+", default=["gbm", "forest"])
    parser.add_argument("--data", nargs="+", default=["adult", "taxis", "rossmann"])
    names = list(encoders([]))
    parser.add_argument("--encoders", nargs="+", choices=names, default=names)
    parser.add_argument(
        "--quick",
        action="store_true",
        help="EmbeddingTransformer as it comes, and no other",
    )
    options = parser.parse_args()
    if options.quick:
        options.encoders = names[:1]
    begin("A pure-noise identifier beside real columns", "lightgbm")
    bars = {}
    for name, (X, y, scoring) in tables(options.rows).items():
        if name in options.data:
            found = study(name, X, y, scoring, options)
            if names[0] in found:
                bars[name] = found[names[0]]
    for name, loss in bars.items():
        bar(f"{name}: worst loss, in standard errors", loss, 1.0, at_most=True)


if __name__ == "__main__":
    main()
