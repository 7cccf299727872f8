"""Wrong input: one clear error or warning, and nothing half-fitted."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn.exceptions import NotFittedError

from skdl import FineTuning, NeuralClassifier, NeuralRegressor


def classifier(**options):
    return NeuralClassifier(
        **{"hidden_layer_sizes": 8, "max_epochs": 2, "random_state": 0, **options}
    )


def regressor(**options):
    return NeuralRegressor(
        **{"hidden_layer_sizes": 8, "max_epochs": 2, "random_state": 0, **options}
    )


def with_value(array, value):
    array = np.array(array, dtype=float)
    array.flat[3] = value
    return array


class NoModule:
    def __init__(self, n_inputs, n_outputs):
        pass


BAD_FITS = {
    "nan in y": (regressor(), lambda X, y: (X, with_value(y, np.nan)), "contains NaN"),
    "infinity in y": (
        regressor(),
        lambda X, y: (X, with_value(y, np.inf)),
        "contains infinity",
    ),
    "infinity in X": (
        classifier(),
        lambda X, y: (with_value(X, np.inf), y),
        "contains infinity",
    ),
    "zero rows": (classifier(), lambda X, y: (X[:0], y[:0]), r"0 sample\(s\)"),
    "zero columns": (classifier(), lambda X, y: (X[:, :0], y), r"0 feature\(s\)"),
    "a column's name": (
        classifier(),
        lambda X, y: (pd.DataFrame(X), "label"),
        r"got the text 'label'.*frame\[name\]",
    ),
    "one class": (classifier(), lambda X, y: (X, y * 0), "only one class: "),
    "continuous labels": (
        classifier(),
        lambda X, y: (X, y + 0.5),
        "Unknown label type",
    ),
    "several multiclass columns": (
        classifier(),
        lambda X, y: (X, np.column_stack([y, y])),
        "MultiOutputClassifier",
    ),
    "different lengths": (classifier(), lambda X, y: (X, y[:-1]), "inconsistent"),
    "text in X": (
        classifier(),
        lambda X, y: (pd.DataFrame({"a": ["x", "y"] * (len(X) // 2)}), y),
        "EntityEmbeddingClassifier",
    ),
    "text in X of a regressor": (
        regressor(),
        lambda X, y: (np.array([["x"]] * len(X)), y),
        "EntityEmbeddingRegressor",
    ),
    "sparse X": (
        classifier(),
        lambda X, y: (sparse.csr_array(X), y),
        r"sparse_output=False",
    ),
    "negative counts": (
        regressor(loss="poisson"),
        lambda X, y: (X, y - 1.0),
        "not negative",
    ),
    "class weights for indicators": (
        classifier(class_weight="balanced"),
        lambda X, y: (X, np.eye(3, dtype=int)[y]),
        "not defined for label indicators",
    ),
    "indicators of -1 and 1": (
        classifier(),
        lambda X, y: (X, 2 * np.eye(3, dtype=int)[y] - 1),
        "tells by 0 and 1 .* but holds -1, 1",
    ),
    "indicators of words": (
        classifier(),
        lambda X, y: (X, np.array(["no", "yes"])[np.eye(3, dtype=int)[y]]),
        "tells by 0 and 1 .* but holds 'no', 'yes'",
    ),
    "batch norm over one row": (
        regressor(batch_norm=True),
        lambda X, y: (X[:1], y[:1]),
        "more than 1 value",
    ),
    "early stopping with one row": (
        regressor(early_stopping=True),
        lambda X, y: (X[:1], y[:1]),
        "hold some out",
    ),
}

BAD_PARAMETERS = {
    "max_epochs": -1,
    "lr": 0.0,
    "loss": "hinge",
    "activation": "rleu",
    "optimizer": "adamax",
    "schedule": "linear",
    "dropout": 1.0,
    "batch_size": 0,
    "validation": 1.0,
    "precision": "float16",
    "hidden_layer_sizes": (8, -1),
    "betas": (0.9, 1.5),
    "weight_averaging": "swa",
    "checkpoint": ("fit.pt", 0),
    "device": "nowhere",
    "fine_tuning": FineTuning(layer_lr_decay=0.0),
    "quantile": 1.5,
}

NAMED = {"fine_tuning": "layer_lr_decay"}


@pytest.mark.parametrize("case", sorted(BAD_FITS))
def test_bad_data_get_one_clear_error(case, blobs):
    model, spoil, message = BAD_FITS[case]
    X, y = spoil(*blobs)
    with pytest.raises((ValueError, TypeError), match=message):
        model.fit(X, y)
    with pytest.raises(NotFittedError):
        model.predict(blobs[0])
    assert not [name for name in vars(model) if name.endswith("_")]


@pytest.mark.parametrize("name", sorted(BAD_PARAMETERS))
def test_bad_parameters_are_named(name, line):
    model = regressor(**{name: BAD_PARAMETERS[name]})
    with pytest.raises(ValueError, match=NAMED.get(name, name)):
        model.fit(*line)


def test_a_device_that_is_not_there_is_named(line):
    with pytest.raises(ValueError, match="use device='auto' or 'cpu'"):
        regressor(device="cuda:77").fit(*line)


def test_weights_that_are_all_zero(line):
    X, y = line
    with pytest.raises(ValueError, match="zero"):
        regressor().fit(X, y, sample_weight=np.zeros(len(y)))


def test_negative_weights(line):
    X, y = line
    with pytest.raises(ValueError, match="[Nn]egative"):
        regressor().fit(X, y, sample_weight=np.full(len(y), -1.0))


def test_held_out_inputs_without_targets(line):
    X, y = line
    with pytest.raises(ValueError, match="X_val was given without y_val"):
        regressor().fit(X, y, X_val=X)
    with pytest.raises(ValueError, match="sample_weight_val was given without"):
        regressor().fit(X, y, sample_weight_val=y)


def test_held_out_labels_that_training_lacks(blobs):
    X, y = blobs
    with pytest.raises(ValueError, match="not in the classes"):
        classifier().fit(X[y < 2], y[y < 2], X_val=X, y_val=y)


@pytest.mark.parametrize(
    ("network", "error", "message"),
    [
        (lambda i, o: torch.nn.Linear(i, o + 1), ValueError, r"\(n_rows, 3\)"),
        (lambda i, o: torch.nn.Flatten(0), ValueError, r"shape \(12,\)"),
        (lambda i, o: torch.nn.LSTM(i, o), ValueError, "returned tuple"),
        (NoModule, TypeError, r"torch\.nn\.Module"),
    ],
)
def test_a_network_that_does_not_fit_the_target(network, error, message, blobs):
    model = classifier(network=network)
    with pytest.raises(error, match=message):
        model.fit(*blobs)
    assert not hasattr(model, "network_")


def test_predict_wants_the_columns_of_fit(blobs):
    X, y = blobs
    model = classifier().fit(X, y)
    with pytest.raises(ValueError, match="6 features"):
        model.predict(X[:, :4])
    frame = pd.DataFrame(X, columns=list("abcdef"))
    model.fit(frame, y)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame.rename(columns={"a": "z"}))


def test_a_loss_that_turns_nan_keeps_the_last_finite_weights(line):
    X, y = line

    def explodes_half_way(progress):
        return 1.0 if progress < 0.5 else 1e30

    model = regressor(max_epochs=10, lr=0.01, schedule=explodes_half_way)
    with pytest.raises(FloatingPointError, match="model of epoch 5 is kept. Lower lr"):
        model.fit(X, y)
    assert model.best_epoch_ == model.n_iter_ == 5
    assert np.isfinite(model.predict(X)).all()


def test_a_failed_fit_leaves_the_fitted_model(blobs):
    X, y = blobs
    model = classifier().fit(X, y)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match="infinity"):
        model.fit(with_value(X[:, :3], np.inf), y)
    with pytest.raises(ValueError, match="n_rows"):
        model.set_params(network=lambda i, o: torch.nn.Linear(i, 1)).fit(X, y)
    assert (model.predict_proba(X) == before).all()
    assert model.n_features_in_ == 6


def test_a_failed_partial_fit_leaves_the_fitted_model(blobs):
    X, y = blobs
    model = classifier().partial_fit(X, y, classes=[0, 1, 2])
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match="not in the classes"):
        model.partial_fit(X, y + 1)
    assert (model.predict_proba(X) == before).all()
