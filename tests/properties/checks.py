"""What holds whatever comes in: a documented exception, or numbers that are ones."""

import functools
import os
import warnings

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, settings

from skdl import (
    EmbeddingTransformer,
    EntityEmbeddingClassifier,
    EntityEmbeddingRegressor,
    NeuralClassifier,
    NeuralRegressor,
    TextClassifier,
    TextLM,
)

# In CI few; ``SKDL_EXAMPLES=5000 python -m pytest tests/properties`` for many.
EXAMPLES = int(os.environ.get("SKDL_EXAMPLES", "25"))
DOCUMENTED = (ValueError, TypeError)

short = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=EXAMPLES < 1000,
    suppress_health_check=list(HealthCheck),
)

_rng = np.random.RandomState(0)
NUMBERS = _rng.normal(size=(80, 3))
TABLE = pd.DataFrame(
    {
        "number": NUMBERS[:, 0],
        "kind": _rng.choice(["a", "b", "c"], 80),
        "more": _rng.choice([1.0, 2.5, np.nan], 80),
    }
)
LABELS = (NUMBERS[:, 0] > 0).astype(int)
ONE = {"hidden_layer_sizes": 8, "max_epochs": 1, "random_state": 0, "verbose": 0}
PACK = {**ONE, "validation": 2, "max_epochs": 2}
TEXTS = ["the cat sat on the mat", "a dog ran"] * 5
LM = {"embedding_dim": 6, "hidden_size": 6, "batch_size": 2, "bptt": 4}


@functools.cache
def fitted():
    """Return models and the kind of rows that they take."""
    transformer = EmbeddingTransformer(EntityEmbeddingRegressor(**ONE))
    return {
        "numbers": NeuralClassifier(**ONE).fit(NUMBERS, LABELS),
        "numbers, pack": NeuralRegressor(**PACK).fit(NUMBERS, NUMBERS[:, 0]),
        "table": EntityEmbeddingClassifier(**ONE).fit(TABLE, LABELS),
        "table, pack": EntityEmbeddingClassifier(**PACK).fit(TABLE, LABELS),
        "table, regression": EntityEmbeddingRegressor(**ONE).fit(TABLE, NUMBERS[:, 0]),
        "transformer": transformer.fit(TABLE, NUMBERS[:, 0]),
    }


@functools.cache
def language_model():
    """Return a model that has read a little."""
    return TextLM(max_epochs=1, random_state=0, **LM).fit(TEXTS)


@functools.cache
def text_classifier():
    """Return what tells apart the few texts there are, by words and by reading."""
    model = TextClassifier(language_model=language_model(), random_state=0)
    return model.fit(TEXTS, ["cat", "dog"] * 5)


def _check_message(error):
    """An error says something."""
    assert len(str(error)) > 10


def answers_or_refuses(model, X):
    """Ask a model; return whether it answered, and check what it said."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            if hasattr(model, "predict_proba"):
                found = model.predict_proba(X)
            elif hasattr(model, "predict"):
                found = model.predict(X)
            else:
                found = model.transform(X)
        except DOCUMENTED as error:
            _check_message(error)
            return False
    found = np.asarray(found)
    assert len(found) == len(X)
    if hasattr(model, "predict_proba"):
        assert np.allclose(found.sum(axis=1), 1)
    if hasattr(model, "predict"):  # vectors stand beside columns as they came
        assert np.isfinite(found).all()
    return True


def fits_or_stays(model, X, y):
    """Fit a model; what fails leaves it as it was, what does not fail predicts."""
    before = dict(vars(model))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            model.fit(X, y)
        except DOCUMENTED as error:
            _check_message(error)
            assert vars(model) == before
            return False
    return answers_or_refuses(model, X)


def reads_or_refuses(model, texts):
    """Let a language model read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = model.score_samples(texts), model.transform(texts)
        except DOCUMENTED as error:
            _check_message(error)
            return False
    assert all(np.isfinite(part).all() for part in found)
    return True
