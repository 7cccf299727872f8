"""What the loaders share: where their files are, and the two forms of an answer."""

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import Bunch, check_random_state


class Origin(NamedTuple):
    """Where a data set is to be had, and what does in its place.

    Attributes
    ----------
    description : str
        What it is.
    address : str
        Where its owner publishes it.
    form : str
        What the file that is read holds.
    stand_in : str
        A function that makes or loads something like it, without a download.
    """

    description: str
    address: str
    form: str
    stand_in: str


def data_home() -> Path:
    """Return the folder that the loaders read from.

    Returns
    -------
    pathlib.Path
        ``$SKDL_DATA``, else ``../shared/data`` beside the folder of the checkout.

    Examples
    --------
    >>> from skdl.datasets import data_home
    >>> data_home().name
    'data'
    """
    if folder := os.environ.get("SKDL_DATA"):
        return Path(folder).expanduser()
    return Path(__file__).resolve().parents[3] / "shared" / "data"


def find_file(name: str, origin: Origin) -> Path:
    """Return the path of a file, or say where it is to be had and what does instead."""
    path = data_home() / name
    if not path.is_file():
        raise FileNotFoundError(
            f"{name} is not in {path.parent}. It is {origin.description}, to be had at "
            f"{origin.address}; save {origin.form} under this name, there or in a "
            "folder that the environment variable SKDL_DATA names. Without it, "
            f"{origin.stand_in} makes do."
        )
    return path


def fresh_generator(
    random_state: int | np.random.RandomState | None,
) -> np.random.RandomState:
    """Return a generator of random numbers; None is one of fresh entropy."""
    if random_state is None:
        random_state = np.random.RandomState(np.random.SeedSequence().generate_state(4))
    return check_random_state(random_state)


def as_asked(bunch: Bunch, return_X_y: bool) -> Any:
    """Return a Bunch, or of it only what `fit` takes."""
    return (bunch.data, bunch.target) if return_X_y else bunch
