"""The progress line names its score and tells how long it will take."""

import pytest

from skdl import EntityEmbeddingRegressor, NeuralClassifier, NeuralRegressor, TextLM
from skdl.datasets import make_store_sales
from skdl.training.loop import EpochRecord
from skdl.training.progress import ProgressLine


def record(epoch, seconds):
    return EpochRecord(epoch, 0.5, 0.01, seconds, seconds, 0.4, 0.9)


def test_the_remaining_time_goes_by_the_pace_so_far(capsys):
    line = ProgressLine(10, every_epoch=True, score_name="accuracy")
    line.show(record(1, 10.0))
    line.show(record(2, 20.0))
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("accuracy 0.9000  10.0 s, 1 min 30 s left")
    assert second.endswith("30.0 s, 2 min 0 s left")


def test_a_training_that_goes_on_counts_from_where_it_began(capsys):
    line = ProgressLine(10, every_epoch=True)
    line.show(record(6, 2.0))
    assert capsys.readouterr().out.endswith("2.0 s, 8 s left\n")


def test_epochs_that_grow_count_by_their_share(capsys):
    line = ProgressLine(3, every_epoch=True, share=[0, 0.1, 0.3, 1].__getitem__)
    line.may_stop = True
    line.show(record(1, 1.0))
    assert capsys.readouterr().out.endswith("1.0 s, at most 9 s left\n")


def test_a_bar_leaves_nothing_of_a_longer_line(capsys):
    line = ProgressLine(2)
    line.show(record(1, 100.0))
    line.show(record(2, 1.0))
    first, second = capsys.readouterr().out.split("\r")[1:]
    assert len(second) == len(first)


@pytest.mark.parametrize(
    ("model", "name"),
    [(NeuralClassifier, "accuracy"), (NeuralRegressor, "R^2")],
)
def test_scores_are_named(model, name, blobs, capsys):
    X, y = blobs
    estimator = model(max_epochs=2, early_stopping=True, verbose=2).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert all(f"  {name} " in line for line in lines)
    # What is printed is the sum of what the history has.
    assert f"{estimator.history_['seconds'].sum():.1f} s" in lines[-1]


def test_language_models_show_perplexity_and_no_other_score(capsys):
    texts = ["a b c", "b c a"] * 30
    TextLM(hidden_size=8, batch_size=2, max_epochs=1, verbose=2).fit(
        texts, X_val=texts[:9]
    )
    out = capsys.readouterr().out
    assert "validation perplexity" in out
    assert "score" not in out


def test_packs_tell_the_time_that_is_left_at_most(capsys):
    X, y = make_store_sales(300, n_stores=5, random_state=0, return_X_y=True)
    EntityEmbeddingRegressor(validation=2, max_epochs=60, verbose=2).fit(X, y)
    first = capsys.readouterr().out.splitlines()[0]
    assert "R^2" in first
    assert "at most" in first
