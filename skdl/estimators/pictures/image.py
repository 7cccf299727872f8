"""The family of estimators that takes numbers or pictures."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
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

from skdl.data.pictures import PictureEncoder, PictureShape, parse_shape, read
from skdl.estimators.core.fitting import FittedParts
from skdl.estimators.core.rows import Rows
from skdl.estimators.pictures.inputs import (
    PictureInput,
    check_pictures,
    list_of_pictures,
    resolve_augmentation,
)
from skdl.estimators.tables.dense import DenseEstimator
from skdl.networks.conv import ConvNet, PictureNetwork, activation_maps
from skdl.randomness import lent_generators
from skdl.training.augmentation import AugmentedBatches, AveragedViews
from skdl.training.runtime import Runtime, resolve_runtime

CONV = "conv"
# Of pictures: without it a network learns them by heart (mnist_10k .988 -> .995).
_LABEL_SMOOTHING = 0.1


@dataclass(kw_only=True, eq=False, repr=False)
class PictureEstimator(DenseEstimator):
    """The family that takes numbers, or pictures with a convolutional network."""

    network: str | Callable[[int, int], nn.Module] | None = None
    image_shape: Sequence[int] | None = None
    augmentation: str | Mapping[str, float] | None = "auto"
    test_time_augmentation: bool = False
    on_unreadable: str = "error"
    memory_limit: float = 4096

    _parameter_constraints = {
        **DenseEstimator._parameter_constraints,
        "network": [StrOptions({CONV}), callable, None],
        "image_shape": ["array-like", None],
        "augmentation": [StrOptions({"auto"}), dict, None],
        "test_time_augmentation": ["boolean"],
        "on_unreadable": [StrOptions({"error", "skip"})],
        "memory_limit": [Interval(Real, 0, None, closed="left")],
    }

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.image_shape is not None:
            parse_shape(self.image_shape)
            if self.network is None:
                raise ValueError(
                    "image_shape says that X holds pictures, which the dense network "
                    "does not look at as such; give network='conv' too, or leave "
                    "image_shape out."
                )
        resolve_augmentation(self.augmentation)

    def _takes_pictures(self, X: Any) -> bool:
        """Tell whether X is for a network that takes pictures, before fitting."""
        if self.network is None:
            if getattr(X, "ndim", 2) > 2:
                raise ValueError(
                    f"X has shape {X.shape}: for pictures give network='conv', for the "
                    "dense network X.reshape(len(X), -1)."
                )
            return False
        if self.network == CONV or self.image_shape is not None:
            return True
        return getattr(X, "ndim", 2) > 2 or list_of_pictures(X) is not None

    # What a family gives.

    def _check_rows(self, X: Any, y: Any, sample_weight: Any, *, reset: bool) -> Rows:
        if reset:
            self._image_shape = None
            self._has_pictures = self._takes_pictures(X)
        if not self._has_pictures:
            return super()._check_rows(X, y, sample_weight, reset=reset)
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
        shape = None if reset else self._image_shape
        found = check_pictures(X, self, shape, skip_unreadable=skip)
        if reset:
            self._image_shape = PictureShape(*found.pictures.shape[1:])
        return found

    def _check_inputs(self, X: Any, *, reset: bool) -> Any:
        if not self._has_pictures:
            return super()._check_inputs(X, reset=reset)
        pictures = self._check_pictures(X, reset=reset, skip=False).pictures
        self._encoder.warn_of_range(pictures)
        return pictures

    def _new_encoder(self, X: Any, rng: np.random.RandomState) -> Any:
        if not self._has_pictures:
            return super()._new_encoder(X, rng)
        return PictureEncoder(scale=self.scale_inputs).fit(X, rng)

    def _new_network(self, encoder: Any, n_outputs: int) -> nn.Module:
        if not isinstance(encoder, PictureEncoder):
            return super()._new_network(encoder, n_outputs)
        channels, *size = encoder.shape
        if self.network == CONV:
            body: nn.Module = ConvNet(
                channels,
                n_outputs,
                image_shape=size,
                activation=self.activation,
                dropout=self.dropout,
            )
        else:
            with lent_generators():
                body = self.network(channels, n_outputs)
        if not isinstance(body, nn.Module):
            return body  # the base says what is wrong
        return PictureNetwork(body, encoder.mean, encoder.spread)

    def _runtime(self) -> Runtime:
        return resolve_runtime(
            self.device, self.precision, prefer_bfloat16=self._has_pictures
        )

    def _auto_label_smoothing(self) -> float:
        return _LABEL_SMOOTHING if self._has_pictures else 0.0

    def _augmented(self, batches: Any, parts: FittedParts) -> Any:
        augmentation = resolve_augmentation(self.augmentation)
        if augmentation is None or not isinstance(parts.encoder, PictureEncoder):
            return batches
        n_classes = None  # targets are numbers or label indicators
        if hasattr(parts.target, "classes") and not parts.target.multilabel:
            n_classes = parts.target.n_outputs
        return AugmentedBatches(batches, augmentation, n_classes)

    def _predictor(self) -> tuple[nn.Module, Callable]:
        network, link = super()._predictor()
        if not self.test_time_augmentation or not self._has_pictures:
            return network, link
        augmentation = resolve_augmentation(self.augmentation)
        if augmentation is None:
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
        for start in range(0, len(pictures), rows):
            (part,) = self._encoder.transform(pictures[start : start + rows])
            chosen = None
            if outputs is not None:
                chosen = torch.as_tensor(np.asarray(outputs)[start : start + rows])
                chosen = chosen.to(device)
            maps.append(activation_maps(network, part.to(device), chosen).cpu())
        return torch.cat(maps).numpy()

    def _fitted_pictures(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        if not self._has_pictures:
            raise ValueError(
                f"This {type(self).__name__} was fitted on columns of numbers, not on "
                "pictures."
            )
        return read(self._check_pictures(X, reset=False, skip=False).pictures)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        if self.network == CONV:
            tags.input_tags.allow_nan = False
            tags.input_tags.three_d_array = True
        return tags
