"""What goes on from an earlier fit is of the same thing, or is refused by name."""

import copy
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from skdl import (
    EntityEmbeddingClassifier,
    EntityEmbeddingRegressor,
    FineTuning,
    NeuralClassifier,
    NeuralRegressor,
    TextLM,
    lr_find,
)
from skdl.estimators.core.continuing import CHANGES
from tests.names import named

rng = np.random.default_rng(0)
X = rng.normal(size=(80, 4))
Y = X[:, 0] + 0.1 * rng.normal(size=80)
LABELS = (Y > 0).astype(int)
TABLE = pd.DataFrame({"city": rng.choice(["Bonn", "Ulm"], 80), "size": X[:, 0]})
TEXTS = ["the cat sat on the mat", "a dog lay on the rug"] * 10
SMALL = {"hidden_layer_sizes": (4, 4), "max_epochs": 2, "random_state": 0}
SMALL_LM = {
    **{"embedding_dim": 6, "hidden_size": 6, "num_layers": 1, "max_epochs": 1},
    **{"batch_size": 2, "bptt": 5, "random_state": 0},
}
ESTIMATORS = [
    NeuralClassifier,
    NeuralRegressor,
    EntityEmbeddingClassifier,
    EntityEmbeddingRegressor,
    TextLM,
]


def one_layer(n_inputs, n_outputs):
    return nn.Linear(n_inputs, n_outputs)


def fitted(kind, how, **options):
    """Return an estimator after its first call, and a function that goes on."""
    if kind is TextLM:
        model, data = TextLM(**{**SMALL_LM, **options}), (TEXTS,)
    else:
        inputs = TABLE if kind.__name__.startswith("Entity") else X
        target = LABELS if kind.__name__.endswith("Classifier") else Y
        model, data = kind(**{**SMALL, **options}), (inputs, target)
    rest = {"classes": [0, 1]} if kind.__name__.endswith("Classifier") else {}
    if how == "partial_fit":
        model.partial_fit(*data, **rest)
        return model, lambda: model.partial_fit(*data)
    model.set_params(warm_start=how == "warm_start").fit(*data)
    if how == "partial_fit after fit":
        return model, lambda: model.partial_fit(*data)
    return model, lambda: model.fit(*data)


HOWS = ["partial_fit", "warm_start", "partial_fit after fit"]


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_of_every_parameter_it_is_written_whether_it_may_change(kind):
    unsaid = set(kind().get_params(deep=False)) - set(CHANGES)
    assert not unsaid, "add them to CHANGES"


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (NeuralRegressor, {"loss": "absolute_error"}),
        (NeuralRegressor, {"hidden_layer_sizes": (4, 5)}),
        (NeuralRegressor, {"n_estimators": 2}),
        (NeuralRegressor, {"network": one_layer}),
        (NeuralClassifier, {"activation": "relu"}),
        (NeuralClassifier, {"dropout": 0.3}),
        (NeuralClassifier, {"batch_norm": True}),
        (NeuralClassifier, {"scale_inputs": False}),
        (EntityEmbeddingClassifier, {"embedding_dim": 3}),
        (EntityEmbeddingClassifier, {"categorical_features": ["city", "size"]}),
        (EntityEmbeddingRegressor, {"random_effects": ["city"]}),
        (EntityEmbeddingRegressor, {"max_categories": 5}),
        (TextLM, {"hidden_size": 7}),
        (TextLM, {"cell": "qrnn"}),
        (TextLM, {"lowercase": True}),
    ],
    ids=named,
)
def test_a_change_that_cannot_be_followed_is_refused_with_its_name(kind, change, how):
    model, go_on = fitted(kind, how)
    (name, value), *_ = change.items()
    old = model.get_params()[name]
    before = pickle.dumps(model.network_.state_dict())
    model.set_params(**change)
    with pytest.raises(ValueError, match=f"{name} was .* and is .*Set the old value"):
        go_on()
    assert pickle.dumps(model.network_.state_dict()) == before
    assert model.get_params()[name] == value  # what was set stays set
    model.set_params(**{name: old})
    go_on()


def test_all_that_has_changed_is_named():
    model, go_on = fitted(NeuralRegressor, "partial_fit", loss="quantile", quantile=0.1)
    model.set_params(quantile=0.9, n_estimators=3)
    said = r"quantile was 0.1 and is 0.9 now; n_estimators was 1 and is 3 now"
    reverse = r"n_estimators was 1 and is 3 now; quantile was 0.1 and is 0.9 now"
    with pytest.raises(ValueError, match=rf"{said}|{reverse}"):
        go_on()


def test_a_fit_that_begins_anew_takes_every_change():
    model, _ = fitted(NeuralRegressor, "partial_fit", loss="quantile", quantile=0.1)
    low = model.fit(X, Y).predict(X).mean()
    model.set_params(quantile=0.9, hidden_layer_sizes=8).fit(X, Y)
    assert model.predict(X).mean() > low
    model.partial_fit(X, Y)  # goes on from what there is now
    with pytest.raises(ValueError, match="quantile was 0.9 and is 0.1"):
        model.set_params(quantile=0.1).partial_fit(X, Y)


def test_a_fit_that_fails_does_not_change_what_is_gone_on_from():
    model, go_on = fitted(NeuralRegressor, "partial_fit")
    model.set_params(n_estimators=2)
    with pytest.raises(ValueError, match="y to be passed"):
        model.fit(X, None)
    with pytest.raises(ValueError, match="n_estimators was 1"):
        go_on()


@pytest.mark.parametrize("how", HOWS)
def test_another_function_of_the_same_name_is_another_network(how):
    def build(width):
        return lambda n_inputs, n_outputs: nn.Sequential(
            nn.Linear(n_inputs, width), nn.Linear(width, n_outputs)
        )

    model, go_on = fitted(NeuralRegressor, how, network=build(3))
    model.set_params(network=build(3))
    go_on()
    model.set_params(network=build(4))
    with pytest.raises(ValueError, match="network was .*lambda"):
        go_on()


def test_a_network_whose_function_counts_its_calls_stays_the_same():
    calls = []

    def counted(n_inputs, n_outputs):
        calls.append(1)
        return nn.Linear(n_inputs, n_outputs)

    model, go_on = fitted(NeuralRegressor, "partial_fit", network=counted)
    go_on()
    copy.deepcopy(model).partial_fit(X, Y)
    assert calls == [1]


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (NeuralClassifier, {"label_smoothing": 0.4}),
        (NeuralClassifier, {"class_weight": {0: 1, 1: 9}}),
        (NeuralRegressor, {"weight_decay": 9.0, "lr": 0.05}),
        (NeuralRegressor, {"betas": (0.5, 0.5)}),
        (NeuralRegressor, {"batch_size": 10}),
        (NeuralRegressor, {"clip_grad_norm": 1e-4}),
        (NeuralRegressor, {"fine_tuning": FineTuning("all_but_last")}),
        (TextLM, {"temporal_penalty": 50.0}),
    ],
    ids=str,
)
def test_a_change_that_can_be_followed_takes_effect(kind, change):
    same, go_on = fitted(kind, "partial_fit")
    go_on()
    changed, go_on = fitted(kind, "partial_fit")
    changed.set_params(**change)
    go_on()
    pairs = zip(same.network_.parameters(), changed.network_.parameters(), strict=True)
    assert any(not torch.equal(a, b) for a, b in pairs)


@pytest.mark.filterwarnings("ignore:lr='auto' may be off")
def test_a_rate_that_becomes_auto_is_looked_for_once():
    model, go_on = fitted(NeuralRegressor, "partial_fit", lr=1e-6)
    model.set_params(lr="auto")
    go_on()
    found = model.lr_
    assert found > 1e-5
    go_on()
    assert model.lr_ == found


# The optimizer's state.

SAID = "optimizer's state .* is not gone on with"


def test_regrouped_parameters_begin_a_new_state_with_a_word():
    options = {"hidden_layer_sizes": (64, 64, 64), "random_state": 0}
    model = NeuralRegressor(**options).partial_fit(X, Y)
    model.set_params(fine_tuning=FineTuning(layer_lr_decay=0.5), weight_decay=0.0)
    with pytest.warns(UserWarning, match=rf"{SAID}.*grouped otherwise"):
        model.partial_fit(X, Y)
    anew = NeuralRegressor(**options).partial_fit(X, Y)
    anew.set_params(
        fine_tuning=FineTuning(layer_lr_decay=0.5), weight_decay=0.0
    )._optimizer_state = None
    assert np.array_equal(model.predict(X), anew.partial_fit(X, Y).predict(X))
    model.partial_fit(X, Y)  # and from then on without one


@pytest.mark.parametrize("before", ["adamw", "adam", "sgd", torch.optim.RMSprop])
@pytest.mark.parametrize("now", ["adamw", "sgd", torch.optim.Adagrad])
def test_another_optimizer_begins_a_new_state_with_a_word(before, now):
    model, go_on = fitted(NeuralRegressor, "partial_fit", optimizer=before)
    model.set_params(optimizer=now)
    if before == now:
        go_on()
        return
    with pytest.warns(UserWarning, match=rf"{SAID}.*it was .* and is"):
        go_on()
    assert np.isfinite(model.predict(X)).all()


def test_a_text_model_is_asked_the_same():
    model, go_on = fitted(TextLM, "partial_fit")
    model.set_params(fine_tuning=FineTuning(layer_lr_decay=0.5))
    with pytest.warns(UserWarning, match=SAID):
        go_on()
    assert np.isfinite(model.score(TEXTS))


def test_a_range_test_of_a_changed_model_is_refused_as_its_fit_would_be():
    model, _ = fitted(NeuralRegressor, "warm_start")
    with pytest.raises(ValueError, match="n_estimators was 1 and is 2"):
        lr_find(model.set_params(n_estimators=2), X, Y)


def test_what_a_model_was_made_with_is_in_its_pickle():
    model, _ = fitted(NeuralRegressor, "partial_fit", hidden_layer_sizes=[4, 4])
    model = pickle.loads(pickle.dumps(model))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.partial_fit(X, Y)
    with pytest.raises(ValueError, match=r"hidden_layer_sizes was \[4, 4\] and is 3"):
        model.set_params(hidden_layer_sizes=3).partial_fit(X, Y)
