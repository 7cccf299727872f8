"""Convolutional networks: pictures in, raw outputs out."""

import copy
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from skdl.networks.dropout import Dropout
from skdl.networks.initialization import conv3x3
from skdl.networks.mlp import ACTIVATIONS, OutputLayer

_FIRST_CHANNELS = 16
_MOST_CHANNELS = 256
# Height or width at which maps are small enough to be averaged.
_SMALLEST_MAP = 8
# What a picture by itself counts in the running statistics of a batch norm.
_ONE_PICTURE = 0.01
# Larger pictures are halved twice before the first residual block.
_LARGE = 96


class BatchNorm(nn.BatchNorm2d):
    """Batch norm that takes a single picture as it is taken at test.

    By its own mean and spread it would lose what tells it from other pictures, and the
    network would learn something else than it is asked when it predicts. It counts
    towards the running statistics first, as one of the latest hundred.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Normalise (B, C, H, W) over all but the channels."""
        if not self.training or len(input) > 1:
            return super().forward(input)
        if input.numel() > input.shape[1]:  # a single value has no spread
            self._count(input)
        return functional.batch_norm(
            input, self.running_mean, self.running_var, self.weight, self.bias
        )

    @torch.no_grad()
    def _count(self, picture: Tensor) -> None:
        """Let the running statistics follow a picture, (1, C, H, W)."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        var, mean = torch.var_mean(picture.float(), dim=(0, 2, 3))
        self.num_batches_tracked += 1
        share = (1 / (self.num_batches_tracked + 1)).clamp(min=_ONE_PICTURE)
        var += (1 - share) * (mean - self.running_mean) ** 2
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(var, share)


def _layer(n_inputs: int, n_outputs: int, activation: str, stride: int = 1):
    """Return convolution, batch norm and activation."""
    conv = conv3x3(n_inputs, n_outputs, stride=stride)
    return nn.Sequential(conv, BatchNorm(n_outputs), ACTIVATIONS[activation]())


class Residual(nn.Module):
    """What a module makes of its input, added to the input (arXiv 1512.03385)."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        """Return `x + module(x)`."""
        return x + self.module(x)


def channels_by_stage(image_shape: Sequence[int]) -> list[int]:
    """Return the channels of the stem and of each stage, by height and width.

    Each stage halves the picture and doubles the channels, until the longer side is at
    most 8 pixels.

    Examples
    --------
    >>> channels_by_stage((28, 28))
    [16, 32, 64]
    """
    channels, side = [_FIRST_CHANNELS], max(image_shape)
    if side > _LARGE:
        side //= 2
    while side > _SMALLEST_MAP or len(channels) == 1:
        channels.append(min(2 * channels[-1], _MOST_CHANNELS))
        side = (side + 1) // 2
    return channels


class ConvNet(nn.Module):
    """A small residual network whose depth follows from the size of the pictures.

    A 3x3 convolution, then stages of a 3x3 convolution that halves the picture and
    doubles the channels and a residual one, the mean over the picture, dropout and a
    linear layer; each convolution with batch norm.

    Parameters
    ----------
    n_channels : int
        Channels of the pictures.
    n_outputs : int
        Number of raw outputs.
    image_shape : sequence of two int, default=(28, 28)
        Height and width that the network is sized for; others may go in.
    activation : str, default="relu"
        A key of ``ACTIVATIONS``.
    dropout : float, default=0.0
        Probability that an entry of the averaged map is zeroed in training.

    Notes
    -----
    Shapes: input ``(B, n_channels, H, W)`` float32, output ``(B, n_outputs)``.

    References
    ----------
    He et al. 2015, "Deep residual learning for image recognition", arXiv 1512.03385.

    Examples
    --------
    >>> import torch
    >>> ConvNet(3, 10, image_shape=(32, 32))(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """

    def __init__(
        self,
        n_channels: int,
        n_outputs: int,
        *,
        image_shape: Sequence[int] = (28, 28),
        activation: str = "relu",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        channels = channels_by_stage(image_shape)
        stride = 2 if max(image_shape) > _LARGE else 1
        layers = [_layer(n_channels, channels[0], activation, stride)]
        for before, after in pairwise(channels):
            layers.append(_layer(before, after, activation, stride=2))
            layers.append(Residual(_layer(after, after, activation)))
        self.features = nn.Sequential(*layers)
        self.dropout = Dropout(dropout)
        self.output = OutputLayer(channels[-1], n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return raw outputs, (B, n_channels, H, W) -> (B, n_outputs)."""
        return self.output(self.dropout(self.features(x).mean((2, 3))))


class PictureNetwork(nn.Module):
    """Pictures of bytes or floats, standardised on the device, into another network.

    Parameters
    ----------
    body : nn.Module
        Takes (B, C, H, W) float32.
    mean, scale : sequence of float
        Of each channel, in the units of the pictures.
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self, body: nn.Module, mean: Sequence[float], scale: Sequence[float]
    ) -> None:
        super().__init__()
        self.body = body
        self.register_buffer("mean", _by_channel(mean))
        self.register_buffer("scale", _by_channel(scale))

    def standardize_by(self, mean: Sequence[float], scale: Sequence[float]) -> None:
        """Standardise pictures by other means and scales from now on."""
        self.mean.copy_(_by_channel(mean))
        self.scale.copy_(_by_channel(scale))

    def forward(self, pictures: Tensor) -> Tensor:
        """Return raw outputs; `pictures` (B, C, H, W) uint8 or float32."""
        x = (pictures.float() - self.mean) / self.scale
        if x.is_cuda:  # convolutions are faster so; on a CPU activations are slower
            x = x.contiguous(memory_format=torch.channels_last)
        return self.body(x)


def _by_channel(values: Sequence[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float32).view(-1, 1, 1)


def activation_maps(
    network: nn.Module, pictures: Tensor, outputs: Tensor | None = None
) -> Tensor:
    """Return where each picture speaks for one of its outputs.

    The gradient of the output with respect to the last maps, averaged over the picture,
    weighs them (Grad-CAM, Selvaraju et al. 2017, arXiv 1610.02391, section 3); for a
    network that ends in an average and a linear layer these are the class activation
    maps of Zhou et al. 2016.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode.
    pictures : Tensor of shape (B, C, H, W)
        On the network's device.
    outputs : Tensor of shape (B,), optional
        Which output to explain; the largest if None.

    Returns
    -------
    Tensor of shape (B, H, W)
        From 0 to 1 in each picture.

    Raises
    ------
    ValueError
        If no module of the network returns maps.
    """
    seen: list[Tensor] = []

    def keep(module: nn.Module, _: object, output: object) -> None:
        if not isinstance(output, Tensor) or output.ndim != 4:
            return
        if output.requires_grad and output[0, 0].numel() > 1:
            seen.append(output)

    watched = _with_the_same_weights(network)
    for module in watched.modules():
        module.register_forward_hook(keep)
    with torch.enable_grad():
        raw = watched(pictures)
    if not seen:
        raise ValueError(
            "The network has no module that returns maps of shape (B, C, H, W)."
        )
    maps = seen[-1]
    chosen = raw.argmax(1) if outputs is None else outputs
    (slopes,) = torch.autograd.grad(raw.gather(1, chosen[:, None]).sum(), maps)
    weight = slopes.mean((2, 3), keepdim=True)
    heat = functional.relu((weight * maps.detach()).sum(1, keepdim=True))
    heat = functional.interpolate(heat, pictures.shape[2:], mode="bilinear")[:, 0]
    return heat / heat.amax((1, 2), keepdim=True).clamp_min(1e-12)


def _with_the_same_weights(network: nn.Module) -> nn.Module:
    """Return a copy whose modules are its own, and whose tensors are the network's.

    Hooks on a network that others run at the same time would see their tensors too.
    """
    tensors = [*network.parameters(), *network.buffers()]
    return copy.deepcopy(network, {id(t): t for t in tensors})
