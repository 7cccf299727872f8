"""Numbering the combinations of categories."""

import numpy as np
import pytest

from skdl.data.groups import NEW, Groups

CODES = np.array([[5, 2, 9], [5, 3, 9], [5, 2, 9], [2, 5, 9], [5, 3, 9], [5, 2, 9]])


def test_equal_rows_and_only_they_have_one_number():
    numbers = Groups().extended(CODES).encode(CODES)
    assert numbers.min() > NEW
    for i, j in np.ndindex(6, 6):
        assert (numbers[i] == numbers[j]) == (CODES[i] == CODES[j]).all()


def test_combinations_never_seen_are_new_even_of_known_codes():
    groups = Groups().extended(CODES)
    new = np.array([[2, 2, 9], [5, 2, 8], [1000, 1, 1]])
    assert groups.encode(new).tolist() == [NEW] * 3
    assert groups.encode(CODES[:0]).shape == (0,)


def test_numbers_stay_when_groups_are_extended():
    groups = Groups().extended(CODES)
    more = np.array([[7, 7, 7], [5, 2, 9], [8, 8, 8]])
    extended = groups.extended(more)
    assert (extended.encode(CODES) == groups.encode(CODES)).all()
    assert (len(groups), len(extended)) == (3, 5)
    assert groups.encode(more)[0] == NEW  # the old ones are as they were
    assert sorted(extended.encode(more)) == [1, 4, 5]


def test_combinations_are_in_the_order_of_their_numbers():
    groups = Groups().extended(CODES)
    found = groups.combinations()
    assert groups.encode(found).tolist() == [1, 2, 3]


@pytest.mark.parametrize("max_groups", [1, 2])
def test_the_most_frequent_groups_are_kept(max_groups):
    groups = Groups(max_groups).extended(CODES)
    known = [[5, 2, 9], [5, 3, 9], [2, 5, 9]][:max_groups]
    assert len(groups) == max_groups
    assert (groups.encode(np.array(known)) != NEW).all()
    assert groups.encode(np.array([[2, 5, 9]])).tolist() == [NEW]
    assert len(groups.extended(CODES + 1)) == max_groups
