"""How long the vectors of categories are if nobody says it."""

import numpy as np
import pandas as pd
import pytest

from skdl import EmbeddingTransformer, EntityEmbeddingRegressor


def table(rows_of_each, n_categories=80):
    rng = np.random.default_rng(0)
    category = np.tile(np.arange(n_categories), rows_of_each).astype(str)
    X = pd.DataFrame({"shop": rng.permutation(category)})
    return X, rng.normal(size=len(X))


@pytest.mark.parametrize(("rows_of_each", "entries"), [(10, 10), (40, 12), (80, 19)])
def test_vectors_are_the_longer_the_more_rows_a_category_has(rows_of_each, entries):
    X, y = table(rows_of_each)
    model = EntityEmbeddingRegressor(validation=2, max_epochs=1, random_state=0)
    # 1.6 * 80 ** .56 is 19; no more than 12, or than a fourth of the rows.
    assert model.fit(X, y).columns_.loc["shop", "entries"] == entries


def test_vectors_for_other_models_stay_short():
    X, y = table(80, n_categories=40)
    vectors = EmbeddingTransformer(drop_harmful=False, random_state=0)
    assert vectors.fit_transform(X, y).shape[1] == 12
