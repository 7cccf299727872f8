"""What a caller has set in torch neither breaks nor changes a fit or a prediction."""

import contextlib

import numpy as np
import pandas as pd
import pytest
import torch

from skdl import (
    EmbeddingTransformer,
    EntityEmbeddingRegressor,
    ImageClassifier,
    NeuralClassifier,
    TextLM,
    lr_find,
)

rng = np.random.default_rng(0)
X = rng.normal(size=(80, 4))
Y = (X[:, 0] > 0).astype(int)
PICTURES = rng.integers(0, 255, size=(40, 8, 8), dtype=np.uint8)
TABLE = pd.DataFrame({"city": rng.choice(["Bonn", "Ulm"], 80), "size": X[:, 0]})
TEXTS = ["the cat sat on the mat", "a dog lay on the rug"] * 10
SMALL = {"max_epochs": 2, "random_state": 0}


@contextlib.contextmanager
def default_dtype(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


SURROUNDINGS = {
    "float64": lambda: default_dtype(torch.float64),
    "bfloat16": lambda: default_dtype(torch.bfloat16),
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "meta": lambda: torch.device("meta"),
}


def dense():
    model = NeuralClassifier(hidden_layer_sizes=8, dropout=0.2, **SMALL).fit(X, Y)
    return [model.predict_proba(X), model.partial_fit(X, Y).predict_proba(X)]


def half():
    model = NeuralClassifier(hidden_layer_sizes=8, precision="bfloat16", **SMALL)
    return [model.fit(X, Y).history_["loss"], model.predict_proba(X)]


def auto():
    model = NeuralClassifier(
        hidden_layer_sizes=8, n_estimators=2, weight_averaging="ema", **SMALL
    )
    result = lr_find(model, X, Y, num_iter=20)
    return [result.losses, model.fit(X, Y, X_val=X, y_val=Y).predict_proba(X)]


def table():
    model = EntityEmbeddingRegressor(hidden_layer_sizes=8, **SMALL).fit(TABLE, X[:, 1])
    vectors = EmbeddingTransformer(EntityEmbeddingRegressor(**SMALL), cv=2)
    return [model.predict(TABLE), vectors.fit_transform(TABLE, X[:, 1])]


def pictures():
    model = ImageClassifier(test_time_augmentation=True, **SMALL)
    model.fit(PICTURES, Y[:40])
    return [model.predict_proba(PICTURES), model.activation_maps(PICTURES[:3])]


def text(**options):
    sizes = {"embedding_dim": 6, "hidden_size": 6, "batch_size": 2, "bptt": 5}
    model = TextLM(**sizes, **options, **SMALL).fit(TEXTS)
    return [
        model.score_samples(TEXTS[:3]),
        model.transform(TEXTS[:3]),
        model.predict_next(["the cat"], k=3)[1],
        model.generate(["the"], max_new_tokens=5, random_state=0),
    ]


def qrnn():
    return text(cell="qrnn")


@pytest.mark.filterwarnings("ignore:The suggestion of lr_find")
@pytest.mark.parametrize("name", SURROUNDINGS)
@pytest.mark.parametrize("run", [dense, half, auto, table, pictures, text, qrnn])
def test_results_are_those_of_a_plain_call(run, name, request):
    if run in (pictures, text, qrnn):  # have the same bits each time on CPUs only
        request.getfixturevalue("on_cpu")
    expected = run()
    with SURROUNDINGS[name]():
        before = (torch.get_default_dtype(), torch.is_grad_enabled())
        found = run()
        assert (torch.get_default_dtype(), torch.is_grad_enabled()) == before
        assert torch.empty(0).device.type == ("meta" if name == "meta" else "cpu")
    for one, other in zip(found, expected, strict=True):
        if isinstance(other, list):
            assert one == other
        else:
            assert np.array_equal(one, other)


@pytest.mark.parametrize("name", SURROUNDINGS)
def test_a_model_of_such_surroundings_goes_on_without_them(name):
    plain = NeuralClassifier(hidden_layer_sizes=8, **SMALL).fit(X, Y)
    with SURROUNDINGS[name]():
        model = NeuralClassifier(hidden_layer_sizes=8, **SMALL).fit(X, Y)
    model.partial_fit(X, Y)
    expected = plain.partial_fit(X, Y).predict_proba(X)
    assert np.array_equal(model.predict_proba(X), expected)


@pytest.mark.parametrize("name", SURROUNDINGS)
def test_settings_come_back_after_an_error(name):
    with SURROUNDINGS[name]():
        before = torch.get_default_dtype()
        with pytest.raises(ValueError, match="y to be passed"):
            NeuralClassifier().fit(X, None)
        assert torch.get_default_dtype() == before
