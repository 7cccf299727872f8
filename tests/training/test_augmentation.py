"""Augmentation changes pictures at random and keeps what it should."""

import pytest
import torch

from skdl.training.augmentation import Augmentation, AugmentedBatches, AveragedViews


@pytest.fixture
def pictures():
    torch.manual_seed(0)
    return torch.rand(8, 2, 12, 16)


@pytest.mark.parametrize(
    "options",
    [
        {"shift": 0.2},
        {"rotation": 20},
        {"zoom": 0.2},
        {"flip": True},
        {"erasing": 1.0},
        {"shift": 0.1, "rotation": 10, "zoom": 0.1, "flip": True, "erasing": 0.5},
    ],
    ids=str,
)
def test_pictures_change_and_stay_in_range(pictures, options):
    torch.manual_seed(1)
    first = Augmentation(**options)(pictures)
    again = Augmentation(**options)(pictures)
    torch.manual_seed(1)
    same = Augmentation(**options)(pictures)
    assert torch.equal(first, same)
    assert not torch.equal(first, again)
    assert first.shape == pictures.shape
    assert first.min() >= 0
    assert first.max() <= 1


def test_nothing_asked_for_changes_nothing(pictures):
    assert torch.equal(Augmentation()(pictures), pictures)


def test_a_shift_moves_the_picture_by_up_to_its_share():
    dot = torch.zeros(200, 1, 20, 20)
    dot[:, :, 10, 10] = 1.0
    torch.manual_seed(0)
    moved = Augmentation(shift=0.2)(dot)
    rows = torch.arange(20.0)
    mass = moved.sum((1, 2, 3))
    height = (moved.sum((1, 3)) * rows).sum(1) / mass
    assert 3 < (height - 10).abs().max() < 4.5
    assert (height - 10).mean().abs() < 0.6


def test_a_turn_keeps_shapes_of_pictures_that_are_not_square():
    square = torch.zeros(1, 1, 40, 80)
    square[..., 10:30, 30:50] = 1.0  # a square in the middle of a wide picture
    torch.manual_seed(3)
    turned = Augmentation(rotation=45)(square)
    assert abs(turned.sum() / square.sum() - 1) < 0.05


def test_half_of_the_pictures_are_mirrored():
    wedge = torch.arange(6.0).expand(400, 1, 4, 6)
    torch.manual_seed(0)
    mirrored = (Augmentation(flip=True)(wedge)[:, 0, 0, 0] == 5).float().mean()
    assert 0.4 < mirrored < 0.6


def test_mixup_mixes_pictures_and_targets_alike():
    X = torch.eye(4).view(4, 1, 2, 2).repeat(10, 1, 1, 1)
    y = torch.arange(4).repeat(10)
    source = [((X,), y, torch.ones(40))]
    ((pictures,), target, weight) = next(
        iter(AugmentedBatches(source, Augmentation(mixup=1.0), 4))
    )
    torch.testing.assert_close(pictures.flatten(1), target)
    torch.testing.assert_close(weight, torch.ones(40))
    assert (target.max(1).values >= 0.5).all()
    assert (target.max(1).values < 1).any()


def test_views_are_averaged():
    network = AveragedViews(
        torch.nn.Flatten(), Augmentation(flip=True).views(1, 2), torch.nn.Identity()
    )
    assert network(torch.tensor([[[[1.0, 3.0]]]])).tolist() == [[2.0, 2.0]]
    assert len(Augmentation(shift=0.1, flip=True).views(10, 10)) == 6
