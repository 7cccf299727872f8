"""fastai's tabular learner with `fit` and `predict`; imported when one is made."""

import tempfile
from typing import Any

import numpy as np
import pandas as pd


class FastaiTabular:
    """Trains with fastai's usual processing, sizes and rules.

    Parameters
    ----------
    is_classifier : bool
        Whether classes are predicted.
    seed : int
        Of the networks' start.
    lr : float, default=1e-3
        Highest rate of the one cycle, as its `fit_one_cycle` has it.
    epochs : int, default=5
        Passes over the rows.
    """

    def __init__(
        self, is_classifier: bool, seed: int, *, lr: float = 1e-3, epochs: int = 5
    ) -> None:
        from fastai.tabular import all as tabular

        self._tabular = tabular
        self._is_classifier, self._seed = is_classifier, seed
        self._lr, self._epochs = lr, epochs

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> "FastaiTabular":
        tabular = self._tabular
        text = [c for c in X if not pd.api.types.is_numeric_dtype(X[c])]
        tabular.set_seed(self._seed)
        block = tabular.RegressionBlock()
        if self._is_classifier:
            self.classes_ = np.unique(y)
            block = tabular.CategoryBlock(vocab=list(self.classes_))
        with tempfile.TemporaryDirectory() as folder:
            loaders = tabular.TabularDataLoaders.from_df(
                X.assign(target=y),
                path=folder,
                procs=[tabular.Categorify, tabular.FillMissing, tabular.Normalize],
                cat_names=text,
                cont_names=[c for c in X if c not in text],
                y_names="target",
                y_block=block,
                valid_idx=[0],
                bs=min(64, len(X) - 1),
            )
            self._learner = tabular.tabular_learner(loaders, path=folder)
            with self._learner.no_bar(), self._learner.no_logging():
                self._learner.fit_one_cycle(self._epochs, self._lr)
        return self

    def _predicted(self, X: pd.DataFrame) -> np.ndarray:
        with self._learner.no_bar(), self._learner.no_logging():
            rows = self._learner.dls.test_dl(X)
            predicted: Any = self._learner.get_preds(dl=rows)[0]
        return predicted.numpy()

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """Predict numbers."""
        return self._predicted(X)[:, 0]

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        """Predict probabilities of `classes_`."""
        return self._predicted(X)
