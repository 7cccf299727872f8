"""Whatever splits the rows: an answer for each row, or one clear error.

`SKDL_EXAMPLES` is the number of examples of each test: 25 by default, 2,000 for the
long form.
"""

import warnings

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from skdl import (
    EmbeddingTransformer,
    EntityEmbeddingClassifier,
    EntityEmbeddingRegressor,
)
from tests.any_examples import any_of

ANY = any_of()
N = 12
RNG = np.random.default_rng(0)
TABLE = pd.DataFrame(
    {
        "kind": RNG.choice(["a", "b", "c"], N),
        "rare": ["x", *[None] * (N - 1)],  # all missing but in one row
        "size": RNG.normal(size=N),
    }
)
TARGETS = {
    "numbers": RNG.normal(size=N),
    "classes": np.arange(N) % 2,
    "a class of one row": np.array([1] + [0] * (N - 1)),
}
SHORT = {"max_epochs": 1, "hidden_layer_sizes": 4, "random_state": 0}


class Splits:
    """A splitter that returns what it was given."""

    def __init__(self, folds):
        self.folds = folds

    def get_n_splits(self, X=None, y=None, groups=None):
        return len(self.folds)

    def split(self, X, y=None, groups=None):
        yield from self.folds


def fold(test, train):
    """Return a fold; `train` is None for all other rows."""
    if train is None:
        train = [i for i in range(N) if i not in test]
    return np.array(train, dtype=int), np.array(test, dtype=int)


places = st.integers(0, N - 1) | st.integers(-N, N + 1)
rows = st.lists(places, max_size=N, unique=True)
partition = st.permutations(range(N)).flatmap(
    lambda order: st.integers(2, N).map(
        lambda k: [fold(order[i::k], None) for i in range(k)]
    )
)
any_folds = st.lists(st.builds(fold, rows, st.none() | rows), max_size=4)
FOLDS = partition | any_folds


def estimator(target):
    numbers = target == "numbers"
    return EntityEmbeddingRegressor if numbers else EntityEmbeddingClassifier


def is_partition(folds):
    held_out = sorted(int(i) for _, test in folds for i in test)
    return len(folds) > 1 and held_out == list(range(N))


def answer(call):
    """Return what a call returns; None where it refuses its folds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return call()
        except ValueError as error:
            if not 10 < len(str(error)) < 1000:
                raise
            return None


@ANY
@given(FOLDS, st.sampled_from(sorted(TARGETS)))
def test_any_folds_of_a_pack_give_finite_answers_or_are_refused(folds, target):
    kind = (
        EntityEmbeddingRegressor if target == "numbers" else EntityEmbeddingClassifier
    )
    model = kind(validation=Splits(folds), **SHORT)
    if answer(lambda: model.fit(TABLE, TARGETS[target])) is None:
        assert not is_partition(folds)
        assert not model.__sklearn_is_fitted__()
        return
    method = "predict" if target == "numbers" else "predict_proba"
    assert np.isfinite(getattr(model, method)(TABLE)).all()
    known = np.isfinite(model.oof_prediction_.reshape(N, -1)).all(axis=1)
    held_out = {int(i) % N for _, test in folds for i in test}
    assert set(np.flatnonzero(known)) == held_out


@ANY
@given(FOLDS, st.sampled_from(sorted(TARGETS)), st.booleans())
def test_any_folds_of_a_transformer_fill_each_row_or_are_refused(folds, target, listed):
    model = EmbeddingTransformer(
        (
            EntityEmbeddingRegressor
            if target == "numbers"
            else EntityEmbeddingClassifier
        )(**SHORT),
        cv=folds if listed else Splits(folds),
        drop_harmful=False,
    )
    found = answer(lambda: model.fit_transform(TABLE, TARGETS[target]))
    if found is None:
        return
    assert is_partition(folds)
    assert len(found) == N
    assert np.isfinite(np.asarray(found, dtype=float)).all()
