"""The estimators inside scikit-learn's meta-estimators, with the scores they reach."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    HalvingRandomSearchCV,
    TunedThresholdClassifierCV,
    cross_validate,
    learning_curve,
)
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skdl import NeuralClassifier, NeuralRegressor


def classifier(**options):
    return NeuralClassifier(
        **{"hidden_layer_sizes": 32, "max_epochs": 15, "random_state": 0, **options}
    )


def regressor(**options):
    return NeuralRegressor(
        **{"hidden_layer_sizes": 32, "max_epochs": 40, "random_state": 0, **options}
    )


def test_pipeline_with_column_transformer():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"city": rng.choice(list("abc"), 300), "size": rng.normal(size=300)}
    )
    y = frame["city"].map({"a": 0.0, "b": 2.0, "c": -1.0}) + frame["size"]
    frame.loc[::17, "size"] = np.nan
    columns = make_column_transformer(
        (OneHotEncoder(), ["city"]), remainder="passthrough", sparse_threshold=0
    )
    model = make_pipeline(columns, regressor()).fit(frame, y)
    assert model.score(frame, y) > 0.9


def test_grid_search_in_two_processes(blobs):
    search = GridSearchCV(
        classifier(), {"lr": [1e-6, 1e-2]}, cv=3, n_jobs=2, error_score="raise"
    ).fit(*blobs)
    assert search.best_params_ == {"lr": 1e-2}
    assert search.best_score_ > 0.9


def test_halving_search_with_epochs_as_the_resource(blobs):
    search = HalvingRandomSearchCV(
        classifier(),
        {"lr": [1e-7, 1e-2, 2e-2], "dropout": [0.0, 0.1]},
        resource="max_epochs",
        min_resources=3,
        max_resources=12,
        factor=2,
        cv=3,
        random_state=0,
        error_score="raise",
    ).fit(*blobs)
    assert search.best_params_["max_epochs"] == 12
    assert search.best_score_ > 0.85


def test_cross_validate_with_several_scores(blobs):
    scores = cross_validate(
        classifier(), *blobs, cv=3, scoring=["accuracy", "neg_log_loss"]
    )
    assert scores["test_accuracy"].mean() > 0.9
    assert scores["test_neg_log_loss"].mean() > -0.4


@pytest.mark.parametrize(
    "ensemble",
    [
        BaggingClassifier(classifier(), n_estimators=3, random_state=0),
        AdaBoostClassifier(classifier(), n_estimators=3, random_state=0),
        StackingClassifier([("net", classifier())], LogisticRegression(), cv=3),
        VotingClassifier(
            [("net", classifier()), ("linear", LogisticRegression())], voting="soft"
        ),
        CalibratedClassifierCV(classifier(), cv=3),
    ],
    ids=lambda ensemble: type(ensemble).__name__,
)
def test_ensembles_of_classifiers(ensemble, blobs):
    assert ensemble.fit(*blobs).score(*blobs) > 0.9


@pytest.mark.parametrize(
    "ensemble",
    [
        BaggingRegressor(regressor(), n_estimators=3, random_state=0),
        AdaBoostRegressor(regressor(), n_estimators=3, random_state=0),
        StackingRegressor([("net", regressor())], LinearRegression(), cv=3),
        VotingRegressor([("net", regressor()), ("linear", LinearRegression())]),
        MultiOutputRegressor(regressor()),
        TransformedTargetRegressor(regressor(), transformer=StandardScaler()),
    ],
    ids=lambda ensemble: type(ensemble).__name__,
)
def test_ensembles_of_regressors(ensemble, line):
    X, y = line
    y = y[:, None] if isinstance(ensemble, MultiOutputRegressor) else y
    assert ensemble.fit(X, y).score(X, y) > 0.9


def test_tuned_threshold(blobs):
    X, y = blobs
    rare = (y == 0).astype(int)
    tuned = TunedThresholdClassifierCV(
        classifier(), scoring="balanced_accuracy", cv=3
    ).fit(X, rare)
    assert tuned.score(X, rare) > 0.9
    assert 0 < tuned.best_threshold_ < 1


def test_multi_output_classifier(blobs):
    X, y = blobs
    both = np.column_stack([y, (X[:, 0] > 0).astype(int)])
    model = MultiOutputClassifier(classifier()).fit(X, both)
    assert model.score(X, both) > 0.85


def test_permutation_importance_finds_the_column_that_matters(rng):
    X = rng.normal(size=(300, 3))
    model = regressor().fit(X, X[:, 1] * 3)
    importance = permutation_importance(model, X, X[:, 1] * 3, random_state=0)
    assert importance.importances_mean.argmax() == 1


def test_learning_curve_rises(blobs):
    _, _, scores = learning_curve(
        classifier(), *blobs, train_sizes=[12, 150], cv=3, shuffle=True, random_state=0
    )
    assert scores[1].mean() > scores[0].mean()
    assert scores[1].mean() > 0.85


def test_clone_copies_parameters_and_nothing_fitted(blobs):
    model = classifier(dropout=0.3).fit(*blobs)
    copied = clone(model)
    assert copied.get_params() == model.get_params()
    assert not hasattr(copied, "network_")


def test_sample_weight_is_routed_through_a_pipeline_in_a_search(blobs):
    X, y = blobs
    weight = np.where(y == 0, 1e-3, 1.0)
    with sklearn.config_context(enable_metadata_routing=True):
        step = classifier().set_fit_request(sample_weight=True)
        step.set_score_request(sample_weight=True)
        search = GridSearchCV(
            make_pipeline(StandardScaler().set_fit_request(sample_weight=False), step),
            {"neuralclassifier__dropout": [0.0]},
            cv=2,
            error_score="raise",
        ).fit(X, y, sample_weight=weight)
    ignored = search.predict(X) == 0
    assert ignored.mean() < 0.5 * (y == 0).mean()


def test_validation_data_are_routed_and_transformed_by_earlier_steps(blobs):
    X, y = blobs
    X = X * 1e6 + 1e9  # useless unless scaled the same way
    with sklearn.config_context(enable_metadata_routing=True):
        step = classifier(scale_inputs=False)
        step.set_fit_request(X_val=True, y_val=True)
        pipeline = make_pipeline(StandardScaler(), step, transform_input=["X_val"])
        pipeline.fit(X[:180], y[:180], X_val=X[180:], y_val=y[180:])
    history = pipeline[-1].history_
    assert history["validation_score"].iloc[-1] == pytest.approx(
        pipeline.score(X[180:], y[180:])
    )
    assert history["validation_score"].iloc[-1] > 0.85
