"""Memory that runs out splits the work or is one MemoryError; pickles stay small."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
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
from skdl.networks.conv import activation_maps
from skdl.networks.language_model import LanguageModel

rng = np.random.default_rng(0)
X = rng.normal(size=(600, 4))
Y = X[:, 0]
TEXTS = ["the cat sat on the mat", "a dog lay on the rug"] * 10
PICTURES = rng.integers(0, 255, size=(60, 8, 8), dtype=np.uint8)
SAID = [
    torch.OutOfMemoryError("CUDA out of memory"),
    RuntimeError("could not create a primitive"),
    RuntimeError(
        "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't "
        "allocate memory: you tried to allocate 8000 bytes. Error code 12 (Cannot "
        "allocate memory)"
    ),
    RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8000"),
    RuntimeError("std::bad_alloc: out of memory"),
    OSError(12, "Cannot allocate memory"),
    MemoryError("Unable to allocate 8 GiB"),
]
SMALL_LM = {
    **{"embedding_dim": 8, "hidden_size": 8, "num_layers": 1, "max_epochs": 1},
    **{"batch_size": 2, "bptt": 5, "random_state": 0},
}


class Cramped(nn.Linear):
    """Has no room for more than `limit` rows when nothing is learned."""

    limit, error = 10**9, SAID[0]

    def forward(self, x):
        if not self.training and len(x) > self.limit:
            raise self.error
        return super().forward(x)


def cramped():
    model = NeuralRegressor(network=Cramped, max_epochs=2, random_state=0)
    return model.fit(X, Y)


@pytest.mark.parametrize(
    ("error", "limit"), [(SAID[0], 16), *((error, 300) for error in SAID)], ids=str
)
def test_rows_to_predict_are_halved_until_they_fit(error, limit):
    model = cramped()
    expected = model.predict(X)
    model.network_.limit, model.network_.error = limit, error
    assert np.array_equal(model.predict(X), expected)


@pytest.mark.parametrize("error", SAID, ids=str)
def test_where_the_fewest_rows_do_not_fit_it_is_a_memory_error(error):
    model = cramped()
    model.network_.limit, model.network_.error = 2, error
    with pytest.raises(MemoryError, match="[Mm]emory runs out while predicting|alloc"):
        model.predict(X)
    model.network_.limit = 10**9
    assert np.isfinite(model.predict(X)).all()


def test_held_out_rows_are_halved_until_they_fit(monkeypatch):
    held_out = {"X_val": X[:100], "y_val": Y[:100]}
    options = {"network": Cramped, "max_epochs": 3, "random_state": 0}
    expected = NeuralRegressor(**options).fit(X, Y, **held_out)
    monkeypatch.setattr(Cramped, "limit", 30)
    model = NeuralRegressor(**options).fit(X, Y, **held_out)
    assert model.history_["validation_loss"].tolist() == pytest.approx(
        expected.history_["validation_loss"].tolist(), rel=1e-5
    )


def test_other_errors_of_a_network_stay_what_they_are():
    model = cramped()
    model.network_.limit, model.network_.error = 2, RuntimeError("mat1 and mat2 shapes")
    with pytest.raises(RuntimeError, match="^mat1 and mat2 shapes$"):
        model.predict(X)
    said = "could not create a primitive descriptor for a convolution"
    model.network_.error = RuntimeError(said)  # not there, whatever the memory
    with pytest.raises(RuntimeError, match=said):
        model.predict(X)


def vast(n_inputs, n_outputs):
    return nn.Linear(10**8, 10**8)


@pytest.mark.parametrize("kind", [NeuralRegressor, EntityEmbeddingRegressor])
def test_a_network_too_large_to_be_built_is_a_memory_error(kind):
    model = kind(network=vast)
    with pytest.raises(MemoryError, match="Memory runs out while fitting.*smaller"):
        model.fit(X, Y)
    assert not hasattr(model, "network_")
    lm = TextLM(embedding_dim=2**31 - 1)
    with pytest.raises(MemoryError, match="Memory runs out while fitting"):
        lm.fit(TEXTS)


@pytest.mark.parametrize("error", SAID[:6], ids=str)
def test_a_copy_that_does_not_fit_is_a_memory_error(error, monkeypatch):
    def fails(state):
        raise error

    model = NeuralRegressor(hidden_layer_sizes=4, max_epochs=2).fit(X, Y)
    before = model.predict(X)
    monkeypatch.setattr("skdl.training.trainer.copied", fails)
    with pytest.raises(MemoryError, match="Memory runs out while fitting"):
        model.fit(X, Y)
    with pytest.raises(MemoryError, match="Memory runs out while fitting"):
        model.partial_fit(X, Y)
    monkeypatch.undo()
    assert np.array_equal(model.predict(X), before)


def test_a_language_model_without_room_says_so(monkeypatch):
    model = TextLM(**SMALL_LM).fit(TEXTS)

    def fails(*_):
        raise SAID[1]

    monkeypatch.setattr(LanguageModel, "forward", fails)
    for call in (model.score, model.transform, model.predict):
        with pytest.raises(MemoryError, match="Memory runs out while reading texts"):
            call(TEXTS)


# Pickles.

WIDE = {"hidden_layer_sizes": (300, 300), "max_epochs": 1, "random_state": 0}
MODELS = {
    "numbers": lambda: NeuralRegressor(**WIDE),
    "sgd": lambda: NeuralRegressor(**WIDE, optimizer="sgd"),
    "several": lambda: NeuralClassifier(**WIDE, n_estimators=3),
    "table": lambda: EntityEmbeddingClassifier(**WIDE),
    "averaged": lambda: NeuralClassifier(**WIDE, weight_averaging="ema"),
}


def ratio(model, network):
    weights = sum(t.nbytes for t in network.state_dict().values())
    return len(pickle.dumps(model)) / weights


@pytest.mark.parametrize("name", MODELS)
def test_a_pickle_is_little_larger_than_the_weights(name):
    model = MODELS[name]()
    y = Y if isinstance(model, NeuralRegressor) else (Y > 0).astype(int)
    data = pd.DataFrame(X, columns=list("abcd")).assign(a=(X[:, 0] > 0).astype(str))
    data = data if name == "table" else X
    assert ratio(model.fit(data, y), model.network_) < 1.2
    for _ in range(2):
        model.partial_fit(data, y)
    assert ratio(model, model.network_) < 1.2
    assert ratio(pickle.loads(pickle.dumps(model)), model.network_) < 1.2


def test_a_pickle_of_a_transformer_holds_the_network_once():
    data = pd.DataFrame({"a": rng.choice(list("abcdefgh"), 600), "b": X[:, 1]})
    network = EntityEmbeddingRegressor(**WIDE).fit(data, Y).partial_fit(data, Y)
    vectors = EmbeddingTransformer(FrozenEstimator(network)).fit(data, Y)
    assert ratio(vectors, network.network_) < 1.2


@pytest.fixture(scope="module")
def source():
    return TextLM(**{**SMALL_LM, "hidden_size": 200, "embedding_dim": 200}).fit(TEXTS)


@pytest.mark.parametrize("wrap", [lambda m: m, FrozenEstimator], ids=["bare", "frozen"])
def test_a_pickle_leaves_out_the_model_it_was_begun_from(source, wrap):
    template = clone(source).set_params(init_from=wrap(source))
    model = template.fit(TEXTS)
    assert ratio(model, model.network_) < 1.2
    assert ratio(model.partial_fit(TEXTS), model.network_) < 1.2
    loaded = pickle.loads(pickle.dumps(model))
    assert np.array_equal(loaded.transform(TEXTS), model.transform(TEXTS))
    assert ratio(loaded, model.network_) < 1.2
    loaded.partial_fit(TEXTS)  # goes on
    loaded.set_params(warm_start=True).fit(TEXTS)
    assert "left out" in repr(loaded)
    with pytest.raises(ValueError, match=r"give it again: set_params\(init_from"):
        clone(loaded).fit(TEXTS)
    clone(loaded).set_params(init_from=source).fit(TEXTS)
    with pytest.raises(ValueError, match="init_from was .* and is"):
        loaded.set_params(init_from=None).fit(TEXTS)
    assert copy.deepcopy(model).init_from is not None


def test_what_is_not_fitted_is_pickled_with_all_it_begins_from(source):
    template = clone(source).set_params(init_from=FrozenEstimator(source))
    loaded = pickle.loads(pickle.dumps(template))
    expected = template.fit(TEXTS).score(TEXTS)
    # A GPU's sums may round otherwise.
    assert loaded.fit(TEXTS).score(TEXTS) == pytest.approx(expected, rel=1e-4)


@pytest.mark.filterwarnings("ignore:The suggestion of lr_find")
def test_a_deep_copy_goes_on_as_the_model_itself_would():
    model = NeuralRegressor(**WIDE, warm_start=True)
    for _ in range(3):
        model.partial_fit(X, Y)
    twin = copy.deepcopy(model)
    assert np.array_equal(
        twin.partial_fit(X, Y).predict(X), model.partial_fit(X, Y).predict(X)
    )
    assert twin.network_ is not model.network_
    one, other = (lr_find(m, X, Y, num_iter=10).losses for m in (model, twin))
    assert np.array_equal(one, other)


def test_a_loaded_model_goes_on_with_the_optimizers_state_anew():
    model = NeuralRegressor(**WIDE).partial_fit(X, Y)
    loaded = pickle.loads(pickle.dumps(model))
    model._optimizer_state = None
    assert np.array_equal(
        loaded.partial_fit(X, Y).predict(X), model.partial_fit(X, Y).predict(X)
    )


# Threads.


@pytest.mark.usefixtures("on_cpu")
def test_activation_maps_in_threads_are_those_of_one():
    y = np.arange(60) % 2
    model = ImageClassifier(max_epochs=1, random_state=0)
    model.fit(PICTURES, y)
    expected = [model.activation_maps(PICTURES[i : i + 4]) for i in range(0, 40, 4)]
    with ThreadPoolExecutor(4) as pool:
        starts = [*range(0, 40, 4)] * 20
        found = list(
            pool.map(lambda i: model.activation_maps(PICTURES[i : i + 4]), starts)
        )
    for start, maps in zip(starts, found, strict=True):
        assert np.array_equal(maps, expected[start // 4])


def test_activation_maps_leave_a_network_as_it_was():
    network = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Flatten(), nn.LazyLinear(2)).eval()
    pictures = torch.rand(2, 1, 6, 6)
    network(pictures)
    hooked = []
    network[0].register_forward_hook(lambda *_: hooked.append(1))
    maps = activation_maps(network, pictures)
    assert maps.shape == (2, 6, 6)
    assert hooked == [1]  # a hook of the user's still runs
    assert [len(m._forward_hooks) for m in network] == [1, 0, 0]
    assert all(p.grad is None for p in network.parameters())
