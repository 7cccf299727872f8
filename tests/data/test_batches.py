"""Batches: every row once an epoch, none of the batches short."""

import pytest
import torch

from skdl.data import ResidentBatches
from skdl.data.batches import batch_sizes


@pytest.mark.parametrize("n_rows", [1, 2, 31, 32, 33, 100, 1000])
def test_sizes_cover_the_rows_and_differ_by_one_at_the_most(n_rows):
    sizes = batch_sizes(n_rows, 32)
    assert sum(sizes) == n_rows
    assert max(sizes) <= 32
    assert max(sizes) - min(sizes) <= 1


def test_an_epoch_has_every_row_once_with_its_target_and_weight():
    rows = torch.arange(50)
    source = ResidentBatches(
        (rows[:, None].float(), rows * 2), rows * 3, rows * 5.0, batch_size=16
    )
    batches = list(source)
    assert len(batches) == len(source) == 4
    seen = torch.cat([target for _, target, _ in batches]) // 3
    assert seen.sort().values.tolist() == list(range(50))
    assert seen.tolist() != list(range(50))
    for (first, second), target, weight in batches:
        assert torch.equal(first[:, 0] * 3, target.float())
        assert torch.equal(second * 3, target * 2)
        assert torch.equal(weight * 3, target * 5.0)


def test_each_epoch_has_an_order_of_its_own():
    source = ResidentBatches(
        (torch.zeros(100, 1),), torch.arange(100), None, batch_size=100
    )
    first, second = (next(iter(source))[1].clone() for _ in range(2))
    assert not torch.equal(first, second)


def test_without_shuffling_rows_come_in_order():
    source = ResidentBatches(
        (torch.zeros(10, 1),), torch.arange(10), None, batch_size=4, shuffle=False
    )
    assert torch.cat([t for _, t, _ in source]).tolist() == list(range(10))
