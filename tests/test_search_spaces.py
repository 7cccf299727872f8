"""Published search spaces, as scikit-learn's searches and optuna use them."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    HalvingRandomSearchCV,
    ParameterSampler,
    RandomizedSearchCV,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skdl
from skdl import (
    EntityEmbeddingClassifier,
    EntityEmbeddingRegressor,
    ImageClassifier,
    ImageRegressor,
    NeuralClassifier,
    NeuralRegressor,
    TextClassifier,
    TextLM,
    search_spaces,
)
from skdl.networks.mlp import MLP

ALL = [
    EntityEmbeddingClassifier,
    EntityEmbeddingRegressor,
    ImageClassifier,
    ImageRegressor,
    NeuralClassifier,
    NeuralRegressor,
    TextClassifier,
    TextLM,
]


class Trial:
    """What a trial of optuna offers; it checks what optuna does."""

    def __init__(self, share):
        self.share = share
        self.asked = {}

    def suggest_float(self, name, low, high, *, log=False):
        assert low < high
        if log:
            assert low > 0
        self.asked[name] = (low, high)
        return low + self.share * (high - low)

    def suggest_categorical(self, name, choices):
        assert all(
            c is None or isinstance(c, bool | int | float | str) for c in choices
        )
        self.asked[name] = choices
        return choices[int(self.share * (len(choices) - 1))]


@pytest.mark.parametrize("cls", ALL)
def test_every_suggestion_is_a_valid_parameter(cls):
    space = search_spaces(cls)
    for parameters in ParameterSampler(space, n_iter=30, random_state=0):
        cls(**parameters)._check_parameters()
    for share in (0.0, 0.5, 1.0):
        trial = Trial(share)
        parameters = space.suggest(trial)
        assert set(trial.asked) == set(space)
        cls(**parameters)._check_parameters()


@pytest.mark.parametrize("cls", ALL)
def test_every_range_has_a_reason(cls):
    table = search_spaces(cls).table()
    assert list(table.index) == list(search_spaces(cls))
    assert table["why"].str.endswith(".").all()
    assert table["range"].str.len().min() > 2


@pytest.mark.parametrize("kind", [RandomizedSearchCV, HalvingRandomSearchCV])
def test_scikit_learns_searches_take_a_space(kind):
    X, y = load_iris(return_X_y=True)
    model = make_pipeline(StandardScaler(), NeuralClassifier(random_state=0))
    model.set_params(neuralclassifier__validation=None)
    model.set_params(neuralclassifier__max_epochs=2)
    space = search_spaces(model)
    n = "n_candidates" if kind is HalvingRandomSearchCV else "n_iter"
    search = kind(model, space, cv=2, random_state=0, **{n: 2}).fit(X, y)
    assert set(search.best_params_) == set(space)
    assert all(name.startswith("neuralclassifier__") for name in space)
    assert np.isfinite(search.best_score_)


def test_a_pack_can_be_searched():
    X, y = load_iris(return_X_y=True)
    model = NeuralClassifier(validation=2, max_epochs=1, random_state=0)
    search = RandomizedSearchCV(
        model, search_spaces(model), n_iter=2, cv=2, random_state=0
    )
    assert hasattr(search.fit(X, y).best_estimator_, "oof_prediction_")


def test_one_network_has_other_rates_than_a_pack():
    one = search_spaces(NeuralRegressor(validation=None)).ranges["lr"]
    pack = search_spaces(NeuralRegressor).ranges["lr"]
    assert one != pack
    assert search_spaces(NeuralRegressor(max_epochs=5)).ranges["lr"] == one
    assert search_spaces(NeuralRegressor(early_stopping=True)).ranges["lr"] == one
    assert search_spaces(NeuralRegressor()).ranges["lr"] == pack
    assert (
        search_spaces(NeuralRegressor(max_epochs=5, validation=3)).ranges["lr"] == pack
    )


def test_a_network_of_ones_own_is_not_told_its_layers():
    space = search_spaces(NeuralRegressor(network=MLP))
    assert not {"hidden_layer_sizes", "activation", "dropout"} & set(space)
    assert "lr" in space


def test_a_space_can_be_changed():
    space = search_spaces(NeuralClassifier)
    del space["optimizer"]
    assert "optimizer" not in space.suggest(Trial(0.5))
    assert "optimizer" not in space.table().index
    assert "optimizer" in search_spaces(NeuralClassifier)


def test_choices_of_layers_are_given_back_as_layers():
    sizes = search_spaces(NeuralClassifier).suggest(Trial(0.0))["hidden_layer_sizes"]
    assert sizes == (128, 128)


@pytest.mark.parametrize(
    "other", [LogisticRegression(), make_pipeline(LogisticRegression()), "lr"]
)
def test_what_there_is_no_space_for_is_named(other):
    with pytest.raises(TypeError, match=r"takes an estimator of skdl.*got"):
        search_spaces(other)


def test_the_names_are_public():
    assert {"search_spaces", "SearchSpace"} <= set(skdl.__all__)
