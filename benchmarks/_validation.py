"""Training and validation parts of the development data; test rows are left alone."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from _common import load, one_hot
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skdl import NeuralClassifier, NeuralRegressor
from skdl.datasets import (
    load_adult,
    load_california_housing,
    load_letter,
    load_mnist_10k,
    load_rossmann,
)


class Task(NamedTuple):
    """A data set split four to one, and the estimator for it."""

    name: str
    estimator: type
    X: np.ndarray
    y: np.ndarray
    X_val: np.ndarray
    y_val: np.ndarray


def _split(name: str, estimator: type, X: pd.DataFrame, y: pd.Series) -> Task:
    """Split into training and validation rows, text one-hot encoded."""
    X, X_val, y, y_val = train_test_split(X, y, test_size=0.2, random_state=1)
    if isinstance(X, pd.DataFrame):
        encoder = one_hot(X).fit(X)
        X, X_val = (encoder.transform(part).astype(np.float32) for part in (X, X_val))
    return Task(name, estimator, X, np.asarray(y), X_val, np.asarray(y_val))


def digits() -> Task:
    return _split("digits", NeuralClassifier, *load_digits(return_X_y=True))


def adult() -> Task:
    loaded = load(load_adult)
    train = (loaded.split == "train").to_numpy()
    return _split("adult", NeuralClassifier, loaded.data[train], loaded.target[train])


def california() -> Task:
    X, y = load(load_california_housing, return_X_y=True)
    X, _, y, _ = train_test_split(X, np.log(y), test_size=0.2, random_state=0)
    return _split("california", NeuralRegressor, X, y)


def letter() -> Task:
    X, y = load(load_letter, return_X_y=True)
    return _split("letter", NeuralClassifier, X[:16_000], y[:16_000])


def rossmann() -> Task:
    """Return 50,000 training rows with one-hot stores."""
    X, y = load(load_rossmann, return_X_y=True)
    past = X[: len(X) * 9 // 10].sample(62_500, random_state=0).astype({"Store": str})
    return _split("rossmann", NeuralRegressor, past, np.log(y[past.index]))


def mnist_10k() -> Task:
    X, y = load(load_mnist_10k, return_X_y=True)
    return _split("mnist_10k", NeuralClassifier, X[:8000].astype(np.float32), y[:8000])


TASKS: dict[str, Callable[[], Task]] = {
    "digits": digits,
    "adult": adult,
    "california": california,
    "letter": letter,
    "rossmann": rossmann,
    "mnist_10k": mnist_10k,
}


def tasks(*names: str) -> Iterator[Task]:
    """Load tasks one after the other."""
    return (TASKS[name]() for name in names)
