"""In any order of calls a model goes on as documented, or one error changes nothing.

`SKDL_EXAMPLES` is the number of examples of each test: 25 by default, 2,000 for the
long form.
"""

import copy
import functools
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone

from skdl import EntityEmbeddingRegressor, FineTuning, NeuralClassifier, NeuralRegressor
from skdl.training.trainer import Trainer
from tests.any_examples import any_of

ANY = any_of()
MODELS = {
    "numbers": functools.partial(NeuralRegressor),
    "several": functools.partial(NeuralRegressor, n_estimators=2),
    "classes": functools.partial(NeuralClassifier),
    "table": functools.partial(EntityEmbeddingRegressor, categorical_features=["kind"]),
}
SHORT = {"max_epochs": 1, "hidden_layer_sizes": 6, "random_state": 0}


def chunk(name, rows):
    """Return rows of data that come in chunks, which bring what is new."""
    rng = np.random.default_rng(rows)
    frame = pd.DataFrame(rng.normal(size=(rows, 2)) * rows, columns=["a", "b"])
    if rows % 2:
        frame["b"] = 5.0
    if rows % 3 == 0:
        frame.loc[0, "a"] = np.nan
    if name == "table":
        frame["kind"] = [f"k{i % (1 + rows // 4)}" for i in range(rows)]
    y = np.arange(rows) % 2
    return frame, y if name == "classes" else y * 10.0**rows


PROBE = {name: chunk(name, 8)[0] for name in MODELS}

# What takes effect in the next call, and what is refused there.
TAKEN = st.sampled_from(
    [{"optimizer": name} for name in ("adamw", "adam", "sgd", "muon")]
    + [{"lr": 1e-3}, {"weight_decay": 0.0}, {"betas": (0.8, 0.9)}, {"batch_size": 4}]
    + [{"clip_grad_norm": 1.0}, {"schedule": "constant"}, {"random_state": 3}]
    + [{"fine_tuning": FineTuning(layer_lr_decay=0.5)}, {"fine_tuning": None}]
    + [{"weight_averaging": "ema"}, {"warm_start": True}, {"warm_start": False}]
)
FIXED = st.sampled_from(
    [{"hidden_layer_sizes": 7}, {"activation": "relu"}, {"n_estimators": 3}]
    + [{"dropout": 0.3}, {"scale_inputs": False}, {"batch_norm": True}]
)
SIZES = st.integers(2, 13)
CALLS = st.one_of(
    st.tuples(st.just("partial_fit"), SIZES),
    st.tuples(st.just("fit"), SIZES),
    st.tuples(st.just("set"), TAKEN),
    st.tuples(st.just("set and undo"), FIXED),
    st.tuples(st.sampled_from(["pickle", "copy", "wrong", "interrupted"]), SIZES),
)
SEQUENCES = st.lists(CALLS, min_size=1, max_size=6)


def go_on(model, name, call, rows):
    X, y = chunk(name, rows)
    more = {"classes": [0, 1]} if (name, call) == ("classes", "partial_fit") else {}
    return getattr(model, call)(X, y, **more)


def refused(model, name, parameters):
    """Set what cannot change, see that it is refused by its name, and set it back."""
    before = {key: model.get_params()[key] for key in parameters}
    with pytest.raises(ValueError, match=f"{next(iter(parameters))} was .* is .* now"):
        go_on(model.set_params(**parameters), name, "partial_fit", 4)
    model.set_params(**before)


def interrupted(model, name, rows):
    def interrupt(self, batch):
        raise KeyboardInterrupt

    step, Trainer.step = Trainer.step, interrupt
    try:
        with pytest.raises(KeyboardInterrupt):
            go_on(model, name, "partial_fit", rows)
    finally:
        Trainer.step = step


def wrong(model, name, rows):
    X, y = chunk(name, rows)
    with pytest.raises(ValueError, match=r"NaN|[Ii]nconsistent|missing"):
        model.partial_fit(X, [*y[:-1], np.nan])
    with pytest.raises(ValueError, match="inconsistent"):
        model.partial_fit(X, y[:-1])


def done(model, name, calls, *, kept):
    """Return the model after some calls; `kept` is what carries it between them."""
    is_fitted = False
    for call, what in calls:
        before = model.predict(PROBE[name]) if is_fitted else None
        if call in ("fit", "partial_fit"):
            go_on(model, name, call, what)
            is_fitted = True
        elif call == "set":
            if what.keys() <= model.get_params().keys():
                model.set_params(**what)
        elif call in ("pickle", "copy"):
            model = kept[call](model)
        elif is_fitted:
            changes = {"set and undo": refused, "wrong": wrong}
            changes.get(call, interrupted)(model, name, what)
        if call not in ("fit", "partial_fit") and is_fitted:
            np.testing.assert_array_equal(model.predict(PROBE[name]), before)
    return model


@ANY
@given(st.sampled_from(sorted(MODELS)), SEQUENCES)
def test_any_calls_go_on_with_what_is_there_and_failed_ones_change_nothing(name, calls):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The optimizer's state")
        warnings.filterwarnings("ignore", ".*most categories are unknown")
        # A pickle leaves the optimizer's averages behind, wherever it is made.
        carried = {"pickle": lambda m: pickle.loads(pickle.dumps(m))}
        stay = {**carried, "copy": lambda m: m}
        carried["copy"] = copy.deepcopy
        found = done(MODELS[name](**SHORT), name, calls, kept=carried)
        counts = ("fit", "partial_fit", "set", "pickle")
        harmless = [call for call in calls if call[0] in counts]
        expected = done(MODELS[name](**SHORT), name, harmless, kept=stay)
        if not expected.__sklearn_is_fitted__():
            return
        values = found.predict(PROBE[name])
        np.testing.assert_array_equal(values, expected.predict(PROBE[name]))
        assert np.isfinite(values.astype(float)).all()
        assert len(found.history_) == len(expected.history_)


# Checkpoints.


class StoppedError(Exception):
    pass


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Return the model, the bytes of its checkpoint half way, and what it ends as."""
    path = tmp_path_factory.mktemp("checkpoint") / "fit.pt"
    X, y = chunk("numbers", 12)
    model = NeuralRegressor(**{**SHORT, "max_epochs": 3})
    expected = clone(model).fit(X, y).predict(X)
    model.set_params(checkpoint=path)
    run, begun = Trainer.run_epoch, []

    def stops(self, *args):
        begun.append(1)
        if len(begun) == 3:
            raise StoppedError
        return run(self, *args)

    Trainer.run_epoch = stops
    try:
        with pytest.raises(StoppedError):
            clone(model).fit(X, y)
    finally:
        Trainer.run_epoch = run
    return model, path, path.read_bytes(), expected


def flipped(content, where, amount):
    changed = bytearray(content)
    changed[where % len(content)] ^= 1 << amount % 8
    return bytes(changed)


def doubled(content, where, amount):
    where %= len(content)
    return content[:where] + content[where : where + amount] + content[where:]


DAMAGES = {
    "flipped": flipped,
    "cut": lambda content, where, amount: content[: where % len(content)],
    "longer": lambda content, where, amount: content + b"\0" * amount,
    "without a part": lambda content, where, amount: (
        content[: where % len(content)] + content[where % len(content) + amount :]
    ),
    "doubled": doubled,
    "zeroed": lambda content, where, amount: (
        content[: where % len(content)]
        + b"\0" * amount
        + content[where % len(content) + amount :]
    ),
    "turned": lambda content, where, amount: content[::-1],
    "text": lambda content, where, amount: b"epoch,loss\n" * amount,
}


@ANY
@given(st.sampled_from(sorted(DAMAGES)), st.integers(0, 2**31), st.integers(1, 300))
def test_a_damaged_checkpoint_is_refused_or_gives_the_same_bits(
    written, damage, where, amount
):
    model, path, content, expected = written
    X, y = chunk("numbers", 12)
    damaged = DAMAGES[damage](content, where, amount)
    path.write_bytes(damaged)
    fresh = clone(model)
    try:
        fresh.fit(X, y)
    except ValueError as error:
        told = str(error)
        assert str(path) in told
        assert not fresh.__sklearn_is_fitted__()
        assert path.read_bytes() == damaged
        return
    np.testing.assert_array_equal(fresh.predict(X), expected)
