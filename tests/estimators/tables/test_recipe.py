"""The recipe of cross-fitted packs goes by the table."""

import math

import numpy as np
import pytest

from skdl import EntityEmbeddingRegressor, NeuralClassifier
from skdl.estimators.tables.recipe import (
    default_folds,
    given_parameters,
    recipe_for,
    with_parameters,
)


def test_batches_grow_with_the_rows():
    sizes = [recipe_for(n, 5, 2).batch_size for n in (10, 3_300, 20_000, 10**6)]
    assert sizes == [32, 64, 256, 256]


def test_training_is_never_shorter_than_some_passes():
    assert recipe_for(10**6, 5, 0).max_steps == 10 * -(-(10**6) // 256)
    assert recipe_for(200_000, 5, 2).max_steps == 10 * 782
    assert recipe_for(200_000, 5, 0).max_steps == 20 * 782
    assert recipe_for(400_000, 5, 0).max_steps == 16_000
    assert recipe_for(200_000, 5, 0, for_vectors=True).max_steps == 8_000


def test_few_rows_are_soon_done():
    steps = [recipe_for(n, 5, 0).max_steps for n in (20, 1_000, 6_000, 20_000)]
    assert steps == sorted(steps)
    assert steps[0] < 300
    assert steps[1] < 3_500
    assert steps[-2:] == [8_000, 8_000]
    assert recipe_for(20_000, 5, 3).max_steps == 6_000


def test_wide_tables_whose_steps_take_long_have_fewer_of_them():
    for n_classes in (0, 2):
        narrow, wide = (recipe_for(2_000, n, n_classes).max_steps for n in (64, 65))
        assert wide < narrow
        vectors = [
            recipe_for(2_000, n, n_classes, for_vectors=True).max_steps
            for n in (64, 65)
        ]
        assert vectors[0] == vectors[1]


def test_vectors_come_from_small_networks_for_classes_after_a_sixth_of_the_steps():
    for n_classes, share in ((2, 1 / 6), (0, 1)):
        whole, vectors = (
            recipe_for(20_000, 5, n_classes, for_vectors=w) for w in (False, True)
        )
        assert vectors.max_steps == whole.max_steps * share
        assert sum(vectors.hidden_layer_sizes) <= sum(whole.hidden_layer_sizes) / 2
        own = EntityEmbeddingRegressor(hidden_layer_sizes=(32,))
        assert with_parameters(vectors, own).hidden_layer_sizes == (32,)


def test_many_rows_have_a_third_layer_where_numbers_are_predicted():
    depth = {
        (n, k): len(recipe_for(n, 5, k).hidden_layer_sizes)
        for n in (999, 1_000)
        for k in (0, 3)
    }
    assert depth == {(999, 0): 2, (1_000, 0): 3, (999, 3): 2, (1_000, 3): 2}


def test_the_targets_of_few_rows_have_no_say_in_the_bins():
    assert recipe_for(999, 5, 2).n_leaves == 1
    assert recipe_for(1_000, 5, 2).n_leaves == 32


@pytest.mark.parametrize("n_numbers", [0, 1, 100, 500, 2_000, 10_000])
def test_numbers_of_wide_tables_take_bounded_room(n_numbers):
    recipe = recipe_for(1_000, n_numbers, 2)
    bins = recipe.n_quantiles + recipe.n_leaves if recipe.n_quantiles else 0
    assert bins * n_numbers <= 10_000
    entries = recipe.entries if recipe.n_quantiles else 0
    assert 2 * entries * n_numbers <= 8_192


def test_vectors_of_numbers_are_shorter_where_numbers_are_predicted_from_many():
    counts = (0, 10, 16, 20, 32, 500, 1_024)
    entries = {k: [recipe_for(2_000, n, k).entries for n in counts] for k in (0, 3)}
    assert entries == {0: [8, 8, 8, 6, 4, 4, 2], 3: [8, 8, 8, 8, 8, 4, 2]}


def test_vectors_of_many_rows_have_no_dropout_unless_there_are_many_or_it_is_given():
    few, many = (recipe_for(1_000, 5, 2, n_categorical=n) for n in (5, 50))
    assert 50 < few.dropout_rows < 1_000
    assert many.dropout_rows == math.inf
    vectors = recipe_for(1_000, 5, 2, n_categorical=5, for_vectors=True)
    assert vectors.dropout_rows == math.inf
    given = with_parameters(few, EntityEmbeddingRegressor(embedding_dropout=0.1))
    assert (given.embedding_dropout, given.dropout_rows) == (0.1, math.inf)
    assert with_parameters(few, EntityEmbeddingRegressor()) == few


@pytest.mark.parametrize(("has_classes", "end"), [(True, 100_000), (False, 1_500)])
def test_eight_folds_from_some_rows_on(has_classes, end):
    numbers = (20, 199, 200, end - 1, end, 10**6)
    folds = [default_folds(n, 10, has_classes) for n in numbers]
    assert folds == [4, 4, 8, 8, 4, 4]
    for n_rows in (400, 1_400):  # that would take long
        assert default_folds(n_rows, 1_000, has_classes) == 4


def test_thousands_of_rows_of_numbers_have_eight_folds_again():
    assert [default_folds(n, 10, False) for n in (5_999, 6_000, 99_999)] == [4, 8, 8]
    assert default_folds(6_000, 65, False) == 4


def test_eight_networks_on_many_rows_of_numbers_learn_from_small_batches():
    four, eight = (recipe_for(20_000, 5, 0, n_members=m) for m in (4, 8))
    assert eight.batch_size == four.batch_size / 4
    assert eight.max_steps > 2 * four.max_steps
    assert (eight.target_bins, four.target_bins) == (32, 0)
    # A training does not end before its rows have been seen a few times.
    assert eight.first_look == 2 * -(-20_000 // eight.batch_size)
    assert recipe_for(20_000, 5, 2, n_members=8) == recipe_for(20_000, 5, 2)
    assert recipe_for(5_999, 5, 0, n_members=8) == recipe_for(5_999, 5, 0)
    vectors = recipe_for(20_000, 5, 0, n_members=8, for_vectors=True)
    assert vectors == recipe_for(20_000, 5, 0, for_vectors=True)


def test_decay_for_classes_is_about_the_same_in_a_pass_over_many_rows():
    few, many, more = (recipe_for(n, 5, 2) for n in (20_000, 100_000, 200_000))
    assert recipe_for(500, 5, 2).weight_decay == few.weight_decay == 0.2
    assert many.weight_decay == 2 * more.weight_decay == pytest.approx(0.08, rel=0.01)
    numbers = {recipe_for(n, 5, 0).weight_decay for n in (500, 20_000, 200_000)}
    assert numbers == {0.02}


def test_passes_are_those_of_the_batches_that_there_are():
    own, large, small = (
        recipe_for(100_000, 5, 2, batch_size=size) for size in ("auto", 4096, 32)
    )
    assert (own.first_look, large.first_look, small.first_look) == (391, 150, 2000)
    assert small.weight_decay < own.weight_decay < large.weight_decay == 0.2
    assert small.max_steps == 10 * 100_000 / 32
    assert large.batch_size == 4096
    noisy = recipe_for(20_000, 5, 0, n_members=8, batch_size=512)
    assert noisy.first_look == 150


def test_a_large_table_is_first_looked_at_after_a_pass():
    looks = {n: recipe_for(n, 5, 2).first_look for n in (30_000, 150_000, 10**7)}
    assert looks == {30_000: 150, 150_000: 586, 10**7: 2000}
    vectors = recipe_for(200_000, 5, 2, for_vectors=True)
    assert vectors.first_look == 150


def test_only_values_that_are_no_defaults_count_as_given():
    assert given_parameters(NeuralClassifier(dropout=None, batch_size="auto")) == {}
    given = {"hidden_layer_sizes": np.array([256, 64]), "lr": 1, "dropout": 0.1}
    assert set(given_parameters(NeuralClassifier(**given))) == set(given)


def test_the_recipe_is_for_what_was_not_given():
    recipe = recipe_for(100, 3, 2)
    assert with_parameters(recipe, NeuralClassifier()) == recipe
    model = NeuralClassifier(lr=0.01, betas=(0.9, 0.99), dropout=0.3)
    followed = with_parameters(recipe, model)
    assert (followed.lr, followed.betas, followed.dropout) == (0.01, (0.9, 0.99), 0.3)
    assert followed.weight_decay == recipe.weight_decay


def test_lists_of_unequal_lengths_count_as_given():
    effects = [("Year", "Month"), ("Year", "Month", "State")]
    model = EntityEmbeddingRegressor(random_effects=effects)
    assert given_parameters(model) == {"random_effects": effects}
