"""Faults in the middle of a fit: what is left, and what an estimator is then."""

import dataclasses
import os
import pathlib
import shutil
import subprocess
import sys
import textwrap
import threading
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from torch import nn

import skdl
from skdl import (
    EntityEmbeddingClassifier,
    EntityEmbeddingRegressor,
    FineTuning,
    ImageClassifier,
    NeuralClassifier,
    NeuralRegressor,
    TextLM,
)
from skdl.networks.language_model import LanguageModel
from skdl.training.survival import checkpoint as checkpoint_module
from skdl.training.survival.checkpoint import read_checkpoint
from skdl.training.survival.whole_file import write_whole
from tests.names import named

rng = np.random.default_rng(0)
NUMBERS = rng.normal(size=(120, 4))
LABELS = (NUMBERS[:, 0] > 0).astype(int)
TABLE = pd.DataFrame(
    {"city": rng.choice(["Bonn", "Ulm", "Jena"], 120), "size": NUMBERS[:, 0]}
)
PICTURES = rng.integers(0, 255, size=(40, 8, 8), dtype=np.uint8)
TEXTS = ["the cat sat on the mat", "a dog lay on the rug", "the cat saw a dog"] * 20

SMALL = {"max_epochs": 5, "random_state": 0}
SMALL_LM = {
    **SMALL,
    "embedding_dim": 8,
    "hidden_size": 12,
    "batch_size": 4,
    "bptt": 8,
    "lr": 0.01,
}


def dense(**options):
    return NeuralClassifier(**{"hidden_layer_sizes": 8, **SMALL, **options})


def table(**options):
    return EntityEmbeddingClassifier(**{"hidden_layer_sizes": 8, **SMALL, **options})


def conv(**options):
    return ImageClassifier(**{**SMALL, "max_epochs": 3, **options})


def text(**options):
    return TextLM(**{**SMALL_LM, **options})


FAMILIES = {
    "dense": (dense, (NUMBERS, LABELS)),
    "table": (table, (TABLE, LABELS)),
    "text": (text, (TEXTS,)),
}


def result(model):
    """Return weights and history, without seconds."""
    shown = [
        c for c in model.history_ if "second" not in c and c != "tokens_per_second"
    ]
    weights = {n: t.clone() for n, t in model.network_.state_dict().items()}
    return weights, model.history_[shown], model.best_epoch_, model.lr_


def assert_same(first, second):
    """Compare bits; on a GPU sums of two trainings may round otherwise."""
    exact = not any(weight.is_cuda for weight in first[0].values())
    atol = 0.0 if exact else 1e-3
    torch.testing.assert_close(first[0], second[0], rtol=0, atol=atol)
    pd.testing.assert_frame_equal(
        first[1], second[1], **({"check_exact": True} if exact else {"rtol": 1e-3})
    )
    assert first[2:] == second[2:]


class CutOffError(Exception):
    pass


class CutOff:
    """A callback that fails at the beginning of an epoch."""

    def __init__(self, epoch, error=CutOffError):
        self.epoch, self.error, self.seen = epoch, error, 0

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        if context.task_name == "epoch":
            self.seen += 1
            if self.seen == self.epoch:
                raise self.error

    def on_fit_task_end(self, estimator, context):
        return False


def cut_off(model, epoch, *data, **held_out):
    """Fit a model up to the beginning of an epoch; the file is left."""
    with pytest.raises(CutOffError):
        model.set_callbacks(CutOff(epoch)).fit(*data, **held_out)
    assert not hasattr(model, "network_")
    file = model.checkpoint
    assert os.path.exists(file[0] if isinstance(file, tuple) else file)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "fit.pt"


# Too little memory.


class Cramped(nn.Sequential):
    limit = 10

    def forward(self, x):
        if self.training and len(x) > self.limit:
            raise torch.OutOfMemoryError("simulated")
        return super().forward(x)


def cramped(n_inputs, n_outputs):
    return Cramped(nn.Linear(n_inputs, 8), nn.Tanh(), nn.Linear(8, n_outputs))


def roomy(n_inputs, n_outputs):
    network = cramped(n_inputs, n_outputs)
    network.limit = 1000
    return network


@pytest.mark.kernels
@pytest.mark.parametrize("kind", [dense, table])
@pytest.mark.parametrize("step", [1, 7])
def test_out_of_memory_gives_the_same_model_and_one_warning(kind, step, monkeypatch):
    X = TABLE if kind is table else NUMBERS

    def network(n_inputs, n_outputs):
        module, calls = cramped(n_inputs, n_outputs), []
        module.limit = 1000

        def less_memory(module, _):
            calls.append(1)
            if len(calls) == 3 * step:
                module.limit = 10

        module.register_forward_pre_hook(less_memory)
        return module

    monkeypatch.setattr("skdl.estimators.tables.embedding.UNKNOWN_RATE", 0.0)
    options = {"batch_size": 24} if kind is table else {}
    expected = kind(network=roomy, **options).fit(X, LABELS)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = kind(network=network, **options).fit(X, LABELS)
    assert [w.category for w in caught] == [RuntimeWarning]
    assert "in parts of at most" in str(caught[0].message)
    assert np.allclose(model.predict_proba(X), expected.predict_proba(X), atol=1e-4)
    assert model.history_["loss"].tolist() == pytest.approx(
        expected.history_["loss"].tolist(), rel=1e-4
    )
    assert model.history_["rows_at_once"].iloc[-1] <= 10


@pytest.mark.kernels
def test_out_of_memory_in_a_language_model(monkeypatch):
    plain = {"dropout": 0.0}
    expected = text(**plain).fit(TEXTS)
    forward = LanguageModel.forward

    def cramped_forward(self, ids, states=None):
        if self.training and ids.shape[1] > 2:
            raise torch.OutOfMemoryError("simulated")
        return forward(self, ids, states)

    monkeypatch.setattr(LanguageModel, "forward", cramped_forward)
    with pytest.warns(RuntimeWarning, match="batch of 4 rows.*at most 2 rows"):
        model = text(**plain).fit(TEXTS)
    assert model.history_["loss"].tolist() == pytest.approx(
        expected.history_["loss"].tolist(), rel=1e-3
    )


def test_the_range_test_and_the_fit_share_what_they_find_of_memory():
    with pytest.warns(RuntimeWarning) as caught:
        model = dense(network=cramped, lr="auto").fit(NUMBERS, LABELS)
    kinds = [w.category for w in caught if w.category is not ConvergenceWarning]
    assert kinds == [RuntimeWarning]
    assert model.n_iter_ == 5


# Losses and gradients that are not finite.


class Poisoned(nn.Sequential):
    """In some steps of training outputs, or their gradient, are NaN."""

    def __init__(self, steps, gradient, *layers):
        super().__init__(*layers)
        self.steps, self.gradient, self.seen = steps, gradient, 0

    def forward(self, x):
        raw = super().forward(x)
        if not self.training:
            return raw
        self.seen += 1
        if self.seen in self.steps:
            if not self.gradient:
                return raw * float("nan")
            raw.register_hook(lambda g: g * float("nan"))
        return raw


def poisoned(steps, gradient=False):
    def network(n_inputs, n_outputs):
        return Poisoned(steps, gradient, nn.Linear(n_inputs, n_outputs))

    return network


@pytest.mark.parametrize("gradient", [False, True])
@pytest.mark.parametrize("kind", [dense, table])
def test_single_steps_that_are_not_finite_are_dropped(kind, gradient):
    X = TABLE if kind is table else NUMBERS
    model = kind(network=poisoned({2, 7, 8}, gradient), max_epochs=60, batch_size=20)
    model.fit(X, LABELS)
    assert model.history_["skipped_steps"].sum() == 3
    assert "restorations" not in model.history_
    assert np.isfinite(model.history_["loss"]).all()
    assert model.score(X, LABELS) > 0.85


def test_three_in_a_row_halve_the_rate():
    model = dense(network=poisoned({8, 9, 10}), batch_size=20, schedule="constant")
    model.fit(NUMBERS, LABELS)
    assert model.history_["restorations"].sum() == 1
    assert model.history_["lr"].tolist() == [0.01, 0.005, 0.005, 0.005, 0.005]
    assert model.lr_ == 0.005
    assert model.n_iter_ == 5


def test_a_fit_that_cannot_be_saved_keeps_the_last_good_epoch_and_says_so():
    model = dense(network=poisoned(range(13, 10_000)), batch_size=20)
    with pytest.raises(FloatingPointError, match="epoch 3.*model of epoch 2 is kept"):
        model.fit(NUMBERS, LABELS)
    assert (model.n_iter_, model.best_epoch_) == (2, 2)
    assert np.isfinite(model.predict_proba(NUMBERS)).all()
    assert model.lr_ == pytest.approx(0.01 / 8)
    expected = dense(network=poisoned(()), batch_size=20, max_epochs=5)
    stop_after_two = CutOff(3, KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt, match="interrupted"):
        expected.set_callbacks(stop_after_two).fit(NUMBERS, LABELS)
    assert np.array_equal(model.predict_proba(NUMBERS), expected.predict_proba(NUMBERS))


@pytest.mark.parametrize("fitted_before", [False, True])
def test_without_a_good_epoch_the_estimator_stays_as_it_was(fitted_before):
    model = dense()
    if fitted_before:
        before = model.fit(NUMBERS, LABELS).predict_proba(NUMBERS)
    model.set_params(network=poisoned(range(10_000)))
    with pytest.raises(FloatingPointError, match=r"epoch 1.*step 3.*lr=0\.00125"):
        model.fit(NUMBERS, LABELS)
    assert hasattr(model, "network_") is fitted_before
    if fitted_before:
        assert np.array_equal(model.predict_proba(NUMBERS), before)


def test_partial_fit_that_diverges_leaves_the_model():
    model = dense(network=poisoned(range(7, 10_000)), batch_size=20)
    before = model.partial_fit(NUMBERS, LABELS, classes=[0, 1]).predict_proba(NUMBERS)
    with pytest.raises(FloatingPointError, match="No epoch ended well"):
        model.partial_fit(NUMBERS, LABELS)
    assert np.array_equal(model.predict_proba(NUMBERS), before)
    assert len(model.history_) == 1


def test_nan_in_the_data_is_one_clear_error_or_a_dropped_step():
    class Divides(nn.Linear):
        def forward(self, x):
            return super().forward(x) / (x[:, :1] != 0)  # a zero makes it infinite

    options = {"network": Divides, "scale_inputs": False, "batch_size": 20}
    one = NUMBERS.copy()
    one[5, 0] = 0.0
    y = NUMBERS[:, 1]
    model = NeuralRegressor(**SMALL, **options).fit(one, y)
    assert (model.history_["skipped_steps"] == 1).all()
    one[:, 0] = 0.0
    with pytest.raises(FloatingPointError, match="NaN in the data"):
        NeuralRegressor(**SMALL, **options).fit(one, y)


def test_a_language_model_shortens_its_windows_and_goes_on(monkeypatch):
    forward, seen = LanguageModel.forward, []

    def unstable(self, ids, states=None):
        output, after = forward(self, ids, states)
        if self.training:
            seen.append(len(ids))
            if len(ids) > 5:
                output = dataclasses.replace(output, hidden=output.hidden / 0.0)
        return output, after

    monkeypatch.setattr(LanguageModel, "forward", unstable)
    model = text(variable_bptt=False, bptt=12, dropout={"output": 0.0}).fit(TEXTS)
    assert model.history_["restorations"].iloc[0] == 3
    assert (seen[0], max(seen[-9:])) == (12, 3)
    assert np.isfinite(model.perplexity(TEXTS[:3]))


# Checkpoints: cut off and gone on with.


@pytest.mark.kernels
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("dense", {}),
        ("dense", {"lr": "auto"}),
        ("dense", {"early_stopping": True, "n_iter_no_change": 2, "dropout": 0.4}),
        ("dense", {"weight_averaging": "ema", "batch_norm": True}),
        ("dense", {"early_stopping": True, "weight_averaging": "nt_asgd"}),
        ("dense", {"n_estimators": 2, "optimizer": "sgd"}),
        ("dense", {"fine_tuning": FineTuning("all_but_last", "gradual")}),
        ("dense", {"optimizer": torch.optim.RMSprop, "clip_grad_norm": 1.0}),
        ("table", {"embedding_dropout": 0.2}),
        ("table", {"class_weight": "balanced", "early_stopping": True}),
        ("text", {}),
        ("text", {"cell": "qrnn", "zoneout": 0.1, "dropout": {"word": 0.1}}),
        ("text", {"early_stopping": True, "weight_averaging": "nt_asgd"}),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:lr='auto' may be off")
def test_a_fit_that_goes_on_has_the_same_bits(name, options, path):
    make, data = FAMILIES[name]
    expected = make(**options).fit(*data)
    cut_off(make(checkpoint=path, **options), 3, *data)
    model = make(checkpoint=str(path), **options).fit(*data)
    assert_same(result(expected), result(model))
    assert not os.path.exists(path)


def test_every_other_epoch_is_written_if_so_asked(path):
    cut_off(dense(checkpoint=(path, 2)), 4, NUMBERS, LABELS)
    assert read_checkpoint(path)["state"]["epoch"] == 2
    model = dense(checkpoint=(path, 3)).fit(NUMBERS, LABELS)
    assert_same(result(dense().fit(NUMBERS, LABELS)), result(model))


def test_windows_that_were_chosen_stay(path, monkeypatch):
    options = {"bptt": "auto", "batch_size": "auto", "random_state": None}
    cut_off(text(checkpoint=path, **options), 3, TEXTS)
    chosen = read_checkpoint(path)["notes"]["windows"]
    chosen = next(c for c in chosen if c["chosen"])
    monkeypatch.setattr("skdl.estimators.text.windows.choose", None)  # not asked again
    model = text(checkpoint=path, **options).fit(TEXTS)
    assert (model.bptt_, model.batch_size_) == (chosen["bptt"], chosen["batch_size"])
    assert model.n_iter_ == 5
    assert model.bptt_report_["chosen"].sum() == 1


@pytest.mark.kernels
def test_pictures_go_on_with_the_same_bits(path):
    y = np.arange(40) % 2
    augmentation = {"shift": 0.1, "flip": True, "mixup": 0.2}
    expected = conv(augmentation=augmentation).fit(PICTURES, y)
    cut_off(conv(augmentation=augmentation, checkpoint=path), 2, PICTURES, y)
    model = conv(augmentation=augmentation, checkpoint=path).fit(PICTURES, y)
    assert_same(result(expected), result(model))


def test_a_network_of_ones_own_that_draws_goes_on_with_the_same_bits(path):
    class Noisy(nn.Sequential):
        def forward(self, x):
            noise = 0.1 * torch.randn_like(x) if self.training else 0.0
            return super().forward(x + noise)

    def network(n_inputs, n_outputs):
        hidden = nn.Linear(n_inputs, 8), nn.Dropout(0.3)
        return Noisy(*hidden, nn.Linear(8, n_outputs))

    options = {"network": network, "early_stopping": True, "max_epochs": 5}
    expected = dense(**options).fit(NUMBERS, LABELS)
    cut_off(dense(checkpoint=path, **options), 3, NUMBERS, LABELS)
    model = dense(checkpoint=path, **options).fit(NUMBERS, LABELS)
    assert_same(result(model), result(expected))


def test_regressors_with_weights_and_held_out_data_go_on(path):
    y, weight = NUMBERS[:, 1], np.linspace(0, 2, 120)
    held_out = {"X_val": TABLE[:30], "y_val": y[:30]}

    def make(**options):
        return EntityEmbeddingRegressor(**SMALL, hidden_layer_sizes=8, **options)

    expected = make().fit(TABLE, y, weight, **held_out)
    cut_off(make(checkpoint=path), 4, TABLE, y, weight, **held_out)
    model = make(checkpoint=path).fit(TABLE, y, weight, **held_out)
    assert_same(result(expected), result(model))
    np.testing.assert_allclose(model.predict(TABLE), expected.predict(TABLE), atol=1e-3)


@pytest.mark.parametrize("name", FAMILIES)
def test_without_a_seed_it_goes_on_with_the_seed_it_had(name, path):
    make, data = FAMILIES[name]
    options = {"random_state": None, "early_stopping": True, "checkpoint": path}
    cut_off(make(**options), 3, *data)
    shutil.copy(path, path.with_name("earlier.pt"))
    cut_off(make(**options), 2, *data)  # an epoch further
    first = make(**options).fit(*data)
    options["checkpoint"] = path.with_name("earlier.pt")
    assert_same(result(first), result(make(**options).fit(*data)))


def test_a_warm_start_goes_on(path):
    def half():
        return dense(warm_start=True).fit(NUMBERS, LABELS)

    expected = half().fit(NUMBERS, LABELS)
    model = half().set_params(checkpoint=path).set_callbacks(CutOff(3))
    with pytest.raises(CutOffError):
        model.fit(NUMBERS, LABELS)
    model = half().set_params(checkpoint=path).fit(NUMBERS, LABELS)
    assert_same(result(expected), result(model))


SCRIPT = """
import os, signal, sys
import torch
from tests.estimators.test_survival import FAMILIES
from skdl.training.survival import checkpoint

name, when, path = sys.argv[1:]

def kill():
    os.kill(os.getpid(), signal.SIGKILL)

class Killer:
    seen = 0
    def setup(self, estimator, context): pass
    def teardown(self, estimator, context): pass
    def on_fit_task_begin(self, estimator, context):
        self.seen += context.task_name == "epoch"
        if when == "between" and self.seen == 4:
            kill()
    def on_fit_task_end(self, estimator, context):
        return False

written, save = [], torch.save
def killed_while_writing(content, file):
    written.append(1)
    if when == "during" and len(written) == 3:
        file.write(b"half of it")
        file.flush()
        kill()
    save(content, file)
torch.save = killed_while_writing

make, data = FAMILIES[name]
make(checkpoint=path).set_callbacks(Killer()).fit(*data)
"""


@pytest.mark.parametrize(
    ("name", "when", "epochs_done"),
    [("dense", "between", 3), ("table", "during", 2), ("text", "during", 2)],
)
def test_a_killed_process_loses_no_more_than_an_epoch(name, when, epochs_done, path):
    root = pathlib.Path(skdl.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), name, when, str(path)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == -9, done.stderr.decode()[-2000:]
    stored = read_checkpoint(path)
    assert stored["state"]["epoch"] == epochs_done
    make, data = FAMILIES[name]
    model = make(checkpoint=path).fit(*data)
    assert_same(result(make().fit(*data)), result(model))
    assert os.listdir(path.parent) == []


@pytest.mark.parametrize("name", FAMILIES)
def test_an_interruption_keeps_the_epochs_done_and_the_file(name, path):
    make, data = FAMILIES[name]
    model = make(checkpoint=path).set_callbacks(CutOff(3, KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt, match="after epoch 2 of 5 are kept"):
        model.fit(*data)
    assert model.n_iter_ == 2
    model.set_callbacks().fit(*data)  # the same estimator goes on
    assert_same(result(make().fit(*data)), result(model))


def test_a_disk_that_is_full_does_not_end_a_fit(path, monkeypatch):
    def full(content, file):
        file.write(b"a part")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.warns(RuntimeWarning, match="cannot be written after epoch 1") as said:
        model = dense(checkpoint=path).fit(NUMBERS, LABELS)
    assert len(said) == 1
    assert_same(result(dense().fit(NUMBERS, LABELS)), result(model))
    assert os.listdir(path.parent) == []


def test_a_diverged_fit_leaves_its_checkpoint(path):
    model = dense(network=poisoned(range(13, 10_000)), batch_size=20, checkpoint=path)
    with pytest.raises(FloatingPointError, match="epoch 2 is kept"):
        model.fit(NUMBERS, LABELS)
    assert read_checkpoint(path)["state"]["epoch"] == 2


# Checkpoints that do not belong.


@pytest.mark.parametrize(
    ("make", "options", "data", "said"),
    [
        (table, {}, (TABLE, LABELS), "estimator"),
        (text, {}, (TEXTS,), "estimator"),
        (dense, {"dropout": 0.5}, (NUMBERS, LABELS), "dropout"),
        (dense, {"max_epochs": 9}, (NUMBERS, LABELS), "max_epochs"),
        (dense, {"network": cramped}, (NUMBERS, LABELS), "network"),
        (dense, {}, (NUMBERS, 1 - LABELS), "training data"),
        (dense, {}, (NUMBERS[:99], LABELS[:99]), "training data"),
    ],
    ids=named,
)
def test_the_checkpoint_of_another_fit_is_refused(make, options, data, said, path):
    cut_off(dense(checkpoint=path), 3, NUMBERS, LABELS)
    before = path.read_bytes()
    model = make(checkpoint=path, **options)
    with pytest.raises(ValueError, match=rf"another fit.*{said}.*delete the file"):
        model.fit(*data)
    assert not hasattr(model, "network_")
    assert path.read_bytes() == before


def test_other_held_out_data_are_refused(path):
    held_out = {"X_val": NUMBERS[:40], "y_val": LABELS[:40]}
    cut_off(dense(checkpoint=path), 3, NUMBERS, LABELS, **held_out)
    with pytest.raises(ValueError, match="held-out data is given there and none here"):
        dense(checkpoint=path).fit(NUMBERS, LABELS)
    other = {"X_val": NUMBERS[40:], "y_val": LABELS[40:]}
    with pytest.raises(ValueError, match="with other held-out data: the loss on them"):
        dense(checkpoint=path).fit(NUMBERS, LABELS, **other)
    dense(checkpoint=path).fit(NUMBERS, LABELS, **held_out)


def test_the_checkpoint_of_another_version_is_refused(path, monkeypatch):
    cut_off(dense(checkpoint=path), 3, NUMBERS, LABELS)
    content = read_checkpoint(path)
    content["identity"]["skdl"] = "0.0.1"
    header = checkpoint_module._HEADER
    write_whole(path, header, lambda file: torch.save(content, file))
    with pytest.raises(ValueError, match="skdl is 0.0.1 there"):
        dense(checkpoint=path).fit(NUMBERS, LABELS)
    monkeypatch.setattr(checkpoint_module, "PROTOCOL", 3)
    with pytest.raises(ValueError, match="version 2 of the format"):
        dense(checkpoint=path).fit(NUMBERS, LABELS)


def test_a_function_is_the_same_function_in_another_process(path):
    options = {"network": cramped, "schedule": lambda p: 1 - p}
    with pytest.warns(RuntimeWarning):
        cut_off(dense(checkpoint=path, **options), 3, NUMBERS, LABELS)
    identity = read_checkpoint(path)["identity"]
    assert "test_survival.cramped (" in identity["network"]
    assert " at 0x" not in str(identity)


def wide(width):
    return lambda n_inputs, n_outputs: nn.Sequential(
        nn.Linear(n_inputs, 8), nn.Tanh(), nn.Dropout(width), nn.Linear(8, n_outputs)
    )


@pytest.mark.parametrize(
    ("name", "one", "same", "other"),
    [
        ("network", wide(0.1), wide(0.1), wide(0.2)),
        ("schedule", lambda p: 1 - p, lambda p: 1 - p, lambda p: 1 - p / 2),
        (
            "optimizer",
            lambda groups, lr: torch.optim.SGD(groups, lr=lr),
            lambda groups, lr: torch.optim.SGD(groups, lr=lr),
            lambda groups, lr: torch.optim.SGD(groups, lr=lr, momentum=0.5),
        ),
        ("random_state", *(np.random.RandomState(seed) for seed in (3, 3, 4))),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_another_value_of_the_same_name_is_refused(name, one, same, other, path):
    cut_off(dense(checkpoint=path, **{name: one}), 3, NUMBERS, LABELS)
    with pytest.raises(ValueError, match=rf"another fit: {name} is .* there and"):
        dense(checkpoint=path, **{name: other}).fit(NUMBERS, LABELS)
    model = dense(checkpoint=path, **{name: same}).fit(NUMBERS, LABELS)
    assert model.n_iter_ == 5


def test_a_shared_generator_stays_until_the_fit_is_done(path):
    expected = dense(random_state=np.random.RandomState(3)).fit(NUMBERS, LABELS)
    shared = np.random.RandomState(3)
    model = dense(checkpoint=path, random_state=shared)
    cut_off(model, 3, NUMBERS, LABELS)
    model.set_callbacks().fit(NUMBERS, LABELS)  # the same object, in the same process
    assert_same(result(expected), result(model))
    other = result(model.fit(NUMBERS, LABELS))  # the next fit is another one
    assert not torch.equal(
        next(iter(other[0].values())), next(iter(result(expected)[0].values()))
    )


def test_what_cannot_be_told_apart_is_refused_before_anything_is_written(path):
    lock = threading.Lock()

    def network(n_inputs, n_outputs):
        with lock:
            return nn.Linear(n_inputs, n_outputs)

    with pytest.raises(ValueError, match="network holds an object of type lock"):
        dense(checkpoint=path, network=network).fit(NUMBERS, LABELS)
    assert os.listdir(path.parent) == []
    dense(network=network).fit(NUMBERS, LABELS)


def test_a_search_may_use_a_path_one_fit_at_a_time(path):
    search = GridSearchCV(dense(checkpoint=path), {"lr": [0.01, 0.02]}, cv=2)
    search.fit(NUMBERS, LABELS)
    assert os.listdir(path.parent) == []
    assert clone(search.best_estimator_).checkpoint == path


def test_partial_fit_writes_no_checkpoint(path):
    model = dense(checkpoint=path)
    model.partial_fit(NUMBERS, LABELS, classes=[0, 1])
    assert os.listdir(path.parent) == []
