"""Pictures in files and PIL images: opened and resized by Pillow, in threads."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from skdl.data.picture_arrays import parse_shape

_MODES = {1: "L", 3: "RGB"}
_WHITE = 255


class UnreadablePicture(ValueError):  # noqa: N818
    """A file or image that Pillow cannot read."""


def looks_like_pictures(first: Any) -> bool:
    """Tell whether an item of a list is a path or a picture by itself."""
    if isinstance(first, (str, os.PathLike)):
        return True
    return hasattr(first, "convert") and hasattr(first, "size")


class PictureFiles:
    """Paths or PIL images that read like an array of shape (n, channels, H, W).

    Parameters
    ----------
    items : sequence
        Paths and PIL images.
    shape : tuple of three int
        Channels, height and width that all are brought to.

    Examples
    --------
    >>> from PIL import Image
    >>> pictures = PictureFiles([Image.new("L", (9, 7))], (1, 7, 9))
    >>> pictures.read().shape
    (1, 1, 7, 9)
    """

    def __init__(self, items: Sequence[Any], shape: tuple[int, int, int]) -> None:
        self.items = items
        self._shape = shape

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Number of pictures, channels, height and width."""
        return (len(self.items), *self._shape)

    @property
    def nbytes(self) -> int:
        """Bytes of all pictures when they are read."""
        return int(np.prod(self.shape))

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: slice | np.ndarray) -> "PictureFiles":
        if isinstance(index, slice):
            return PictureFiles(self.items[index], self._shape)
        return PictureFiles([self.items[i] for i in index], self._shape)

    def read(self) -> np.ndarray:
        """Read all pictures, (n, channels, height, width) uint8.

        Raises
        ------
        UnreadablePicture
            Naming the first that cannot be read.
        """
        out = np.empty(self.shape, dtype=np.uint8)
        for i, error in enumerate(self._read_into(out)):
            if error is not None:
                raise UnreadablePicture(
                    f"{_name(self.items[i], i)} cannot be read as a picture: {error}. "
                    "Remove it, or fit with on_unreadable='skip'."
                ) from error
        return out

    def read_readable(self) -> tuple[np.ndarray, list[int]]:
        """Read what can be read; return also the positions of what cannot."""
        out = np.zeros(self.shape, dtype=np.uint8)
        errors = self._read_into(out)
        return out, [i for i, error in enumerate(errors) if error is not None]

    def unreadable(self) -> list[int]:
        """Return the positions of what cannot be read; nothing is kept in memory."""
        errors = self._read_into(None)
        return [i for i, error in enumerate(errors) if error is not None]

    def _read_into(self, out: np.ndarray | None) -> list[Exception | None]:
        def one(i: int) -> Exception | None:
            try:
                pixels = _pixels(self.items[i], self._shape)
                if out is not None:
                    out[i] = pixels
            except Exception as error:  # Pillow raises many kinds
                return error
            return None

        return _in_threads(one, len(self.items))

    def names(self, positions: Sequence[int]) -> list[str]:
        """Return what to call some of the pictures."""
        return [_name(self.items[i], i) for i in positions]


def open_pictures(
    items: Sequence[Any], image_shape: Sequence[int] | None, channels: int | None
) -> PictureFiles:
    """Return pictures of one size, which is found in them where it is not given.

    Parameters
    ----------
    items : sequence
        Paths and PIL images.
    image_shape : sequence of int or None
        Height and width, and channels if the user gives them.
    channels : int or None
        Channels to use; None takes 3 where any picture has colour, else 1.

    Raises
    ------
    ValueError
        If there is no `image_shape` and sizes differ.
    """
    size = None
    if image_shape is not None:
        size, given, _ = parse_shape(image_shape)
        channels = channels or given
    if channels not in (None, 1, 3):
        raise ValueError(
            f"Pictures are read with 1 or 3 channels, but {channels} were asked for."
        )
    if size is None or channels is None:
        headers: list[Any] = [None] * len(items)

        def look(i: int) -> None:
            try:
                headers[i] = _header(items[i])
            except Exception:  # reading it will say what is wrong
                headers[i] = None

        _in_threads(look, len(items))
        found = [h for h in headers if h is not None]
        if not found:
            raise UnreadablePicture(
                f"None of the {len(items)} pictures can be opened; the first is "
                f"{_name(items[0], 0)}."
            )
        size = size or _common_size([h[0] for h in found], items)
        channels = channels or (3 if any(h[1] for h in found) else 1)
    return PictureFiles(items, (channels, *size))


def _common_size(sizes: list[tuple[int, int]], items: Sequence[Any]) -> tuple[int, int]:
    different = sorted(set(sizes))
    if len(different) > 1:
        shown = ", ".join(f"{h} x {w}" for h, w in different[:4])
        raise ValueError(
            f"The {len(items)} pictures have {len(different)} sizes ({shown}, height x "
            "width). Give image_shape=(height, width) to resize them to."
        )
    return different[0]


def _in_threads(function: Callable[[int], Any], n: int) -> list[Any]:
    with ThreadPoolExecutor() as pool:
        return list(pool.map(function, range(n)))


def _pillow() -> Any:
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise ImportError(
            "Picture files are read with Pillow, which is not installed: "
            'pip install "skdl[pictures]".'
        ) from error
    return Image, ImageOps


def _header(item: Any) -> tuple[tuple[int, int], bool]:
    """Return height and width, and whether there is colour."""
    if not isinstance(item, (str, os.PathLike)):
        return (item.size[1], item.size[0]), _has_colour(item)
    Image, _ = _pillow()
    with Image.open(item) as image:
        turned = image.getexif().get(0x0112, 1) >= 5  # orientation: on its side
        width, height = image.size[::-1] if turned else image.size
        return (height, width), _has_colour(image)


def _has_colour(image: Any) -> bool:
    return image.mode not in ("1", "L", "LA", "La", "F", "I", "I;16")


def _pixels(item: Any, shape: tuple[int, int, int]) -> np.ndarray:
    """Return one picture as (channels, height, width)."""
    if not isinstance(item, (str, os.PathLike)):
        return _converted(item, shape)
    Image, ImageOps = _pillow()
    with Image.open(item) as image:
        image.draft(_MODES[shape[0]], (max(shape[1:]),) * 2)  # JPEG: decode it smaller
        return _converted(ImageOps.exif_transpose(image), shape)


def _converted(image: Any, shape: tuple[int, int, int]) -> np.ndarray:
    channels, height, width = shape
    Image, _ = _pillow()
    if image.mode in ("RGBA", "LA", "PA", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        background = Image.new("RGBA", image.size, (_WHITE,) * 4)
        image = Image.alpha_composite(background, image)
    elif image.mode.startswith("I"):  # 16 bits a pixel
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    image = image.convert(_MODES[channels])
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    pixels = np.asarray(image)
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)


def _name(item: Any, position: int) -> str:
    if isinstance(item, (str, os.PathLike)):
        return repr(os.fspath(item))
    return f"Picture {position}"
