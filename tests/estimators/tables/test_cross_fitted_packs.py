"""Packs whose members are blind to other rows: fits with `validation`."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn import config_context
from sklearn.base import clone
from sklearn.metrics import accuracy_score, log_loss, r2_score
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    PredefinedSplit,
    ShuffleSplit,
    TimeSeriesSplit,
    cross_val_score,
    cross_validate,
)

from skdl import (
    EmbeddingTransformer,
    EntityEmbeddingClassifier,
    EntityEmbeddingRegressor,
    NeuralClassifier,
    NeuralRegressor,
    lr_find,
)

N = 90
# Small and soon done; the recipe is another test's business.
SMALL = {"hidden_layer_sizes": (8,), "max_epochs": 2, "random_state": 0}


def table(n=N, seed=0):
    """Return a table with numbers, categories and missing values, and two targets."""
    rng = np.random.RandomState(seed)
    X = pd.DataFrame(
        {
            "number": rng.randn(n),
            "spiked": np.where(rng.rand(n) < 0.6, 0.0, rng.rand(n)),
            "flag": rng.randint(2, size=n).astype(float),
            "constant": np.ones(n),
            "absent": np.full(n, np.nan),
            "color": pd.Categorical(rng.choice(["red", "green", "blue"], n)),
            "city": rng.choice([f"city {i}" for i in range(9)], n),
        }
    )
    X.loc[rng.rand(n) < 0.1, "number"] = np.nan
    X.loc[rng.rand(n) < 0.1, "color"] = None
    effect = X["number"].fillna(0) + X["flag"] + 2 * (X["color"] == "red")
    y = 100 + 10 * (effect + 0.1 * rng.randn(n))
    return X, y.to_numpy()


def classes(y, k=3):
    return np.array(["a", "b", "c", "d"])[pd.qcut(y, k, labels=False)]


def classifier(validation=3, **options):
    return EntityEmbeddingClassifier(validation=validation, **{**SMALL, **options})


def regressor(validation=3, **options):
    return EntityEmbeddingRegressor(validation=validation, **{**SMALL, **options})


def numbers(n=N):
    rng = np.random.RandomState(1)
    X = rng.randn(n, 4)
    return X, X[:, 0] + 0.1 * rng.randn(n)


# What a user gets.


def test_a_classifier_predicts_and_knows_its_training_rows_out_of_fold():
    X, y = table(200)
    y = classes(y)
    model = classifier(max_epochs=40).fit(X, y)
    assert model.network_.n_members == 3
    assert model.predict_proba(X).shape == (200, 3)
    np.testing.assert_allclose(model.predict_proba(X).sum(1), 1, rtol=1e-5)
    oof = model.oof_prediction_
    assert oof.shape == (200, 3)
    np.testing.assert_allclose(oof.sum(1), 1, rtol=1e-5)
    found = accuracy_score(y, model.classes_[oof.argmax(1)])
    assert model.oof_score_ == pytest.approx(found)
    assert found > 0.6
    assert log_loss(y, model.predict_proba(X)) < log_loss(y, oof)
    assert model.temperature_ > 0


def test_a_regressor_predicts_out_of_fold_on_the_scale_of_y():
    X, y = table(200)
    model = regressor(max_epochs=40).fit(X, y)
    assert model.oof_prediction_.shape == (200,)
    assert model.oof_prediction_.dtype == np.float64
    assert model.oof_score_ == pytest.approx(r2_score(y, model.oof_prediction_), 1e-3)
    assert 0.5 < model.oof_score_ < model.score(X, y)
    assert not hasattr(model, "temperature_")


@pytest.mark.parametrize("kind", [NeuralClassifier, NeuralRegressor])
def test_tables_of_numbers_take_the_same_parameter(kind):
    X, y = numbers()
    y = y if kind is NeuralRegressor else y > 0
    model = kind(validation=3, max_epochs=30, random_state=0).fit(X, y)
    assert model.score(X, y) > 0.8
    assert model.oof_score_ > 0.7
    assert len(model.oof_prediction_) == N


def test_nothing_is_learned_of_a_row_by_the_network_that_predicts_it_out_of_fold():
    rng = np.random.RandomState(0)
    X = rng.randint(3, size=(N, 4)).astype(float)  # each value is an edge of a bin
    y = rng.randint(9, size=N)
    fold = np.arange(N) % 3
    changed = y.copy()
    changed[fold == 1] = y[fold == 1][::-1]  # mean and spread stay
    first, second = (
        NeuralRegressor(validation=PredefinedSplit(fold), **SMALL).fit(X, target)
        for target in (y, changed)
    )
    same = first.oof_prediction_ == second.oof_prediction_
    assert same[fold == 1].all()
    assert not same[fold != 1].any()


@pytest.mark.parametrize("n", [190, 200])
def test_history_has_a_row_a_look_and_the_best_one_is_kept(n):
    X, y = table(n)
    model = regressor(max_epochs=60).fit(X, y)
    history = model.history_
    assert list(history.columns[:3]) == ["epoch", "step", "loss"]
    assert {"validation_loss", "validation_score", "lr", "seconds"} <= set(history)
    assert history["step"].is_monotonic_increasing
    best = history["validation_loss"].idxmin()
    assert model.best_epoch_ == np.ceil(history["epoch"][best])
    assert model.n_iter_ == np.ceil(history["epoch"].iloc[-1])
    score = history["validation_score"][best]
    if len(model.corrections_):  # come after the training
        assert model.oof_score_ > score
    else:
        assert model.oof_score_ == pytest.approx(score, 1e-4)
    assert model.lr_ == 3e-3


def test_there_are_as_many_networks_as_folds_or_estimators():
    X, y = numbers()
    for n_estimators, validation, expected in [(1, 3, 3), (5, 3, 5), (2, "last", 2)]:
        model = NeuralRegressor(
            validation=validation, n_estimators=n_estimators, **SMALL
        ).fit(X, y)
        assert model.network_.n_members == expected
        assert np.isnan(model.oof_prediction_).any() == (validation == "last")


def test_the_end_of_a_table_is_held_out_of_all_networks():
    X, y = numbers(100)
    model = NeuralRegressor(validation="last", **SMALL).fit(X, y)
    known = ~np.isnan(model.oof_prediction_)
    np.testing.assert_array_equal(np.flatnonzero(known), np.arange(80, 100))


@pytest.mark.parametrize("estimator", [classifier(), regressor()], ids=repr)
def test_the_same_seed_gives_the_same_bits_whatever_the_callers_generators(estimator):
    X, y = table()
    y = y if isinstance(estimator, EntityEmbeddingRegressor) else classes(y)
    torch.manual_seed(0)
    first = clone(estimator).fit(X, y)
    state = torch.get_rng_state()
    second = clone(estimator).fit(X, y)
    assert torch.equal(state, torch.get_rng_state())
    np.testing.assert_array_equal(first.oof_prediction_, second.oof_prediction_)
    np.testing.assert_array_equal(first.predict(X), second.predict(X))
    other = clone(estimator).set_params(random_state=1).fit(X, y)
    assert (first.oof_prediction_ != other.oof_prediction_).any()


def test_a_pickle_predicts_the_same():
    X, y = table()
    model = classifier().fit(X, classes(y))
    copied = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(model.predict_proba(X), copied.predict_proba(X))
    np.testing.assert_array_equal(model.oof_prediction_, copied.oof_prediction_)


def test_a_fit_without_validation_leaves_nothing_of_one_with_it():
    X, y = numbers()
    model = NeuralRegressor(validation=3, **SMALL).fit(X, y)
    model.set_params(validation=0.1).fit(X, y)
    for name in ("oof_prediction_", "oof_score_"):
        assert not hasattr(model, name)


# What users set wins over the recipe.


def test_parameters_that_are_given_win_over_the_recipe():
    X, y = table()
    model = regressor(
        hidden_layer_sizes=(6, 5),
        dropout=0.3,
        embedding_dropout=0.4,
        embedding_dim=4,
        lr=1e-3,
        batch_size=45,
        max_epochs=3,
    ).fit(X, y)
    network = model.network_
    shapes = [tuple(p.shape[1:]) for p in network.head.parameters()]
    assert shapes[1:] == [(6,), (6, 5), (5,), (5, 1), (1,)]
    assert network.head.layers[2].p == 0.3
    assert network.embedding.dropout.p == 0.4
    assert network.embedding.dims == [4, 4]
    assert model.lr_ == 1e-3
    assert model.history_["step"].iloc[-1] == 6
    assert model.n_iter_ == 3


@pytest.mark.parametrize("optimizer", ["muon", "sgd", torch.optim.RMSprop])
def test_other_optimizers_take_the_steps(optimizer):
    X, y = numbers()
    options = {**SMALL, "hidden_layer_sizes": (8, 8), "max_epochs": 20}
    model = NeuralRegressor(validation=3, optimizer=optimizer, **options)
    assert model.fit(X, y).history_["loss"].iloc[-1] < 0.6


@pytest.mark.parametrize(
    "given",
    [
        {"network": torch.nn.Linear},
        {"early_stopping": True},
        {"schedule": "cosine"},
        {"weight_averaging": "ema"},
        {"warm_start": True},
        {"checkpoint": "fit.pt"},
        {"lr": "auto"},
    ],
    ids=lambda given: next(iter(given)),
)
def test_parameters_that_make_no_sense_with_it_are_named(given):
    model = NeuralClassifier(validation=3, **given)
    X, y = numbers()
    with pytest.raises(ValueError, match=rf"^{next(iter(given))}=.* validation=3: "):
        model.fit(X, y > 0)
    assert not hasattr(model, "n_features_in_")


def test_what_goes_on_or_sweeps_is_refused():
    X, y = numbers()
    model = NeuralRegressor(validation=3, **SMALL)
    with pytest.raises(ValueError, match="lr_find cannot go with validation"):
        lr_find(model, X, y)
    with pytest.raises(ValueError, match="X_val cannot go with validation"):
        model.fit(X, y, X_val=X, y_val=y)
    model.fit(X, y)
    model.set_params(validation=0.1, warm_start=True)
    with pytest.raises(ValueError, match="warm_start=True would go on from a fitted"):
        model.fit(X, y)


def test_partial_fit_trains_one_network_as_ever():
    X, y = numbers()
    model = NeuralRegressor(validation=3, **SMALL).partial_fit(X, y).partial_fit(X, y)
    plain = NeuralRegressor(**SMALL).partial_fit(X, y).partial_fit(X, y)
    np.testing.assert_array_equal(model.predict(X), plain.predict(X))


@pytest.mark.parametrize("validation", [1, 0, "first", 2.5, iter([1])])
def test_a_validation_that_is_none_is_refused(validation):
    with pytest.raises(ValueError, match="'validation' parameter of NeuralRegressor"):
        NeuralRegressor(validation=validation).fit(*numbers())


def test_more_folds_than_a_pack_has_networks_are_refused():
    with pytest.raises(ValueError, match="validation gives 65 folds"):
        NeuralRegressor(validation=65).fit(*numbers())
    with pytest.raises(ValueError, match="validation gives 90 folds"):
        NeuralRegressor(validation=KFold(90)).fit(*numbers())


# Targets and losses.


@pytest.mark.parametrize(
    "options",
    [
        {"loss": "absolute_error"},
        {"loss": "huber"},
        {"loss": "quantile", "quantile": 0.9},
        {"loss": "poisson"},
    ],
    ids=lambda o: o["loss"],
)
def test_every_loss_has_out_of_fold_predictions(options):
    X, y = table(150)
    model = regressor(max_epochs=30, **options).fit(X, y)
    found = model.oof_prediction_
    assert np.corrcoef(found, y)[0, 1] > 0.5
    if options["loss"] == "quantile":
        assert 0.75 < (y < found).mean() < 1
    if options["loss"] == "poisson":
        assert (found > 0).all()


def test_many_targets_and_many_labels():
    X, y = table(150)
    both = np.stack([y, -y], axis=1)
    model = regressor(max_epochs=30).fit(X, both)
    assert model.oof_prediction_.shape == model.predict(X).shape == (150, 2)
    assert model.oof_score_ == pytest.approx(
        r2_score(both, model.oof_prediction_), 1e-3
    )
    labels = (both > np.median(both, axis=0)).astype(int)
    model = classifier(max_epochs=30).fit(X, labels)
    assert model.oof_prediction_.shape == (150, 2)
    found = accuracy_score(labels, model.oof_prediction_ > 0.5)
    assert model.oof_score_ == pytest.approx(found)
    assert found > 0.5


def test_weights_of_zero_leave_rows_out_and_others_count():
    X, y = table()
    weight = np.ones(N)
    weight[::3] = 0
    model = regressor().fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(np.isnan(model.oof_prediction_), weight == 0)
    weight[:30] *= 100
    heavy = regressor().fit(X, y, sample_weight=weight)
    kept = weight > 0
    expected = r2_score(
        y[kept], heavy.oof_prediction_[kept], sample_weight=weight[kept]
    )
    assert heavy.oof_score_ == pytest.approx(expected, 1e-3)


def test_class_weights_count_in_the_loss():
    X, y = table(150)
    rare = y > np.quantile(y, 0.9)
    plain = classifier(max_epochs=20).fit(X, rare)
    even = classifier(max_epochs=20, class_weight="balanced").fit(X, rare)
    assert even.oof_prediction_[:, 1].mean() > plain.oof_prediction_[:, 1].mean() + 0.05


# Folds.


def test_groups_are_held_out_together():
    X, y = numbers()
    groups = np.repeat([f"group {i}" for i in range(10)], 9)
    shift = np.random.RandomState(0).randn(10).repeat(9)
    noise = np.random.RandomState(1).randn(10, 3).repeat(9, axis=0)
    X = np.column_stack([X, noise])  # tells the groups apart
    options = {"max_epochs": 150, "random_state": 0, "hidden_layer_sizes": (64,)}
    model = NeuralRegressor(validation=3, **options)
    together = clone(model).fit(X, shift, groups=groups).oof_score_
    apart = clone(model).fit(X, shift).oof_score_
    assert together < 0.5 < apart
    by_splitter = NeuralRegressor(validation=GroupKFold(5), **SMALL)
    assert by_splitter.fit(X, y, groups=groups).network_.n_members == 5


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (np.zeros(N), "at least 2 groups"),
        (np.zeros(N - 1), "each of the 90 rows of X, but has 89 entries"),
        (np.zeros((N, 2)), r"groups must name .* has the shape \(90, 2\)"),
        (np.r_[np.nan, np.arange(N - 1)], "1 missing entries"),
    ],
)
def test_groups_that_make_no_folds_are_refused(groups, message):
    with pytest.raises(ValueError, match=message):
        NeuralRegressor(validation=3, **SMALL).fit(*numbers(), groups=groups)


def test_groups_without_folds_are_refused():
    with pytest.raises(ValueError, match="needs folds"):
        NeuralRegressor(**SMALL).fit(*numbers(), groups=np.arange(N))


class ByTime:
    """Holds out the last rows by the first column, or by the groups."""

    def __init__(self, by_groups):
        self.by_groups = by_groups

    def get_n_splits(self, X=None, y=None, groups=None):
        return 1

    def split(self, X, y=None, groups=None):
        times = np.asarray(groups) if self.by_groups else X["time"].to_numpy()
        order = np.argsort(times)
        yield order[:-20], order[-20:]


@pytest.mark.parametrize("by_groups", [False, True])
def test_a_splitter_is_shown_what_fit_was_given(by_groups):
    X, y = numbers()
    times = np.random.RandomState(0).permutation(N) / 7
    frame = pd.DataFrame(X).rename(columns=str).assign(time=times)
    model = EntityEmbeddingRegressor(validation=ByTime(by_groups), max_epochs=1)
    model.fit(frame, y, groups=times if by_groups else None)
    held_out = ~np.isnan(model.oof_prediction_)
    np.testing.assert_array_equal(held_out, times > np.sort(times)[-21])


def test_a_splitter_gets_groups_of_a_column_in_one_dimension():
    X, y = numbers()
    names = np.array([f"group {i % 5}" for i in range(N)])
    model = NeuralRegressor(validation=GroupKFold(5), **SMALL)
    flat = clone(model).fit(X, y, groups=names).oof_prediction_
    column = clone(model).fit(X, y, groups=names[:, None]).oof_prediction_
    np.testing.assert_array_equal(column, flat)


def test_groups_do_not_go_with_the_last_rows():
    with pytest.raises(ValueError, match="holds out the last rows, whatever"):
        NeuralRegressor(validation="last", **SMALL).fit(*numbers(), groups=np.arange(N))


def test_rows_that_no_fold_holds_out_have_no_prediction():
    X, y = numbers()
    model = NeuralRegressor(validation=TimeSeriesSplit(4), **SMALL).fit(X, y)
    known = ~np.isnan(model.oof_prediction_)
    np.testing.assert_array_equal(np.flatnonzero(known), np.arange(18, N))
    score = r2_score(y[known], model.oof_prediction_[known])
    assert model.oof_score_ == pytest.approx(score, rel=1e-3)


def test_folds_may_overlap():
    X, y = numbers()
    splitter = ShuffleSplit(4, test_size=0.6, random_state=0)
    times = sum(np.bincount(test, minlength=N) for _, test in splitter.split(X))
    model = NeuralRegressor(validation=splitter, **SMALL).fit(X, y)
    np.testing.assert_array_equal(np.isnan(model.oof_prediction_), times == 0)
    assert times.max() > 1


@pytest.mark.parametrize(
    ("validation", "weight", "message"),
    [
        (PredefinedSplit(np.zeros(N)), None, "A fold holds all 90 rows"),
        (PredefinedSplit(np.full(N, -1)), None, "gives no rows to validate on"),
        (PredefinedSplit(np.arange(N) % 2), np.arange(N) % 2, "nothing to learn from"),
        (PredefinedSplit(np.arange(N) % 2 - 1), np.arange(N) % 2 == 0, "only rows of"),
    ],
)
def test_folds_that_leave_nothing_are_refused(validation, weight, message):
    with pytest.raises(ValueError, match=message):
        NeuralRegressor(validation=validation, **SMALL).fit(
            *numbers(), sample_weight=weight
        )


def test_weights_that_are_zero_in_one_of_many_folds_are_no_obstacle():
    X, y = numbers()
    fold = np.arange(N) % 3
    model = NeuralRegressor(validation=PredefinedSplit(fold), **SMALL)
    model.fit(X, y, sample_weight=(fold != 1).astype(float))
    np.testing.assert_array_equal(np.isnan(model.oof_prediction_), fold == 1)


def test_fewer_rows_than_folds_make_fewer_networks():
    X, y = numbers(3)
    model = NeuralRegressor(validation=8, **SMALL).fit(X, y)
    assert model.network_.n_members == 3
    assert np.isfinite(model.oof_prediction_).all()
    with pytest.raises(ValueError, match="at least 2 samples"):
        NeuralRegressor(validation=8, **SMALL).fit(X[:1], y[:1])


def test_a_class_with_fewer_rows_than_folds_is_no_obstacle():
    X, y = table()
    labels = classes(y).astype(object)
    labels[:2], labels[2] = "rare", "alone"
    model = classifier(4).fit(X, labels)
    assert model.oof_prediction_.shape == (N, 5)
    assert np.isfinite(model.oof_prediction_).all()


def test_a_fold_that_holds_all_rows_of_a_class_or_category():
    X, y = table()
    X["city"] = np.where(np.arange(N) < 30, "new", X["city"])
    labels = np.where(np.arange(N) < 30, "a", classes(y, 2))
    labels[30:] = np.where(labels[30:] == "a", "c", labels[30:])
    model = classifier(PredefinedSplit(np.arange(N) // 30)).fit(X, labels)
    assert np.isfinite(model.oof_prediction_).all()
    assert model.predict_proba(X).shape == (N, 3)


def test_a_category_that_a_network_has_not_seen_counts_as_unknown_in_it():
    X, y = table()
    X["city"] = np.where(np.arange(N) < 30, "new", X["city"])
    model = regressor(PredefinedSplit(np.arange(N) // 30)).fit(X, y)
    vocabulary = model._encoder.vocabularies[1]
    code = vocabulary.code("new")
    vectors = [model.network_.embedding.parts(m)[1] for m in range(3)]
    assert torch.equal(vectors[0][code], vectors[0][0])
    assert not torch.equal(vectors[1][code], vectors[1][0])


# Columns.


def test_a_table_of_nothing_but_categories_or_of_odd_numbers():
    X, y = table()
    for columns in (["color", "city"], ["constant", "absent", "flag"], ["flag"]):
        model = regressor().fit(X[columns], y)
        assert np.isfinite(model.predict(X[columns])).all()
        assert np.isfinite(model.oof_prediction_).all()


def test_missing_values_may_come_where_there_were_none():
    X, y = table()
    model = regressor().fit(X.fillna({"number": 0.0}), y)
    changed = X.copy()
    changed["flag"] = np.nan
    changed.loc[:9, "city"] = "elsewhere"
    assert np.isfinite(model.predict(changed)).all()


def test_bins_far_beyond_the_training_rows_do_not_matter():
    X, y = numbers()
    model = NeuralRegressor(validation=3, **SMALL).fit(X, y)
    assert np.isfinite(model.predict(1e30 * X)).all()


@pytest.mark.usefixtures("on_cpu")
@pytest.mark.parametrize(("k", "width"), [(2, 8), (5, 33), (7, 256)])
def test_predictions_do_not_depend_on_the_rows_beside_them(k, width):
    X, y = table()
    y = pd.qcut(y, k, labels=False)
    model = classifier(hidden_layer_sizes=(width,)).fit(X, y)
    alone = np.concatenate([model.predict_proba(X[i : i + 1]) for i in range(20)])
    np.testing.assert_array_equal(alone, model.predict_proba(X)[:20])


# What the embedding family adds.


def test_vectors_are_those_of_the_first_network():
    X, y = table()
    model = regressor().fit(X, y)
    assert set(model.embeddings_) == {"color", "city"}
    part = model.network_.embedding.parts(0)[1].cpu()
    found = model.embeddings_["city"]
    assert len(found) == 9
    np.testing.assert_array_equal(found.to_numpy(), part[2:, : found.shape[1]])
    assert len(model.nearest("city", "city 3")) == 5
    width = sum(frame.shape[1] for frame in model.embeddings_.values())
    assert model.transform(X).shape == (N, width + 5)


@pytest.mark.parametrize("scale", [False, True])
def test_a_transformer_takes_vectors_from_packs(scale):
    X, y = table()
    made = EmbeddingTransformer(regressor(), scale=scale, random_state=0)
    assert np.shape(made.fit_transform(X, y))[0] == N
    assert made.transform(X).shape == (N, len(made.get_feature_names_out()))


def test_random_effects_work_in_packs():
    X, y = table()
    model = regressor(random_effects=["city"], max_epochs=20).fit(X, y)
    effects = model.random_effects_["city"]
    assert len(effects) == 9
    assert effects.to_numpy().any()
    assert model.network_.embedding.dims[1] == 0  # the city has no vector


# Inside of other tools.


def test_it_works_in_cross_validation():
    X, y = numbers()
    scores = cross_val_score(NeuralRegressor(validation=3, **SMALL), X, y, cv=2)
    assert np.isfinite(scores).all()


def test_more_networks_do_not_cost_the_unset_parameters_of_the_user():
    X, y = numbers()
    model = NeuralRegressor(validation=3, **SMALL)
    before = model.get_params()
    model.fit(X, y)
    assert model.get_params() == before


def test_splits_are_taken_one_by_one_as_from_a_splitter():
    X, y = numbers()
    splits = list(KFold(3).split(X))
    given = NeuralRegressor(validation=splits, **SMALL)
    fitted = clone(given).fit(X, y)
    by_splitter = NeuralRegressor(validation=KFold(3), **SMALL).fit(X, y)
    np.testing.assert_array_equal(fitted.predict(X), by_splitter.predict(X))
    with pytest.raises(ValueError, match=r"validation=list of 3: .*Leave one"):
        given.set_params(schedule="cosine").fit(X, y)


@pytest.mark.parametrize(
    ("validation", "said"),
    [
        (KFold, r"class KFold: give one .* such as KFold\(\)"),
        ([1, 2], "list of 2 that does not hold splits"),
        ([], "list of 0 that does not hold splits"),
        ([(np.arange(9),)], "list of 1 that does not hold splits"),
        ([(np.arange(9), [10**6])], "1000000"),
        ([(np.arange(9), [])], "^list of 1 gives no rows to validate on"),
        ([(1, 2), (3, 4)], "A fold must name rows by .*, but one of them is 2"),
    ],
)
def test_what_holds_no_splits_is_refused(validation, said):
    with pytest.raises(ValueError, match=said):
        NeuralRegressor(validation=validation, **SMALL).fit(*numbers())


def test_epochs_of_early_stopping_do_not_go_with_folds():
    with pytest.raises(ValueError, match="n_iter_no_change cannot go .* counts epochs"):
        NeuralRegressor(validation=3, n_iter_no_change=3, **SMALL).fit(*numbers())


def test_groups_can_be_routed():
    X, y = numbers()
    groups = np.arange(N) // 3
    with config_context(enable_metadata_routing=True):
        model = NeuralRegressor(validation=3, **SMALL).set_fit_request(groups=True)
        found = cross_validate(model, X, y, cv=KFold(2), params={"groups": groups})
    assert np.isfinite(found["test_score"]).all()


def test_cosines_take_numbers_of_the_range_of_all_rows_seen():
    X = np.linspace(0.0, 1.0, 40)[:, None]
    model = NeuralRegressor(validation=2, numeric_embedding="cosine", **SMALL)
    model.fit(X, X[:, 0])
    for rows in (X, X + 1):
        model.partial_fit(rows, rows[:, 0])
        encoded = model.encode(np.array([[0.0], [rows.max()], [9.0]]))[1]
        cosine = model.network_.cosine
        assert cosine.low.cpu() == pytest.approx(encoded[0])
        assert cosine.high.cpu() == pytest.approx(encoded[1])
        assert encoded[2] > encoded[1]
