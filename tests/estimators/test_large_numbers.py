"""Numbers that float64 or its sums do not hold, and what is said of them."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone

from skdl import EntityEmbeddingRegressor, NeuralRegressor
from skdl.training.trainer import Trainer

SHORT = {"max_epochs": 1, "hidden_layer_sizes": 8, "random_state": 0}
IDS = [2**60 + i for i in range(40)]
TARGET = np.arange(40.0)

HOLDERS = {
    "frame": lambda: pd.DataFrame({"id": IDS, "x": TARGET}),
    "nullable": lambda: pd.DataFrame({"id": pd.array(IDS, dtype="Int64"), "x": TARGET}),
    "objects": lambda: pd.DataFrame({"id": pd.Series(IDS, dtype=object), "x": TARGET}),
    "array": lambda: np.column_stack([np.array(IDS), np.arange(40)]),
    "list": lambda: [[i, 0] for i in IDS],
}


@pytest.mark.parametrize("make", [NeuralRegressor, EntityEmbeddingRegressor])
@pytest.mark.parametrize("holder", HOLDERS)
def test_integers_that_become_one_number_are_told_of(make, holder):
    with pytest.warns(
        UserWarning, match=r"columns \['?(id|0)'?\] hold integers beyond"
    ):
        model = make(**SHORT).fit(HOLDERS[holder](), TARGET)
    model.predict(HOLDERS[holder]())


def test_large_integers_that_stay_apart_are_no_matter():
    times = [1_700_000_000_000_000_000 + 10**9 * i for i in range(40)]
    for X in (
        np.array(times)[:, None],
        pd.DataFrame({"t": times}),
        [[t] for t in times],
    ):
        NeuralRegressor(**SHORT).fit(X, TARGET)
    EntityEmbeddingRegressor(categorical_features=["id"], **SHORT).fit(
        HOLDERS["frame"](), TARGET
    )


@pytest.mark.parametrize("size", [1e307, 1e308, 1.7e308])
def test_targets_whose_sum_is_not_finite_are_learned_without_a_word(size):
    X = np.linspace(-1, 1, 40)[:, None]
    model = NeuralRegressor(max_epochs=30, lr=1e-2, random_state=0)
    y = np.sign(X[:, 0]) * size
    found = model.fit(X * 1e300, y).predict(X * 1e300)
    assert np.isfinite(found).all()
    assert (np.sign(found) == np.sign(y)).mean() > 0.9


def test_names_that_are_not_there_are_not_proposed():
    frame = pd.DataFrame({0: TARGET, 1: TARGET, 2: TARGET})
    model = NeuralRegressor(**SHORT).fit(frame, TARGET)
    with pytest.raises(ValueError, match=r"There is no \[1\]"):
        model.predict(frame[[0, 2]])
    with pytest.raises(ValueError, match=r"Use X\[\[0, 1, 2\]\]"):
        model.predict(frame[[2, 1, 0]])


def test_an_optimizer_of_sparse_gradients_is_refused():
    model = NeuralRegressor(optimizer=torch.optim.SparseAdam, **SHORT)
    with pytest.raises(ValueError, match="SparseAdam, which takes sparse gradients"):
        model.fit(np.zeros((40, 1)), TARGET)


def test_after_an_interrupt_a_warm_start_says_how_to_go_on(tmp_path, monkeypatch):
    X = np.linspace(-1, 1, 40)[:, None]
    options = {**SHORT, "max_epochs": 4, "warm_start": True}
    expected = NeuralRegressor(**options).fit(X, TARGET).predict(X)
    model = NeuralRegressor(checkpoint=tmp_path / "fit.pt", **options)
    run, begun = Trainer.run_epoch, []

    def interrupted(self, *args):
        begun.append(1)
        if len(begun) == 3:
            raise KeyboardInterrupt
        return run(self, *args)

    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "run_epoch", interrupted)
        with pytest.raises(KeyboardInterrupt):
            model.fit(X, TARGET)
    with pytest.raises(ValueError, match="warm start is False there") as caught:
        model.fit(X, TARGET)
    assert "set_params(warm_start=False)" in caught.value.__notes__[0]
    again = clone(model).set_params(warm_start=False).fit(X, TARGET)
    np.testing.assert_array_equal(again.predict(X), expected)
