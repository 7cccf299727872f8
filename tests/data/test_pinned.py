"""Rows for a card that is too small for them; what stands for the card is a CPU."""

import pytest
import torch

from skdl.data.pinned import PinnedBatches
from skdl.estimators.core import batches as core_batches
from skdl.training.survival.device_memory import Memory

X = torch.arange(50.0).view(25, 2)
CUDA = torch.device("cuda")


class Lane:
    """Stands for a second stream: copies at once, and tells in which order."""

    def __init__(self):
        self.log = []

    def send(self, tensors, rows):
        self.log.append("send")
        return [t.index_select(0, rows) for t in tensors], None

    def arrived(self, sent):
        self.log.append("arrived")
        return sent[0]


@pytest.mark.parametrize("weight", [None, torch.arange(25.0)])
def test_every_row_comes_once_with_what_belongs_to_it(weight):
    given = PinnedBatches(
        (X,), X[:, 0], weight, batch_size=10, device=CUDA, lane=Lane()
    )
    orders = []
    for _ in range(2):
        found = list(given)
        assert len(found) == len(given) == 3
        target = torch.cat([t for _, t, _ in found])
        assert torch.cat([x for (x,), _, _ in found])[:, 0].equal(target)
        assert target.sort().values.equal(X[:, 0])
        assert (found[0][2] is None) == (weight is None)
        orders.append(target)
    assert not orders[0].equal(orders[1])


def test_a_batch_is_sent_before_the_one_ahead_of_it_is_worked_on():
    lane = Lane()
    given = PinnedBatches(
        (X,), X, None, batch_size=10, device=CUDA, shuffle=False, lane=lane
    )
    for i, ((x,), _, _) in enumerate(given):
        assert x[0, 0] == [0, 18, 34][i]
        lane.log.append("work")
    work = ["arrived", "work"]
    assert lane.log == ["send", "send", *work, "send", *work, *work]


@pytest.mark.parametrize(("free", "fits"), [(10_000, True), (500, False)])
def test_what_is_too_large_for_a_card_stays_in_the_machine(free, fits, monkeypatch):
    monkeypatch.setattr(core_batches, "device_memory", lambda d: Memory(free, free))
    assert core_batches.fits_on(CUDA, (X,)) is fits
    assert core_batches.fits_on(torch.device("cpu"), (X,))
