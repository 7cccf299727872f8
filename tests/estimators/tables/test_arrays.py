"""Arrays of more than two axes, with a network of the user's own."""

import numpy as np
import pytest
from sklearn.model_selection import cross_val_score
from torch import nn

from skdl import EntityEmbeddingClassifier, NeuralClassifier, NeuralRegressor


class LastStep(nn.Module):
    def __init__(self, n_inputs, n_outputs):
        super().__init__()
        self.lstm = nn.LSTM(n_inputs, 16, batch_first=True)
        self.output = nn.Linear(16, n_outputs)

    def forward(self, x):
        return self.output(self.lstm(x)[0][:, -1])


def flat(n_inputs, n_outputs):
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(n_outputs))


@pytest.fixture
def series(rng):
    """Two features of very different scale; the small one tells the class."""
    y = rng.integers(0, 2, 300)
    X = np.stack([rng.normal(size=(300, 10)) * 1e4, rng.normal(size=(300, 10))], axis=2)
    X[:, -3:, 1] += 3 * y[:, None]
    return X, y


def test_each_feature_of_a_series_has_its_own_scale(series):
    model = NeuralClassifier(network=LastStep, max_epochs=15, random_state=0)
    assert cross_val_score(model, *series, cv=3).min() > 0.95


def test_a_series_is_never_augmented_or_smoothed(series):
    X, y = series
    model = NeuralClassifier(network=LastStep, max_epochs=1, random_state=0).fit(X, y)
    assert model.label_smoothing == 0
    assert model.network_.__class__ is LastStep
    assert model.n_features_in_ == 2
    assert model.predict_proba(X.tolist()).shape == (300, 2)
    again = model.predict_proba(X.astype(np.float32))
    np.testing.assert_allclose(again, model.predict_proba(X), atol=1e-4)


def test_missing_values_of_a_series_have_an_indicator(series):
    X, y = series
    X = X.copy()
    X[::2, :, 1] = np.nan
    model = NeuralClassifier(network=LastStep, max_epochs=2, random_state=0).fit(X, y)
    assert model.network_.lstm.input_size == 3
    assert np.isfinite(model.predict_proba(X)).all()


@pytest.mark.parametrize("shape", [(40, 3, 2, 5), (40, 1, 4), (40, 6)])
def test_any_number_of_axes_is_taken(shape, rng):
    X, y = rng.normal(size=shape), rng.normal(size=40)
    width = int(np.prod(shape[1:]))

    def network(n_inputs, n_outputs):
        assert n_inputs == shape[-1]
        return nn.Sequential(nn.Flatten(), nn.Linear(width, n_outputs))

    model = NeuralRegressor(network=network, max_epochs=2, random_state=0).fit(X, y)
    assert model.predict(X[:7]).shape == (7,)
    model.partial_fit(X, y)
    np.testing.assert_allclose(model.predict(X[:3]), model.predict(X)[:3], rtol=1e-5)


def test_rows_of_another_shape_are_refused(series):
    X, y = series
    model = NeuralClassifier(network=LastStep, max_epochs=1).fit(X, y)
    for other in (X[:, :5], X[:, :, :1], X[:, :, 0], X.transpose(0, 2, 1)):
        with pytest.raises(
            ValueError, match=r"rows of shape \(10, 2\)|10 features|2 fea"
        ):
            model.predict(other)


def test_the_dense_network_refuses_arrays_with_advice(series):
    for X in (series[0], series[0].tolist()):
        with pytest.raises(ValueError, match=r"network of your own.*reshape.*Image"):
            NeuralClassifier().fit(X, series[1])


def test_tables_refuse_arrays_of_three_axes(series):
    with pytest.raises(ValueError, match="dim 3"):
        EntityEmbeddingClassifier().fit(*series)


def test_infinite_values_and_wrong_lengths_are_refused(series):
    X, y = series
    model = NeuralClassifier(network=LastStep)
    with pytest.raises(ValueError, match="infinity"):
        model.fit(np.where(X > 1e4, np.inf, X), y)
    with pytest.raises(ValueError, match="inconsistent"):
        model.fit(X, y[:-1])
