"""Whatever a user passes: the value it has as a plain array, or one clear error.

`SKDL_EXAMPLES` is the number of examples of each test: 25 by default, 2,000 for the
long form.
"""

import datetime
import difflib
import functools
import inspect
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from sklearn.base import clone

from skdl import (
    EntityEmbeddingClassifier,
    EntityEmbeddingRegressor,
    NeuralClassifier,
    NeuralRegressor,
)
from skdl.estimators.core.wrong_names import FOREIGN
from tests.any_examples import any_of

ANY = any_of()
CLASSES = [
    NeuralClassifier,
    NeuralRegressor,
    EntityEmbeddingClassifier,
    EntityEmbeddingRegressor,
]
SHORT = {"max_epochs": 1, "hidden_layer_sizes": 4, "random_state": 0}
RNG = np.random.default_rng(0)
# Numbers that every width and every decimal holds exactly.
X = RNG.integers(-16, 16, size=(24, 3)) / 8
Y = np.arange(24) % 3
# What only those see who have read the code, or torch's or NumPy's.
INTERNAL = ["zip()", "mat1", "NoneType", "unpack", "broadcast", "has no attribute"]
INTERNAL += ["not subscriptable", "Traceback", "argument 'input'", "ufunc", "dict_keys"]

HOLDERS = {
    "array": lambda rows: rows,
    "float32": lambda rows: rows.astype(np.float32),
    "float16": lambda rows: rows.astype(np.float16),
    "big-endian": lambda rows: rows.astype(">f8"),
    "by columns": np.asfortranarray,
    "backwards": lambda rows: rows[::-1].copy()[::-1],
    "every other": lambda rows: np.repeat(rows, 2, axis=0)[::2],
    "objects": lambda rows: rows.astype(object),
    "texts": lambda rows: rows.astype(str).astype(object),
    "lists": lambda rows: rows.tolist(),
    "tuples": lambda rows: tuple(map(tuple, rows.tolist())),
    "list of arrays": list,
    "decimals": lambda rows: [[Decimal(str(v)) for v in row] for row in rows.tolist()],
    "masked": np.ma.masked_array,
    "frame": pd.DataFrame,
    "nullable": lambda rows: pd.DataFrame(rows).astype("Float64"),
    "arrow frame": lambda rows: pd.DataFrame(rows).astype("float64[pyarrow]"),
    "polars": lambda rows: pl.DataFrame(rows, schema=["0", "1", "2"]),
    "arrow": lambda rows: pa.table(dict(zip("abc", rows.T, strict=True))),
    "tensor": torch.tensor,
    "tensor with gradient": lambda rows: torch.tensor(rows, requires_grad=True),
    "half tensor": lambda rows: torch.tensor(rows).half(),
    "bfloat16 tensor": lambda rows: torch.tensor(rows).bfloat16(),
    "list of tensors": lambda rows: [torch.tensor(row) for row in rows],
}
NO_TABLES = {
    "one row": lambda rows: rows[0],
    "one row as list": lambda rows: rows[0].tolist(),
    "one row as tuple": lambda rows: tuple(rows[0].tolist()),
    "one row of a frame": lambda rows: pd.DataFrame(rows).iloc[0],
    "one row of tensor": lambda rows: torch.tensor(rows[0]),
    "dict": lambda rows: dict(zip("abc", rows[0].tolist(), strict=True)),
    "dict of columns": lambda rows: dict(zip("abc", rows.T, strict=True)),
    "list of dicts": lambda rows: pd.DataFrame(rows, columns=list("abc")).to_dict(
        "records"
    ),
    "number": lambda rows: 3.5,
    "nothing": lambda rows: None,
    "text": lambda rows: "1 2 3",
    "bytes": lambda rows: rows.tobytes(),
    "set": lambda rows: set(rows[0].tolist()),
    "generator": lambda rows: iter(rows.tolist()),
    "function": lambda rows: len,
    "class": lambda rows: dict,
    "no rows": lambda rows: rows[:0],
    "no rows as list": lambda rows: [],
    "no columns": lambda rows: rows[:, :0],
    "fewer columns": lambda rows: rows[:, :2],
    "more columns": lambda rows: np.hstack([rows, rows]),
    "three axes": lambda rows: rows[None],
    "ragged": lambda rows: [[1.0, 2.0, 3.0], [1.0]],
    "sparse": csr_matrix,
    "complex": lambda rows: rows + 1j,
    "dates": lambda rows: rows.astype("datetime64[s]"),
    "spans": lambda rows: rows.astype("timedelta64[s]"),
    "date objects": lambda rows: [[datetime.date(2020, 1, 1)] * 3 for _ in rows],
    "infinite": lambda rows: np.full_like(rows, np.inf),
    "query": lambda rows: pl.DataFrame(rows).lazy(),
    "objects in cells": lambda rows: [[object()] * 3 for _ in rows],
    "dicts in cells": lambda rows: [[{}] * 3 for _ in rows],
}


@functools.cache
def fitted(kind):
    return kind(**SHORT).fit(X, Y)


def quietly(call, *arguments, **named):
    """Call without what is said of names of columns that were fitted without any."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "X (does not have|has) .*feature names")
        warnings.filterwarnings("ignore", category=RuntimeWarning, module="sklearn")
        return call(*arguments, **named)


def check_clear(error):
    """One message of readable length that speaks of what was passed."""
    text = str(error)
    assert 10 < len(text) < 1500, text
    assert not [word for word in INTERNAL if word in text], text


rows_drawn = st.lists(st.integers(0, len(X) - 1), min_size=1, max_size=5)


@ANY
@given(st.sampled_from(CLASSES), st.sampled_from(sorted(HOLDERS)), rows_drawn)
def test_any_table_is_read_as_the_plain_array(kind, holder, chosen):
    model, rows = fitted(kind), X[chosen]
    found = quietly(model.predict, HOLDERS[holder](rows))
    # A narrower type is centred in its own width.
    np.testing.assert_allclose(found, model.predict(rows), rtol=1e-5)
    encoded = quietly(model.encode, HOLDERS[holder](rows))
    for one, other in zip(encoded, model.encode(rows), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@ANY
@given(st.sampled_from(CLASSES), st.sampled_from(sorted(HOLDERS)), st.booleans())
def test_any_table_is_learned_as_the_plain_array(kind, holder, partly):
    if holder == "texts" and kind.__name__.startswith("Entity"):
        return  # categories
    more = {"classes": [0, 1, 2]} if partly and hasattr(kind, "predict_proba") else {}
    name = "partial_fit" if partly else "fit"
    found, expected = kind(**SHORT), kind(**SHORT)
    quietly(getattr(found, name), HOLDERS[holder](X), Y, **more)
    getattr(expected, name)(X, Y, **more)
    # Narrower types have other roundings in their medians.
    np.testing.assert_allclose(
        quietly(found.predict, X), expected.predict(X), rtol=1e-4, atol=1e-4
    )


@ANY
@given(
    st.sampled_from(CLASSES),
    st.sampled_from(sorted(NO_TABLES)),
    st.sampled_from(["predict", "encode", "partial_fit", "score", "fit"]),
)
def test_what_is_no_table_is_refused_and_changes_nothing(kind, wrong, method):
    model = fitted(kind)
    before = model.predict(X)
    table = NO_TABLES[wrong](X)
    call = getattr(model, method)
    target = [] if method in ("predict", "encode") else [Y]
    if method == "fit" and wrong in ("fewer columns", "more columns"):
        return
    with pytest.raises((TypeError, ValueError)) as caught:
        quietly(call, table, *target)
    check_clear(caught.value)
    np.testing.assert_array_equal(model.predict(X), before)


TARGETS = {
    "shorter": lambda: Y[:-1],
    "nothing": lambda: None,
    "one number": lambda: 3,
    "no rows": lambda: [],
    "missing": lambda: np.where(Y == 1, np.nan, Y),
    "missing objects": lambda: [None, *Y[1:].tolist()],
    "infinite": lambda: np.where(Y == 1, np.inf, Y),
    "complex": lambda: Y + 1j,
    "three axes": lambda: Y.reshape(-1, 1, 1),
    "dict": lambda: dict(enumerate(Y)),
    "objects": lambda: [object() for _ in Y],
    "set": lambda: set(Y.tolist()),
}


@ANY
@given(
    st.sampled_from(CLASSES),
    st.sampled_from(sorted(TARGETS)),
    st.sampled_from(["fit", "partial_fit", "score"]),
)
def test_what_is_no_target_is_refused_and_changes_nothing(kind, wrong, method):
    model = fitted(kind)
    before = model.predict(X)
    with pytest.raises((TypeError, ValueError)) as caught:
        quietly(getattr(model, method), X, TARGETS[wrong]())
    check_clear(caught.value)
    np.testing.assert_array_equal(model.predict(X), before)


@ANY
@given(
    st.sampled_from(CLASSES),
    st.sampled_from([[-1.0], [np.nan], [np.inf], "ab", {}, [[1.0]], object(), [None]]),
    st.sampled_from(["fit", "partial_fit"]),
)
def test_what_are_no_weights_is_refused_and_changes_nothing(kind, wrong, method):
    weights = wrong * len(X) if isinstance(wrong, list) else wrong
    model = fitted(kind)
    before = model.predict(X)
    if weights == [[1.0]] * len(X):
        weights = np.ones((len(X), 2))
    with pytest.raises((TypeError, ValueError)) as caught:
        getattr(model, method)(X, Y, sample_weight=weights)
    check_clear(caught.value)
    np.testing.assert_array_equal(model.predict(X), before)


@ANY
@given(st.sampled_from(CLASSES), st.data())
def test_a_misspelled_name_is_answered_with_the_right_one(kind, data):
    known = list(inspect.signature(kind).parameters)
    name = data.draw(st.sampled_from([n for n in known if len(n) > 5]))
    at = data.draw(st.integers(0, len(name) - 1))
    wrong = name[:at] + data.draw(st.sampled_from(["", "x", "_", name[at] * 2]))
    wrong += name[at + 1 :]
    if wrong in known or wrong in FOREIGN or not wrong.isidentifier() or "__" in wrong:
        return
    likest = difflib.get_close_matches(wrong, known, n=1)
    for call in (lambda: kind(**{wrong: 1}), lambda: kind().set_params(**{wrong: 1})):
        with pytest.raises((TypeError, ValueError)) as caught:
            call()
        assert repr(wrong) in str(caught.value)
        assert likest[0] in str(caught.value)


@ANY
@given(st.sampled_from(CLASSES), st.sampled_from(sorted(FOREIGN)))
def test_a_name_from_elsewhere_is_answered(kind, name):
    if name in inspect.signature(kind).parameters:
        return
    with pytest.raises(TypeError, match=f"has no parameter '{name}'") as caught:
        kind(**{name: 1})
    check_clear(caught.value)


WRONG_VALUES = st.sampled_from(
    [-1, 0, 2.5, -0.5, 1e400, float("nan"), 10**30, "", "nonsense", b"x", None, True]
    + [[], {}, (), {1: 2}, [1, "a"], object(), len, dict, np.array([1, 2]), pd.NA]
)


@ANY
@given(st.sampled_from(CLASSES), st.data(), WRONG_VALUES)
def test_any_value_of_any_parameter_fits_or_is_refused_by_its_name(kind, data, value):
    name = data.draw(st.sampled_from(sorted(inspect.signature(kind).parameters)))
    if name in ("verbose", "checkpoint") or (value is None and name == "max_epochs"):
        return  # prints, writes files; a whole pack
    model = clone(fitted(kind)).set_params(**{name: value})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = model.fit(X, Y).predict(X)
        except FloatingPointError as error:
            check_clear(error)
        except (ValueError, TypeError) as error:
            check_clear(error)
            if name not in str(error):
                raise
        else:
            assert found.shape == Y.shape
            assert np.isfinite(found.astype(float)).all()
            return
    assert not model.__sklearn_is_fitted__()


@pytest.mark.parametrize(
    "name", ["random_effects", "shared_embeddings", "categorical_features"]
)
def test_a_class_is_no_list_of_columns(name):
    with pytest.raises(ValueError, match=f"{name} must be .*dict"):
        EntityEmbeddingRegressor(**{name: dict}, **SHORT).fit(X, Y)
