"""The table of layers says what a network is made of, of any fitted estimator."""

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdl import (
    EmbeddingTransformer,
    EntityEmbeddingRegressor,
    ImageClassifier,
    NeuralClassifier,
    TextClassifier,
    TextLM,
    TextOutlierDetector,
    model_summary,
)
from skdl.datasets import make_store_sales


def n_parameters(model):
    return sum(weight.numel() for weight in model.network_.parameters())


def test_layers_have_shapes_and_parameters(blobs):
    X, y = blobs
    model = NeuralClassifier(hidden_layer_sizes=(8, 4), max_epochs=1).fit(X, y)
    table = model_summary(model, X)
    linear = table[table["parameters"] > 0].drop("total")
    assert linear["weights"].tolist() == [
        "weight 8 x 6, bias 8",
        "weight 4 x 8, bias 4",
        "weight 3 x 4, bias 3",
    ]
    assert linear["parameters"].tolist() == [56, 36, 15]
    assert linear["output"].tolist() == ["2 x 8", "2 x 4", "2 x 3"]
    assert table.loc["total", "parameters"] == 107
    assert "output" not in model_summary(model)
    assert not any(m._forward_hooks for m in model.network_.modules())


def test_every_kind_of_network_has_a_table():
    X, y = make_store_sales(200, n_stores=5, random_state=0, return_X_y=True)
    pictures = np.random.default_rng(0).random((40, 8, 8))
    models = [
        (EntityEmbeddingRegressor(max_epochs=1).fit(X, y), X),
        (EntityEmbeddingRegressor(max_epochs=1, validation=2).fit(X, y), X),
        (ImageClassifier(max_epochs=1).fit(pictures, np.arange(40) % 2), pictures),
        (
            TextLM(hidden_size=8, batch_size=2, max_epochs=1).fit(["a b", "b a"] * 99),
            None,
        ),
    ]
    for model, rows in models:
        table = model_summary(model, rows)
        assert table.loc["total", "parameters"] == n_parameters(model)
    vectors = EmbeddingTransformer(FrozenEstimator(models[0][0])).fit(X, y)
    assert model_summary(vectors, X).equals(model_summary(models[0][0], X))
    detector = TextOutlierDetector(language_model=models[-1][0]).fit(
        ["a b", "b a"] * 20
    )
    assert model_summary(detector)["parameters"].iloc[-1] > 0


def test_it_looks_into_pipelines_and_searches(blobs):
    X, y = blobs
    pipeline = make_pipeline(StandardScaler(), NeuralClassifier(max_epochs=1))
    search = GridSearchCV(pipeline, {}, cv=2).fit(X, y)
    model = search.best_estimator_[-1]
    assert model_summary(search, X).loc["total", "parameters"] == n_parameters(model)


def test_what_has_no_network_is_refused():
    with pytest.raises(TypeError, match="LogisticRegression has no network"):
        model_summary(LogisticRegression())
    words = TextClassifier().fit(["a b", "b c"] * 10, [0, 1] * 10)
    with pytest.raises(TypeError, match="linear models and no network"):
        model_summary(words)
    with pytest.raises(TypeError, match="fitted"):
        model_summary(NeuralClassifier())
