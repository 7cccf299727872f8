"""The same random_state gives the same bits; nothing global is touched."""

import random
import subprocess
import sys

import numpy as np
import pytest
import torch
from joblib import Parallel, delayed
from sklearn.datasets import make_classification, make_regression

from skdl import NeuralClassifier, NeuralRegressor

PROGRAM = """
from tests.estimators.test_reproducibility import weights_of_a_fit
print(weights_of_a_fit(3).hex())
"""


def weights_of_a_fit(seed):
    """Return the bytes of the weights of a fit with dropout and early stopping."""
    X, y = make_classification(n_samples=2000, n_features=20, random_state=0)
    model = NeuralClassifier(
        max_epochs=3, early_stopping=True, batch_norm=True, random_state=seed
    ).fit(X, y)
    state = model.network_.state_dict()
    return b"".join(t.cpu().numpy().tobytes() for t in state.values())


@pytest.mark.kernels
def test_same_seed_same_bits_twice_and_other_seeds_differ():
    first = weights_of_a_fit(3)
    assert weights_of_a_fit(3) == first
    assert weights_of_a_fit(4) != first


@pytest.mark.kernels
def test_same_bits_in_another_process(pytestconfig):
    output = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=True,
        cwd=pytestconfig.rootpath,
    ).stdout
    assert bytes.fromhex(output.strip()) == weights_of_a_fit(3)


@pytest.mark.kernels
def test_same_bits_in_one_worker_or_two():
    alone = Parallel(n_jobs=1)(delayed(weights_of_a_fit)(seed) for seed in (3, 4))
    together = Parallel(n_jobs=2)(delayed(weights_of_a_fit)(seed) for seed in (3, 4))
    assert alone == together


@pytest.mark.kernels
def test_same_bits_whatever_the_number_of_threads():
    allowed = torch.get_num_threads()
    found = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        try:
            found.append(weights_of_a_fit(3))
        finally:
            torch.set_num_threads(allowed)
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("random_state", [0, None])
def test_global_random_states_are_left_as_they_were(random_state, blobs):
    numpy_before = np.random.get_state()[1].copy()
    torch_before = torch.get_rng_state()
    python_before = random.getstate()
    model = NeuralClassifier(
        hidden_layer_sizes=8,
        max_epochs=2,
        early_stopping=True,
        random_state=random_state,
    ).fit(*blobs)
    model.predict(blobs[0])
    assert (np.random.get_state()[1] == numpy_before).all()
    assert torch.equal(torch.get_rng_state(), torch_before)
    assert random.getstate() == python_before


def test_a_random_state_instance_moves_on_from_fit_to_fit(blobs):
    source = np.random.RandomState(0)
    model = NeuralClassifier(hidden_layer_sizes=8, max_epochs=1, random_state=source)
    first = model.fit(*blobs).predict_proba(blobs[0])
    assert (first != model.fit(*blobs).predict_proba(blobs[0])).any()
    again = NeuralClassifier(
        hidden_layer_sizes=8, max_epochs=1, random_state=np.random.RandomState(0)
    )
    assert (first == again.fit(*blobs).predict_proba(blobs[0])).all()


@pytest.mark.kernels
@pytest.mark.usefixtures("on_cpu")
@pytest.mark.parametrize("sizes", [(256, 128), (100,), (50, 30)])
def test_a_rows_prediction_does_not_depend_on_the_others(sizes):
    X, y = make_regression(n_samples=203, n_features=7, random_state=0)
    model = NeuralRegressor(hidden_layer_sizes=sizes, max_epochs=2, random_state=0).fit(
        X, y
    )
    together = model.predict(X)
    for rows in (1, 2, 7, 50):
        assert (model.predict(X[:rows]) == together[:rows]).all()


def test_predict_changes_nothing(blobs):
    model = NeuralClassifier(hidden_layer_sizes=8, max_epochs=1).fit(*blobs)
    before = dict(vars(model))
    model.predict(blobs[0])
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[key] is value for key, value in before.items())
