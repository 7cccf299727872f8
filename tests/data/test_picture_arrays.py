"""Arrays of every layout become (n, channels, height, width)."""

import numpy as np
import pytest
from PIL import Image

from skdl.data.picture_arrays import PictureEncoder, to_channels_first
from skdl.data.picture_files import PictureFiles, UnreadablePicture, open_pictures


@pytest.fixture
def pictures():
    return np.random.default_rng(0).integers(0, 256, (5, 3, 6, 7), dtype=np.uint8)


def test_all_layouts_hold_the_same_pictures(pictures):
    last = pictures.transpose(0, 2, 3, 1)
    for X, shape in [
        (pictures, None),
        (last, None),
        (last.reshape(5, -1), (6, 7, 3)),
        (pictures.reshape(5, -1), (3, 6, 7)),
    ]:
        np.testing.assert_array_equal(to_channels_first(X, shape), pictures)


def test_grey_pictures_have_one_channel(pictures):
    grey = pictures[:, 0]
    assert to_channels_first(grey, None).shape == (5, 1, 6, 7)
    assert to_channels_first(grey.reshape(5, -1), (6, 7)).shape == (5, 1, 6, 7)
    assert to_channels_first(np.zeros((2, 49)), None).shape == (2, 1, 7, 7)


def test_bytes_stay_bytes_and_floats_become_single(pictures):
    assert to_channels_first(pictures, None).dtype == np.uint8
    assert to_channels_first(pictures / 255.0, None).dtype == np.float32


def test_columns_that_make_no_square_are_a_strip_and_said_so():
    with pytest.warns(UserWarning, match="no square picture"):
        assert to_channels_first(np.zeros((2, 10)), None).shape == (2, 1, 1, 10)


@pytest.mark.parametrize(
    ("shape", "image_shape", "message"),
    [
        ((2, 50), (7, 7), "makes 49 columns, but X has 50"),
        ((2, 6, 6), (7, 7), "does not match pictures of 6 x 6"),
        ((2, 9, 9, 9), None, "neither its second nor its last axis"),
        ((2, 3, 3, 3, 3), None, "got an array of shape"),
        ((2, 49), (7,), "image_shape must be"),
        ((2, 49), (9, 7, 9), "image_shape must be"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(shape, image_shape, message):
    with pytest.raises(ValueError, match=message):
        to_channels_first(np.zeros(shape), image_shape)


def test_values_in_other_units_are_warned_of(pictures):
    encoder = PictureEncoder().fit(
        pictures.astype(np.float32) / 255, np.random.RandomState(0)
    )
    encoder.warn_of_range(pictures.astype(np.float32) / 300)
    with pytest.warns(UserWarning, match="same units"):
        encoder.warn_of_range(pictures.astype(np.float32))
    encoder = PictureEncoder().fit(pictures, np.random.RandomState(0))
    with pytest.warns(UserWarning, match="same units"):
        encoder.warn_of_range(pictures.astype(np.float32) / 255)


def test_files_are_read_as_they_are(pictures, tmp_path):
    paths = []
    for i, picture in enumerate(pictures):
        paths.append(tmp_path / f"{i}.png")
        Image.fromarray(picture.transpose(1, 2, 0)).save(paths[-1])
    files = open_pictures(paths, None, None)
    np.testing.assert_array_equal(files.read(), pictures)
    np.testing.assert_array_equal(files[np.array([3, 1])].read(), pictures[[3, 1]])
    assert open_pictures(paths, (12, 14, 1), None).read().shape == (5, 1, 12, 14)


def test_grey_colour_and_transparent_files_go_together(tmp_path):
    modes = {"L": 10, "RGB": (200, 0, 0), "RGBA": (0, 0, 0, 0), "P": 0, "1": 1}
    for mode, colour in modes.items():
        Image.new(mode, (4, 4), colour).save(tmp_path / f"{mode}.png")
    files = open_pictures([tmp_path / f"{mode}.png" for mode in modes], None, None)
    found = files.read()
    assert files.shape == (5, 3, 4, 4)
    assert (found[0] == 10).all()
    assert (found[1, 0] == 200).all()
    assert (found[2] == 255).all()  # transparent: on white


def test_sizes_that_differ_need_a_target(tmp_path):
    images = [Image.new("L", (4, 5)), Image.new("L", (6, 5))]
    with pytest.raises(ValueError, match=r"2 sizes \(5 x 4, 5 x 6.*image_shape"):
        open_pictures(images, None, None)
    assert open_pictures(images, (8, 8), None).shape == (2, 1, 8, 8)


def test_a_file_that_is_no_picture_is_named(tmp_path):
    Image.new("L", (4, 4)).save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"not a picture")
    files = PictureFiles([tmp_path / "good.png", tmp_path / "bad.png"], (1, 4, 4))
    with pytest.raises(UnreadablePicture, match="bad.png' cannot be read"):
        files.read()
    pictures, unreadable = files.read_readable()
    assert pictures.shape == (2, 1, 4, 4)
    assert unreadable == [1]
    with pytest.raises(UnreadablePicture, match="None of the 1"):
        open_pictures([tmp_path / "absent.png"], None, None)
