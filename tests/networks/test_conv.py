"""The convolutional network, and maps of what it looks at."""

import pytest
import torch

from skdl.networks.conv import (
    BatchNorm,
    ConvNet,
    PictureNetwork,
    activation_maps,
    channels_by_stage,
)


@pytest.mark.kernels
@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (8, 8), (28, 28), (33, 70)])
def test_every_size_goes_in_and_trains(shape):
    network = ConvNet(2, 3, image_shape=shape, dropout=0.1)
    for n in (1, 4):
        raw = network(torch.randn(n, 2, *shape))
        assert raw.shape == (n, 3)
    raw.sum().backward()
    assert all(p.grad is not None for p in network.parameters())


def test_a_picture_by_itself_is_taken_as_it_is_when_predicting():
    norm = BatchNorm(2)
    pictures = torch.randn(300, 2, 4, 4) * 3 + 5 * torch.randn(300, 1, 1, 1) + 7
    for picture in pictures:
        trained = norm(picture[None])
    assert torch.equal(trained, norm.eval()(pictures[-1:]))
    assert norm.running_mean.tolist() == pytest.approx([7, 7], abs=2)
    assert norm.running_var.tolist() == pytest.approx([34, 34], rel=0.3)


def test_larger_pictures_get_more_stages():
    sizes = [len(channels_by_stage((side, side))) for side in (8, 16, 32, 64, 224)]
    assert sizes == sorted(sizes)
    assert sizes[-1] > sizes[0]
    assert max(channels_by_stage((1000, 1000))) <= 256


def test_pictures_are_standardised_by_channel():
    network = PictureNetwork(torch.nn.Flatten(), [10.0, 20.0], [2.0, 5.0])
    picture = torch.tensor([14, 30], dtype=torch.uint8).view(1, 2, 1, 1)
    assert network(picture).tolist() == [[2.0, 2.0]]


def test_activation_maps_find_what_decides():
    class Corner(torch.nn.Module):
        """Sees the mean of the picture after a convolution that copies it."""

        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv2d(1, 1, 1, bias=False)
            torch.nn.init.ones_(self.conv.weight)

        def forward(self, x):
            return self.conv(x).mean((2, 3))

    picture = torch.zeros(1, 1, 6, 6)
    picture[..., 4:, 4:] = 1
    (heat,) = activation_maps(Corner(), picture)
    assert heat[5, 5] == 1
    assert heat[:3, :3].max() == 0


def test_a_network_without_maps_is_refused():
    flat = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2))
    with pytest.raises(ValueError, match="no module that returns maps"):
        activation_maps(flat, torch.zeros(1, 1, 2, 2))
