"""Networks that users bring: what they may be, their options, what goes wrong."""

import copy
import functools
import pickle

import numpy as np
import pytest
import torch
from joblib import parallel_config
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from skdl import (
    EntityEmbeddingClassifier,
    ImageClassifier,
    NeuralClassifier,
    NeuralRegressor,
)


class Net(nn.Module):
    def __init__(self, n_inputs, n_outputs, width=8, depth=1):
        super().__init__()
        layers = []
        for _ in range(depth):
            layers += [nn.Linear(n_inputs, width), nn.Tanh()]
            n_inputs = width
        self.layers = nn.Sequential(*layers, nn.Linear(n_inputs, n_outputs))

    def forward(self, x):
        return self.layers(x)


def width_of(model):
    return model.network_.layers[0].out_features


def classifier(network, **options):
    return NeuralClassifier(
        network=network, **{"max_epochs": 3, "random_state": 0, **options}
    )


# What may be given.


@pytest.mark.parametrize(
    "network",
    [Net, functools.partial(Net, width=4), lambda i, o: nn.Linear(i, o), Net(6, 3)],
    ids=["class", "partial", "function", "module"],
)
def test_a_class_a_callable_and_a_module_are_trained(network, blobs):
    model = classifier(network, max_epochs=40).fit(*blobs)
    assert model.score(*blobs) > 0.85


def test_a_module_of_the_users_is_not_changed(blobs):
    module = Net(6, 3)
    module.eval()
    before = copy.deepcopy(module.state_dict())
    model = classifier(module).fit(*blobs)
    assert model.network is module
    assert not module.training
    assert all((before[k] == v).all() for k, v in module.state_dict().items())
    learned = model.network_.layers[0].weight.cpu()
    assert not (learned == module.layers[0].weight).all()


def test_a_fit_does_not_go_on_from_the_weights_of_another(blobs):
    module = Net(6, 3)
    for network in (module, lambda i, o: module):
        once = classifier(network).fit(*blobs).predict_proba(blobs[0])
        again = classifier(network).fit(*blobs).predict_proba(blobs[0])
        assert (once == again).all()


def test_folds_of_noise_stay_noise_when_one_module_is_returned():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(200, 5)), rng.integers(0, 2, 200)
    module = Net(5, 2, width=256)
    model = classifier(lambda i, o: module, max_epochs=60)
    assert cross_val_score(model, X, y, cv=5).mean() < 0.65


def test_pictures_and_tables_take_modules_and_options_too(blobs):
    X, y = blobs
    body = nn.Sequential(nn.Flatten(), nn.Linear(6, 3))
    model = ImageClassifier(image_shape=(2, 3), network=body, max_epochs=1)
    assert model.fit(np.abs(X), y).predict(np.abs(X)).shape == y.shape
    model = EntityEmbeddingClassifier(network=Net, max_epochs=1)
    model.set_params(network__width=5).fit(X, y)
    assert model.network_.head.layers[0].out_features == 5


# Options.


def test_options_of_a_network_are_nested_parameters(blobs):
    model = classifier(Net)
    assert model.set_params(network__width=16) is model
    assert model.get_params()["network__width"] == 16
    assert "network__width" not in model.get_params(deep=False)
    assert width_of(model.fit(*blobs)) == 16
    model.set_params(network__depth=2)
    assert model.get_params()["network__width"] == 16
    again = pickle.loads(pickle.dumps(clone(model).fit(*blobs)))
    assert (width_of(again), again.get_params()["network__depth"]) == (16, 2)


def test_options_of_a_network_are_searched_in_parallel_too(blobs):
    model = make_pipeline(StandardScaler(), classifier(Net, max_epochs=20))
    grid = {"neuralclassifier__network__width": [1, 16]}
    with parallel_config("loky", n_jobs=2):
        search = GridSearchCV(model, grid, cv=2).fit(*blobs)
    assert search.best_params_ == {"neuralclassifier__network__width": 16}
    assert width_of(search.best_estimator_[-1]) == 16


def test_a_network_and_its_options_are_set_at_once(blobs):
    model = NeuralClassifier(max_epochs=1)
    model.set_params(network__width=3, network=Net)
    assert width_of(model.fit(*blobs)) == 3


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Net, r"no options \['widht'\]; Net takes \['width', 'depth'\]"),
        (functools.partial(Net, width=3), r"no options \['widht'\]"),
        (None, "network is None"),
        (Net(6, 3), "network is a Net"),
    ],
)
def test_options_that_a_network_does_not_have_are_named(network, message):
    with pytest.raises(ValueError, match=message):
        classifier(network).set_params(network__widht=3)


# What goes wrong.


@pytest.mark.parametrize(
    ("network", "error", "message"),
    [
        (lambda i, o: "net", TypeError, "returned str"),
        (lambda i: nn.Linear(i, 3), TypeError, "two sizes"),
        (nn.Linear(5, 3), ValueError, r"fails on inputs of shape \(2, 6\) float32"),
        (nn.Linear(6, 2), ValueError, r"shape \(n_rows, 3\).*shape \(2, 2\)"),
        (nn.LSTM(6, 3), ValueError, "it returned tuple"),
        ("resnet", ValueError, "'resnet' is not a network"),
    ],
)
def test_networks_that_do_not_fit_get_one_clear_error(network, error, message, blobs):
    model = classifier(network)
    with pytest.raises(error, match=message):
        model.fit(*blobs)
    assert not hasattr(model, "network_")


def test_probabilities_in_place_of_logits_are_warned_of(blobs):
    def with_softmax(n_inputs, n_outputs):
        return nn.Sequential(nn.Linear(n_inputs, n_outputs), nn.Softmax(1))

    for n in (1, 2):
        with pytest.warns(UserWarning, match="returns what looks like probabilities"):
            classifier(with_softmax, n_estimators=n).fit(*blobs)


def test_sigmoids_in_place_of_logits_are_warned_of(blobs):
    X, y = blobs
    network = nn.Sequential(nn.Linear(6, 3), nn.Sigmoid())
    for target in (y, np.eye(3, dtype=int)[y]):
        with pytest.warns(UserWarning, match="returns what looks like probabilities"):
            classifier(network).fit(X, target)


def test_logits_that_begin_at_zero_are_not_warned_of(blobs):
    network = nn.Linear(6, 3)
    nn.init.zeros_(network.weight)
    nn.init.zeros_(network.bias)
    assert classifier(network).fit(*blobs).n_iter_ == 3


def test_numbers_that_sum_to_one_are_no_probabilities_in_a_regression(line):
    X, y = line
    network = nn.Sequential(nn.Linear(4, 2), nn.Softmax(1))
    model = NeuralRegressor(network=network, max_epochs=1)
    assert model.fit(X, np.c_[y, y]).predict(X).shape == (240, 2)


@pytest.mark.parametrize("kind", [NeuralClassifier, EntityEmbeddingClassifier])
def test_where_pictures_went_is_told(kind, blobs):
    with pytest.raises(ValueError, match="are ImageClassifier's"):
        kind(network="conv").fit(*blobs)
    with pytest.raises(TypeError, match="image_shape.* ImageClassifier"):
        kind(image_shape=(2, 3))


def test_members_begin_from_other_weights_and_one_module_begins_all(blobs):
    model = classifier(Net, n_estimators=2).fit(*blobs)
    a, b = model.network_.members
    assert not torch.equal(a.layers[0].weight, b.layers[0].weight)
    with pytest.warns(UserWarning, match="All 2 networks begin with the same weights"):
        classifier(Net(6, 3), n_estimators=2).fit(*blobs)
