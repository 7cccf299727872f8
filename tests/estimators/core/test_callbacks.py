"""What callbacks are handed: the estimator as if fit had ended there."""

import numpy as np
import pytest

from skdl import EntityEmbeddingRegressor, NeuralClassifier, TextLM


class Watch:
    """A callback that keeps the fitted estimator of every epoch, and of the fit."""

    def __init__(self):
        self.epochs, self.fits = [], []

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, fitted_estimator):
        is_epoch = context.task_name == "epoch"
        (self.epochs if is_epoch else self.fits).append(fitted_estimator)


class TrialPruned(Exception):  # noqa: N818  the name that optuna gives it
    """What optuna raises."""


class Trial:
    """The part of optuna's trial that pruning uses; prunes below the median."""

    def __init__(self, worst):
        self.worst, self.reported = worst, {}

    def report(self, value, step):
        self.reported[step] = value

    def should_prune(self):
        step = max(self.reported)
        return step >= 2 and self.reported[step] < self.worst


class Pruning:
    """Reports the validation score of every epoch and ends hopeless fits."""

    def __init__(self, trial):
        self.trial = trial

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, fitted_estimator):
        if context.task_name != "epoch":
            return
        score = fitted_estimator.history_["validation_score"].iloc[-1]
        self.trial.report(score, fitted_estimator.n_iter_)
        if self.trial.should_prune():
            raise TrialPruned


def classifier(**options):
    return NeuralClassifier(
        **{"hidden_layer_sizes": 16, "max_epochs": 6, "random_state": 0, **options}
    )


def test_every_epoch_has_its_history_and_its_score(blobs):
    X, y = blobs
    watch = Watch()
    model = classifier().set_callbacks(watch)
    model.fit(X[:180], y[:180], X_val=X[180:], y_val=y[180:])
    assert [m.n_iter_ for m in watch.epochs] == [1, 2, 3, 4, 5, 6]
    assert [m.best_epoch_ for m in watch.epochs] == [1, 2, 3, 4, 5, 6]
    for epoch, seen in enumerate(watch.epochs, start=1):
        assert seen.history_.equals(model.history_.iloc[:epoch])
        score = seen.history_["validation_score"].iloc[-1]
        assert seen.score(X[180:], y[180:]) == pytest.approx(score)
    (ended,) = watch.fits
    assert ended.history_.equals(model.history_)
    assert (ended.predict_proba(X) == model.predict_proba(X)).all()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"weight_averaging": "ema"},
        {"early_stopping": True, "n_iter_no_change": 2, "schedule": "constant"},
        {"n_estimators": 2},
    ],
    ids=str,
)
def test_it_predicts_as_a_fit_that_a_callback_ended_there(options, blobs):
    class Stop(Watch):
        def on_fit_task_end(self, estimator, context, *, fitted_estimator):
            super().on_fit_task_end(
                estimator, context, fitted_estimator=fitted_estimator
            )
            return context.task_name == "epoch" and len(self.epochs) == 4

    X, y = blobs
    watch = Stop()
    options = {**options, "lr": 0.05}
    model = classifier(**options, max_epochs=9).set_callbacks(watch).fit(X, y)
    last = watch.epochs[-1]
    assert (last.n_iter_, last.best_epoch_) == (model.n_iter_, model.best_epoch_)
    assert (last.predict_proba(X) == model.predict_proba(X)).all()


def test_looking_on_changes_nothing(blobs):
    X, y = blobs
    watched = classifier(weight_averaging="ema").set_callbacks(Watch()).fit(X, y)
    alone = classifier(weight_averaging="ema").fit(X, y)
    assert (watched.predict_proba(X) == alone.predict_proba(X)).all()


def test_vectors_are_those_of_a_fit_that_is_done(rng):
    X = np.column_stack([rng.integers(0, 9, 200).astype(str).astype(object)])
    watch = Watch()
    model = EntityEmbeddingRegressor(max_epochs=2, random_state=0)
    model.set_callbacks(watch).fit(X, rng.normal(size=200))
    last = watch.epochs[-1]
    assert last.embeddings_[0].equals(model.embeddings_[0])


def test_a_language_model_tells_perplexities():
    watch = Watch()
    model = TextLM(hidden_size=8, embedding_dim=8, batch_size=2, bptt=5, max_epochs=3)
    texts = ["a b c", "b c a"] * 8
    model.set_callbacks(watch).fit(texts, X_val=texts)
    assert [m.n_iter_ for m in watch.epochs] == [1, 2, 3]
    assert "validation_perplexity" in watch.epochs[0].history_
    assert watch.epochs[-1].perplexity(texts) == model.perplexity(texts)


def test_pruning_reports_the_score_that_fit_has_computed_and_leaves_nothing(blobs):
    X, y = blobs
    held_out = {"X_val": X[180:], "y_val": y[180:]}
    good = Trial(worst=0.0)
    model = classifier().set_callbacks(Pruning(good))
    model.fit(X[:180], y[:180], **held_out)
    assert list(good.reported) == [1, 2, 3, 4, 5, 6]
    assert list(good.reported.values()) == model.history_["validation_score"].tolist()

    bad = Trial(worst=2.0)
    model = classifier().set_callbacks(Pruning(bad))
    with pytest.raises(TrialPruned):
        model.fit(X[:180], y[:180], **held_out)
    assert list(bad.reported) == [1, 2]
    assert not hasattr(model, "network_")
