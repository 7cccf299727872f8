"""Augmentation of pictures: random changes that keep what a picture shows.

All of it works on whole batches with torch operations, on the device where training
runs, from the fit's generator.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from skdl.randomness import generator_on
from skdl.training.trainer import Batch, BatchSource


@dataclass(frozen=True)
class Augmentation:
    """What may happen to the pictures of a training batch.

    Parameters
    ----------
    shift : float, default=0.0
        Largest shift, as a share of height and width.
    rotation : float, default=0.0
        Largest rotation in degrees.
    zoom : float, default=0.0
        Largest change of size, as a share of it.
    flip : bool, default=False
        Whether half of the pictures are mirrored, left to right.
    erasing : float, default=0.0
        Probability that a rectangle of up to a third of the picture is greyed out
        (Zhong et al. 2017, arXiv 1708.04896).
    mixup : float, default=0.0
        Parameter of the beta distribution from which the share of another picture and
        its target is drawn (Zhang et al. 2017, arXiv 1710.09412, section 2); 0 mixes
        nothing.

    Examples
    --------
    >>> import torch
    >>> Augmentation(shift=0.1, flip=True)(torch.zeros(4, 1, 8, 8)).shape
    torch.Size([4, 1, 8, 8])
    """

    shift: float = 0.0
    rotation: float = 0.0
    zoom: float = 0.0
    flip: bool = False
    erasing: float = 0.0
    mixup: float = 0.0

    def __call__(self, pictures: Tensor) -> Tensor:
        """Change pictures, (B, C, H, W) of any type -> float32."""
        pictures = pictures.float()
        if self.shift or self.rotation or self.zoom:
            pictures = self._moved(pictures)
        elif self.flip:
            mirrored = _uniform((len(pictures), 1, 1, 1), pictures.device) < 0.5
            pictures = torch.where(mirrored, pictures.flip(3), pictures)
        if self.erasing:
            pictures = self._erased(pictures)
        return pictures

    def _moved(self, x: Tensor) -> Tensor:
        """Shift, turn, zoom and mirror in one pass over the pixels."""
        n, _, height, width = x.shape
        draws = 2 * _uniform((5, n), x.device) - 1
        angle = draws[0] * math.radians(self.rotation)
        size = 1 + draws[1] * self.zoom
        side = torch.where(draws[4] < 0, -1.0, 1.0) if self.flip else size.new_ones(n)
        cos, sin = torch.cos(angle) * size, torch.sin(angle) * size
        ratio = height / width  # coordinates go from -1 to 1 on both axes
        shift_x, shift_y = draws[2:4] * 2 * self.shift
        affine = torch.stack(
            [side * cos, -sin * ratio, shift_x, side * sin / ratio, cos, shift_y], 1
        ).view(n, 2, 3)
        grid = functional.affine_grid(affine, list(x.shape), align_corners=False)
        return functional.grid_sample(
            x, grid, padding_mode="border", align_corners=False
        )

    def _erased(self, x: Tensor) -> Tensor:
        """Put the picture's mean into a rectangle of some pictures."""
        n, _, height, width = x.shape
        u = _uniform((5, n, 1, 1), x.device)
        tall, wide = (0.1 + 0.5 * u[0]) * height, (0.1 + 0.5 * u[1]) * width
        top, left = u[2] * (height - tall), u[3] * (width - wide)
        rows = torch.arange(height, device=x.device).view(1, -1, 1)
        columns = torch.arange(width, device=x.device).view(1, 1, -1)
        inside = (rows >= top) & (rows < top + tall)
        inside = inside & (columns >= left) & (columns < left + wide)
        hidden = (inside & (u[4] < self.erasing)).unsqueeze(1)
        return torch.where(hidden, x.mean((2, 3), keepdim=True), x)

    def views(self, height: int, width: int) -> list[Callable[[Tensor], Tensor]]:
        """Return the pictures to average over when predicting: itself is the first."""
        views: list[Callable[[Tensor], Tensor]] = [lambda x: x]
        if self.flip:
            views.append(lambda x: x.flip(3))
        if self.shift:
            dy, dx = (max(1, round(self.shift * s / 2)) for s in (height, width))
            for up, left in ((0, dx), (0, -dx), (dy, 0), (-dy, 0)):
                views.append(partial(_shifted, up=up, left=left))
        return views


def _uniform(shape: tuple[int, ...], device: torch.device) -> Tensor:
    """Draw numbers from 0 to 1."""
    return torch.rand(shape, device=device, generator=generator_on(device))


def _shifted(x: Tensor, up: int, left: int) -> Tensor:
    """Shift by whole pixels; the border is repeated."""
    rows = torch.arange(x.shape[2], device=x.device) + up
    columns = torch.arange(x.shape[3], device=x.device) + left
    x = x.index_select(2, rows.clamp(0, x.shape[2] - 1))
    return x.index_select(3, columns.clamp(0, x.shape[3] - 1))


class AugmentedBatches:
    """The batches of another source, with pictures that change from epoch to epoch.

    Parameters
    ----------
    source : BatchSource
        The first of its inputs are pictures (B, C, H, W).
    augmentation : Augmentation
        What happens to them.
    n_classes : int or None, default=None
        With mixup, the number of classes where targets are classes (B,); they become
        shares (B, n_classes).
    """

    def __init__(
        self,
        source: BatchSource,
        augmentation: Augmentation,
        n_classes: int | None = None,
    ) -> None:
        self.source = source
        self.augmentation = augmentation
        self.n_classes = n_classes

    def __len__(self) -> int:
        return len(self.source)

    @property
    def lr_factor(self) -> float:
        """That of the source."""
        return self.source.lr_factor

    def tensors(self) -> list[Tensor]:
        """Return those of the source."""
        return self.source.tensors()

    @property
    def batch_dim(self) -> int:
        """That of the source."""
        return self.source.batch_dim

    def __iter__(self) -> Iterator[Batch]:
        for (pictures, *rest), target, weight in self.source:
            pictures = self.augmentation(pictures)
            if self.augmentation.mixup:
                pictures, target, weight = self._mixed(pictures, target, weight)
            yield (pictures, *rest), target, weight

    def _mixed(
        self, pictures: Tensor, target: Tensor, weight: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        n, alpha = len(pictures), float(self.augmentation.mixup)
        # The first of two shares by a Dirichlet distribution has a beta distribution;
        # torch.distributions only draws from the global generator.
        on_cpu = generator_on(torch.device("cpu"))
        shares = torch._sample_dirichlet(torch.full((n, 2), alpha), generator=on_cpu)
        share = shares.amin(1).to(pictures)  # of the other picture
        device = pictures.device
        other = torch.randperm(n, device=device, generator=generator_on(device))
        if self.n_classes is not None:
            target = functional.one_hot(target, self.n_classes).float()

        def mix(x: Tensor) -> Tensor:
            return torch.lerp(x, x[other], share.view(-1, *[1] * (x.ndim - 1)))

        return mix(pictures), mix(target), None if weight is None else mix(weight)


class AveragedViews(nn.Module):
    """A network whose predictions are means over views of each picture.

    Parameters
    ----------
    network : nn.Module
        Takes pictures.
    views : list of callable
        Each takes and returns pictures.
    link : callable
        Turns raw outputs into what is averaged.
    """

    def __init__(
        self,
        network: nn.Module,
        views: list[Callable[[Tensor], Tensor]],
        link: Callable[[Tensor], Tensor],
    ) -> None:
        super().__init__()
        self.network = network
        self.views = views
        self.link = link

    def forward(self, pictures: Tensor) -> Tensor:
        """Return the mean prediction of each picture."""
        outputs = [self.link(self.network(view(pictures))) for view in self.views]
        return torch.stack(outputs).mean(0)
