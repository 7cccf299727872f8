"""Categories as vectors
=====================

What a network learns of the states, stores and days of store sales.

Sales come from ``rossmann.parquet`` where `skdl.datasets.data_home()` has it, and from
a generated table elsewhere. Draws ``states.png`` and ``stores.png`` into ``output/``
(or ``$SKDL_OUTPUT``).
"""

# %%
import os
from pathlib import Path

import numpy as np
from lightgbm import LGBMRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import mean_absolute_percentage_error
from sklearn.pipeline import make_pipeline

from skdl import EmbeddingDisplay, EmbeddingTransformer, EntityEmbeddingRegressor
from skdl.datasets import load_rossmann, make_store_sales

OUTPUT = Path(os.environ.get("SKDL_OUTPUT", "output"))
OUTPUT.mkdir(exist_ok=True)

try:
    X, sales = load_rossmann(return_X_y=True)
    drawn = np.sort(np.random.RandomState(0).permutation(len(X))[:40_000])
    X, sales = X.iloc[drawn], sales.iloc[drawn]
except FileNotFoundError:
    X, sales = make_store_sales(20_000, n_stores=200, random_state=0, return_X_y=True)
y = np.log(sales)
n_train = len(X) * 9 // 10
train, test = slice(n_train), slice(n_train, None)

# %%
# Every column is a category here, also the numbers of stores and months.
network = EntityEmbeddingRegressor(
    categorical_features=list(X), max_epochs=10, random_state=0
)
network.fit(X[train], y[train])
print("stores like store 1:")
print(network.nearest("Store", 1, k=3))

# %%
# The states by their vectors: size by rows, colour by mean logarithm of the sales.
for column, name in (("State", "states"), ("Store", "stores")):
    display = EmbeddingDisplay.from_estimator(network, column, X=X[train], y=y[train])
    display.figure_.savefig(OUTPUT / f"{name}.png", dpi=100)

# %%
# The vectors help boosted trees as well.
options = {"n_estimators": 200, "verbose": -1, "random_state": 0}
plain = LGBMRegressor(**options)
codes = X.assign(State=X["State"].astype("category"))
plain.fit(codes[train], y[train])
vectors = make_pipeline(
    EmbeddingTransformer(FrozenEstimator(network)), LGBMRegressor(**options)
)
vectors.set_output(transform="pandas").fit(X[train], y[train])
for title, predicted in (
    ("network", network.predict(X[test])),
    ("LightGBM", plain.predict(codes[test])),
    ("LightGBM with vectors", vectors.predict(X[test])),
):
    error = mean_absolute_percentage_error(sales[test], np.exp(predicted))
    print(f"{title:22}{error:.4f}")
