"""How each column is treated, to look at."""

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from skdl import EntityEmbeddingRegressor

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "size": np.where(RNG.random(80) < 0.2, np.nan, RNG.normal(size=80)),
        "city": RNG.choice(["a", "b", None], 80),
        "rooms": RNG.integers(1, 5, 80),
        "flat": RNG.integers(0, 2, 80),
    }
)
Y = RNG.normal(size=80)


def test_columns_are_told_in_their_order_with_what_they_have():
    model = EntityEmbeddingRegressor(validation=2, max_epochs=1, random_state=0)
    found = model.fit(FRAME, Y).columns_
    assert list(found.index) == list(FRAME.columns)
    assert found["kind"].tolist() == ["number", "category", "number", "number"]
    assert found["categories"].tolist() == [0, 2, 0, 0]
    assert found["missing"].tolist() == [True, True, False, False]
    assert found.loc["city", "entries"] == model.network_.embedding.dims[0]
    assert found["bins"].tolist()[1:] == [0, 3, 1]
    # Two values are a line, for which there are no cosines.
    assert found["entries"].tolist()[2:] == [16, 8]


def test_of_one_network_numbers_are_as_they_are():
    model = EntityEmbeddingRegressor(max_epochs=1, categorical_features=[2])
    found = model.fit(FRAME[["size", "city", "flat"]].to_numpy(), Y).columns_
    assert found["kind"].tolist() == ["number", "category", "category"]
    assert found.loc[0, ["bins", "entries"]].tolist() == [0, 0]


def test_categories_that_count_as_unknown_are_not_known():
    frame = FRAME[["city"]].assign(pair=[f"p{i // 2}" for i in range(80)])
    rows = pd.concat([frame] * 10, ignore_index=True)
    rows.loc[:199, "pair"] = [f"q{i // 2}" for i in range(200)]
    options = {"max_epochs": 1, "random_state": 0}
    model = EntityEmbeddingRegressor(validation=2, **options).fit(rows, np.tile(Y, 10))
    # Of 800 rows categories of two rows or fewer are rare: 40 of 140 are not.
    assert model.columns_["categories"].tolist() == [2, 40]
    one = EntityEmbeddingRegressor(validation=None, **options).fit(rows, np.tile(Y, 10))
    assert one.columns_["categories"].tolist() == [2, 140]


def test_before_fit_there_are_none():
    with pytest.raises(NotFittedError):
        _ = EntityEmbeddingRegressor().columns_
