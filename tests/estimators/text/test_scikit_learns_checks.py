"""scikit-learn's own checks, on rows of numbers that are written out as texts."""

import numpy as np
import pytest
from sklearn.utils.estimator_checks import estimator_checks_generator
from sklearn.utils.validation import check_is_fitted, validate_data

from skdl import TextClassifier, TextRegressor

# Others are about arrays, numbers and columns, which texts are not, or need no fit: see
# test_text_classifier.py.
CHECKS = {
    "check_all_zero_sample_weights_error",
    "check_class_weight_classifiers",
    "check_classifiers_one_label",
    "check_classifiers_one_label_sample_weights",
    "check_classifiers_regression_target",
    "check_decision_proba_consistency",
    "check_dict_unchanged",
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_dont_overwrite_parameters",
    "check_estimators_pickle",
    "check_estimators_unfitted",
    "check_fit2d_1sample",
    "check_fit_check_is_fitted",
    "check_fit_idempotent",
    "check_methods_sample_order_invariance",
    "check_methods_subset_invariance",
    "check_non_transformer_estimators_n_iter",
    "check_requires_y_none",
    "check_sample_weights_list",
    "check_sample_weights_not_an_array",
    "check_sample_weights_not_overwritten",
    "check_sample_weights_pandas_series",
    "check_sample_weights_shape",
    "check_supervised_y_no_nan",
}


class Rows:
    """Writes out rows of numbers as texts before they are learned from or predicted."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string, tags.input_tags.two_d_array = False, True
        return tags

    def fit(self, X, y, sample_weight=None):
        texts = X if y is None else self._texts(X, reset=True)
        return super().fit(texts, y, sample_weight)

    def _predict_output(self, X):
        check_is_fitted(self)
        return super()._predict_output(self._texts(X, reset=False))

    def _texts(self, X, *, reset):
        bins = np.rint(2 * validate_data(self, X, reset=reset)).astype(int)
        return [" ".join(f"c{j}q{v}" for j, v in enumerate(row)) for row in bins]


class RowsClassifier(Rows, TextClassifier):
    """Labels of rows."""


class RowsRegressor(Rows, TextRegressor):
    """Numbers of rows."""


def chosen(kind):
    model = kind(min_frequency=1, ngram_range=(1, 1))
    for estimator, check in estimator_checks_generator(model, legacy=True):
        name = check.func.__name__
        if name in CHECKS:
            yield pytest.param(estimator, check, id=f"{kind.__name__}-{name}")


@pytest.mark.parametrize(
    ("estimator", "check"), [*chosen(RowsClassifier), *chosen(RowsRegressor)]
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)
