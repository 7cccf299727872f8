"""One Ctrl-C ends what is running; where the user holds a model, epochs are kept."""

import os
import pathlib
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

import skdl
from skdl import (
    EmbeddingTransformer,
    EntityEmbeddingClassifier,
    NeuralClassifier,
    TextLM,
)

rng = np.random.default_rng(0)
X = rng.normal(size=(120, 4))
Y = (X[:, 0] > 0).astype(int)
TABLE = pd.DataFrame({"city": rng.choice(["Bonn", "Ulm"], 120), "size": X[:, 0]})
TEXTS = ["the cat sat on the mat", "a dog lay on the rug"] * 20


class Ctrl:
    """A network that is interrupted in a step of its training, as by Ctrl-C."""

    def __init__(self, step):
        self.step, self.seen, self.fits = step, 0, 0

    def __call__(self, n_inputs, n_outputs):
        self.fits += 1
        module = nn.Linear(n_inputs, n_outputs)
        module.register_forward_pre_hook(self.count)
        return module

    def __deepcopy__(self, memo):  # for clones: one key, whoever is running
        return self

    def count(self, module, inputs):
        if module.training:
            self.seen += 1
            if self.seen == self.step:
                os.kill(os.getpid(), signal.SIGINT)


def model(step, **options):
    options = {"max_epochs": 6, "batch_size": 20, "random_state": 0, **options}
    return NeuralClassifier(network=Ctrl(step), **options)


@pytest.mark.parametrize(
    "options", [{}, {"early_stopping": True}, {"weight_averaging": "ema"}], ids=str
)
def test_the_epochs_done_are_kept_and_the_interrupt_goes_on_up(options):
    expected = model(0, max_epochs=6, **options).fit(X, Y)
    interrupted = model(3 * 6 - 1, **options)
    with pytest.raises(KeyboardInterrupt, match=r"after epoch \d of 6 are kept"):
        interrupted.fit(X, Y)
    n = interrupted.n_iter_
    assert 2 <= n <= 4
    assert 1 <= interrupted.best_epoch_ <= n
    assert len(interrupted.history_) == n
    assert interrupted.history_["loss"].tolist() == (
        expected.history_["loss"][:n].tolist()
    )
    assert interrupted.predict(X).shape == Y.shape


def test_the_epochs_done_are_those_of_a_shorter_training():
    """With a schedule that does not know its end, to the bit."""
    options = {"schedule": "constant"}
    interrupted = model(3 * 6 - 1, **options)
    with pytest.raises(KeyboardInterrupt):
        interrupted.fit(X, Y)
    shorter = model(0, max_epochs=interrupted.n_iter_, **options).fit(X, Y)
    assert np.array_equal(interrupted.predict_proba(X), shorter.predict_proba(X))


def test_before_the_first_epoch_is_done_a_model_stays_as_it_was():
    new = model(2)
    with pytest.raises(KeyboardInterrupt):
        new.fit(X, Y)
    assert not hasattr(new, "network_")
    assert not hasattr(new, "n_features_in_")
    fitted = model(0).fit(X, Y)
    before = fitted.predict_proba(X)
    fitted.set_params(network=Ctrl(2))
    with pytest.raises(KeyboardInterrupt):
        fitted.fit(X, Y)
    assert np.array_equal(fitted.predict_proba(X), before)


def grid(estimator):
    GridSearchCV(estimator, {"lr": [0.01, 0.02]}, cv=3, n_jobs=1).fit(X, Y)


def scores(estimator):
    cross_val_score(estimator, X, Y, cv=3)


def pipeline(estimator):
    make_pipeline(StandardScaler(), estimator).fit(X, Y)


@pytest.mark.parametrize("run", [grid, scores, pipeline])
def test_one_interrupt_ends_what_fits_many(run):
    key = Ctrl(10)
    estimator = NeuralClassifier(network=key, max_epochs=6, batch_size=20)
    with pytest.raises(KeyboardInterrupt):
        run(estimator)
    assert key.fits == 1  # no other fit was begun


@pytest.mark.parametrize("method", ["fit", "fit_transform"])
def test_one_interrupt_ends_a_transformer(method):
    key = Ctrl(10)
    network = EntityEmbeddingClassifier(network=key, max_epochs=6, batch_size=20)
    transformer = EmbeddingTransformer(network, cv=2)
    with pytest.raises(KeyboardInterrupt):
        getattr(transformer, method)(TABLE, Y)
    assert key.fits == 1
    assert not hasattr(transformer, "estimator_")


def test_a_pipeline_that_is_interrupted_holds_the_epochs_done():
    pipe = make_pipeline(StandardScaler(), model(3 * 6))
    with pytest.raises(KeyboardInterrupt):
        pipe.fit(X, Y)
    assert pipe[-1].n_iter_ >= 2
    assert pipe.predict(X).shape == Y.shape


class InterruptedEpoch:
    """A callback that is interrupted at the end of an epoch."""

    def __init__(self, epoch):
        self.epoch, self.seen = epoch, 0

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        is_epoch = context.task_name == "epoch"
        self.seen += is_epoch
        if is_epoch and self.seen == self.epoch:
            os.kill(os.getpid(), signal.SIGINT)
        return False


def test_a_text_model_keeps_its_epochs_too():
    sizes = {"embedding_dim": 6, "hidden_size": 6, "batch_size": 2, "bptt": 5}
    lm = TextLM(**sizes, max_epochs=4).set_callbacks(InterruptedEpoch(2))
    with pytest.raises(KeyboardInterrupt, match="after epoch 2 of 4"):
        lm.fit(TEXTS)
    assert lm.n_iter_ == 2
    assert np.isfinite(lm.score(TEXTS))


def test_partial_fit_lets_an_interrupt_go_on_up():
    fitted = model(0).partial_fit(X, Y, classes=[0, 1])
    before = fitted.predict_proba(X)
    fitted.network_.register_forward_pre_hook(Ctrl(2).count)
    with pytest.raises(KeyboardInterrupt):
        fitted.partial_fit(X, Y)
    assert np.array_equal(fitted.predict_proba(X), before)


# The first fit of a process.

NO_IMPORTS = """
import sys
import numpy as np
import skdl
from skdl.training.trainer import Trainer

step, found = Trainer.step, []

def watched(self, batch):
    before = set(sys.modules)
    loss = step(self, batch)
    found.extend(m for m in set(sys.modules) - before if m.startswith("torch"))
    return loss

Trainer.step = watched
X = np.random.default_rng(0).normal(size=(64, 3))
{make}
assert not found, found
"""
MAKES = {
    "dense": "skdl.NeuralRegressor(max_epochs=1).fit(X, X[:, 0])",
    "text": "skdl.TextLM(max_epochs=1, hidden_size=8, embedding_dim=8, bptt=5, "
    "batch_size=2).fit(['a b c d e f g h'] * 9)",
    "sgd": "skdl.NeuralRegressor(max_epochs=1, optimizer='sgd', clip_grad_norm=1.0)"
    ".fit(X, X[:, 0])",
}

INTERRUPTED_IMPORT = """
import os, signal, sys
import numpy as np
import skdl

class Interrupting:
    seen = 0
    def find_spec(self, name, *rest):
        if name.startswith("torch."):
            self.seen += 1
            if self.seen == {place}:
                os.kill(os.getpid(), signal.SIGINT)

finder = Interrupting()
sys.meta_path.insert(0, finder)
X = np.random.default_rng(0).normal(size=(64, 3))
model = skdl.NeuralRegressor(max_epochs=2, random_state=0, optimizer="sgd")
try:
    model.fit(X, X[:, 0])
except KeyboardInterrupt:
    print("interrupted")
assert finder.seen >= {place}, finder.seen
model.fit(X, X[:, 0])
import torch._dynamo
torch.optim.Adam(model.network_.parameters()).step()
print(model.n_iter_)
"""


def in_a_new_process(script):
    root = pathlib.Path(skdl.__file__).parents[1]
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("make", MAKES)
def test_the_first_step_of_a_process_imports_nothing_of_torch(make):
    done = in_a_new_process(NO_IMPORTS.format(make=MAKES[make]))
    assert done.returncode == 0, done.stderr


def test_a_fit_does_not_import_the_compiler():
    """That takes a second, in each process of a search anew."""
    script = """
    import sys, tempfile
    import numpy as np, skdl
    from torch import nn

    class Unused(nn.Linear):
        def __init__(self, *sizes):
            super().__init__(*sizes)
            self.other = nn.Linear(3, 1)

    X = np.random.default_rng(0).normal(size=(64, 3))
    skdl.NeuralRegressor(network=Unused, max_epochs=2).fit(X, X[:, 0])
    with tempfile.TemporaryDirectory() as folder:
        for options in {}, dict(validation=None, checkpoint=folder + "/file"):
            model = skdl.NeuralRegressor(max_epochs=2, **options).fit(X, X[:, 0])
    model.partial_fit(X, X[:, 0]).predict(X)
    skdl.TextClassifier(max_epochs=1).fit(["a good day", "a bad day"] * 20, [1, 0] * 20)
    assert "torch._dynamo" not in sys.modules
    """
    done = in_a_new_process(script)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("place", [60, 160, 300])
def test_an_interrupt_while_torch_imports_leaves_it_whole(place):
    done = in_a_new_process(INTERRUPTED_IMPORT.format(place=place))
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["interrupted", "2"]
