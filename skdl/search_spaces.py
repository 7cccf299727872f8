"""Where to look for better parameters: a published space for each estimator.

A space is a dict that scikit-learn's random searches take, and that makes suggestions
for optuna. It holds what is worth a search, in ranges that training survives; what the
recipe of tables finds out by itself, such as how long to train, is not in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from scipy.stats import loguniform, uniform
from sklearn.pipeline import Pipeline

from skdl.estimators import (
    EntityEmbeddingClassifier,
    EntityEmbeddingRegressor,
    ImageClassifier,
    ImageRegressor,
    NeuralClassifier,
    NeuralRegressor,
    TextClassifier,
    TextLM,
    TextRegressor,
)
from skdl.estimators.tables.validation import has_folds


@dataclass(frozen=True)
class Range:
    """Numbers between two ends, on a logarithmic scale where `log` says so."""

    low: float
    high: float
    why: str
    log: bool = False

    def distribution(self) -> Any:
        """Return what scikit-learn's searches draw from."""
        if self.log:
            return loguniform(self.low, self.high)
        return uniform(self.low, self.high - self.low)

    def suggest(self, trial: Any, name: str) -> float:
        """Ask a trial of optuna for a value."""
        return trial.suggest_float(name, self.low, self.high, log=self.log)

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}" + (", logarithmic" if self.log else "")


@dataclass(frozen=True)
class Choice:
    """One of several values."""

    values: tuple[Any, ...]
    why: str

    def distribution(self) -> list[Any]:
        """Return what scikit-learn's searches draw from."""
        return list(self.values)

    def suggest(self, trial: Any, name: str) -> Any:
        """Ask a trial of optuna for a value; it is asked for its text."""
        by_text = {str(value): value for value in self.values}
        return by_text[trial.suggest_categorical(name, list(by_text))]

    def __str__(self) -> str:
        return " | ".join(map(str, self.values))


_DENSE: dict[str, Range | Choice] = {
    "hidden_layer_sizes": Choice(
        ((128, 128), (256, 256), (512, 512), (256, 256, 256), (256,)),
        "Width and depth: more for many rows, less where there are few.",
    ),
    "activation": Choice(
        ("silu", "relu", "mish", "selu"),
        "Smooth ones suit numbers that a curve runs through, relu sharp edges.",
    ),
    "dropout": Range(0.0, 0.5, "More for few rows or noisy targets, none for many."),
}
_PACK: dict[str, Range | Choice] = {
    "lr": Range(
        5e-4, 2e-2, "The rate stays constant in a pack, and .003 is its default.", True
    ),
    "weight_decay": Range(
        1e-3, 0.5, "More draws the networks toward simpler ones.", True
    ),
    "numeric_embedding": Choice(
        ("auto", "piecewise", "cosine", None),
        "Bins find steps, cosines smooth and periodic curves; neither suits few rows.",
    ),
    "optimizer": Choice(
        ("adamw", "muon"), "Muon takes larger steps of hidden matrices, and longer."
    ),
    "batch_size": Choice(
        ("auto", 32, 64, 128, 256, 512),
        "Small batches are noisier and slower, which can help where rows are few.",
    ),
}
_ONE: dict[str, Range | Choice] = {
    "lr": Range(
        1e-3, 3e-2, "The rate at the top of the schedule; .01 is the default.", True
    ),
    "weight_decay": Range(
        1e-2, 1.0, "More draws the network toward a simpler one.", True
    ),
    "batch_size": Choice(
        ("auto", 32, 64, 128, 256),
        "Small batches are noisier and slower, which can help where rows are few.",
    ),
}
_EPOCHS: dict[str, Range | Choice] = {
    "max_epochs": Choice(
        (5, 10, 20, 40, 80), "With how long the schedule is, how well is learned."
    )
}
_CATEGORIES: dict[str, Range | Choice] = {
    "embedding_dim": Choice(
        ("auto", 2, 4, 8, 16, 32),
        "Entries of a category's vector: few where categories have few rows.",
    ),
    "embedding_dropout": Range(
        0.0, 0.5, "Keeps categories of few rows from being learned by heart."
    ),
}
# Penalties and weights of the branches are chosen by `fit`.
_WORDS: dict[str, Range | Choice] = {
    "ngram_range": Choice(
        ((1, 1), (1, 2), (1, 3)),
        "Runs of words say what single ones do not, where there are texts enough.",
    ),
    "min_frequency": Choice(
        (1, 2, 3, 5, 10),
        "Rare words say something in few and short texts, else little.",
    ),
    "lowercase": Choice((True, False), "Whether capital letters mean something."),
}

_TEXT: dict[str, Range | Choice] = {
    "lr": Range(1e-3, 1e-2, "The rate at the top of the schedule.", True),
    "dropout": Range(0.1, 0.6, "More for little text and many units."),
    "hidden_size": Choice((128, 256, 512), "More for much text; time goes with it."),
    "embedding_dim": Choice(
        (128, 256, 400), "The width of words, and of the last layer."
    ),
    "num_layers": Choice((1, 2, 3), "Deeper for much text."),
    "weight_decay": Range(1e-3, 0.1, "More for little text.", True),
    "batch_size": Choice((10, 20, 40), "Fewer rows make more steps."),
}

_TABLES = (NeuralClassifier, NeuralRegressor)
_WITH_CATEGORIES = (EntityEmbeddingClassifier, EntityEmbeddingRegressor)
_PICTURES = (ImageClassifier, ImageRegressor)


class SearchSpace(dict):
    """Distributions by parameter, as `RandomizedSearchCV` takes them.

    Parameters
    ----------
    ranges : mapping of str to Range or Choice
        By name of the parameter.

    Attributes
    ----------
    ranges : dict
        The same.

    Examples
    --------
    >>> from skdl import NeuralRegressor, search_spaces
    >>> space = search_spaces(NeuralRegressor)
    >>> type(space).__name__, sorted(space) == sorted(space.ranges)
    ('SearchSpace', True)
    """

    def __init__(self, ranges: Mapping[str, Range | Choice]) -> None:
        super().__init__({k: r.distribution() for k, r in ranges.items()})
        self.ranges = dict(ranges)

    def suggest(self, trial: Any) -> dict[str, Any]:
        """Return parameters that a trial of optuna suggests.

        Parameters
        ----------
        trial : optuna.Trial
            Anything with its `suggest_float` and `suggest_categorical`.

        Returns
        -------
        dict
            For ``set_params(**...)``. Parameters that were deleted from the space are
            not in it.
        """
        return {name: self.ranges[name].suggest(trial, name) for name in self}

    def table(self) -> pd.DataFrame:
        """Return the ranges and why they are so, one row a parameter."""
        ranges = {name: self.ranges[name] for name in self if name in self.ranges}
        return pd.DataFrame(
            {
                "range": {name: str(found) for name, found in ranges.items()},
                "why": {name: found.why for name, found in ranges.items()},
            }
        )


def search_spaces(estimator: Any) -> SearchSpace:
    """Return where to search for an estimator's parameters.

    Parameters
    ----------
    estimator : estimator, class of estimators or Pipeline
        One of skdl's for tables, pictures or text, or a pipeline that ends in one,
        whose parameters then have the name of the step before them. An instance that
        trains one network on a table (``validation=None``, or with `max_epochs` or a
        `network` given) has other ranges than a pack; what describes the dense network
        is left out where there is a `network` of your own.

    Returns
    -------
    SearchSpace
        A dict of distributions for `RandomizedSearchCV` and `HalvingRandomSearchCV`,
        with a method `suggest` for optuna and a method `table` that gives reasons.
        Entries may be changed and deleted as in any dict for scikit-learn's searches.

    Raises
    ------
    TypeError
        If it is no estimator that there is a space for.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import RandomizedSearchCV
    >>> from skdl import NeuralClassifier, search_spaces
    >>> model = NeuralClassifier(validation=None, max_epochs=2, random_state=0)
    >>> space = search_spaces(model)
    >>> sorted(space)
    ['activation', 'batch_size', 'dropout', 'hidden_layer_sizes', 'lr', 'weight_decay']
    >>> search = RandomizedSearchCV(model, space, n_iter=2, cv=2, random_state=0)
    >>> search.fit(*load_iris(return_X_y=True)).best_params_["activation"] in (
    ...     space["activation"]
    ... )
    True
    """
    if isinstance(estimator, Pipeline):
        name, last = estimator.steps[-1]
        inner = _ranges_for(last)
        return SearchSpace({f"{name}__{k}": found for k, found in inner.items()})
    return SearchSpace(_ranges_for(estimator))


def _ranges_for(estimator: Any) -> dict[str, Range | Choice]:
    cls = estimator if isinstance(estimator, type) else type(estimator)
    if issubclass(cls, TextLM):
        return _TEXT
    if issubclass(cls, (TextClassifier, TextRegressor)):
        return _WORDS
    if issubclass(cls, _PICTURES):
        dropout = {"dropout": _DENSE["dropout"]} if not _has_own(estimator) else {}
        return {**dropout, **_ONE, **_EPOCHS}
    if not issubclass(cls, (*_TABLES, *_WITH_CATEGORIES)):
        raise TypeError(
            "search_spaces takes an estimator of skdl for tables, pictures or text, "
            f"its class, or a pipeline that ends in one; got {cls.__name__}."
        )
    ranges = {} if _has_own(estimator) else dict(_DENSE)
    if issubclass(cls, _WITH_CATEGORIES):
        ranges |= _CATEGORIES
    is_pack = isinstance(estimator, type) or has_folds(estimator)
    return ranges | (_PACK if is_pack else _ONE)


def _has_own(estimator: Any) -> bool:
    """Tell whether there is a network of the user's."""
    return not isinstance(estimator, type) and estimator.network is not None
