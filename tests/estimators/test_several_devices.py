"""Fits on a list of devices: a process for each, and an ordinary estimator after it."""

import os
import signal
import tempfile

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.callback import ProgressBar
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdl import (
    EmbeddingTransformer,
    EntityEmbeddingRegressor,
    NeuralClassifier,
    TextLM,
)
from skdl.data.handed_over import Packed
from skdl.estimators.core import several_devices
from skdl.training import launch
from skdl.training.ranks import LostRankError
from tests.estimators.ranks import MODEL, X, Y

BOTH = ["cpu", "cpu"]


def on_both(**options):
    return clone(MODEL).set_params(**{"device": BOTH, **options})


@pytest.fixture
def in_this_process(monkeypatch):
    """Let what the first process would do be done here, and count the starts."""
    starts = []

    def start(n_processes, module, folder):
        starts.append(n_processes)
        with monkeypatch.context() as patch:
            patch.setenv("RANK", "0")
            try:
                several_devices.main(folder)
            except SystemExit:
                raise launch.DeadProcessError("process 0 of 2 ended") from None

    monkeypatch.setattr(launch, "launch", start)
    monkeypatch.setattr(launch, "end_with_the_starter", lambda: None)
    monkeypatch.setattr(torch, "set_num_threads", lambda n: None)
    return starts


@pytest.mark.slow
def test_a_process_that_is_killed_is_started_again_and_goes_on(tmp_path, monkeypatch):
    killed, checkpoint = tmp_path / "killed", tmp_path / "fit.pt"
    folder_of_temporary_files = tmp_path / "temporary"
    folder_of_temporary_files.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder_of_temporary_files))
    names = ("RANK", "OMP_NUM_THREADS")

    def schedule(progress):  # as in a notebook: in no module
        if os.environ.get("RANK") == "1" and progress > 0.5 and not killed.exists():
            killed.write_text(str(progress))
            os.kill(os.getpid(), 9)
        return 1.0 - progress

    how = {"max_epochs": 4, "checkpoint": checkpoint, "schedule": schedule}
    before = [os.environ.get(name) for name in names]
    handlers = signal.getsignal(signal.SIGTERM)
    with pytest.warns(RuntimeWarning, match="process 1 of 2 was ended by SIGKILL"):
        model = on_both(**how).fit(X, Y, np.arange(203) % 3 + 1.0)
    assert killed.exists()
    assert not checkpoint.exists()
    assert not list(folder_of_temporary_files.iterdir())
    assert before == [os.environ.get(name) for name in names]
    assert signal.getsignal(signal.SIGTERM) is handlers
    how["checkpoint"] = None
    alone = clone(MODEL).set_params(**how).fit(X, Y, np.arange(203) % 3 + 1.0)
    np.testing.assert_allclose(
        model.predict_proba(X), alone.predict_proba(X), atol=1e-5
    )
    assert model.history_["epoch"].tolist() == [1, 2, 3, 4]


def test_options_that_this_torch_does_not_have_are_left_out():
    found = launch._where_there(max_restarts=1, an_option_of_later=2)
    assert found == {"max_restarts": 1}


def test_an_ordinary_estimator_comes_back(in_this_process):
    pipeline = make_pipeline(StandardScaler(), on_both()).fit(X, Y)
    model, alone = pipeline[-1], make_pipeline(StandardScaler(), MODEL).fit(X, Y)
    assert (pipeline.predict_proba(X) == alone.predict_proba(X)).all()
    assert model.device == BOTH
    assert model.device_ == "cpu"
    assert in_this_process == [2]
    model.partial_fit(X, Y)  # on the first device
    assert (clone(model).fit(X, Y).predict(X) == model.fit(X, Y).predict(X)).all()


def test_folds_and_vectors_of_tables_are_learned_so_too(in_this_process):
    model = NeuralClassifier(device=BOTH, hidden_layer_sizes=(4,), random_state=0)
    assert len(model.fit(X[:40], Y[:40]).oof_prediction_) == 40
    frame = np.column_stack([X[:60, 0], np.arange(60) % 3])
    network = EntityEmbeddingRegressor(
        device=BOTH, categorical_features=[1], hidden_layer_sizes=(4,), random_state=0
    )
    vectors = EmbeddingTransformer(network).fit(frame, X[:60, 1])
    assert len(vectors.embeddings_) == 1
    assert in_this_process == [2, 2]


def test_generators_go_on_and_warnings_come_here(in_this_process):
    rng = np.random.RandomState(0)
    model = on_both(random_state=rng, max_epochs=2)
    first = model.fit(X, Y).predict_proba(X)
    assert (model.fit(X, Y).predict_proba(X) != first).any()
    model.set_callbacks(ProgressBar())
    with pytest.warns(UserWarning, match="Callbacks are not told"):
        model.fit(X, Y)
    assert model._skl_callbacks


def test_what_a_process_raises_is_raised_and_the_estimator_stays(in_this_process):
    model = on_both().fit(X, Y)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.fit(X, Y[:100])
    assert (model.predict_proba(X) == before).all()


def test_a_fit_that_diverges_keeps_its_last_good_epoch(in_this_process):
    def schedule(progress):
        return 1.0 if progress < 0.5 else 1e38

    model = on_both(max_epochs=2, schedule=schedule)
    with pytest.raises(FloatingPointError, match="The model of epoch 1 is kept"):
        model.fit(X, Y)
    assert model.n_iter_ == 1


def test_what_the_others_say_of_a_lost_one_is_not_what_is_raised(tmp_path):
    Packed(LostRankError("lost")).write(tmp_path, "error-0")
    several_devices._raise_error_of(tmp_path, 2)
    Packed(MemoryError("too large")).write(tmp_path, "error-1")
    with pytest.raises(MemoryError, match="too large"):
        several_devices._raise_error_of(tmp_path, 2)


@pytest.mark.parametrize(
    ("checkpoint", "n_starts", "message"),
    [(None, 1, "With a checkpoint it would go on"), ("fit.pt", 4, "nothing of it")],
)
def test_a_process_that_dies_again_and_again_ends_the_fit(
    checkpoint, n_starts, message, monkeypatch, tmp_path
):
    starts = []

    def start(*arguments):
        starts.append(arguments)
        raise launch.DeadProcessError("process 1 of 2 was ended by SIGKILL")

    monkeypatch.setattr(launch, "launch", start)
    model = on_both(checkpoint=checkpoint and tmp_path / checkpoint)
    with (
        pytest.warns(RuntimeWarning) if checkpoint else pytest.MonkeyPatch.context(),
        pytest.raises(RuntimeError, match=f"was ended by SIGKILL.*{message}"),
    ):
        model.fit(X, Y)
    assert len(starts) == n_starts
    assert not hasattr(model, "network_")


@pytest.mark.parametrize(
    ("model", "fit", "error", "message"),
    [
        (on_both(device=[]), (X, Y), ValueError, "names none"),
        (on_both(device=["cpu", None]), (X, Y), ValueError, "holds None"),
        (on_both(device=["cpu", "tpu"]), (X, Y), ValueError, "device must be"),
        (TextLM(device=BOTH), (["a b"],), ValueError, "is trained on one device"),
        (on_both(), ((x for x in X), Y), TypeError, "cannot be handed to other"),
    ],
    ids=["none", "no name", "unknown", "text", "generator"],
)
def test_what_cannot_be_shared_out_is_said(model, fit, error, message):
    with pytest.raises(error, match=message):
        model.fit(*fit)


def test_searches_in_workers_and_torchrun_are_refused(monkeypatch):
    search = GridSearchCV(on_both(), {"lr": [0.1]}, cv=2, error_score="raise")
    with (
        joblib.parallel_config("threading", n_jobs=2),
        pytest.raises(RuntimeError, match="in a worker of joblib, one of several"),
    ):
        search.fit(X, Y)
    for name in ("WORLD_SIZE", "RANK", "MASTER_ADDR"):
        monkeypatch.setenv(name, "2")
    with pytest.raises(RuntimeError, match="torchrun has started 2 already"):
        on_both().fit(X, Y)


def test_world_size_alone_is_no_launcher(monkeypatch, in_this_process):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.warns(UserWarning, match="was not started by torchrun"):
        on_both().fit(X, Y)
