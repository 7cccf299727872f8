"""What the loaders share: where their files are, and the two forms of an answer."""

import os
from pathlib import Path
from typing import Any

from sklearn.utils import Bunch


def data_home() -> Path:
    """Return the folder that the loaders read from.

    Returns
    -------
    pathlib.Path
        ``$SKDL_DATA``, else ``../shared/data`` beside the folder of the checkout.
    """
    if folder := os.environ.get("SKDL_DATA"):
        return Path(folder).expanduser()
    return Path(__file__).resolve().parents[3] / "shared" / "data"


def find_file(name: str, origin: str) -> Path:
    """Return the path of a file, or say where it should be."""
    path = data_home() / name
    if not path.is_file():
        raise FileNotFoundError(
            f"{name} ({origin}) is not in {path.parent}. Put it there, or set the "
            "environment variable SKDL_DATA to the folder that holds it."
        )
    return path


def as_asked(bunch: Bunch, return_X_y: bool) -> Any:
    """Return a Bunch, or of it only what `fit` takes."""
    return (bunch.data, bunch.target) if return_X_y else bunch
