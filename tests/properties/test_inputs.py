"""Generated inputs: documented exceptions alone, and predictions that are numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skdl import (
    EntityEmbeddingClassifier,
    EntityEmbeddingRegressor,
    NeuralClassifier,
    NeuralRegressor,
)
from tests.properties.checks import (
    ONE,
    answers_or_refuses,
    fits_or_stays,
    fitted,
    language_model,
    reads_or_refuses,
    short,
    text_classifier,
)
from tests.properties.inputs import arrays, frames, tasks, texts

TABLES = ["table", "table, pack", "table, regression", "transformer"]


@pytest.mark.parametrize("kind", ["numbers", "numbers, pack"])
@short
@given(X=st.one_of(arrays(3), frames(("0", "1", "2"))))
def test_networks_on_numbers_answer_or_refuse(kind, X):
    answers_or_refuses(fitted()[kind], X)


@pytest.mark.parametrize("kind", TABLES)
@short
@given(X=st.one_of(frames(complete=False), frames(), arrays(3)))
def test_networks_on_tables_answer_or_refuse(kind, X):
    answers_or_refuses(fitted()[kind], X)


@short
@given(X=texts)
def test_language_models_read_or_refuse(X):
    reads_or_refuses(language_model(), X)
    answers_or_refuses(text_classifier(), X)


@pytest.mark.parametrize("is_classifier", [True, False])
@short
@given(task=tasks())
def test_a_fit_succeeds_or_leaves_the_estimator_as_it_was(is_classifier, task):
    is_table, X, y = task
    kinds = {
        (True, True): EntityEmbeddingClassifier,
        (True, False): EntityEmbeddingRegressor,
        (False, True): NeuralClassifier,
        (False, False): NeuralRegressor,
    }
    fits_or_stays(kinds[is_table, is_classifier](**ONE), X, y)
