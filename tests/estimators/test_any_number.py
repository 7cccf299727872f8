"""Numbers of any size: units are no matter, and what is out of range is refused.

`SKDL_EXAMPLES` is the number of examples of each test: 25 by default, 2,000 for the
long form.
"""

import functools
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skdl import (
    EntityEmbeddingClassifier,
    EntityEmbeddingRegressor,
    NeuralClassifier,
    NeuralRegressor,
)
from tests.any_examples import any_of

ANY = any_of()
REGRESSORS = [NeuralRegressor, EntityEmbeddingRegressor]
CLASSIFIERS = [NeuralClassifier, EntityEmbeddingClassifier]
SHORT = {"max_epochs": 2, "hidden_layer_sizes": 6, "random_state": 0}
RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 2))
Y = 5 * X[:, 0] + RNG.normal(size=40)
LABELS = (X[:, 0] > 0).astype(int)

EDGES = [0.0, -0.0, 1.0, -1.0, 5e-324, -5e-324, 2.3e-308, 1e-170, 1e-45, 1e-30, 0.1]
EDGES += [2.0**24 + 1, 2.0**53 + 1, 3.4e38, 3.5e38, -3.5e38, 1e154, -1e154, 1e200]
EDGES += [1e300, 1.7e308, -1.7e308, np.nan]
NUMBERS = st.sampled_from(EDGES)


@functools.cache
def predicted(kind):
    return kind(**SHORT).fit(X, Y).predict(X)


@ANY
@given(st.sampled_from(REGRESSORS), st.integers(-1000, 1020), st.booleans())
def test_the_units_of_a_target_are_those_of_the_predictions(kind, power, is_negative):
    unit = -(2.0**power) if is_negative else 2.0**power
    found = kind(**SHORT).fit(X, Y * unit).predict(X)
    if is_negative:  # other outputs, but as near
        assert np.isfinite(found).all()
        return
    np.testing.assert_allclose(found / unit, predicted(kind), rtol=1e-5)


@ANY
@given(st.sampled_from(REGRESSORS), st.integers(-990, 1020), st.integers(-990, 1020))
def test_the_units_of_inputs_are_no_matter(kind, first, second):
    scaled = X * [2.0**first, 2.0**second]
    found = kind(**SHORT).fit(scaled, Y).predict(scaled)
    np.testing.assert_allclose(found, predicted(kind), rtol=1e-4)


@ANY
@given(st.sampled_from(REGRESSORS + CLASSIFIERS), st.integers(-1000, 1000))
def test_weights_count_relative_to_each_other(kind, power):
    y = LABELS if kind in CLASSIFIERS else Y
    weight = 1.0 + np.arange(40) % 3
    name = "predict_proba" if kind in CLASSIFIERS else "predict"
    expected = getattr(kind(**SHORT).fit(X, y, weight), name)(X)
    model = kind(**SHORT).fit(X, y, weight * 2.0**power)
    np.testing.assert_allclose(getattr(model, name)(X), expected, rtol=1e-4, atol=1e-6)


@functools.cache
def fitted(kind, scale):
    y = LABELS if kind in CLASSIFIERS else Y
    return kind(scale_inputs=scale, **SHORT).fit(X, y)


def finite_or_refused(model, method, rows):
    """Return what a method returns, None where it refuses numbers out of range."""
    try:
        found = getattr(model, method)(rows)
    except ValueError as error:
        if "float32" not in str(error):
            raise
        return None
    assert np.isfinite(found).all()
    return found


@ANY
@given(
    st.sampled_from(REGRESSORS + CLASSIFIERS),
    st.booleans(),
    st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=5),
)
def test_any_numbers_get_a_finite_answer_or_are_refused(kind, scale, rows):
    method = "predict_proba" if kind in CLASSIFIERS else "predict"
    model = fitted(kind, scale)
    found = finite_or_refused(model, method, np.array(rows))
    assert found is not None or not scale
    if found is None:
        return
    if kind in CLASSIFIERS:
        np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-12)
    for row, of_row in zip(rows, found, strict=True):
        alone = getattr(model, method)(np.array([row]))
        np.testing.assert_allclose(alone[0], of_row, rtol=1e-4, atol=1e-6)


@ANY
@given(
    st.sampled_from(REGRESSORS + CLASSIFIERS),
    st.booleans(),
    st.lists(st.tuples(NUMBERS, NUMBERS), min_size=12, max_size=12),
    st.sampled_from(["fit", "partial_fit"]),
)
def test_any_numbers_are_learned_from_or_refused(kind, scale, rows, call):
    y = (LABELS if kind in CLASSIFIERS else Y)[:12]
    classes = {"classes": [0, 1]} if kind in CLASSIFIERS else {}
    more = classes if call == "partial_fit" else {}
    model = kind(scale_inputs=scale, **SHORT)
    try:
        getattr(model, call)(np.array(rows), y, **more)
    except (ValueError, FloatingPointError) as error:
        if scale:
            raise error
        assert not model.__sklearn_is_fitted__()
        return
    method = "predict_proba" if kind in CLASSIFIERS else "predict"
    assert np.isfinite(getattr(model, method)(np.array(rows))).all()
    assert np.isfinite(getattr(model, method)(X)).all()


@ANY
@given(
    st.sampled_from(REGRESSORS),
    st.lists(NUMBERS, min_size=12, max_size=12),
    st.sampled_from(["fit", "partial_fit"]),
)
def test_any_targets_are_learned_or_refused(kind, targets, call):
    model = kind(**SHORT)
    y = np.array(targets)
    if np.isnan(y).any():
        with pytest.raises(ValueError, match="NaN"):
            getattr(model, call)(X[:12], y)
        return
    found = getattr(model, call)(X[:12], y).predict(X[:12])
    assert np.isfinite(found).all()
    # A network may say what it has not seen, but nothing of another size.
    size = np.abs(y).max()
    assert size == 0 or (np.abs(found) / 10 <= size).all()


WEIGHTS = st.sampled_from([0.0, 5e-324, 1e-300, 1e-38, 1e-10, 1.0, 1e10, 1e38, 1e300])


@ANY
@given(st.sampled_from(REGRESSORS), st.lists(WEIGHTS, min_size=12, max_size=12))
def test_any_weights_are_taken_or_refused(kind, weights):
    model = kind(**SHORT)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "overflow", RuntimeWarning, "sklearn")
        if not any(weights):
            with pytest.raises(ValueError, match="weight"):
                model.fit(X[:12], Y[:12], weights)
            return
        found = model.fit(X[:12], Y[:12], weights).predict(X)
    assert np.isfinite(found).all()


@ANY
@given(st.sampled_from(CLASSIFIERS), WEIGHTS, st.one_of(WEIGHTS, st.just(np.nan)))
def test_any_class_weights_are_taken_or_refused(kind, first, second):
    model = kind(class_weight={0: first, 1: second}, **SHORT)
    if not (first > 0 or second > 0) or np.isnan(second):
        with pytest.raises(ValueError, match="class_weight"):
            model.fit(X, LABELS)
        return
    try:
        found = model.fit(X, LABELS).predict_proba(X)
    except ValueError as error:
        if "class_weight" not in str(error):
            raise
        return
    assert np.isfinite(found).all()
