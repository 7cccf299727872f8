"""Checks of inputs that are pictures: arrays, lists of images, columns of paths."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import (
    _check_feature_names,
    check_array,
    validate_data,
)

from skdl.data.columns import refuse_dates
from skdl.data.containers import is_frame
from skdl.data.picture_arrays import PictureShape, to_channels_first
from skdl.data.picture_files import (
    PictureFiles,
    looks_like_pictures,
    open_pictures,
)
from skdl.estimators.core.user_warnings import warn_user
from skdl.training.augmentation import Augmentation

# Shifts and small turns change no digit, letter or object; mirroring changes some.
AUTO_AUGMENTATION = {"shift": 0.1, "rotation": 10.0, "zoom": 0.1}
_LIMITS = {
    "shift": 1,
    "rotation": 180,
    "zoom": 0.99,
    "flip": 1,
    "erasing": 1,
    "mixup": 1000,
}


@dataclass(frozen=True)
class PictureInput:
    """Validated pictures.

    Attributes
    ----------
    pictures : ndarray or PictureFiles of shape (n, channels, height, width)
        uint8 or float32.
    unreadable : list of int
        Positions of files that could not be read and are to be left out.
    """

    pictures: np.ndarray | PictureFiles
    unreadable: Sequence[int] = ()


def list_of_pictures(X: Any) -> list | None:
    """Return paths or images as a list, or None if X holds numbers."""
    if hasattr(X, "columns") and len(X.columns) == 1:  # a frame of one column
        X = X[X.columns[0]]
    if hasattr(X, "to_list"):  # a Series
        X = X.to_list()
    if isinstance(X, np.ndarray) and X.dtype.kind in "OUT" and X.size:
        X = X.ravel().tolist() if X.ndim == 1 or X.shape[1:] == (1,) else X
    if isinstance(X, (list, tuple)) and len(X):
        if looks_like_pictures(X[0]):
            return list(X)
        if isinstance(X[0], np.ndarray) and X[0].ndim in (2, 3):
            return _images_of_arrays(X)
    return None


def _images_of_arrays(arrays: Sequence[np.ndarray]) -> list | None:
    """Return pictures of several sizes as images; None where one array holds them."""
    if len({a.shape for a in arrays}) == 1 or any(a.dtype != np.uint8 for a in arrays):
        return None
    from PIL import Image

    return [Image.fromarray(a) for a in arrays]


def check_pictures(
    X: Any,
    estimator: BaseEstimator,
    shape: PictureShape | None,
    *,
    skip_unreadable: bool,
) -> PictureInput:
    """Validate pictures in any form.

    Parameters
    ----------
    X : array-like, DataFrame or list
        What a user gives.
    estimator : estimator
        With `image_shape` and `memory_limit`; it remembers the columns.
    shape : PictureShape or None
        What pictures must be; None when fitting.
    skip_unreadable : bool
        Whether files that cannot be read are left out.

    Raises
    ------
    ValueError
        If pictures do not match `shape` or cannot be read.
    """
    _refuse_one_picture(X, type(estimator).__name__, shape)
    items = list_of_pictures(X)
    if items is not None:
        return _from_items(X, items, estimator, shape, skip_unreadable)
    if isinstance(X, (list, tuple)) and len(X) and isinstance(X[0], np.ndarray):
        X = np.stack(X)
    refuse_dates(X)
    if is_frame(X) and X.shape[1] == 0:
        raise ValueError("X is a frame without columns: it holds no pixels.")
    if getattr(X, "ndim", 2) > 2:
        X = check_array(X, dtype="numeric", allow_nd=True, estimator=estimator)
    else:
        X = validate_data(estimator, X, reset=shape is None, dtype="numeric")
    pictures = to_channels_first(X, estimator.image_shape)
    found = PictureShape(*pictures.shape[1:])
    if shape is not None and found != shape:
        raise ValueError(
            f"X holds pictures of {found}, but {type(estimator).__name__} was fitted "
            f"on pictures of {shape}."
        )
    return PictureInput(pictures)


def _refuse_one_picture(X: Any, name: str, shape: PictureShape | None) -> None:
    """Refuse a picture, a path or a row by itself, and what holds no pictures.

    Raises
    ------
    TypeError, ValueError
        If it is not several.
    """
    if len(getattr(X, "shape", ())) > 1:
        if shape is not None and _is_one_picture(tuple(X.shape), shape):
            raise ValueError(
                f"X is one picture, of {shape} as {name} was fitted on, but many are "
                "taken: give one by itself as X[None] or [X]."
            )
        return
    if isinstance(X, str | os.PathLike) and os.path.isdir(X):
        raise TypeError(
            f"X is the folder {os.fspath(X)!r}, but {name} takes a list of files: "
            f"sorted(pathlib.Path({os.fspath(X)!r}).glob('*/*.png')), whose labels, "
            "with a folder for each class, are [file.parent.name for file in X]."
        )
    single = looks_like_pictures(X)
    strange = X is None or isinstance(X, Mapping | set | frozenset | Iterator)
    if single or strange or np.isscalar(X):
        raise TypeError(
            f"X is {'None' if X is None else f'a {type(X).__name__}'}, but {name} "
            "takes many pictures: an array with one picture a row, or a list of images "
            "or paths. One picture by itself is given as [X]."
        )
    if getattr(X, "ndim", 0) == 1:
        X = X.to_numpy() if hasattr(X, "to_numpy") else np.asarray(X)
        if X.dtype.kind in "fiub":
            raise ValueError(
                f"X is one row of {len(X)} numbers, but {name} takes many pictures. "
                "Reshape your data: one picture is X.reshape(1, -1), one row of a "
                "frame is frame.iloc[[0]]."
            )


def _is_one_picture(found: tuple[int, ...], shape: PictureShape) -> bool:
    """Tell whether an array is a picture as those fitted on, and no array of some."""
    channels, height, width = shape
    if len(found) == 2:
        return found == (height, width) and width != channels * height * width
    one = found in ((height, width, channels), tuple(shape))
    return one and not (channels == 1 and found[1:] == (height, width))


def _from_items(
    X: Any,
    items: list,
    estimator: BaseEstimator,
    shape: PictureShape | None,
    skip_unreadable: bool,
) -> PictureInput:
    if hasattr(X, "columns"):
        _check_feature_names(estimator, X, reset=shape is None)
    missing = [i for i, item in enumerate(items) if not looks_like_pictures(item)]
    if missing:
        raise ValueError(
            f"X holds {len(missing)} items that are neither paths nor images, the "
            f"first at position {missing[0]}: {items[missing[0]]!r}."
        )
    if shape is None:
        files = open_pictures(items, estimator.image_shape, None)
    else:
        files = PictureFiles(items, tuple(shape))
    in_memory = files.nbytes <= estimator.memory_limit * 2**20
    if skip_unreadable:
        if in_memory:
            pictures, unreadable = files.read_readable()
        else:
            pictures, unreadable = files, files.unreadable()
        if len(unreadable) == len(items):
            files.read()  # raises, naming the first
        if unreadable:
            warn_user(
                f"{len(unreadable)} of {len(items)} pictures cannot be read and are "
                f"left out: {', '.join(files.names(unreadable[:5]))}"
                f"{', ...' if len(unreadable) > 5 else '.'}",
                UserWarning,
            )
        return PictureInput(pictures, unreadable)
    on_disk = any(isinstance(item, str | os.PathLike) for item in items)
    if in_memory or not on_disk:
        return PictureInput(files.read())
    return PictureInput(files)


def resolve_augmentation(augmentation: str | Mapping | None) -> Augmentation | None:
    """Return what may happen to training pictures, or None.

    Raises
    ------
    ValueError
        If a key is unknown or a value is out of range.
    """
    if augmentation is None:
        return None
    given = AUTO_AUGMENTATION if augmentation == "auto" else augmentation
    known = [field.name for field in fields(Augmentation)]
    unknown = [key for key in given if key not in known]
    if unknown:
        raise ValueError(f"augmentation has no {unknown}; it knows {known}.")
    for key, value in given.items():
        if not isinstance(value, Real) or not 0 <= value <= _LIMITS[key]:
            raise ValueError(
                f"augmentation[{key!r}] must be a number between 0 and {_LIMITS[key]}, "
                f"got {value!r}."
            )
    return Augmentation(**given)
