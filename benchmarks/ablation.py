"""What each piece of the tables' recipe is worth: error and seconds without it.

Never on test rows, so that defaults may be chosen by it: the training rows of a table
of `tables.py` are split again, at most `--rows` of them to learn from and the others,
at most 3,000, to tell the error. Every piece is left out or changed by itself, on the
same rows and with the same seed as the default; the error is log loss or RMSE, seconds
are of the processor, of fit alone.

    python benchmarks/ablation.py [--tables small california taxis] [--seeds 1 2]
        [--rows 1200] [--pieces gates temperature]

`--pieces` are keys of `PIECES`. Where a piece changes nothing, as vectors of categories
where all columns are numbers, a table does not count for it. Figures of all fits go to
output/ablation.csv.
"""

import argparse
import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import torch
from _common import begin, print_table
from _tables import SMALL, TABLES, Split, split_table
from sklearn.model_selection import train_test_split
from tables import OUTPUT, error_of

from skdl import EntityEmbeddingClassifier, EntityEmbeddingRegressor
from skdl.estimators.tables import conclusion, pack_run
from skdl.estimators.tables.recipe import Recipe
from skdl.networks.packed_embedding import PackedEmbeddingNetwork
from skdl.training import crossing
from skdl.training.optimization import growing_average

DEFAULT = "default"
MOST_TOLD = 3000  # rows that tell the error, at most
COLUMNS = ("table", "seed", "piece", "error", "cpu_seconds")


@dataclass(frozen=True)
class Piece:
    """A change of the default.

    Attributes
    ----------
    what : str
        In words.
    recipe : callable
        Returns what changes in a recipe.
    parameters : dict
        Of the estimator.
    within : callable
        Returns a context to fit and predict in.
    """

    what: str
    recipe: Callable[[Recipe], dict[str, Any]] = lambda _: {}
    parameters: Any = ()
    within: Callable[[], AbstractContextManager[Any]] = nullcontext


@contextmanager
def without_plain_numbers() -> Iterator[None]:
    """Let numbers enter by their vectors alone."""
    features = PackedEmbeddingNetwork.features

    def changed(self: Any, indices: Any, numbers: Any, *others: Any) -> torch.Tensor:
        x = features(self, indices, numbers, *others)
        if self.piecewise is None and self.cosine is None:
            return x
        kept = torch.ones(x.shape[2])
        kept[x.shape[2] - numbers.shape[-1] :] = 0.0
        return x * kept

    with mock.patch.object(PackedEmbeddingNetwork, "features", changed):
        yield


@contextmanager
def without_temperature() -> Iterator[None]:
    """Leave probabilities as they are."""
    with (
        mock.patch.object(crossing, "best_temperature", return_value=1.0),
        mock.patch.object(conclusion, "best_temperature", return_value=1.0),
        mock.patch.object(conclusion, "sharpening", return_value=1.0),
    ):
        yield


def _deeper(recipe: Recipe, n_layers: int) -> dict[str, Any]:
    return {"hidden_layer_sizes": recipe.hidden_layer_sizes[:1] * n_layers}


def _widened(recipe: Recipe, factor: float) -> dict[str, Any]:
    return {"hidden_layer_sizes": [int(n * factor) for n in recipe.hidden_layer_sizes]}


PIECES = {
    "slope": Piece("nothing left below zero of bends", lambda _: {"slope": 0.0}),
    "gates": Piece("no gates of columns", lambda _: {"gate_pace": 0.0}),
    "vectors": Piece("numbers alone", parameters={"numeric_embedding": None}),
    "cosines": Piece("no cosines", parameters={"numeric_embedding": "piecewise"}),
    "bins": Piece("cosines alone", parameters={"numeric_embedding": "cosine"}),
    "corrections": Piece(
        "no corrections",
        within=partial(
            mock.patch.object, conclusion, "corrections_of", lambda *_: None
        ),
    ),
    "histogram": Piece(
        "no histogram of the target beside it", lambda _: {"target_bins": 0}
    ),
    "more_histograms": Piece(
        "a histogram of the target beside it", lambda _: {"target_bins": 32}
    ),
    "more_bins": Piece(
        "128 quantiles, 64 leaves", lambda _: {"n_quantiles": 128, "n_leaves": 64}
    ),
    "tree_bins": Piece("no bins of trees", lambda _: {"n_leaves": 1}),
    "early_trees": Piece("bins of trees below 1,000 rows", lambda _: {"n_leaves": 32}),
    "things": Piece(
        "integers that name things are numbers", lambda _: {"names_things": False}
    ),
    "entries": Piece("4 entries of a number", lambda _: {"entries": 4}),
    "plain_numbers": Piece("no plain numbers", within=without_plain_numbers),
    "embedding_dropout": Piece(
        "vectors without dropout", lambda _: {"embedding_dropout": 0.0}
    ),
    "dropout_of_all": Piece(
        "dropout in all columns", lambda _: {"dropout_rows": math.inf}
    ),
    "rare": Piece("rare categories known", lambda _: {"rare_rows": 0}),
    "judged": Piece(
        "columns not judged",
        within=partial(mock.patch.object, pack_run, "MANY_ROWS", 0),
    ),
    "one_network": Piece("one network, all rows", parameters={"validation": None}),
    "eight": Piece(
        "8 networks, 4 folds", parameters={"n_estimators": 8, "validation": 4}
    ),
    "eight_folds": Piece("8 networks, 8 folds", parameters={"validation": 8}),
    "four_folds": Piece("4 networks, 4 folds", parameters={"validation": 4}),
    "four_wide": Piece(
        "4 networks of twice the width",
        lambda r: _widened(r, 2),
        parameters={"validation": 4},
    ),
    "steps": Piece("half the steps", lambda r: {"max_steps": r.max_steps // 2}),
    "rises": Piece(
        "three looks also where the loss rises",
        lambda r: {"patience_if_rising": r.patience},
    ),
    "average": Piece(
        "no mean of the weights",
        within=partial(mock.patch.object, growing_average, "_SHARE", 0.0),
    ),
    "raw_looks": Piece(
        "looks without temperature",
        within=partial(mock.patch.object, crossing, "best_temperature", lambda *_: 1.0),
    ),
    "temperature": Piece("no temperature", within=without_temperature),
    "weight_decay": Piece(
        "a tenth of the decay", lambda r: {"weight_decay": r.weight_decay / 10}
    ),
    "more_decay": Piece(
        "three times the decay", lambda r: {"weight_decay": r.weight_decay * 3}
    ),
    "dropout": Piece("dropout .25 of layers", lambda _: {"dropout": 0.25}),
    "dropout_decay": Piece(
        "dropout .25, decay x 2.2",
        lambda r: {"dropout": 0.25, "weight_decay": r.weight_decay * 2.2},
    ),
    "betas": Piece("betas (.9, .999)", lambda _: {"betas": (0.9, 0.999)}),
    "lower_rate": Piece("half the rate", lambda r: {"lr": r.lr / 2}),
    "higher_rate": Piece("twice the rate", lambda r: {"lr": r.lr * 2}),
    "batch": Piece(
        "batches twice as large", lambda r: {"batch_size": 2 * r.batch_size}
    ),
    "two_layers": Piece("two layers", lambda r: _deeper(r, 2)),
    "three_layers": Piece("three layers", lambda r: _deeper(r, 3)),
    "width": Piece("half the width", lambda r: _widened(r, 0.5)),
    "muon": Piece("Muon", parameters={"optimizer": "muon"}),
}
UNCHANGED = Piece("")


def split_again(table: str, seed: int, n_rows: int) -> Split:
    """Return a part of a table's training rows, and the others as if they were new."""
    split = split_table(table, seed)
    rows = np.arange(len(split.y))
    _, counts = np.unique(split.y, return_counts=True)
    strata = split.y if split.is_classification and counts.min() > 1 else None
    n_learned = min(n_rows, int(0.75 * len(rows)))
    learned, told = train_test_split(
        rows, train_size=n_learned, random_state=seed + 1000, stratify=strata
    )
    told = told[:MOST_TOLD]
    if split.is_classification:  # a class that nothing was learned of tells nothing
        told = told[np.isin(split.y[told], split.y[learned])]
    X, y = split.X, split.y
    parts = (X.iloc[learned].reset_index(drop=True), y[learned])
    parts += (X.iloc[told].reset_index(drop=True), y[told])
    return Split(*parts, split.is_classification)


def run(split: Split, seed: int, piece: Piece) -> tuple[float, float]:
    """Return error and seconds of a fit with a piece left out or changed."""
    kind: Any = EntityEmbeddingRegressor
    if split.is_classification:
        kind = EntityEmbeddingClassifier
    model = kind(random_state=seed, device="cpu", **dict(piece.parameters))
    recipe_for = pack_run.recipe_for

    def changed(*about: Any, **options: Any) -> Recipe:
        recipe = recipe_for(*about, **options)
        return replace(recipe, **piece.recipe(recipe))

    with mock.patch.object(pack_run, "recipe_for", changed), piece.within():
        started = time.process_time()
        model.fit(split.X, split.y)
        seconds = time.process_time() - started
        return error_of(model, split.X_test, split), seconds


def summary(results: pd.DataFrame) -> None:
    """Print geometric means of errors over the default's, and the median of seconds."""
    index = ["table", "seed"]
    errors = np.log(results.pivot(index=index, columns="piece", values="error"))
    seconds = np.log(results.pivot(index=index, columns="piece", values="cpu_seconds"))
    errors = errors.sub(errors[DEFAULT], axis=0).groupby("table").mean()
    seconds = seconds.sub(seconds[DEFAULT], axis=0).groupby("table").mean()
    classes = np.array([TABLES[t].is_classification for t in errors.index])
    rows = []
    for name, piece in PIECES.items():
        if name not in errors:
            continue
        counts = errors[name].to_numpy() != 0.0
        parts = (counts & classes, counts & ~classes)
        means = (np.exp(errors.loc[of, name].mean()) for of in parts)
        better = f"{(errors.loc[counts, name] < 0).sum()} of {counts.sum()}"
        time_over = np.exp(seconds.loc[counts, name].median())
        figures = [f"{v:.3f}" if v > 0 else "-" for v in (*means, time_over)]
        rows.append([piece.what, *figures[:2], better, figures[2]])
    print_table(
        ["error over the default's", "classes", "numbers", "better on", "seconds"], rows
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--tables",
        nargs="+",
        default=["small", "california", "taxis"],
        choices=["small", *TABLES],
    )
    parser.add_argument("--pieces", nargs="+", default=list(PIECES), choices=PIECES)
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--rows", type=int, default=1200)
    given = parser.parse_args()
    begin("Pieces of the recipe, on parts of the training rows")
    torch.set_num_threads(1)
    tables = [t for n in given.tables for t in (SMALL if n == "small" else (n,))]
    pieces = {DEFAULT: UNCHANGED, **{name: PIECES[name] for name in given.pieces}}
    results = []
    run(split_again(tables[0], 0, 200), 0, UNCHANGED)  # the first fit is slower
    OUTPUT.mkdir(exist_ok=True)
    for seed in given.seeds:
        for table in tables:
            split = split_again(table, seed, given.rows)
            for name, piece in pieces.items():
                figures = run(split, seed, piece)
                results.append((table, seed, name, *figures))
                frame = pd.DataFrame(results, columns=COLUMNS)
                frame.to_csv(OUTPUT / "ablation.csv", index=False)
                error, seconds = figures
                print(f"{table:18s} {name:18s} {error:.4f} {seconds:.1f} s", flush=True)
    print()
    summary(frame)


if __name__ == "__main__":
    main()
