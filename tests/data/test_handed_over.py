"""Values for other processes: what is taken is what was given, arrays only once."""

import numpy as np
import pandas as pd
import pytest

from skdl.data.handed_over import Packed, folder_for, taken_over

ARRAY = np.arange(200_000, dtype=np.float64).reshape(-1, 4)


@pytest.fixture
def given(tmp_path):
    def given(value, **how):
        packed = Packed(value)
        packed.write(tmp_path, "value")
        return taken_over(tmp_path, "value", **how), packed

    return given


@pytest.mark.parametrize("order", [np.ascontiguousarray, np.asfortranarray])
def test_arrays_are_mapped_and_cannot_be_written_to(given, order):
    array = order(ARRAY)
    found, packed = given({"X": array}, shared=True)
    assert (found["X"] == ARRAY).all()
    assert found["X"].strides == array.strides
    assert not found["X"].flags.writeable
    assert len(packed._value) < 2000 < array.nbytes <= packed.n_bytes


def test_arrays_may_be_copied_so_that_they_can_be_written_to(given):
    found, _ = given([ARRAY, ARRAY[::2, 1:]])
    found[0] += 1
    assert (found[0] == ARRAY + 1).all()
    assert (found[1] == ARRAY[::2, 1:]).all()


def test_numbers_of_frames_are_not_pickled(given):
    frame = pd.DataFrame(ARRAY, columns=list("abcd")).assign(
        shop=pd.Categorical(np.arange(len(ARRAY)) % 3)
    )
    found, packed = given(frame, shared=True)
    pd.testing.assert_frame_equal(found, frame)
    assert len(packed._value) < 5000


def test_a_memory_map_is_named_and_not_written_again(given, tmp_path):
    np.save(tmp_path / "x.npy", ARRAY)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    found, packed = given([mapped, mapped[10:20]])
    assert isinstance(found[0], np.memmap)
    assert (found[0] == ARRAY).all()
    assert (found[1] == ARRAY[10:20]).all()
    assert packed.n_bytes < 5000


def test_what_a_notebook_defines_is_handed_over(given):
    found, _ = given(lambda x: x + len(ARRAY))
    assert found(1) == len(ARRAY) + 1


def test_the_folder_is_gone_afterwards():
    with folder_for(10) as folder:
        Packed("a").write(folder, "value")
    assert not folder.exists()
    with folder_for(1 << 60) as folder:  # more than there is room for in memory
        assert not str(folder).startswith("/dev/shm")
