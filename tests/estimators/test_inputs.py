"""Inputs of every kind give the same predictions; awkward columns do no harm."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from skdl import NeuralClassifier, NeuralRegressor

NAMES = ["a", "b", "c", "d", "e", "f"]


@pytest.fixture(scope="module")
def expected(blobs):
    X, y = blobs
    return fit(X.round(2), y).predict_proba(X.round(2))


def fit(X, y):
    return NeuralClassifier(hidden_layer_sizes=16, max_epochs=5, random_state=0).fit(
        X, y
    )


def read_only_memmap(X, tmp_path):
    np.save(tmp_path / "X.npy", X)
    return np.load(tmp_path / "X.npy", mmap_mode="r")


@pytest.mark.parametrize(
    "convert",
    [
        lambda X, _: X.tolist(),
        lambda X, _: X.astype(object),
        lambda X, _: np.asfortranarray(X),
        lambda X, _: np.repeat(X, 2, axis=0)[::2],
        lambda X, _: pd.DataFrame(X, columns=NAMES),
        lambda X, _: pd.DataFrame(X, columns=NAMES).convert_dtypes(),
        lambda X, _: pl.DataFrame(X, schema=NAMES),
        read_only_memmap,
    ],
    ids=[
        "list",
        "object",
        "fortran",
        "strided",
        "pandas",
        "nullable",
        "polars",
        "mmap",
    ],
)
def test_any_container_gives_the_same_predictions(convert, blobs, expected, tmp_path):
    X, y = blobs
    X = convert(X.round(2), tmp_path)
    assert fit(X, y).predict_proba(X) == pytest.approx(expected, abs=1e-6)


def test_reversed_views_are_taken(blobs, expected):
    X, y = blobs
    model = fit(X.round(2), y)
    assert model.predict_proba(X.round(2)[::-1]) == pytest.approx(expected[::-1])


@pytest.mark.parametrize("dtype", [np.float32, np.int8, np.int64, np.uint8, bool])
def test_numbers_of_any_type_are_taken(dtype, rng):
    X = rng.integers(0, 2, size=(200, 3)).astype(dtype)
    y = X[:, 0].astype(int) ^ X[:, 1].astype(int)
    model = NeuralClassifier(hidden_layer_sizes=16, random_state=0).fit(X, y)
    assert model.score(X, y) == 1.0


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_column_names_are_kept(frame, blobs):
    X, y = blobs
    data = frame(dict(zip(NAMES, X.T, strict=True)))
    assert fit(data, y).feature_names_in_.tolist() == NAMES


def test_inputs_are_not_changed(blobs):
    X, y = blobs
    X, y = X.copy(), y.copy()
    before = X.copy(), y.copy()
    fit(X, y).predict(X)
    assert (before[0] == X).all()
    assert (y == before[1]).all()


def test_missing_values_carry_information(rng):
    X = rng.normal(size=(400, 2))
    y = rng.integers(0, 2, size=400)
    X[y == 1, 0] = np.nan
    model = NeuralClassifier(hidden_layer_sizes=16, random_state=0).fit(X, y)
    assert model.score(X, y) == 1.0


@pytest.mark.parametrize("scale_inputs", [True, False])
def test_awkward_columns_do_no_harm(scale_inputs, line):
    X, y = line
    awkward = np.column_stack(
        [X, np.full(len(X), 3.0), np.full(len(X), np.nan), np.zeros(len(X))]
    )
    awkward[5, 0] = np.nan
    model = NeuralRegressor(
        hidden_layer_sizes=32, scale_inputs=scale_inputs, random_state=0
    ).fit(awkward, y)
    assert model.score(awkward, y) > 0.95


def test_an_absurd_outlier_at_predict_is_bounded(line):
    X, y = line
    model = NeuralRegressor(hidden_layer_sizes=32, random_state=0).fit(X, y)
    wild = X[:1].copy()
    wild[0, 0] = 1e30
    assert abs(model.predict(wild)[0]) < 10 * np.abs(y).max()
