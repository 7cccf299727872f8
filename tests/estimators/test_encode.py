"""`encode`: what the network is given, for tools that look into it."""

import copy

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.exceptions import NotFittedError

from skdl import (
    EntityEmbeddingClassifier,
    EntityEmbeddingRegressor,
    ImageClassifier,
    ImageRegressor,
    NeuralClassifier,
    NeuralRegressor,
)

ROWS = 60


@pytest.fixture
def frame(rng):
    return pd.DataFrame(
        {
            "city": rng.choice(["Rome", "Oslo", "Lima"], ROWS),
            "size": rng.normal(size=ROWS),
            "day": rng.choice(["mon", "tue"], ROWS),
        }
    )


def raw_outputs(model, X):
    network = copy.deepcopy(model.network_).cpu()
    with torch.no_grad():
        return network(*map(torch.from_numpy, model.encode(X)))


def test_numbers_come_scaled_with_an_indicator_of_missing_ones(blobs):
    X, y = blobs
    X = X.copy()
    X[3, 1] = np.nan
    model = NeuralClassifier(max_epochs=2, random_state=0).fit(X, y)
    (encoded,) = model.encode(X)
    assert encoded.dtype == np.float32
    assert encoded.shape == (len(X), 7)
    assert np.flatnonzero(encoded[:, 6]).tolist() == [3]
    assert np.isfinite(encoded).all()
    assert np.abs(np.median(encoded[:, :6], axis=0)).max() < 1e-2
    expected = raw_outputs(model, X).double().softmax(1)
    assert model.predict_proba(X) == pytest.approx(expected.numpy(), abs=1e-6)


def test_raw_outputs_of_a_regressor_are_its_standardised_predictions(line):
    X, y = line
    model = NeuralRegressor(max_epochs=2, random_state=0).fit(X, y)
    expected = raw_outputs(model, X).numpy()[:, 0] * y.std() + y.mean()
    assert model.predict(X) == pytest.approx(expected, rel=1e-4, abs=1e-3)


@pytest.mark.parametrize("effects", [None, [("city", "day")]])
def test_tables_come_as_rows_of_vectors_numbers_and_groups(effects, frame, rng):
    y = rng.integers(0, 2, ROWS)
    model = EntityEmbeddingClassifier(
        max_epochs=2, random_state=0, random_effects=effects
    ).fit(frame, y)
    indices, numbers, *groups = model.encode(frame)
    assert indices.dtype == np.int32
    assert indices.shape == (ROWS, 2)
    assert numbers.dtype == np.float32
    assert numbers.shape == (ROWS, 1)
    assert len(groups) == (effects is not None)
    same = frame["city"] == frame["city"][0]
    assert ((indices[:, 0] == indices[0, 0]) == same).all()
    expected = raw_outputs(model, frame).double().softmax(1)
    assert model.predict_proba(frame) == pytest.approx(expected.numpy(), abs=1e-6)


def test_pictures_come_with_channels_first(rng):
    X = rng.integers(0, 256, size=(20, 8, 8), dtype=np.uint8)
    model = ImageClassifier(max_epochs=1, random_state=0).fit(X, np.arange(20) % 2)
    (encoded,) = model.encode(X)
    assert encoded.shape == (20, 1, 8, 8)
    assert encoded.dtype == np.uint8
    expected = raw_outputs(model, X).double().softmax(1)
    assert model.predict_proba(X) == pytest.approx(expected.numpy(), abs=1e-5)
    floats = X.astype(np.float32)
    model = ImageRegressor(max_epochs=1, random_state=0).fit(floats, np.arange(20.0))
    (encoded,) = model.encode(floats)
    encoded[:] = 0  # nothing of the user's is shared
    assert floats.any()


def test_several_networks_give_their_outputs_beside_each_other(frame, rng):
    model = EntityEmbeddingRegressor(max_epochs=1, n_estimators=3, random_state=0)
    model.fit(frame, rng.normal(size=ROWS))
    assert raw_outputs(model, frame).shape == (ROWS, 3)


def test_it_takes_what_predict_takes_and_says_what_predict_says(blobs):
    X, y = blobs
    with pytest.raises(NotFittedError):
        NeuralClassifier().encode(X)
    model = NeuralClassifier(max_epochs=1, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match="6 features"):
        model.encode(X[:, :4])
    as_tensor = torch.tensor(X, requires_grad=True)
    assert (model.encode(as_tensor)[0] == model.encode(X)[0]).all()
