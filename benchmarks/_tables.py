"""The tables of `tables.py`: what is predicted, and which rows are for the test."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from _customers import load_customers
from _families import load_families
from _jumps import load_jumps
from sklearn import datasets
from sklearn.model_selection import train_test_split

from skdl.datasets import data_home

TEST = 0.25  # share of the rows where they are split at random
LAST = 0.2  # and where they are in order of time


@dataclass(frozen=True)
class Split:
    """Training and test rows of a table."""

    X: pd.DataFrame
    y: np.ndarray
    X_test: pd.DataFrame
    y_test: np.ndarray
    is_classification: bool


@dataclass(frozen=True)
class Source:
    """A table.

    Attributes
    ----------
    target : str
        What is predicted.
    file : str
        Below the folder of the data; "" for one of scikit-learn's.
    loader : callable
        Of scikit-learn's, or one like it.
    is_classification : bool
        Whether the target is a class.
    transform : callable
        Of a real target.
    drop : tuple of str
        Columns that tell too much.
    by_time : bool
        Whether the last fifth is for the test, and not a quarter at random.
    identifiers : int
        Values of a random column of text beside the others; 0 for none.
    """

    target: str
    file: str = ""
    loader: Callable[..., Any] | None = None
    is_classification: bool = False
    transform: Callable[[Any], Any] = np.asarray
    drop: tuple[str, ...] = ()
    by_time: bool = False
    identifiers: int = 0


def _classes(target: str, file: str = "", **more: Any) -> Source:
    return Source(target, file, is_classification=True, **more)


TABLES = {
    "abalone": Source("rings", "abalone.parquet"),
    "german_credit": _classes("credit_risk", "german_credit.parquet"),
    "wage": Source("logwage", "tables/wage.parquet"),
    "sacramento": Source("price", "tables/sacramento.parquet", transform=np.log),
    "soybean": _classes("class", "tables/soybean.parquet"),
    "vowel": _classes("class", "tables/vowel.parquet"),
    "hypothyroid": _classes("class", "tables/hypothyroid.parquet"),
    "cell_segmentation": _classes("class", "tables/cell_segmentation.parquet"),
    "life_expectancy": Source("life_expectancy", "tables/life_expectancy.parquet"),
    "breast_cancer": _classes("target", loader=datasets.load_breast_cancer),
    "diabetes": Source("target", loader=datasets.load_diabetes),
    "digits": _classes("target", loader=datasets.load_digits),
    "wine": _classes("target", loader=datasets.load_wine),
    "taxis": Source(
        "fare", "taxis.parquet", transform=np.log, drop=("tip", "tolls", "total")
    ),
    "letter": _classes("lettr", "letter.parquet"),
    "california": Source(
        "median_house_value", "california_housing.parquet", transform=np.log
    ),
    "market_arrivals": Source(
        "pricemod", "tables/market_arrivals.parquet", transform=np.log, by_time=True
    ),
    "beijing_pm25": Source(
        "pm2_5", "tables/beijing_pm25.parquet", transform=np.log1p, by_time=True
    ),
    "adult": _classes("income", "adult.parquet"),
    "adult_identifier": _classes("income", "adult.parquet", identifiers=3000),
    "customers": _classes("leaves", loader=load_customers),
    "jumps": Source("target", loader=load_jumps),
    "families": _classes("third", loader=load_families),
    "rossmann": Source("Sales", "rossmann.parquet", transform=np.log, by_time=True),
}
SMALL = tuple(TABLES)[:13]


def load_table(name: str) -> tuple[pd.DataFrame, pd.Series]:
    """Return the inputs and the target of a table, or say which file is missing."""
    source = TABLES[name]
    if source.loader is not None:
        frame = source.loader(as_frame=True).frame
    else:
        path = data_home() / source.file
        if not path.is_file():
            sys.exit(f"{source.file} is not in {data_home()}; see SKDL_DATA.")
        frame = pd.read_parquet(path)
    X = _without_dates(frame.drop(columns=[source.target, *source.drop]))
    if source.identifiers:
        drawn = np.random.RandomState(7).randint(source.identifiers, size=len(X))
        X = X.assign(identifier=[f"id {i}" for i in drawn])
    return X, frame[source.target]


def _without_dates(frame: pd.DataFrame) -> pd.DataFrame:
    """Replace times by seconds, hours and days of the week."""
    for name in frame.select_dtypes("datetime"):
        times = frame[name].dt
        parts = {f"{name}_hour": times.hour, f"{name}_day": times.dayofweek}
        frame = frame.assign(**parts, **{name: frame[name].astype("int64") // 10**9})
    return frame


def split_table(name: str, seed: int) -> Split:
    """Return training and test rows; those of tables by time do not go by the seed."""
    source = TABLES[name]
    X, y = load_table(name)
    if not source.is_classification:
        y = pd.Series(source.transform(y.to_numpy(dtype=float)))
    rows = np.arange(len(X))
    if "split" in X:  # the official one
        is_test = (X.pop("split") == "test").to_numpy()
        train, test = rows[~is_test], rows[is_test]
    elif source.by_time:
        end = int(len(rows) * (1 - LAST))
        train, test = rows[:end], rows[end:]
    else:
        strata = y if source.is_classification and y.value_counts().min() > 1 else None
        train, test = train_test_split(
            rows, test_size=TEST, random_state=seed, stratify=strata
        )
    X = X.reset_index(drop=True)
    return Split(
        X.iloc[train].reset_index(drop=True),
        y.to_numpy()[train],
        X.iloc[test].reset_index(drop=True),
        y.to_numpy()[test],
        source.is_classification,
    )
