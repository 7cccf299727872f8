"""Models that `tables.py` runs when they are asked for by name.

catboost needs catboost, fastai fastai, and realmlp_s, realmlp and tabm pytabkit; all
by their defaults, fastai for five epochs. lightgbm_tuned is the best of 50 random
settings by three folds of training rows. mlp is scikit-learn's with scaled numbers and
one-hot categories.
"""

from typing import Any

import numpy as np
import pandas as pd
from _fastai import FastaiTabular
from _tables import Split
from lightgbm import LGBMClassifier, LGBMRegressor
from scipy.stats import loguniform, randint, uniform
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import RandomizedSearchCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

# What the trees of LightGBM are drawn from.
SETTINGS = {
    "n_estimators": randint(50, 1000),
    "learning_rate": loguniform(0.01, 0.3),
    "num_leaves": randint(7, 128),
    "min_child_samples": randint(2, 60),
    "subsample": uniform(0.5, 0.5),
    "subsample_freq": [1],
    "colsample_bytree": uniform(0.4, 0.6),
    "reg_lambda": loguniform(1e-3, 10),
}
N_SETTINGS, N_FOLDS = 50, 3

Frames = tuple[pd.DataFrame, pd.DataFrame]


class _WithCategories:
    """A model whose `fit` is told the columns of categories."""

    def __init__(self, model: Any, name: str) -> None:
        self.model, self._name = model, name

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> None:
        columns = list(X.select_dtypes(["category", "object"]))
        self.model.fit(X, y, **{self._name: columns})

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)


def _as_text(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with categories as text, missing ones too."""
    changed = {
        name: frame[name].astype(object).where(frame[name].notna(), "missing")
        for name in frame.select_dtypes("category")
    }
    return frame.assign(**changed)


def catboost(split: Split, frames: Frames, seed: int, threads: int) -> tuple:
    from catboost import CatBoostClassifier, CatBoostRegressor

    kind = CatBoostClassifier if split.is_classification else CatBoostRegressor
    model = kind(
        random_state=seed,
        thread_count=threads,
        verbose=False,
        allow_writing_files=False,
    )
    named = _WithCategories(model, "cat_features")
    return named, *(_as_text(frame) for frame in frames)


def _pytabkit(name: str) -> Any:
    def make(split: Split, frames: Frames, seed: int, threads: int) -> tuple:
        import pytabkit

        kind = "Classifier" if split.is_classification else "Regressor"
        model = getattr(pytabkit, f"{name}_{kind}")(
            device="cpu", random_state=seed, n_threads=threads, verbosity=0
        )
        return _WithCategories(model, "cat_col_names"), *frames

    return make


def lightgbm_tuned(split: Split, frames: Frames, seed: int, threads: int) -> tuple:
    kind = LGBMClassifier if split.is_classification else LGBMRegressor
    score = "neg_log_loss" if split.is_classification else "neg_mean_squared_error"
    search = RandomizedSearchCV(
        kind(random_state=seed, n_jobs=threads, verbose=-1),
        SETTINGS,
        n_iter=N_SETTINGS,
        scoring=score,
        cv=N_FOLDS,
        random_state=seed,
    )
    return search, *frames


def mlp(split: Split, frames: Frames, seed: int, threads: int) -> tuple:
    kind = MLPClassifier if split.is_classification else MLPRegressor
    numbers = make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler())
    categories = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = make_column_transformer(
        (numbers, make_column_selector(dtype_include="number")),
        (categories, make_column_selector(dtype_include="category")),
    )
    return make_pipeline(columns, kind(random_state=seed)), *frames


def fastai(split: Split, frames: Frames, seed: int, threads: int) -> tuple:
    return FastaiTabular(split.is_classification, seed), *map(_as_text, frames)


OTHERS = {
    "catboost": catboost,
    "fastai": fastai,
    "realmlp_s": _pytabkit("RealMLP_TD_S"),
    "realmlp": _pytabkit("RealMLP_TD"),
    "tabm": _pytabkit("TabM_D"),
    "lightgbm_tuned": lightgbm_tuned,
    "mlp": mlp,
}
