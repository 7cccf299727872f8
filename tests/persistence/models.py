"""Small fitted models of every kind, and rows to ask them about."""

import os
import random
import signal
import warnings

import numpy as np
import pandas as pd
import torch
from sklearn.compose import make_column_transformer
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdl import (
    EmbeddingTransformer,
    EntityEmbeddingClassifier,
    EntityEmbeddingRegressor,
    ImageClassifier,
    NeuralClassifier,
    NeuralRegressor,
    PackedSearchCV,
    TextClassifier,
    TextLM,
    TextOutlierDetector,
    TextRegressor,
)

_rng = np.random.RandomState(0)
X = _rng.normal(size=(60, 4))
X[::7, 1] = np.nan
LABELS = np.array(["no", "yes"])[(X[:, 0] > 0).astype(int)]
FRAME = pd.DataFrame(
    {
        "town": _rng.choice(["Ulm", "Köln", "Bonn"], 60),
        "code": pd.Series(_rng.choice([1, 2, 30], 60)).astype("category"),
        "size": X[:, 0],
    }
)
FRAME.loc[3, "town"] = None
PICTURES = _rng.randint(0, 255, (20, 8, 8)).astype(np.uint8)
TEXTS = ["the cat sat", "a dog ran", "the dog sat on the cat"] * 6
ONE_EPOCH = {"max_epochs": 1, "random_state": 0}
SMALL = {**ONE_EPOCH, "hidden_layer_sizes": 8}
PACK = {**SMALL, "validation": 4, "max_epochs": 2}
LM = {**ONE_EPOCH, "embedding_dim": 8, "hidden_size": 8, "batch_size": 2, "bptt": 5}


def _search():
    first = make_column_transformer((StandardScaler(), [0]), remainder="passthrough")
    return GridSearchCV(
        make_pipeline(first, NeuralClassifier(**SMALL)),
        {"neuralclassifier__lr": [1e-3, 1e-2]},
        scoring="accuracy",
        cv=KFold(2, shuffle=True, random_state=0),
    )


# What is fitted, on what, and the rows and method that it is asked by.
MODELS = {
    "dense": (NeuralClassifier(**SMALL), X, LABELS, "predict_proba"),
    "several": (NeuralClassifier(**SMALL, n_estimators=2), X, LABELS, "predict_proba"),
    "regressor": (NeuralRegressor(**SMALL, batch_norm=True), X, X[:, 0], "predict"),
    "pack": (NeuralRegressor(**PACK), X, X[:, 0], "predict"),
    "embedding": (EntityEmbeddingRegressor(**SMALL), FRAME, X[:, 0], "predict"),
    "embedding-pack": (
        EntityEmbeddingClassifier(**PACK),
        FRAME,
        LABELS,
        "predict_proba",
    ),
    "random-effects": (
        EntityEmbeddingRegressor(**SMALL, random_effects=[("town", "code")]),
        FRAME,
        X[:, 0],
        "predict",
    ),
    "transformer": (
        EmbeddingTransformer(EntityEmbeddingRegressor(**SMALL), scale=True),
        FRAME,
        X[:, 0],
        "transform",
    ),
    "pictures": (
        ImageClassifier(**ONE_EPOCH),
        PICTURES,
        np.arange(20) % 2,
        "predict_proba",
    ),
    "words": (TextLM(**LM), TEXTS, None, "transform"),
    "characters": (TextLM(**LM, analyzer="char"), TEXTS, None, "transform"),
    "pattern": (
        TextLM(**LM, token_pattern="[a-z]+", cell="qrnn"),
        TEXTS,
        None,
        "transform",
    ),
    "pieces": (TextLM(**LM, analyzer="bpe", max_vocab=280), TEXTS, None, "transform"),
    "labels": (
        TextClassifier(random_state=0),
        TEXTS,
        np.arange(len(TEXTS)) % 2,
        "predict_proba",
    ),
    "reader": (
        TextRegressor(
            random_state=0,
            language_model=TextLM(**LM),
            fine_tuning="gradual",
            max_epochs=2,
        ),
        TEXTS,
        np.arange(len(TEXTS)) % 3 * 1.5,
        "predict",
    ),
    "outliers": (
        TextOutlierDetector(language_model=TextLM(**LM), contamination=0.2),
        TEXTS,
        None,
        "decision_function",
    ),
    "packed-search": (
        PackedSearchCV(NeuralClassifier(**SMALL), {"lr": [1e-3, 1e-2]}, cv=2),
        X,
        LABELS,
        "predict_proba",
    ),
    "cosines": (
        EntityEmbeddingRegressor(**PACK, numeric_embedding="cosine"),
        FRAME,
        X[:, 0],
        "predict",
    ),
    "search": (_search(), X, LABELS, "predict_proba"),
    "pipeline": (
        make_pipeline(
            EmbeddingTransformer(EntityEmbeddingRegressor(**SMALL)),
            NeuralRegressor(**SMALL),
        ),
        FRAME,
        X[:, 0],
        "predict",
    ),
}


def fitted(kind):
    """Return a fitted model, its rows and its answer."""
    model, rows, target, method = MODELS[kind]
    model.fit(rows, target)
    return model, rows, method


def answer(model, rows, method):
    """Return what a model says of rows."""
    return np.asarray(getattr(model, method)(rows))


def global_state():
    """Return what a call must leave as it was."""
    return {
        "threads": torch.get_num_threads(),
        "torch": torch.get_rng_state().tolist(),
        "numpy": str(np.random.get_state()),
        "python": random.getstate(),
        "dtype": torch.get_default_dtype(),
        "device": torch.empty(0).device,
        "gradients": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "warn only": torch.is_deterministic_algorithms_warn_only_enabled(),
        "cudnn": (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark),
        "matmul": torch.get_float32_matmul_precision(),
        "errors": np.geterr(),
        "filters": list(warnings.filters),
        "handlers": {s: signal.getsignal(s) for s in signal.valid_signals()},
        "options": pd.get_option("mode.string_storage"),
        "directory": os.getcwd(),
        "environment": {
            k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"
        },
    }


def changes(before):
    """Return the names of what is not as it was."""
    after = global_state()
    return [name for name in before if before[name] != after[name]]
