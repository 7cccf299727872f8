"""What a search finds whose candidates are trained as one: what one by one would."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skdl
from skdl import (
    EntityEmbeddingRegressor,
    NeuralClassifier,
    NeuralRegressor,
    PackedSearchCV,
)
from skdl.estimators.tables.prepared import prepare, share_equal_rows
from skdl.estimators.tables.side_by_side import packs_of, train_side_by_side

RNG = np.random.RandomState(0)
X = RNG.randn(101, 4)
Y = (X[:, 0] + X[:, 1] ** 2 > 1).astype(int)
WEIGHT = RNG.randint(0, 3, 101).astype(float)
FRAME = pd.DataFrame(
    {
        "shop": RNG.choice(list("abcdefgh"), 101),
        "day": pd.Categorical(RNG.randint(0, 40, 101)),
        "price": X[:, 0],
    }
)
SALES = X[:, 1] + FRAME["shop"].map(ord).to_numpy() % 3
MODEL = NeuralClassifier(
    hidden_layer_sizes=(8, 6), max_epochs=2, batch_size=16, random_state=0
)
GRID = {"lr": [0.003, 0.03], "weight_decay": [0.01, 0.3], "dropout": [0.0, 0.3]}

NOT_FINITE = pytest.mark.filterwarnings("ignore:One or more of the test scores are non")


def trained_together(models, X, y, folds, sample_weight=None):
    """Return each model fitted on each fold as one, and the packs that there were."""
    members = []
    for model in models:
        for train, _ in folds:
            weight = None if sample_weight is None else sample_weight[train]
            rows = X.iloc[train] if hasattr(X, "iloc") else X[train]
            number = len(members)
            members.append(prepare(number, clone(model), rows, y[train], weight))
    share_equal_rows(members)
    packs = packs_of(members)
    for pack in packs:
        assert len(train_side_by_side(pack)) == len(pack)
    return [member.estimator for member in members], packs


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"batch_norm": True, "optimizer": "adam", "schedule": "cosine"},
        {"optimizer": "sgd", "class_weight": "balanced", "label_smoothing": 0.1},
        {"activation": "selu", "random_state": np.random.RandomState(3)},
    ],
    ids=lambda options: ",".join(options) or "defaults",
)
def test_each_network_is_the_one_that_is_fitted_alone(options):
    models = [
        clone(MODEL).set_params(lr=lr, weight_decay=decay, dropout=dropout, **options)
        for lr, decay, dropout in [(0.003, 0.3, 0.0), (0.03, 0.3, 0.2), (0.03, 0, 0.5)]
    ]
    models.append(clone(models[1]).set_params(random_state=5, betas=(0.8, 0.9)))
    folds = list(KFold(3).split(X))
    found, _ = trained_together(models, X, Y, folds, WEIGHT)
    for i, estimator in enumerate(found):
        train, _ = folds[i % 3]
        alone = clone(models[i // 3]).fit(X[train], Y[train], WEIGHT[train])
        np.testing.assert_allclose(
            estimator.predict_proba(X), alone.predict_proba(X), atol=1e-5
        )
        assert estimator.lr_ == alone.lr_
        assert estimator.n_iter_ == alone.n_iter_


def test_each_network_is_stopped_when_it_would_be_alone():
    model = clone(MODEL).set_params(
        max_epochs=9, validation=0.2, n_iter_no_change=2, class_weight="balanced"
    )
    models = [clone(model).set_params(lr=lr, dropout=0.2) for lr in (0.003, 0.3)]
    folds = list(KFold(3).split(X))
    found, packs = trained_together(models, X, Y, folds, WEIGHT)
    assert len(packs) < len(found)
    for i, estimator in enumerate(found):
        train, _ = folds[i % 3]
        alone = clone(models[i // 3]).fit(X[train], Y[train], WEIGHT[train])
        assert estimator.best_epoch_ == alone.best_epoch_
        assert estimator.n_iter_ == alone.n_iter_
        np.testing.assert_allclose(
            estimator.history_["validation_loss"],
            alone.history_["validation_loss"],
            rtol=1e-4,
        )
        np.testing.assert_allclose(
            estimator.predict_proba(X), alone.predict_proba(X), atol=1e-5
        )
    assert len({estimator.n_iter_ for estimator in found}) > 1


def test_tables_whose_folds_know_other_categories_are_one_pack():
    model = EntityEmbeddingRegressor(
        hidden_layer_sizes=(8,),
        embedding_dim=3,
        max_epochs=2,
        random_state=0,
    )
    models = [
        model,
        clone(model).set_params(lr=0.03, embedding_dropout=0.3, dropout=0.0),
    ]
    folds = list(KFold(3, shuffle=True, random_state=0).split(X[:99]))
    found, packs = trained_together(models, FRAME, SALES, folds)
    assert len(packs) == 1
    sizes = {e.network_.embedding.table.weight.shape for e in found}
    assert len(sizes) > 1  # of the 40 days some are in no training rows
    for i, estimator in enumerate(found):
        train, _ = folds[i % 3]
        alone = clone(models[i // 3]).fit(FRAME.iloc[train], SALES[train])
        np.testing.assert_allclose(
            estimator.predict(FRAME), alone.predict(FRAME), atol=1e-5
        )
        pd.testing.assert_frame_equal(
            estimator.embeddings_["shop"], alone.embeddings_["shop"], atol=1e-5
        )


def test_results_are_those_of_a_grid_search():
    theirs = GridSearchCV(MODEL, GRID, cv=3, return_train_score=True).fit(X, Y)
    ours = PackedSearchCV(MODEL, GRID, cv=3, return_train_score=True).fit(X, Y)
    assert list(ours.cv_results_) == list(theirs.cv_results_)
    assert ours.cv_results_["params"] == theirs.cv_results_["params"]
    for name in ("split1_test_score", "mean_train_score", "rank_test_score"):
        np.testing.assert_allclose(ours.cv_results_[name], theirs.cv_results_[name])
    assert ours.best_params_ == theirs.best_params_
    assert ours.best_score_ == theirs.best_score_
    assert (ours.predict_proba(X) == theirs.predict_proba(X)).all()
    assert ours.score(X, Y) == theirs.score(X, Y)


def test_candidates_of_other_shapes_are_packs_of_their_own():
    grid = {"hidden_layer_sizes": [(4,), (6, 4)], "dropout": [0.0, 0.2]}
    theirs = GridSearchCV(MODEL, grid, cv=4, scoring="neg_log_loss").fit(X, Y)
    ours = PackedSearchCV(MODEL, grid, cv=4, scoring="neg_log_loss", n_jobs=2)
    ours.fit(X, Y)
    np.testing.assert_allclose(
        ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"]
    )


def test_n_iter_draws_the_candidates_of_a_randomized_search():
    model = NeuralRegressor(hidden_layer_sizes=(6,), max_epochs=2, random_state=0)
    space = {"lr": loguniform(1e-3, 1e-1), "dropout": [0.0, 0.1, 0.2]}
    how = {"n_iter": 4, "cv": 2, "random_state": 7}
    theirs = RandomizedSearchCV(model, space, **how).fit(X, SALES)
    ours = PackedSearchCV(model, space, **how).fit(X, SALES)
    assert ours.cv_results_["params"] == theirs.cv_results_["params"]
    np.testing.assert_allclose(
        ours.cv_results_["mean_test_score"],
        theirs.cv_results_["mean_test_score"],
        atol=1e-6,
    )


def test_weights_groups_and_several_scores_go_where_a_grid_search_sends_them():
    how = {
        "cv": GroupKFold(3),
        "scoring": ["accuracy", "neg_log_loss"],
        "refit": "neg_log_loss",
    }
    rows = {"sample_weight": WEIGHT, "groups": np.arange(101) // 5}
    grid = {"lr": [0.003, 0.03]}
    theirs = GridSearchCV(MODEL, grid, **how).fit(X, Y, **rows)
    ours = PackedSearchCV(MODEL, grid, **how).fit(X, Y, **rows)
    for name in ("mean_test_accuracy", "mean_test_neg_log_loss"):
        np.testing.assert_allclose(ours.cv_results_[name], theirs.cv_results_[name])
    assert set(ours.scorer_) == {"accuracy", "neg_log_loss"}


@NOT_FINITE
def test_a_candidate_that_diverges_harms_no_other():
    model = NeuralRegressor(
        hidden_layer_sizes=(8,),
        activation="relu",
        optimizer="sgd",
        max_epochs=3,
        random_state=0,
    )
    grid = {"lr": [0.01, 1e12, 0.02]}
    how = {"cv": 2, "refit": False}
    with pytest.warns(FitFailedWarning):
        theirs = GridSearchCV(model, grid, **how).fit(X, SALES)
    with pytest.warns(FitFailedWarning):
        ours = PackedSearchCV(model, grid, **how).fit(X, SALES)
    scores = ours.cv_results_["mean_test_score"]
    np.testing.assert_allclose(scores, theirs.cv_results_["mean_test_score"], rtol=1e-4)
    assert np.isfinite(scores[[0, 2]]).all()
    assert not hasattr(ours, "best_estimator_")


@pytest.mark.parametrize(
    ("model", "grid", "reason"),
    [
        (MODEL, {"lr": ["auto"]}, "lr='auto'"),
        (MODEL, {"optimizer": ["muon"]}, "optimizer='muon'"),
        (MODEL, {"n_estimators": [2]}, "n_estimators=2"),
        (make_pipeline(StandardScaler(), MODEL), {}, "Pipeline is none of"),
    ],
    ids=["auto", "muon", "several networks", "pipeline"],
)
def test_what_trains_in_a_way_of_its_own_is_fitted_one_by_one(model, grid, reason):
    search = PackedSearchCV(model, grid, cv=2)
    with pytest.warns(UserWarning, match=f"2 fits of this search.*{reason}") as told:
        search.fit(X, Y)
    assert told[0].filename == __file__
    assert search.best_score_ > 0.3


@pytest.mark.parametrize(
    ("validation", "said"),
    [
        ("auto", "set max_epochs to a number"),
        (2, "set validation=None"),
        ([([], range(15)), ([], range(15, 30))], "=list of 2 .* set validation=None"),
    ],
)
def test_folds_as_validation_say_what_to_set(validation, said):
    model = NeuralClassifier(
        hidden_layer_sizes=(4,), validation=validation, random_state=0
    )
    with pytest.warns(UserWarning, match=said):
        PackedSearchCV(model, {}, cv=2, refit=False).fit(X[:60], Y[:60])


@NOT_FINITE
def test_parameters_out_of_range_fail_as_in_a_grid_search():
    with pytest.warns(FitFailedWarning, match="2 fits failed"):
        search = PackedSearchCV(MODEL, {"dropout": [0.1, 2.0]}, cv=2).fit(X, Y)
    assert search.best_params_ == {"dropout": 0.1}
    with pytest.raises(ValueError, match="'dropout' parameter"):
        PackedSearchCV(MODEL, {"dropout": [2.0]}, cv=2, error_score="raise").fit(X, Y)


def test_distributions_without_n_iter_are_refused():
    with pytest.raises(ValueError, match="give n_iter"):
        PackedSearchCV(MODEL, {"lr": loguniform(1e-3, 1e-1)}, cv=2).fit(X, Y)


def test_a_search_can_be_saved(tmp_path):
    search = PackedSearchCV(MODEL, {"lr": [0.01, 0.03]}, cv=2).fit(X, Y)
    skdl.save(search, tmp_path / "search.skdl")
    loaded = skdl.load(tmp_path / "search.skdl")
    assert loaded.best_params_ == search.best_params_
    assert (loaded.predict_proba(X) == search.predict_proba(X)).all()
