"""Customers, generated: ten columns that matter and a name that does not."""

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

_NAMES = 2500
# Levels of the columns of text that matter.
_LEVELS = {"region": 12, "branch": 60, "occupation": 25, "product": 8, "channel": 4}
_NUMBERS = ("age", "income", "tenure", "balance", "visits")


def make_customers(
    n_rows: int, *, random_state: int = 0
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return customers, and which of them leave.

    Five columns of text and five of numbers decide, alone and in pairs; the name, of
    2,500 that are as unevenly frequent as names are, says nothing.

    Parameters
    ----------
    n_rows : int
    random_state : int, default=0

    Returns
    -------
    X : DataFrame of shape (n_rows, 11)
    y : ndarray of int, shape (n_rows,)
    """
    rng = np.random.default_rng(random_state)
    frequency = 1 / np.arange(1, _NAMES + 1) ** 0.7
    names = rng.choice(_NAMES, n_rows, p=frequency / frequency.sum())
    X = pd.DataFrame({"name": [f"name {i}" for i in names]})
    log_odds = np.full(n_rows, -0.7)
    codes = {}
    for column, n_levels in _LEVELS.items():
        codes[column] = rng.integers(0, n_levels, n_rows)
        X[column] = [f"{column} {i}" for i in codes[column]]
        log_odds += 0.6 * rng.normal(size=n_levels)[codes[column]]
    for column in _NUMBERS:
        X[column] = rng.normal(size=n_rows)
    X["income"] = np.exp(10 + 0.5 * X["income"])
    X["visits"] = rng.poisson(np.exp(0.3 * X["visits"] + 1))
    log_odds += 0.8 * np.sin(2 * X["age"]) + 0.5 * (np.log(X["income"]) - 10)
    log_odds += 0.6 * (X["tenure"] > 0.5) - 0.5 * X["balance"] * (X["age"] > 0)
    log_odds -= 0.25 * X["visits"]
    pairs = rng.normal(size=(_LEVELS["product"], _LEVELS["channel"]))
    log_odds += 0.6 * pairs[codes["product"], codes["channel"]]
    return X, (rng.random(n_rows) < 1 / (1 + np.exp(-log_odds))).astype(int)


def load_customers(*, as_frame: bool = True) -> Bunch:
    """Return 10,000 customers as scikit-learn's loaders return their tables."""
    X, y = make_customers(10_000)
    return Bunch(frame=X.assign(leaves=y))
