"""Files of `skdl.save`: the same model comes back, strangers' code does not run."""

import hashlib
import io
import json
import os
import pickle
import zipfile
from functools import partial

import numpy as np
import pytest
import skops.io
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from torch import nn

import skdl
from skdl import NeuralClassifier, NeuralRegressor
from tests.persistence.models import LABELS, SMALL, TEXTS, X, answer
from tests.persistence.networks import Wide, build

pytest.importorskip("skops", reason="save and load need skops")


def file_with(content, beginning=b"skdl model 1\n"):
    return beginning + hashlib.blake2b(content, digest_size=32).digest() + content


def test_every_kind_of_model_comes_back_as_it_was(case, tmp_path):
    model, rows, method = case
    skdl.save(model, tmp_path / "model.skdl")
    loaded = skdl.load(tmp_path / "model.skdl")
    assert type(loaded) is type(model)
    assert (answer(loaded, rows, method) == answer(model, rows, method)).all()
    assert repr(loaded) == repr(model)


def test_every_kind_of_model_goes_through_skops_with_the_published_types(case):
    model, rows, method = case
    data = skops.io.dumps(model)
    found = skops.io.get_untrusted_types(data=data)
    ours = [name for name in found if name.startswith("skdl")]
    assert set(ours) <= set(skdl.TRUSTED_TYPES)
    assert [name for name in found if not name.startswith(("skdl", "sklearn"))] == []
    if type(model).__module__.startswith("skdl"):
        assert set(found) <= set(skdl.TRUSTED_TYPES)
    loaded = skops.io.loads(data, trusted=[*skdl.TRUSTED_TYPES, *found])
    assert (answer(loaded, rows, method) == answer(model, rows, method)).all()


def test_every_kind_of_model_goes_through_pickle(case):
    model, rows, method = case
    loaded = pickle.loads(pickle.dumps(model))
    assert (answer(loaded, rows, method) == answer(model, rows, method)).all()


def test_a_loaded_model_learns_on_as_a_pickled_one(dense, tmp_path):
    skdl.save(dense, tmp_path / "m")
    loaded, pickled = skdl.load(tmp_path / "m"), pickle.loads(pickle.dumps(dense))
    for model in (loaded, pickled):
        model.partial_fit(X, LABELS)
    assert (loaded.predict_proba(X) == pickled.predict_proba(X)).all()
    assert loaded.history_.drop(columns="seconds").equals(
        pickled.history_.drop(columns="seconds")
    )


def test_an_unfitted_model_comes_back(tmp_path):
    model = NeuralClassifier(lr=0.1, random_state=np.random.RandomState(3))
    skdl.save(model, tmp_path / "m")
    loaded = skdl.load(tmp_path / "m")
    assert loaded.lr == 0.1
    assert loaded.random_state.randint(1000) == model.random_state.randint(1000)


@pytest.mark.parametrize(
    ("network", "names"),
    [
        (Wide, ["tests.persistence.networks.Wide"]),
        (Wide(4, 2), ["tests.persistence.networks.Wide"]),
        (build, ["tests.persistence.networks.build"]),
        (
            partial(Wide, width=4),
            ["functools.partial", "tests.persistence.networks.Wide"],
        ),
    ],
    ids=["class", "module", "function", "options"],
)
def test_a_network_of_the_users_needs_to_be_trusted_by_name(network, names, tmp_path):
    x = X[:, [0, 2, 3, 3]]
    model = NeuralClassifier(network=network, **SMALL).fit(x, LABELS)
    skdl.save(model, tmp_path / "m")
    with pytest.raises(ValueError, match=f"not trusted.*{names[-1]}"):
        skdl.load(tmp_path / "m")
    loaded = skdl.load(tmp_path / "m", trusted=names)
    assert (loaded.predict_proba(x) == model.predict_proba(x)).all()
    if network is Wide:
        assert skdl.load(tmp_path / "m", trusted=[Wide]).network_.again is not None
        assert loaded.network_.again is loaded.network_.second
        assert loaded.network_.width == 8


def test_recurrent_layers_and_strides_come_back(tmp_path):
    def network(i, o):
        return nn.Sequential(nn.Linear(i, o), nn.Flatten())

    model = NeuralRegressor(network=nn.Linear(4, 1), **SMALL)
    model.fit(X[:, [0, 2, 3, 3]], X[:, 0])
    model.more_ = {
        "lstm": nn.LSTM(3, 2, num_layers=2).eval(),
        "bfloat16": torch.randn(3, dtype=torch.bfloat16),
        "turned": torch.randn(3, 2).T,
        "conv": nn.Conv2d(2, 3, 2).to(memory_format=torch.channels_last),
    }
    skdl.save(model, tmp_path / "m")
    more = skdl.load(tmp_path / "m").more_
    x = torch.randn(5, 1, 3)
    assert (more["lstm"](x)[0] == model.more_["lstm"](x)[0]).all()
    assert (more["bfloat16"] == model.more_["bfloat16"]).all()
    assert more["turned"].stride() == model.more_["turned"].stride()
    assert more["conv"].weight.stride() == model.more_["conv"].weight.stride()


def test_a_lambda_is_refused_when_saving(tmp_path):
    model = NeuralClassifier(network=lambda i, o: nn.Linear(i, o), **SMALL)
    with pytest.raises(ValueError, match="lambda.*cannot be found by name"):
        skdl.save(model, tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


def test_what_can_only_be_pickled_is_refused_when_saving(tmp_path):
    model = NeuralClassifier(class_weight={"no": torch.cuda.Stream})
    model.class_weight = (i for i in "a generator")
    with pytest.raises(TypeError, match="can only be pickled"):
        skdl.save(model, tmp_path / "m")
    with pytest.raises(TypeError, match="estimator"):
        skdl.save("model", tmp_path / "m")


def test_a_file_takes_the_old_ones_place_only_when_it_is_whole(
    dense, tmp_path, monkeypatch
):
    path = tmp_path / "m"
    skdl.save(dense, path)
    before = path.read_bytes()

    def full(*args):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        skdl.save(dense, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


# Files of strangers.


class Payload:
    """Creates a file where it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("wrap", [lambda b: b, file_with], ids=["bare", "checked"])
def test_a_pickle_under_our_suffix_is_refused_and_does_not_run(wrap, tmp_path):
    path, ran = tmp_path / "m.skdl", tmp_path / "ran"
    path.write_bytes(wrap(pickle.dumps(Payload(ran))))
    with pytest.raises(ValueError, match="no model that this skdl can load"):
        skdl.load(path)
    assert not ran.exists()


def rewritten(path, change):
    """Change the schema of a file and give it the checksum that is right then."""
    content = path.read_bytes()[len(b"skdl model 1\n") + 32 :]
    told, _, archive = content.partition(b"\n")
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "schema.json":
                data = change(data.decode()).encode()
            new.writestr(name, data)
    path.write_bytes(file_with(told + b"\n" + made.getvalue()))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"__class__": "log1p"', '"__class__": "system"'),
        ('"__module__": "numpy"', '"__module__": "os"'),
    ],
)
def test_a_function_of_a_stranger_is_named_and_not_called(old, new, dense, tmp_path):
    path = tmp_path / "m"
    skdl.save(make_pipeline(FunctionTransformer(np.log1p), dense), path)
    rewritten(path, lambda text: text.replace(old, new))
    with pytest.raises(ValueError, match="not trusted"):
        skdl.load(path)


@pytest.mark.parametrize(
    "name",
    [
        "os:system",
        "subprocess:Popen",
        "skdl.persistence.files:load",
        "skdl.data.text:array",
        "torch.nn.modules.linear:init",
        "torch.nn.modules.module:Callable",
    ],
)
def test_a_state_names_only_classes_of_skdl_and_layers(name, dense, tmp_path):
    path = tmp_path / "m"
    skdl.save(dense, path)
    known = "skdl.networks.mlp:MLP"

    def change(text):
        assert known in text
        return text.replace(known, name)

    rewritten(path, change)
    with pytest.raises(ValueError, match="does not know"):
        skdl.load(path)


def test_an_archive_that_unpacks_to_more_than_it_is_is_refused(dense, tmp_path):
    path = tmp_path / "m"
    data = skops.io.dumps(dense, compression=zipfile.ZIP_DEFLATED)
    path.write_bytes(file_with(b"{}\n" + data))
    with pytest.raises(ValueError, match="compressed"):
        skdl.load(path)


def test_a_file_of_a_later_protocol_says_so(dense, tmp_path):
    path = tmp_path / "m"
    skdl.save(dense, path)
    content = path.read_bytes()[len(b"skdl model 1\n") + 32 :]
    path.write_bytes(file_with(content, b"skdl model 9\n"))
    with pytest.raises(ValueError, match="version 9 of the format"):
        skdl.load(path)


def test_a_state_of_a_later_protocol_says_so(dense):
    state = {**dense.__getstate__(), "protocol": 9}
    with pytest.raises(ValueError, match="version 9 of the format"):
        NeuralClassifier.__new__(NeuralClassifier).__setstate__(state)


def test_pickles_of_attributes_as_they_were_before_still_load(dense):
    other = NeuralClassifier.__new__(NeuralClassifier)
    other.__setstate__(dict(vars(dense)))
    assert (other.predict_proba(X) == dense.predict_proba(X)).all()


def test_a_missing_file_is_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        skdl.load(tmp_path / "m")


def test_damage_at_any_place_is_seen(dense, tmp_path):
    path = tmp_path / "m"
    skdl.save(dense, path)
    whole = path.read_bytes()
    places = np.random.RandomState(0).randint(0, len(whole), 100)
    for place in (*range(50), *places.tolist()):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << (place % 8)
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="no model that this skdl can load"):
            skdl.load(path)
        path.write_bytes(whole[:place])
        with pytest.raises(ValueError, match="no model that this skdl can load"):
            skdl.load(path)


# Sizes.


def weights_of(model):
    network = getattr(model, "estimator_", model).network_
    tensors = dict.fromkeys(network.state_dict().values())
    return sum(t.numel() * t.element_size() for t in tensors)


@pytest.mark.parametrize(
    "model",
    [
        skdl.NeuralClassifier(max_epochs=1, random_state=0),
        skdl.NeuralClassifier(validation=4, max_epochs=1, random_state=0),
        skdl.TextLM(max_epochs=1, random_state=0, batch_size=2),
    ],
    ids=["dense", "pack", "text"],
)
def test_a_pickle_is_at_most_a_fifth_more_than_the_weights(model):
    rows = TEXTS if isinstance(model, skdl.TextLM) else X
    model.fit(rows, LABELS)
    size = len(pickle.dumps(model))
    assert size <= 1.2 * weights_of(model)
    model.partial_fit(TEXTS) if rows is TEXTS else None
    assert len(pickle.dumps(model)) <= 1.2 * weights_of(model)


def test_many_calls_of_partial_fit_hardly_add_to_a_pickle(dense):
    model = pickle.loads(pickle.dumps(dense))
    row = {"epoch": 1, "loss": 0.5, "lr": 0.1, "seconds": 0.1}
    model._history = type(model._history)([row] * 1000)
    assert len(pickle.dumps(model)) < len(pickle.dumps(dense)) + 1000 * 4 * 8 + 500


def test_the_state_is_text_and_arrays(dense):
    state = dense.__getstate__()
    json.loads(state["settings"])
    assert state["objects"] == []
    assert all(type(a) is np.ndarray for a in state["arrays"])
