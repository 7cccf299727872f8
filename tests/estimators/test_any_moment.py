"""Whatever runs beside a fit, stops it or runs out: the same bits, or one error.

`SKDL_EXAMPLES` is the number of examples of each test: 10 by default, 2,000 for the
long form.
"""

import functools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from skdl import EntityEmbeddingClassifier, NeuralClassifier, NeuralRegressor
from tests.any_examples import any_of
from tests.estimators import test_interrupts as interrupts
from tests.estimators.test_memory import SAID

ANY = any_of(10)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(48, 3))
Y = (X[:, 0] > 0).astype(int)


class Drops(nn.Sequential):
    """A network of one's own that draws from torch's generator."""

    def __init__(self, n_inputs, n_outputs):
        super().__init__(
            nn.Linear(n_inputs, 8), nn.Dropout(0.5), nn.Linear(8, n_outputs)
        )


KINDS = {
    "dense": functools.partial(NeuralClassifier, hidden_layer_sizes=6, dropout=0.3),
    "several": functools.partial(
        NeuralClassifier, hidden_layer_sizes=4, n_estimators=2
    ),
    "of one's own": functools.partial(NeuralClassifier, network=Drops),
    "table": functools.partial(
        EntityEmbeddingClassifier, hidden_layer_sizes=6, embedding_dropout=0.2
    ),
    "pack": functools.partial(NeuralClassifier, hidden_layer_sizes=6, validation=2),
}
JOBS = st.lists(
    st.tuples(st.sampled_from(sorted(KINDS)), st.integers(0, 2**32 - 1)),
    min_size=2,
    max_size=3,
)


def fitted(job):
    kind, seed = job
    model = KINDS[kind](max_epochs=2, batch_size=16, random_state=seed)
    return model.fit(X, Y).predict_proba(X)


@ANY
@given(JOBS)
def test_any_fits_side_by_side_have_the_bits_that_each_has_alone(jobs):
    before = torch.get_rng_state()
    alone = [fitted(job) for job in jobs]
    with ThreadPoolExecutor(len(jobs)) as pool:
        together = list(pool.map(fitted, jobs))
    np.testing.assert_array_equal(together, alone)
    assert torch.equal(torch.get_rng_state(), before)


OPTIONS = st.sampled_from([{}, {"early_stopping": True}, {"weight_averaging": "ema"}])


@functools.cache
def whole(options):
    return interrupts.model(0, **dict(options)).fit(interrupts.X, interrupts.Y)


@ANY
@given(st.integers(1, 22), OPTIONS, st.booleans())
def test_an_interrupt_in_any_step_leaves_whole_epochs_or_what_there_was(
    step, options, is_fitted
):
    rows, labels = interrupts.X, interrupts.Y
    expected = whole(tuple(options.items()))
    model = interrupts.model(0, **options)
    before = model.fit(rows, labels).predict_proba(rows) if is_fitted else None
    model.set_params(network=interrupts.Ctrl(step))
    try:
        model.fit(rows, labels)
    except KeyboardInterrupt:
        if before is None and not model.__sklearn_is_fitted__():
            return
    n = model.n_iter_
    losses = expected.history_["loss"].tolist()
    assert model.history_["loss"].tolist() == losses[:n]
    found = model.predict_proba(rows)
    assert np.isfinite(found).all()
    if before is not None and n == len(losses):  # as it was, or trained to the end
        np.testing.assert_array_equal(found, before)


class Narrow(nn.Linear):
    """Has room for so many rows."""

    limit, error = 10**9, SAID[0]

    def forward(self, x):
        if len(x) > self.limit:
            raise self.error
        return super().forward(x)


@functools.cache
def fitted_narrow():
    options = {"network": Narrow, "max_epochs": 1, "batch_size": 48, "random_state": 0}
    return NeuralRegressor(**options).fit(X, X[:, 0])


@pytest.mark.filterwarnings("ignore:Memory ran out on a batch:RuntimeWarning")
@ANY
@given(st.integers(1, 48), st.sampled_from(SAID), st.integers(1, 48))
def test_memory_for_any_number_of_rows_does_or_is_one_error(limit, error, n_rows):
    expected = fitted_narrow()
    Narrow.limit, Narrow.error = limit, error
    try:
        model = fitted_narrow.__wrapped__()
        found = model.predict(X[:n_rows])
    except MemoryError as problem:
        if len(str(problem)) < 20:
            raise
        return
    finally:
        Narrow.limit = 10**9
    np.testing.assert_allclose(
        found, expected.predict(X[:n_rows]), rtol=1e-4, atol=1e-5
    )


@pytest.mark.filterwarnings("ignore:Memory ran out on a batch:RuntimeWarning")
def test_there_is_an_error_only_where_the_fewest_rows_do_not_fit():
    Narrow.limit = 16
    try:
        model = NeuralRegressor(network=Narrow, max_epochs=1, random_state=0)
        assert model.fit(X, X[:, 0]).predict(X).shape == (48,)
        Narrow.limit = 0
        with pytest.raises(MemoryError):
            model.predict(X)
    finally:
        Narrow.limit = 10**9
