"""Every display draws, as PNG, with the axes, labels and marks it promises."""

import io
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import skdl
from skdl import (
    ActivationMapDisplay,
    BpttDisplay,
    ConfusedPairsDisplay,
    EmbeddingDisplay,
    EmbeddingTransformer,
    EntityEmbeddingRegressor,
    ImageClassifier,
    LRFindDisplay,
    MistakesDisplay,
    NeuralClassifier,
    ScheduleDisplay,
    TextLM,
    TrainingDisplay,
    lr_find,
)
from skdl.datasets import make_store_sales

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("agg")
plt = matplotlib.pyplot = pytest.importorskip("matplotlib.pyplot")


def png(figure):
    """Render a figure; empty text boxes and missing glyphs would warn."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    assert picture.getvalue().startswith(b"\x89PNG")
    picture.seek(0)
    return plt.imread(picture)


def labels(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 4))
    y = (X[:, 0] + 0.5 * rng.standard_normal(300) > 0).astype(int)
    model = NeuralClassifier(
        max_epochs=30, early_stopping=True, n_iter_no_change=5, random_state=0
    )
    return make_pipeline(StandardScaler(), model).fit(X, y), X, y


def test_lr_find_display_marks_the_suggestion_on_a_log_axis(fitted):
    pipeline, X, y = fitted
    result = lr_find(pipeline, X, y)
    display = result.plot()
    ax = display.ax_
    assert ax.get_xscale() == "log"
    assert ax.get_xlabel() == "learning rate"
    assert ax.get_ylabel() == "training loss"
    assert ax.get_title()
    assert f"suggestion: {result.suggestion:.1e}" in labels(ax)
    (mark,) = [line for line in ax.lines if line.get_marker() == "o"]
    assert mark.get_xdata()[0] == result.suggestion
    assert result.lrs[0] < mark.get_xdata()[0] < result.lrs[-1]
    on_curve = np.interp(mark.get_xdata()[0], result.lrs, result.smoothed_losses)
    assert mark.get_ydata()[0] == pytest.approx(on_curve, rel=0.05)
    low, high = ax.get_ylim()
    assert low < mark.get_ydata()[0] < high
    assert display.figure_ is ax.figure
    assert png(display.figure_).std() > 0


def test_lr_find_display_from_estimator_draws_where_told(fitted):
    pipeline, X, y = fitted
    _, ax = plt.subplots()
    display = LRFindDisplay.from_estimator(pipeline, X, y, ax=ax, num_iter=50)
    assert display.ax_ is ax
    assert len(display.lrs) <= 50
    result = lr_find(pipeline, X, y, num_iter=50)
    assert display.suggestion == result.suggestion
    np.testing.assert_array_equal(display.losses, result.losses)


def test_lr_find_result_is_a_picture_in_a_notebook(fitted):
    pipeline, X, y = fitted
    result = lr_find(pipeline, X, y)
    assert result._repr_png_().startswith(b"\x89PNG")
    assert plt.get_fignums() == []


def test_training_display_shows_losses_score_rate_and_best_epoch(fitted):
    pipeline, *_ = fitted
    model = pipeline[-1]
    assert model.best_epoch_ < model.n_iter_, "the fit should stop after its best epoch"
    display = TrainingDisplay.from_estimator(pipeline)
    upper, lower = display.axes_
    assert display.ax_ is upper
    assert labels(upper) == [
        "training loss",
        "validation loss",
        f"kept: epoch {model.best_epoch_}",
        "validation accuracy",
    ]
    marks = [line for line in upper.lines if line.get_linestyle() == "--"]
    assert [line.get_xdata()[0] for line in marks] == [model.best_epoch_]
    assert upper.get_ylabel() == "loss"
    assert lower.get_xlabel() == "epoch"
    assert lower.get_ylabel() == "learning rate"
    png(display.figure_)


def test_the_rate_is_drawn_step_by_step_and_as_it_was_recorded(fitted):
    pipeline, X, y = fitted
    model = pipeline[-1]
    display = TrainingDisplay.from_estimator(pipeline)
    epochs, lrs = display.axes_[1].lines[0].get_data()
    assert len(epochs) > 20 * model.n_iter_
    recorded = np.interp(model.history_["epoch"], epochs, lrs)
    np.testing.assert_allclose(recorded, model.history_["lr"], atol=0.06 * model.lr_)
    # What did not go by the schedule is drawn as it was recorded.
    history = model.history_
    model = NeuralClassifier(max_epochs=3, random_state=0).fit(X, y)
    model.partial_fit(X, y)
    lower = TrainingDisplay.from_estimator(model).axes_[1]
    np.testing.assert_array_equal(lower.lines[0].get_ydata(), model.history_["lr"])
    lower = TrainingDisplay(history).plot().axes_[1]
    np.testing.assert_array_equal(lower.lines[0].get_ydata(), history["lr"])


def test_the_legend_stands_beside_the_curves_and_inside_the_picture(fitted):
    display = TrainingDisplay.from_estimator(fitted[0])
    png(display.figure_)
    legend = display.ax_.get_legend().get_window_extent()
    right_scale = [
        ax for ax in display.figure_.axes if ax.yaxis.label_position == "right"
    ]
    assert legend.x0 >= right_scale[0].yaxis.get_tightbbox().x1
    assert legend.x1 <= display.figure_.bbox.x1


def test_a_pack_shows_what_its_networks_had_not_learned_from(fitted):
    _, X, y = fitted
    model = NeuralClassifier(validation=2, max_epochs=60, random_state=0).fit(X, y)
    display = TrainingDisplay.from_estimator(model)
    assert labels(display.ax_)[:2] == ["training loss", "out-of-fold loss"]
    assert labels(display.ax_)[-1] == "out-of-fold accuracy"
    np.testing.assert_allclose(
        display.axes_[1].lines[0].get_ydata(), [0, model.lr_, model.lr_]
    )


def test_a_language_model_shows_perplexity(windows):
    display = TrainingDisplay.from_estimator(windows)
    assert labels(display.ax_) == ["training perplexity"]
    assert display.ax_.get_ylabel() == "perplexity"
    drawn = display.ax_.lines[0].get_ydata()
    np.testing.assert_allclose(drawn, np.exp(windows.history_["loss"]))


def test_displays_look_into_searches_and_transformed_targets(embedded):
    model, X, y = embedded
    search = GridSearchCV(
        make_pipeline(FunctionTransformer(), EntityEmbeddingRegressor(max_epochs=1)),
        {"entityembeddingregressor__lr": [0.01]},
        cv=2,
    )
    outer = TransformedTargetRegressor(search, func=np.log, inverse_func=np.exp)
    outer.fit(X, y)
    inner = outer.regressor_.best_estimator_[-1]
    assert TrainingDisplay.from_estimator(outer).history is inner.history_
    assert labels(ScheduleDisplay.from_estimator(outer).ax_) == ["one_cycle"]
    display = EmbeddingDisplay.from_estimator(outer, "State", X=X, y=y)
    assert display.embeddings.equals(inner.embeddings_["State"])
    frozen = FrozenEstimator(model)
    assert TrainingDisplay.from_estimator(frozen).history is model.history_


def test_steps_before_the_network_change_what_displays_are_given(embedded):
    _, X, y = embedded
    short = FunctionTransformer(lambda X: X.assign(State=X["State"].str[:1]))
    pipeline = make_pipeline(short, EntityEmbeddingRegressor(max_epochs=1)).fit(X, y)
    display = EmbeddingDisplay.from_estimator(pipeline, "State", X=X, y=y)
    assert display.counts.sum() == len(X)
    assert set(display.embeddings.index) == {s[0] for s in X["State"]}


def test_training_display_without_validation_has_one_loss(fitted):
    _, X, y = fitted
    model = NeuralClassifier(max_epochs=3, random_state=0).fit(X, y)
    display = TrainingDisplay(model.history_).plot()
    assert labels(display.ax_) == ["training loss"]
    png(display.figure_)


def test_training_display_needs_a_history():
    with pytest.raises(TypeError, match="LogisticRegression has no training history"):
        TrainingDisplay.from_estimator(LogisticRegression())
    with pytest.raises(TypeError, match="fitted"):
        TrainingDisplay.from_estimator(NeuralClassifier())


def test_schedule_display_draws_every_schedule():
    names = ["one_cycle", "cosine", "warm_restarts", "flat_cosine", "constant"]

    def falling(progress):
        return 1 - progress

    display = ScheduleDisplay.from_schedules([*names, falling]).plot()
    assert labels(display.ax_) == [*names, "falling"]
    for line in display.ax_.lines:
        assert 0.9 < max(line.get_ydata()) <= 1
        assert min(line.get_ydata()) >= 0
    assert display.ax_.get_xlabel() == "progress of training"
    png(display.figure_)


def test_schedule_display_takes_a_pipeline(fitted):
    display = ScheduleDisplay.from_estimator(fitted[0])
    assert labels(display.ax_) == ["one_cycle"]


@pytest.fixture(scope="module")
def embedded():
    X, y = make_store_sales(1000, n_stores=30, random_state=0, return_X_y=True)
    model = EntityEmbeddingRegressor(max_epochs=3, random_state=0).fit(X, y)
    return model, X, y


@pytest.mark.parametrize("kind", [float, str, "Int64", "float32"])
def test_embedding_display_knows_categories_of_any_type(embedded, kind):
    _, X, y = embedded
    model = EntityEmbeddingRegressor(categorical_features=["DayOfWeek"], max_epochs=1)
    model.fit(X, y)
    expected = EmbeddingDisplay.from_estimator(model, "DayOfWeek", X=X, y=y)
    other = X.astype({"DayOfWeek": kind})
    other.loc[3, "DayOfWeek"] = {str: "no day"}.get(kind, 99)
    display = EmbeddingDisplay.from_estimator(model, "DayOfWeek", X=other, y=y)
    assert expected.counts.sum() - display.counts.sum() == 1
    day = X.loc[3, "DayOfWeek"] - 1
    others = np.arange(len(display.values)) != day
    np.testing.assert_array_equal(display.values[others], expected.values[others])
    assert display.values[day] != expected.values[day]


def test_embedding_display_labels_sizes_and_colours(embedded):
    model, X, y = embedded
    display = EmbeddingDisplay.from_estimator(model, "State", X=X, y=y)
    states = model.categories_["State"].tolist()
    assert {t.get_text() for t in display.ax_.texts if t.get_text()} == set(states)
    (marks,) = display.ax_.collections
    counts = X["State"].value_counts()[states].to_numpy()
    assert np.argmax(marks.get_sizes()) == np.argmax(counts)
    means = y.groupby(X["State"]).mean()[states]
    np.testing.assert_allclose(marks.get_array(), means)
    offsets = np.asarray(marks.get_offsets())
    np.testing.assert_allclose(offsets, display.points_)
    assert "first component" in display.ax_.get_xlabel()
    assert display.ax_.get_title() == "State"
    assert len(display.figure_.axes) == 2  # the colours have a scale
    png(display.figure_)


def test_embedding_display_takes_labels_as_targets(embedded):
    model, X, y = embedded
    states = model.categories_["State"]
    good = np.where(y > y.median(), "good", "bad")
    display = EmbeddingDisplay.from_estimator(model, "State", X=X, y=good)
    shares = pd.Series(good == "good").groupby(X["State"].to_numpy()).mean()[states]
    np.testing.assert_allclose(display.values, shares)
    assert display.figure_.axes[1].get_ylabel() == "share of good"

    sizes = pd.qcut(y, 3, labels=["low", "middle", "high"])
    display = EmbeddingDisplay.from_estimator(model, "State", X=X, y=sizes)
    most = (
        sizes.astype(str)
        .groupby(X["State"].to_numpy())
        .agg(lambda part: part.mode().iloc[0])
    )
    assert list(display.values) == most[states].tolist()
    assert set(labels(display.ax_)) == set(most)
    png(display.figure_)


def boxes(ax):
    """Return the boxes of the labels in pixels."""
    texts = [text for text in ax.texts if text.get_text()]
    return np.array([text.get_window_extent().extents for text in texts])


@pytest.mark.parametrize("n", [12, 60, 1115])
def test_labels_of_categories_do_not_collide(n):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        rng.standard_normal((n, 3)), index=[f"no. {i}" for i in range(n)]
    )
    counts = np.arange(n)
    display = EmbeddingDisplay.from_embeddings(table, counts=counts, title="Stores")
    png(display.figure_)
    found = boxes(display.ax_)
    assert len(found) >= min(n, 4)
    apart = (found[:, None, :2] >= found[None, :, 2:]).any(-1)
    apart |= apart.T
    np.fill_diagonal(apart, True)
    assert apart.all()
    inside = np.array(display.ax_.bbox.extents)
    assert (found[:, :2] >= inside[:2]).all()
    assert (found[:, 2:] <= inside[2:]).all()
    if n > 60:
        assert "most frequent of 1,115" in display.ax_.get_title()
        named = {int(t.get_text()[4:]) for t in display.ax_.texts if t.get_text()}
        assert named <= set(range(n - 40, n))


def test_categories_at_one_place_all_have_labels_where_there_is_room():
    table = pd.DataFrame([[0.0, 0], [0.01, 0], [0, 0.01], [9, 9]], index=list("abcd"))
    display = EmbeddingDisplay.from_embeddings(table)
    assert {text.get_text() for text in display.ax_.texts} >= set("abcd")


def test_embedding_display_of_transformer_pipeline_and_bare_table(embedded):
    model, X, y = embedded
    transformer = EmbeddingTransformer(cv=None, random_state=0).fit(X[:200], y[:200])
    assert EmbeddingDisplay.from_estimator(transformer, "State").values is None
    pipeline = make_pipeline(transformer, LogisticRegression())
    EmbeddingDisplay.from_estimator(pipeline, "State")
    narrow = model.embeddings_["State"].iloc[:, :1]
    _, ax = plt.subplots()
    display = EmbeddingDisplay.from_embeddings(narrow, ax=ax, title="States")
    assert display.ax_ is ax
    assert display.ax_.get_title() == "States"
    assert (display.points_.iloc[:, 1] == 0).all()
    png(display.figure_)


def test_embedding_display_says_what_it_needs(embedded):
    model, X, y = embedded
    empty = X[:200].assign(State=pd.Series([None] * 200, dtype=object))
    unknown = EmbeddingTransformer(cv=None, random_state=0).fit(empty, y[:200])
    with pytest.raises(ValueError, match="'State' has no categories to draw"):
        EmbeddingDisplay.from_estimator(unknown, "State")
    with pytest.raises(ValueError, match="'Promo' is not a categorical column"):
        EmbeddingDisplay.from_estimator(model, "Promo")
    with pytest.raises(TypeError, match="LogisticRegression has no embeddings"):
        EmbeddingDisplay.from_estimator(LogisticRegression(), "State")


@pytest.fixture(scope="module")
def windows():
    texts = [" ".join(f"w{(i + j) % 30}" for j in range(19)) for i in range(700)]
    options = {"embedding_dim": 8, "hidden_size": 8, "num_layers": 1, "max_epochs": 10}
    return TextLM(bptt="auto", batch_size=1, random_state=0, **options).fit(texts)


def test_bptt_display_has_a_line_a_batch_size_and_marks_the_chosen(windows):
    report = windows.bptt_report_.copy()
    display = BpttDisplay.from_estimator(make_pipeline("passthrough", windows))
    ax = display.ax_
    assert ax.get_xlabel() == "tokens of a window (bptt)"
    assert ax.get_ylabel() == "tokens a second, by formula"
    assert [t.get_text() for t in ax.get_xticklabels()] == ["35", "70", "140", "280"]
    assert labels(ax) == [
        "batch size 1",
        "too few steps",
        "5% slower than the fastest",
        f"chosen: {windows.bptt_} x 1",
    ]
    marked = ax.lines[-1].get_xydata().tolist()
    speed = report[report["chosen"]]["predicted_tokens_per_second"].item()
    assert marked == [[windows.bptt_, speed]]
    assert ax.lines[0].get_xdata().tolist() == [35, 70, 140, 280]
    assert png(display.figure_).std() > 0


def test_bptt_display_shows_what_was_measured_and_what_stood_against(windows):
    report = windows.bptt_report_.copy()
    report["tokens_per_second"] = [100.0, 150.0, np.nan, np.nan]
    report["predicted_tokens_per_second"] = [200.0, 300.0, 400.0, 500.0]
    report["finite"] = pd.array([True, False, None, None], dtype="boolean")
    report["fits"] = [True, True, True, False]
    _, ax = plt.subplots()
    display = BpttDisplay.from_report(report, ax=ax)
    assert display.ax_ is ax
    assert ax.get_ylabel() == "tokens a second, measured"
    # What was not measured stands in proportion.
    assert ax.lines[0].get_ydata().tolist() == [100.0, 150.0, 200.0, 250.0]
    left_out = {line.get_label(): list(line.get_xdata()) for line in ax.lines}
    assert left_out["does not fit memory"] == [280]
    assert left_out["loss is not finite"] == [70]
    assert left_out["too few steps"] == [140]
    assert left_out["batch size 1"] == [35, 70, 140, 280]


def test_bptt_display_needs_a_choice():
    with pytest.raises(TypeError, match='bptt="auto"'):
        BpttDisplay.from_estimator(TextLM())


def test_without_matplotlib_the_package_works_and_pictures_say_what_to_install():
    code = """
import sys
sys.modules["matplotlib"] = None
import numpy as np, skdl
X = np.random.default_rng(0).standard_normal((200, 3)); y = (X[:, 0] > 0)
model = skdl.NeuralClassifier(max_epochs=2, random_state=0).fit(X, y)
result = skdl.lr_find(model, X, y)
assert result._repr_png_() is None
for draw in (result.plot, lambda: skdl.TrainingDisplay.from_estimator(model),
             lambda: skdl.ScheduleDisplay.from_estimator(model)):
    try:
        draw()
    except ImportError as error:
        assert 'pip install "skdl[plot]"' in str(error), error
    else:
        raise AssertionError("drew without matplotlib")
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_displays_are_public():
    for name in (
        "EmbeddingDisplay",
        "LRFindDisplay",
        "TrainingDisplay",
        "ScheduleDisplay",
        "BpttDisplay",
    ):
        assert name in skdl.__all__


@pytest.fixture(scope="module")
def digits():
    data = load_digits()
    X, y = data.images.astype(np.uint8), data.target
    model = ImageClassifier(max_epochs=1, random_state=0)
    return model.fit(X[:400], y[:400]), X[400:], y[400:]


def test_mistakes_are_wrong_and_the_most_confident_first(digits):
    model, X, y = digits
    display = MistakesDisplay.from_estimator(model, X, y, n_pictures=7)
    mistakes = display.mistakes
    assert (mistakes.true != mistakes.predicted).all()
    assert (np.diff(mistakes.confidence) <= 0).all()
    assert display.n_wrong == (model.predict(X) != y).sum()
    assert len([ax for ax in display.axes_.flat if ax.images]) == 7
    png(display.figure_)


def test_confused_pairs_are_counted(digits):
    model, X, y = digits
    display = ConfusedPairsDisplay.from_estimator(model, X, y, n_pairs=3)
    predicted = model.predict(X)
    counts = [count for _, _, count, _ in display.pairs]
    assert counts == sorted(counts, reverse=True)
    true, other, count, _ = display.pairs[0]
    assert count == ((y == true) & (predicted == other)).sum()
    png(display.figure_)


def test_activation_maps_lie_over_their_pictures(digits):
    model, X, _ = digits
    pipeline = make_pipeline(FunctionTransformer(), model)
    display = ActivationMapDisplay.from_estimator(pipeline, X, n_pictures=4)
    assert display.titles == [str(label) for label in model.predict(X[:4])]
    assert display.maps.shape == (4, 8, 8)
    assert [len(ax.images) for ax in display.axes_[1]] == [2] * 4
    png(display.figure_)


def test_one_confusion_is_once_and_long_labels_are_cut():
    picture = np.zeros((1, 4, 4, 1))
    pairs = [("a label that is long", "b", 1, picture), ("b", "c", 2, picture)]
    texts = [
        row[0].texts[0].get_text() for row in ConfusedPairsDisplay(pairs).plot().axes_
    ]
    assert texts == ["a label that ...\ntaken for\nb\nonce", "b\ntaken for\nc\n2 times"]


def test_no_mistakes_are_said_to_be_none(digits):
    model, X, _ = digits
    predicted = model.predict(X)
    display = MistakesDisplay.from_estimator(model, X, predicted)
    assert display.n_wrong == 0
    png(display.figure_)
    assert ConfusedPairsDisplay.from_estimator(model, X, predicted).pairs == []


@pytest.mark.parametrize(
    "kind", [MistakesDisplay, ConfusedPairsDisplay, ActivationMapDisplay]
)
def test_pictures_of_other_estimators_are_refused(kind, digits):
    _, X, y = digits
    X = X.reshape(len(X), -1)
    other = LogisticRegression(max_iter=5000).fit(X[:50], y[:50])
    arguments = (X, y) if kind is not ActivationMapDisplay else (X,)
    with pytest.raises(TypeError, match="fitted on pictures"):
        kind.from_estimator(other, *arguments)
