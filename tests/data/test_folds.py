"""Which rows each network is blind to."""

import numpy as np
import pytest
from sklearn.model_selection import (
    KFold,
    LeaveOneGroupOut,
    PredefinedSplit,
    ShuffleSplit,
    TimeSeriesSplit,
)

from skdl.data.folds import blind_rows

N, M = 103, 4


def drawn(n=N, members=M, validation=4, seed=0, **options):
    return blind_rows(n, members, validation, np.random.RandomState(seed), **options)


def test_every_row_is_held_out_of_one_network():
    blind = drawn()
    assert (blind.sum(1) == 1).all()
    assert set(blind.sum(0)) <= {25, 26}


def test_more_networks_than_folds_take_the_folds_in_turn():
    blind = drawn(members=8)
    np.testing.assert_array_equal(blind[:, :4], blind[:, 4:])


def test_there_is_a_network_for_every_fold():
    np.testing.assert_array_equal(drawn(members=1), drawn(members=4))


def test_the_seed_decides():
    np.testing.assert_array_equal(drawn(), drawn())
    assert (drawn() != drawn(seed=1)).any()


def test_folds_have_the_classes_in_the_same_proportion():
    strata = np.repeat(["a", "b", "c"], [60, 40, 3])
    blind = drawn(strata=strata)
    assert (blind[strata == "a"].sum(0) == 15).all()
    assert (blind[strata == "b"].sum(0) == 10).all()
    assert (blind.sum(1) == 1).all()


@pytest.mark.parametrize("strata", [None, np.arange(N) % 2])
def test_groups_stay_together(strata):
    groups = np.arange(N) // 5
    blind = drawn(groups=groups, strata=strata)
    for group in np.unique(groups):
        assert len(np.unique(blind[groups == group], axis=0)) == 1
    assert (blind.sum(1) == 1).all()


def test_the_last_rows_are_held_out_of_all_networks():
    blind = drawn(validation="last")
    assert blind[-20:].all()
    assert not blind[:-20].any()


def test_a_splitter_may_leave_rows_out_or_overlap():
    blind = drawn(validation=TimeSeriesSplit(3))
    assert not blind[:25].any()
    assert blind[:, 0].sum() == 25
    overlapping = drawn(validation=ShuffleSplit(4, test_size=0.5, random_state=0))
    assert overlapping.sum(1).max() > 1
    groups = np.arange(N) % 3
    np.testing.assert_array_equal(
        drawn(validation=LeaveOneGroupOut(), groups=groups)[:, :3],
        groups[:, None] == np.arange(3),
    )


@pytest.mark.parametrize("n", [2, 3])
def test_fewer_rows_than_folds_make_fewer_folds(n):
    blind = drawn(n=n)
    assert blind.sum(0).max() == 1
    assert blind.any(1).all()


@pytest.mark.parametrize(
    "counts", [[1] * 10, [2, 2], [50, 1], [9, 3, 1, 1], [3, 3, 3], [1, 1]]
)
def test_classes_with_fewer_rows_than_folds_are_no_obstacle(counts):
    strata = np.repeat(np.arange(len(counts)), counts)
    blind = drawn(n=len(strata), strata=strata)
    assert (blind[:, : min(4, len(strata))].sum(1) == 1).all()


def test_as_many_folds_as_groups_where_there_are_fewer():
    groups = np.arange(N) % 2
    blind = drawn(groups=groups)
    np.testing.assert_array_equal(blind[:, :2], blind[:, 2:])
    assert (blind[:, :2].sum(1) == 1).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 1}, "at least 2 samples"),
        ({"groups": np.zeros(N)}, "at least 2 groups"),
        ({"groups": np.zeros(N - 1)}, "each of the 103 rows of X, but has 102"),
        ({"validation": PredefinedSplit(np.zeros(N))}, "A fold holds all 103 rows"),
        ({"n": 1, "validation": "last"}, "A fold holds all 1 rows"),
    ],
)
def test_what_leaves_nothing_to_learn_from_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        drawn(**options)


def test_a_splitter_that_gives_nothing_is_refused():
    with pytest.raises(ValueError, match="gives no rows to validate on"):
        drawn(validation=PredefinedSplit(np.full(N, -1)))


def test_a_splitter_that_cannot_split_says_so_itself():
    with pytest.raises(ValueError, match="n_splits=5"):
        drawn(n=3, validation=KFold(5))
