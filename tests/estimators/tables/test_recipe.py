"""The recipe of cross-fitted packs goes by the table."""

import numpy as np
import pytest

from skdl import EntityEmbeddingRegressor, NeuralClassifier
from skdl.estimators.tables.recipe import given_parameters, recipe_for, with_parameters


def test_batches_grow_with_the_rows():
    sizes = [recipe_for(n, 5, 2).batch_size for n in (10, 3_300, 20_000, 10**6)]
    assert sizes == [32, 64, 256, 256]


def test_training_is_never_shorter_than_some_passes():
    few, many = recipe_for(1_000, 5, 0), recipe_for(10**6, 5, 0)
    assert few.max_steps == 8_000
    assert many.max_steps == 10 * -(-(10**6) // 256)
    assert recipe_for(1_000, 5, 3).max_steps == 3_000


def test_the_targets_of_few_rows_have_no_say_in_the_bins():
    assert recipe_for(999, 5, 2).n_leaves == 1
    assert recipe_for(1_000, 5, 2).n_leaves == 32


@pytest.mark.parametrize("n_numbers", [0, 1, 100, 500, 2_000, 10_000])
def test_numbers_of_wide_tables_take_bounded_room(n_numbers):
    recipe = recipe_for(1_000, n_numbers, 2)
    bins = recipe.n_quantiles + recipe.n_leaves if recipe.n_quantiles else 0
    assert bins * n_numbers <= 10_000
    entries = recipe.entries if recipe.n_quantiles else 0
    assert entries * n_numbers <= 4_096


def test_only_values_that_are_no_defaults_count_as_given():
    model = NeuralClassifier(hidden_layer_sizes=[256, 128], betas=(0.9, 0.99), lr=0.01)
    assert given_parameters(model) == {}
    given = {"hidden_layer_sizes": np.array([256, 64]), "lr": 1, "dropout": 0.0}
    model = NeuralClassifier(**given)
    found = given_parameters(model)
    assert set(found) == set(given)
    recipe = with_parameters(recipe_for(100, 3, 2), model)
    assert recipe.lr == 1
    assert recipe.dropout == 0.0
    assert recipe.weight_decay == 0.02


def test_lists_of_unequal_lengths_count_as_given():
    effects = [("Year", "Month"), ("Year", "Month", "State")]
    model = EntityEmbeddingRegressor(random_effects=effects)
    assert given_parameters(model) == {"random_effects": effects}
