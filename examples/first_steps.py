"""First steps
===========

First steps: digits and store sales, beside scikit-learn's MLP and LightGBM.

Trains with default settings, prints held-out scores and seconds, and draws the training
curves to ``output/training_curves.png``. Sales come from ``rossmann.parquet`` where
`skdl.datasets.data_home()` has it, and from a generated table elsewhere.
"""

# %%
import os
import time
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score, mean_absolute_percentage_error
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from skdl import EntityEmbeddingRegressor, NeuralClassifier, TrainingDisplay
from skdl.datasets import load_rossmann, make_store_sales

OUTPUT = Path(os.environ.get("SKDL_OUTPUT", "output"))


def compare(title, models, train, test, metric, name):
    """Fit every model on `train` and print its score on `test`."""
    print(f"\n{title}: {len(train[1]):,} rows to train on, {len(test[1]):,} held out")
    print(f"{'':16}{name:>10}{'seconds':>10}")
    for label, model in models.items():
        started = time.perf_counter()
        with warnings.catch_warnings():
            # The MLP warns that it stopped before it converged.
            warnings.simplefilter("ignore")
            model.fit(*train)
            seconds = time.perf_counter() - started
            score = metric(test[1], model.predict(test[0]))
        print(f"{label:16}{score:10.4f}{seconds:10.1f}", flush=True)


# %%
# Digits: images as rows of 64 numbers. Nothing to scale, nothing to tune.
X, y = load_digits(return_X_y=True)
X, X_test, y, y_test = train_test_split(X, y, random_state=0, stratify=y)
compare(
    "Digits",
    {
        "skdl": NeuralClassifier(random_state=0),
        "sklearn MLP": MLPClassifier(early_stopping=True, random_state=0),
        "LightGBM": LGBMClassifier(verbose=-1, random_state=0),
    },
    (X, y),
    (X_test, y_test),
    accuracy_score,
    "accuracy",
)

# %%
# Store sales: skdl takes the table as it is and learns a vector for every category;
# the others get it one-hot encoded. The newest tenth is held out, and the error is the
# mean of ``|predicted - sales| / sales``.
try:
    table, sales = load_rossmann(return_X_y=True)
    kept = table["Store"] <= 20
    table, sales = table[kept], sales[kept]
    title = "Rossmann stores"
except FileNotFoundError:
    table, sales = make_store_sales(
        15_000, n_stores=20, random_state=0, return_X_y=True
    )
    title = "Generated stores"
n_train = len(table) * 9 // 10
categories = ["Store", "DayOfWeek", "Year", "Month", "Day", "State"]


def of_logarithm(regressor):
    """Return a model that learns the logarithm of the sales."""
    return TransformedTargetRegressor(regressor, func=np.log, inverse_func=np.exp)


def one_hot(regressor):
    """Return a pipeline that one-hot encodes the categories."""
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = make_column_transformer((encoder, categories), remainder="passthrough")
    return of_logarithm(make_pipeline(columns, regressor))


stores = of_logarithm(
    EntityEmbeddingRegressor(
        categorical_features=categories,
        loss="absolute_error",
        early_stopping=True,
        random_state=0,
    )
)
compare(
    title,
    {
        "skdl": stores,
        "sklearn MLP": one_hot(MLPRegressor(early_stopping=True, random_state=0)),
        "LightGBM": one_hot(LGBMRegressor(verbose=-1, random_state=0)),
    },
    (table[:n_train], sales[:n_train]),
    (table[n_train:], sales[n_train:]),
    mean_absolute_percentage_error,
    "MAPE",
)

# %%
# The training curves: the loss of the rows that are learned from, loss and score of
# rows that are not, and the learning rate.
X, X_val, y, y_val = train_test_split(X, y, random_state=0, stratify=y)
digits = NeuralClassifier(random_state=0).fit(X, y, X_val=X_val, y_val=y_val)

figure, axes = plt.subplots(
    2, 2, figsize=(14, 5.5), sharex="col", height_ratios=(3, 1), layout="constrained"
)
TrainingDisplay.from_estimator(digits, axes=axes[:, 0])
TrainingDisplay.from_estimator(stores.regressor_, axes=axes[:, 1])
axes[0, 0].set_title("Digits")
axes[0, 1].set_title(title)
OUTPUT.mkdir(exist_ok=True)
figure.savefig(OUTPUT / "training_curves.png", dpi=100)
print(f"\nTraining curves: {OUTPUT / 'training_curves.png'}")
