"""Fits in threads: the bits that each has alone, and nothing global is touched.

On the CPU, whose bits hold for networks of all kinds; `test_gpu_threads` has a GPU's.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from joblib import parallel_config
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from torch import nn

from skdl import (
    EmbeddingTransformer,
    EntityEmbeddingClassifier,
    EntityEmbeddingRegressor,
    ImageClassifier,
    NeuralClassifier,
    NeuralRegressor,
    TextLM,
    lr_find,
)

pytestmark = pytest.mark.usefixtures("on_cpu")

rng = np.random.default_rng(0)
NUMBERS = rng.normal(size=(300, 6))
LABELS = (NUMBERS[:, 0] > 0).astype(int)
TABLE = pd.DataFrame(
    {
        "city": rng.choice(["Bonn", "Ulm", "Jena", "Kiel"], 300),
        "day": rng.choice(list("abcdefg"), 300),
        "size": NUMBERS[:, 0],
    }
)
PICTURES = rng.integers(0, 255, size=(60, 12, 12), dtype=np.uint8)
TEXTS = ["the cat sat on the mat", "a dog lay on the rug", "the cat saw a dog"] * 20

SMALL = {"max_epochs": 3, "random_state": 0}
EMBEDDED = {**SMALL, "embedding_dropout": 0.2}
CHANGED = {"rotation": 10, "flip": True, "shift": 0.1, "erasing": 0.3, "mixup": 0.4}
LM = {
    **SMALL,
    "embedding_dim": 8,
    "hidden_size": 12,
    "batch_size": 4,
    "bptt": 8,
    "lr": 0.01,
    "dropout": {"input": 0.2, "word": 0.1, "recurrent": 0.2},
    "variable_bptt": True,
}


class Noisy(nn.Module):
    """A user's network that draws where nobody can tell."""

    def __init__(self, n_inputs, n_outputs):
        super().__init__()
        self.first = nn.Linear(n_inputs, 8)
        self.last = nn.Linear(8, n_outputs)

    def forward(self, x):
        hidden = self.first(x).relu()
        return self.last(hidden + 0.1 * torch.randn_like(hidden))


def with_dropout(n_inputs, n_outputs):
    """Build a user's network of torch's layers."""
    return nn.Sequential(
        nn.Linear(n_inputs, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, n_outputs)
    )


def convolutions(n_channels, n_outputs):
    """Build a user's network on pictures."""
    return nn.Sequential(
        nn.Conv2d(n_channels, 4, 3),
        nn.Dropout2d(0.3),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, n_outputs),
    )


def jittered(params, lr):
    """Build a user's optimizer that draws."""

    class Jittered(torch.optim.SGD):
        def step(self, closure=None):
            super().step(closure)
            for group in self.param_groups:
                for parameter in group["params"]:
                    parameter.data += 1e-3 * torch.randn_like(parameter)

    return Jittered(params, lr)


FITS = {
    "dense": lambda: NeuralClassifier(**SMALL).fit(NUMBERS, LABELS),
    "regressor": lambda: NeuralRegressor(
        **SMALL, lr="auto", early_stopping=True, batch_norm=True, activation="selu"
    ).fit(NUMBERS, NUMBERS[:, 0]),
    "several": lambda: NeuralClassifier(**SMALL, n_estimators=3).fit(NUMBERS, LABELS),
    "many threads": lambda: NeuralClassifier(
        **{**SMALL, "max_epochs": 1}, hidden_layer_sizes=(512, 512), batch_size=128
    ).fit(NUMBERS, LABELS),
    "partial_fit": lambda: (
        NeuralClassifier(**SMALL)
        .partial_fit(NUMBERS, LABELS, classes=[0, 1])
        .partial_fit(NUMBERS, LABELS)
    ),
    "table": lambda: EntityEmbeddingRegressor(**EMBEDDED).fit(TABLE, NUMBERS[:, 0]),
    "table, several": lambda: EntityEmbeddingClassifier(
        **EMBEDDED, n_estimators=2, random_effects=["day"]
    ).fit(TABLE, LABELS),
    "pictures": lambda: ImageClassifier(**SMALL, augmentation=CHANGED, dropout=0.2).fit(
        PICTURES, LABELS[:60]
    ),
    "lstm": lambda: TextLM(**LM).fit(TEXTS),
    "qrnn": lambda: TextLM(**LM, cell="qrnn", zoneout=0.2, tie_weights=False).fit(
        TEXTS
    ),
    "lstm, windows chosen": lambda: TextLM(
        **{**LM, "bptt": "auto", "batch_size": "auto", "max_epochs": 1}
    ).fit(TEXTS),
    "own network": lambda: NeuralClassifier(**SMALL, network=with_dropout).fit(
        NUMBERS, LABELS
    ),
    "own network, noisy": lambda: NeuralClassifier(
        **SMALL, network=Noisy, early_stopping=True
    ).fit(NUMBERS, LABELS),
    "own head": lambda: EntityEmbeddingClassifier(**EMBEDDED, network=with_dropout).fit(
        TABLE, LABELS
    ),
    "own network on pictures": lambda: ImageClassifier(
        **SMALL, network=convolutions, augmentation=CHANGED
    ).fit(PICTURES, LABELS[:60]),
    "own optimizer": lambda: NeuralClassifier(**SMALL, optimizer=jittered, lr=0.01).fit(
        NUMBERS, LABELS
    ),
}


def bits(fit):
    """Return the weights that a fit ends with."""
    state = fit().network_.state_dict()
    return {name: tensor.cpu().numpy().tobytes() for name, tensor in state.items()}


@pytest.fixture(autouse=True)
def two_threads():
    """Let torch have two threads in every test."""
    allowed = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(allowed)


def in_threads(function, n=4):
    """Return what a function returns in two threads at a time."""
    with ThreadPoolExecutor(2) as pool:
        return [f.result() for f in [pool.submit(function) for _ in range(n)]]


@pytest.mark.parametrize("kind", FITS)
def test_a_fit_in_a_thread_has_the_bits_that_it_has_alone(kind):
    alone = bits(FITS[kind])
    assert in_threads(partial(bits, FITS[kind])) == [alone] * 4


def test_fits_of_all_kinds_beside_each_other_have_their_own_bits():
    alone = [bits(fit) for fit in FITS.values()]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(bits, FITS.values())) == alone


@pytest.mark.parametrize("kind", FITS)
def test_torchs_generator_and_threads_are_left_as_they_were(kind):
    found = []
    for seed in (1, 2):  # nor do bits depend on it
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        found.append(bits(FITS[kind]))
        assert torch.equal(torch.get_rng_state(), before)
        in_threads(FITS[kind], 2)
        assert torch.equal(torch.get_rng_state(), before)
    assert found[0] == found[1]
    assert torch.get_num_threads() == 2
    assert in_threads(torch.get_num_threads, 1) == [2]


class Watched(torch.overrides.TorchFunctionMode):
    """Sees whether the global generator moves during any of torch's functions."""

    def __init__(self):
        super().__init__()
        self.state = torch.get_rng_state()
        self.moved = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if not torch.equal(torch.default_generator.get_state(), self.state):
            self.moved.append(func)
        return result


@pytest.mark.parametrize("kind", [k for k in FITS if not k.startswith("own")])
def test_skdl_itself_never_touches_torchs_generator_not_even_for_a_moment(kind):
    with Watched() as watched:
        FITS[kind]()
    assert watched.moved == []


def test_cross_validation_in_threads_is_that_of_one_after_the_other():
    model = NeuralClassifier(max_epochs=4, random_state=0)
    alone = cross_val_score(model, NUMBERS, LABELS, cv=4)
    with parallel_config("threading", n_jobs=2):
        assert (cross_val_score(model, NUMBERS, LABELS, cv=4) == alone).all()


def test_a_search_in_threads_with_networks_of_ones_own():
    search = GridSearchCV(
        NeuralClassifier(network=with_dropout, **SMALL), {"lr": [0.01, 0.1]}, cv=2
    )
    alone = clone(search).fit(NUMBERS, LABELS).cv_results_["mean_test_score"]
    with parallel_config("threading", n_jobs=2):
        found = search.fit(NUMBERS, LABELS).cv_results_["mean_test_score"]
    assert (found == alone).all()


@pytest.mark.filterwarnings("ignore:EmbeddingTransformer drops:UserWarning")
def test_vectors_learned_in_threads_and_the_range_test_there():
    def vectors():
        model = EmbeddingTransformer(EntityEmbeddingClassifier(**EMBEDDED), cv=2)
        return np.asarray(model.fit_transform(TABLE, LABELS)).tolist()

    def losses():
        model = NeuralClassifier(network=with_dropout, random_state=0)
        return lr_find(model, NUMBERS, LABELS, num_iter=30).losses.tolist()

    for function in (vectors, losses):
        assert in_threads(function) == [function()] * 4


def test_writing_in_threads_draws_from_ones_own_seed():
    model = FITS["lstm"]()
    write = partial(model.generate, ["the"] * 3, random_state=0, stop=None)
    before = torch.get_rng_state()
    assert in_threads(write) == [write()] * 4
    assert torch.equal(torch.get_rng_state(), before)


def test_without_a_seed_fits_in_threads_differ():
    fits = in_threads(
        lambda: bits(lambda: NeuralClassifier(max_epochs=1).fit(NUMBERS, LABELS))
    )
    assert len({str(fit) for fit in fits}) == 4


def test_a_callback_may_fit_networks_in_threads_inside_of_a_fit():
    found = []

    class Fits:
        """Fits what takes turns, in threads, while the fit around it goes on."""

        def setup(self, estimator, context):
            pass

        def teardown(self, estimator, context):
            pass

        def on_fit_task_begin(self, estimator, context):
            pass

        def on_fit_task_end(self, estimator, context):
            if not found:
                found.extend(in_threads(partial(bits, FITS["own network"]), 2))

    model = NeuralClassifier(**SMALL, network=with_dropout)
    model.set_callbacks(Fits())
    around = bits(lambda: model.fit(NUMBERS, LABELS))
    assert [*found, around] == [bits(FITS["own network"])] * 3
