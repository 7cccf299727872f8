"""The family of estimators that takes pictures."""

import copy
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import (
    _check_y,
    check_consistent_length,
    check_is_fitted,
)
from torch import nn

from skdl.data.picture_arrays import PictureEncoder, PictureShape, parse_shape, read
from skdl.estimators.core.base import NeuralEstimator
from skdl.estimators.core.checks import MOST
from skdl.estimators.core.constructor import parameters
from skdl.estimators.core.fitting import FittedParts
from skdl.estimators.core.rows import Rows
from skdl.estimators.core.user_network import new_user_network
from skdl.estimators.pictures.inputs import (
    PictureInput,
    check_pictures,
    resolve_augmentation,
)
from skdl.networks.conv import ConvNet, PictureNetwork, activation_maps
from skdl.networks.folding import members_of
from skdl.networks.mlp import ACTIVATIONS
from skdl.training.augmentation import AugmentedBatches, AveragedViews
from skdl.training.surroundings import own_settings
from skdl.training.survival.out_of_memory import as_memory_error


@parameters
class ImageParameters:
    """What networks on pictures can be told.

    Parameters
    ----------
    image_shape : sequence of int
        (height, width), (height, width, channels) or (channels, height, width): how
        rows are to be read as pictures, and what size picture files are brought to.
        Without it rows make square pictures, and files must have one size.
    augmentation : "auto", dict or None
        Random changes of training pictures, on the device: ``shift`` and ``zoom``
        (shares), ``rotation`` (degrees), ``flip`` (bool), ``erasing`` (probability),
        ``mixup`` (parameter of the beta distribution). "auto" is ``{"shift": 0.1,
        "rotation": 10, "zoom": 0.1}``; mirror pictures of things that have no left and
        right with ``{"flip": True, ...}``. None changes nothing.
    test_time_augmentation : bool
        Whether predictions are means over a picture and its shifted (and, with
        ``flip``, mirrored) copies.
    on_unreadable : {"error", "skip"}
        Whether a picture file that cannot be read is an error in `fit`, or left out
        with a warning. When predicting it is always an error.
    memory_limit : float
        Mebibytes up to which picture files are read once and kept; more are read anew
        in every epoch.
    network : callable, class, torch.nn.Module or None
        None is a small residual network, as deep as the pictures are large. A callable
        or class is called as ``network(n_channels, n_outputs)`` and returns a
        ``torch.nn.Module``, which maps ``(n_rows, channels, height, width)`` float32 to
        raw outputs ``(n_rows, n_outputs)`` without a softmax or sigmoid. Options of a
        callable are nested parameters: ``set_params(network__width=64)``. What is
        trained is a copy, also of a module.
    activation : str
        Of the default network: "relu", "silu", "gelu", "selu", "mish", "elu",
        "leaky_relu", "tanh", "sigmoid" or "identity".
    dropout : float
        Probability that an entry of the default network's last layer is zeroed in
        training, in [0, 1).
    scale_inputs : bool
        Whether pictures are standardised by channel; without it bytes are divided by
        255.
    n_estimators : int
        Networks that are trained side by side, on the same batches but from other
        initial weights; predictions are their mean.
    """

    image_shape: Sequence[int] | None = None
    augmentation: str | Mapping[str, float] | None = "auto"
    test_time_augmentation: bool = False
    on_unreadable: str = "error"
    memory_limit: float = 4096
    network: Callable[..., nn.Module] | nn.Module | None = None
    activation: str = "silu"
    dropout: float = 0.1
    scale_inputs: bool = True
    n_estimators: int = 1

    _constraints = {
        "image_shape": ["array-like", None],
        "augmentation": [StrOptions({"auto"}), dict, None],
        "test_time_augmentation": ["boolean"],
        "on_unreadable": [StrOptions({"error", "skip"})],
        "memory_limit": [Interval(Real, 0, None, closed="left")],
        "network": [callable, None],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "scale_inputs": ["boolean"],
        "n_estimators": [Interval(Integral, 1, MOST, closed="both")],
    }


class ImageEstimator(NeuralEstimator):
    """The family that takes pictures and has a convolutional network by default.

    Parameters
    ----------
    precision : str
        Arithmetic in training: "float32" or "bfloat16" (with float32 weights); "auto"
        is "bfloat16" on GPUs and CPUs that are made for it. Predictions are always made
        in float32.

    Attributes
    ----------
    image_shape_ : tuple of three int
        Channels, height and width of the pictures.
    """

    # A picture means the same when it is shifted, columns of numbers do not.
    _wants_pictures = True
    _prefers_bfloat16 = _convolves = True

    def _check_parameters(self) -> None:
        if isinstance(self.network, str) and self.network == "conv":
            raise ValueError(
                "network='conv' is what network=None is here: leave network out for "
                "the convolutional one."
            )
        super()._check_parameters()
        if self.image_shape is not None:
            parse_shape(self.image_shape)
        resolve_augmentation(self.augmentation)

    # What a family gives.

    def _check_rows(self, X: Any, y: Any, sample_weight: Any, *, reset: bool) -> Rows:
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is "
                "None."
            )
        skip = self.on_unreadable == "skip"
        found = self._check_pictures(X, reset=reset, skip=skip)
        y = _check_y(y, multi_output=True, estimator=self)
        check_consistent_length(found.pictures, y)
        weight = sample_weight
        if found.unreadable:
            weight = np.ones(len(y)) if weight is None else np.array(weight, float)
            weight[list(found.unreadable)] = 0
        return self._weighted_rows(found.pictures, self._check_target(y), weight)

    def _check_pictures(self, X: Any, *, reset: bool, skip: bool) -> PictureInput:
        shape = None if reset else PictureShape(*self.image_shape_)
        found = check_pictures(X, self, shape, skip_unreadable=skip)
        if reset:
            self.image_shape_ = tuple(found.pictures.shape[1:])
        return found

    def _check_inputs(self, X: Any, *, reset: bool) -> Any:
        pictures = self._check_pictures(X, reset=reset, skip=False).pictures
        self._encoder.warn_of_range(pictures)
        return pictures

    def _new_encoder(self, X: Any, rng: np.random.RandomState) -> PictureEncoder:
        return PictureEncoder(scale=self.scale_inputs).fit(X, rng)

    def _new_network(self, encoder: PictureEncoder, n_outputs: int) -> nn.Module:
        channels, *size = encoder.shape
        if self.network is not None:
            body = new_user_network(self.network, channels, n_outputs)
        else:
            body = ConvNet(
                channels,
                n_outputs,
                image_shape=size,
                activation=self.activation,
                dropout=self.dropout,
            )
        return PictureNetwork(body, encoder.mean, encoder.spread)

    def _grown(self, X: Any) -> tuple[PictureEncoder, nn.Module]:
        encoder, before = self._encoder.extended(X), self._encoder
        network = self.network_
        if (encoder.mean, encoder.spread) != (before.mean, before.spread):
            network = copy.deepcopy(network)
            for member in members_of(network):
                member.standardize_by(encoder.mean, encoder.spread)
        return encoder, network

    def _augmented(self, batches: Any, parts: FittedParts) -> Any:
        augmentation = resolve_augmentation(self.augmentation)
        if augmentation is None:
            return batches
        n_classes = None  # targets are numbers or label indicators
        if hasattr(parts.target, "classes") and parts.target.has_codes:
            n_classes = parts.target.n_outputs
        return AugmentedBatches(batches, augmentation, n_classes)

    def _predictor(self) -> tuple[nn.Module, Callable]:
        network, link = super()._predictor()
        augmentation = resolve_augmentation(self.augmentation)
        if not self.test_time_augmentation or augmentation is None:
            return network, link
        _, *size = self._encoder.shape
        views = augmentation.views(*size)
        return AveragedViews(network, views, link).eval(), nn.Identity()

    # Pictures to look at.

    def to_pictures(self, X: Any) -> np.ndarray:
        """Return inputs as the network sees them, to be drawn.

        Parameters
        ----------
        X : array-like, DataFrame of paths or list
            Pictures in any form that `fit` takes.

        Returns
        -------
        ndarray of shape (n_samples, height, width, channels)
            uint8 or float32.
        """
        return self._fitted_pictures(X).transpose(0, 2, 3, 1)

    @own_settings()
    @as_memory_error("making activation maps")
    def activation_maps(self, X: Any, outputs: Any = None) -> np.ndarray:
        """Return where each picture speaks for its prediction (Grad-CAM).

        Parameters
        ----------
        X : array-like, DataFrame of paths or list
            Pictures in any form that `fit` takes.
        outputs : array-like of shape (n_samples,), default=None
            Which output to explain, for a classifier positions in `classes_`; the
            largest if None.

        Returns
        -------
        ndarray of shape (n_samples, height, width)
            From 0 to 1 in each picture.

        References
        ----------
        Selvaraju et al. 2017, "Grad-CAM", arXiv 1610.02391, section 3.
        """
        pictures = self._fitted_pictures(X)
        device = torch.device(self.device_)
        rows = self._encoder.inference_rows
        network = getattr(self.network_, "members", [self.network_])[0].eval()
        maps = []
        outputs = _checked_outputs(outputs, len(pictures), self._target.n_outputs)
        for start in range(0, len(pictures), rows):
            (part,) = self._encoder.transform(pictures[start : start + rows])
            chosen = None
            if outputs is not None:
                chosen = torch.from_numpy(outputs[start : start + rows]).to(device)
            maps.append(activation_maps(network, part.to(device), chosen).cpu())
        return torch.cat(maps).numpy()

    def _fitted_pictures(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        return read(self._check_pictures(X, reset=False, skip=False).pictures)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


def _checked_outputs(outputs: Any, n_rows: int, n_outputs: int) -> np.ndarray | None:
    """Return which output is asked for of each picture."""
    if outputs is None:
        return None
    given = np.asarray(outputs)
    whole = given.dtype.kind in "iu" and given.shape == (n_rows,)
    if not whole or given.min() < 0 or given.max() >= n_outputs:
        raise ValueError(
            f"outputs must be {n_rows} integers from 0 to {n_outputs - 1}, one a "
            f"picture, got {outputs!r}."
        )
    return given.astype(np.int64)
