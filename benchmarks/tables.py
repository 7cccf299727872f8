"""Defaults on many tables: error and seconds, and how both compare with LightGBM's.

The error is log loss, or the root mean squared error of the target (of its logarithm
where `_tables.py` says so). Tables are split at random, a quarter for the test; the
last fifth is for the test where rows are in order of time; adult has its official
split. No model is told more than the columns: text is categories, numbers are numbers.

    python benchmarks/tables.py [--tables small] [--models lightgbm skdl]
        [--seeds 1 2 3] [--threads 1] [--picture]

`--tables` takes names, "small" (at most 4,200 rows; minutes) or "all". `--models` also
takes skdl_settings, sixteen networks of four settings that are chosen out of fold, and
skdl_16, sixteen of one setting; and those of `_other_models.py`: catboost, fastai,
realmlp_s, realmlp, tabm, lightgbm_tuned, mlp, which may refuse a table and are left out
there.
Figures go to output/tables.csv, with versions and the command, beside those of other
commands; with `--picture` errors against seconds to output/tables.png. Bars: .80 of
LightGBM's error, ahead on four tables of five, .95 of CatBoost's and of RealMLP-TD's.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from _common import bar, begin, print_table, rmse
from _other_models import OTHERS
from _tables import SMALL, TABLES, Split, split_table
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.metrics import log_loss

from skdl import EntityEmbeddingClassifier, EntityEmbeddingRegressor
from skdl.persistence.versions import versions

BASE, OURS = "lightgbm", "skdl"
# What errors of ours over those of others may be at most, and on which share of tables
# ours is to be the lower one.
MOST = {BASE: 0.80, "catboost": 0.95, "realmlp": 0.95}
AHEAD = 0.8
# What tells where figures come from; packages that are not there are left out.
PACKAGES = ("skdl", "torch", "numpy", "pandas", "scikit-learn", "lightgbm")
PACKAGES += ("catboost", "pytabkit", "fastai")
OUTPUT = Path(__file__).resolve().parents[1] / "output"
# Categories that HistGradientBoosting takes of a column at most.
MOST_CATEGORIES = 250
COLUMNS = (
    *("table", "model", "seed", "error"),
    *("fit_seconds", "fit_cpu_seconds", "predict_seconds"),
)


def as_categories(split: Split) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the inputs with text as categories of the training rows.

    Columns that are all missing there are left out; HistGradientBoosting fails on them.
    """
    known = split.X.notna().any()
    train, test = split.X.loc[:, known].copy(), split.X_test.loc[:, known].copy()
    for name in train:
        if pd.api.types.is_numeric_dtype(train[name]):
            continue
        kind = pd.CategoricalDtype(sorted(train[name].dropna().astype(str).unique()))
        for frame in (train, test):
            text = frame[name].astype(object).where(frame[name].isna(), "")
            text = text.where(frame[name].isna(), frame[name].astype(str))
            frame[name] = text.astype(kind)
    names = [f"c{i}" for i in range(train.shape[1])]  # LightGBM refuses some names
    return train.set_axis(names, axis=1), test.set_axis(names, axis=1)


def as_codes(frame: pd.DataFrame, *, above: int = 0) -> pd.DataFrame:
    """Return the frame with the numbers of its categories, where there are many."""
    codes = {
        name: frame[name].cat.codes.astype(float).where(frame[name].notna())
        for name in frame.select_dtypes("category")
        if len(frame[name].cat.categories) > above
    }
    return frame.assign(**codes)


def lightgbm(split: Split, seed: int, threads: int) -> tuple[Any, Any, Any]:
    kind = LGBMClassifier if split.is_classification else LGBMRegressor
    model = kind(random_state=seed, n_jobs=threads, verbose=-1)
    return model, *as_categories(split)


def hist_gradient_boosting(
    split: Split, seed: int, threads: int
) -> tuple[Any, Any, Any]:
    kind: Any = HistGradientBoostingRegressor
    if split.is_classification:
        kind = HistGradientBoostingClassifier
    frames = (as_codes(f, above=MOST_CATEGORIES) for f in as_categories(split))
    return kind(random_state=seed), *frames


def random_forest(split: Split, seed: int, threads: int) -> tuple[Any, Any, Any]:
    kind: Any = RandomForestRegressor
    if split.is_classification:
        kind = RandomForestClassifier
    model = kind(random_state=seed, n_jobs=threads)
    return model, *(as_codes(frame) for frame in as_categories(split))


def skdl(
    split: Split, seed: int, threads: int, **parameters: Any
) -> tuple[Any, Any, Any]:
    kind: Any = EntityEmbeddingRegressor
    if split.is_classification:
        kind = EntityEmbeddingClassifier
    model = kind(random_state=seed, device="cpu", **parameters)
    return model, split.X, split.X_test


def skdl_one_network(split: Split, seed: int, threads: int) -> tuple[Any, Any, Any]:
    return skdl(split, seed, threads, validation=None)


def skdl_16(split: Split, seed: int, threads: int) -> tuple[Any, Any, Any]:
    return skdl(split, seed, threads, n_estimators=16)


def skdl_settings(split: Split, seed: int, threads: int) -> tuple[Any, Any, Any]:
    return skdl(split, seed, threads, n_estimators=16, diversity="settings")


MODELS = {
    "lightgbm": lightgbm,
    "hist_gradient_boosting": hist_gradient_boosting,
    "random_forest": random_forest,
    "skdl": skdl,
    "skdl_one_network": skdl_one_network,
}
LARGER = {"skdl_16": skdl_16, "skdl_settings": skdl_settings}


def error_of(model: Any, X: Any, split: Split) -> float:
    """Return log loss or RMSE on the test rows."""
    if not split.is_classification:
        return rmse(split.y_test, model.predict(X))
    probabilities = np.clip(model.predict_proba(X).astype(float), 1e-15, 1)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return log_loss(split.y_test, probabilities, labels=model.classes_)


def run(table: str, name: str, seed: int, threads: int) -> dict[str, Any]:
    """Fit a model on a table and return a row of the results."""
    split = split_table(table, seed)
    if name in OTHERS:
        model, X, X_test = OTHERS[name](split, as_categories(split), seed, threads)
    else:
        model, X, X_test = (MODELS | LARGER)[name](split, seed, threads)
    started, on_cpu = time.perf_counter(), time.process_time()
    model.fit(X, split.y)
    fitted, on_cpu = time.perf_counter(), time.process_time() - on_cpu
    error = error_of(model, X_test, split)
    ended = time.perf_counter()
    row = (table, name, seed, error, fitted - started, on_cpu, ended - fitted)
    return dict(zip(COLUMNS, row, strict=True))


def summary(results: pd.DataFrame) -> None:
    """Print errors by table, and geometric means of the ratios over LightGBM's."""
    errors = results.pivot_table("error", "table", "model", sort=False)
    seconds = results.pivot_table("fit_cpu_seconds", "table", "model", sort=False)
    models = list(errors)
    rows = [
        [table, *errors.loc[table], *seconds.loc[table].round(1)]
        for table in errors.index
    ]
    print_table(
        ["error, CPU seconds of fit", *models, *(f"s: {m}" for m in models)], rows
    )
    if BASE not in errors:
        return
    ratios = errors.div(errors[BASE], axis=0)
    kinds = [TABLES[table].is_classification for table in ratios.index]
    parts = {
        "all": np.ones(len(kinds), dtype=bool),
        "classes": np.array(kinds),
        "numbers": ~np.array(kinds),
    }
    rows = [[table, *ratios.loc[table]] for table in ratios.index]
    rows += [
        [f"geometric mean, {part}", *np.exp(np.log(ratios[chosen]).mean())]
        for part, chosen in parts.items()
        if chosen.any()
    ]
    rows.append(["tables ahead", *(int((ratios[m] < 1).sum()) for m in models)])
    rows.append(["mean rank", *errors.dropna().rank(axis=1).mean()])
    print_table([f"error over {BASE}'s", *models], rows)
    bars(errors)


def bars(errors: pd.DataFrame) -> None:
    """Hold our errors against those of the models that have a bar."""
    for name, most in MOST.items():
        if name in errors and OURS in errors:
            ratios = (errors[OURS] / errors[name]).dropna()
            mean = float(np.exp(np.log(ratios).mean()))
            what = f"{OURS}'s error over {name}'s, {len(ratios)} tables"
            bar(what, mean, most, at_most=True)
    if BASE in errors and OURS in errors:
        ahead = float((errors[OURS] < errors[BASE]).mean())
        bar(f"share of tables ahead of {BASE}", ahead, AHEAD, at_most=False)


def picture(results: pd.DataFrame) -> None:
    """Draw the geometric means of errors over LightGBM's against those of seconds."""
    import matplotlib.pyplot as plt

    means = {
        name: np.log(results.pivot_table(name, "table", "model", sort=False))
        for name in ("error", "fit_seconds")
    }
    errors = np.exp(means["error"].sub(means["error"][BASE], axis=0).mean())
    seconds = np.exp(means["fit_seconds"].mean())
    figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
    ax.scatter(seconds, errors)
    for model in errors.index:
        at = (seconds[model], errors[model])
        ax.annotate(model, at, (5, 5), textcoords="offset points")
    ax.set(xscale="log", xlabel="seconds of fit, geometric mean")
    ax.set_ylabel(f"error over {BASE}'s, geometric mean")
    ax.margins(x=0.2, y=0.15)
    figure.savefig(OUTPUT / "tables.png", dpi=150)


def save(results: pd.DataFrame) -> None:
    """Write the results, with versions and the command, beside those of others."""
    OUTPUT.mkdir(exist_ok=True)
    path = OUTPUT / "tables.csv"
    command = "python benchmarks/tables.py " + " ".join(sys.argv[1:])
    found = results.assign(**versions(PACKAGES), command=command)
    if path.exists():
        before = pd.read_csv(path)
        found = pd.concat([before[before["command"] != command], found])
    found.to_csv(path, index=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--tables", nargs="+", default=["small"], choices=[*TABLES, "small", "all"]
    )
    names = [*MODELS, *LARGER, *OTHERS]
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=names)
    parser.add_argument("--picture", action="store_true")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    begin("Defaults on tables", "lightgbm")
    torch.set_num_threads(given.threads)
    groups = {"small": SMALL, "all": tuple(TABLES)}
    tables = [t for name in given.tables for t in groups.get(name, (name,))]
    results = []
    for table in tables:
        for seed in given.seeds:
            for name in given.models:
                try:
                    row = run(table, name, seed, given.threads)
                except ValueError as error:
                    if name not in OTHERS:
                        raise
                    print(f"{table:18s} seed {seed}  {name:22s} refuses: {error}")
                    row = dict.fromkeys(COLUMNS, np.nan) | {"table": table}
                    row |= {"model": name, "seed": seed}
                results.append(row)
                save(pd.DataFrame(results))
                print(
                    f"{table:18s} seed {seed}  {name:22s} error {row['error']:.4f}  "
                    f"{row['fit_cpu_seconds']:.1f} s",
                    flush=True,
                )
    print()
    summary(pd.DataFrame(results))
    if given.picture:
        picture(pd.DataFrame(results))


if __name__ == "__main__":
    main()
