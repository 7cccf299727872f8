"""scikit-learn's own checks, and those that `check_estimator` does not run."""

import pytest
from sklearn.utils import estimator_checks as checks

from skdl import (
    EmbeddingTransformer,
    EntityEmbeddingClassifier,
    EntityEmbeddingRegressor,
    ImageClassifier,
    ImageRegressor,
    NeuralClassifier,
    NeuralRegressor,
)

MINI_BATCHES = (
    "training is in mini-batches: repeating a row changes which rows meet in a batch, "
    "and dropout draws by row"
)
EXPECTED = {"check_sample_weight_equivalence_on_dense_data": MINI_BATCHES}
ESTIMATORS = [
    NeuralClassifier(),
    NeuralRegressor(),
    ImageClassifier(),
    ImageRegressor(),
    EntityEmbeddingClassifier(),
    EntityEmbeddingRegressor(),
    EmbeddingTransformer(),
]
# The checks' tables are no pictures, and their rows differ in range.
pytestmark = [
    pytest.mark.filterwarnings("ignore:X has .* no square picture:UserWarning"),
    pytest.mark.filterwarnings("ignore:The pictures hold values:UserWarning"),
]


@checks.parametrize_with_checks(
    ESTIMATORS,
    expected_failed_checks=lambda e: EXPECTED if hasattr(e, "predict") else {},
)
def test_check_estimator(estimator, check):
    check(estimator)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
@pytest.mark.parametrize(
    "check",
    [
        checks.check_dataframe_column_names_consistency,
        checks.check_param_validation,
        checks.check_inplace_ensure_writeable,
    ],
    ids=lambda check: check.__name__,
)
def test_checks_that_check_estimator_leaves_out(estimator, check):
    check(type(estimator).__name__, estimator)
