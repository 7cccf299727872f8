"""Pickles: same predictions elsewhere, and no device inside."""

import copy
import io
import pickle

import cloudpickle
import joblib
import numpy as np
import pytest
import torch

from skdl import NeuralClassifier


@pytest.fixture(scope="module")
def model(blobs):
    return NeuralClassifier(hidden_layer_sizes=16, max_epochs=3, random_state=0).fit(
        *blobs
    )


def through_joblib(model, path):
    joblib.dump(model, path / "model.joblib")
    return joblib.load(path / "model.joblib", mmap_mode="r")


@pytest.mark.kernels
@pytest.mark.parametrize(
    "copied",
    [
        lambda model, _: pickle.loads(pickle.dumps(model)),
        lambda model, _: cloudpickle.loads(cloudpickle.dumps(model)),
        lambda model, _: copy.deepcopy(model),
        through_joblib,
    ],
    ids=["pickle", "cloudpickle", "deepcopy", "joblib-mmap"],
)
def test_copies_predict_the_same(copied, model, blobs, tmp_path):
    other = copied(model, tmp_path)
    assert (other.predict_proba(blobs[0]) == model.predict_proba(blobs[0])).all()
    assert other.history_.equals(model.history_)
    assert other.partial_fit(*blobs).score(*blobs) > 0.5


def test_a_lambda_network_goes_through_cloudpickle(blobs):
    model = NeuralClassifier(network=lambda i, o: torch.nn.Linear(i, o), max_epochs=2)
    model.fit(*blobs)
    other = cloudpickle.loads(cloudpickle.dumps(model))
    assert (other.predict(blobs[0]) == model.predict(blobs[0])).all()


def test_a_model_of_a_gpu_is_pickled_on_the_cpu(model):
    elsewhere = copy.deepcopy(model)
    elsewhere.device_ = "cuda"
    elsewhere.network_.to("cpu")
    loaded = pickle.loads(pickle.dumps(elsewhere))
    assert loaded.device_ == "cpu"
    assert all(p.device.type == "cpu" for p in loaded.network_.parameters())
    assert loaded.network_ is not elsewhere.network_
    assert b"cuda" not in pickle.dumps(elsewhere)


def test_a_model_that_asks_for_a_gpu_loads_where_there_is_none(
    model, blobs, monkeypatch
):
    wanting = copy.deepcopy(model).set_params(device="cuda")
    data = pickle.dumps(wanting)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    loaded = pickle.loads(data)
    assert loaded.device_ == "cpu"
    assert loaded.get_params()["device"] == "cuda"
    chances = model.predict_proba(blobs[0])  # made by a GPU, if there is one
    np.testing.assert_allclose(loaded.predict_proba(blobs[0]), chances, atol=1e-5)


def test_a_pickle_is_not_much_larger_than_the_weights(model):
    weights = sum(4 * p.numel() for p in model.network_.parameters())
    buffer = io.BytesIO()
    pickle.dump(model, buffer)
    assert buffer.tell() < weights + 20_000
