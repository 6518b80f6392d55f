import numpy as np
import pytest

from pipeline.dataset.prob_maps import open_prob_maps
from pipeline.errors import InputError

MAPS = np.arange(2 * 3 * 5, dtype=np.uint8).reshape(2, 3, 5)


def fault_of(path, shape=MAPS.shape):
    with pytest.raises(InputError) as caught:
        open_prob_maps(path, shape=shape, command="pipeline predict")
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value).removeprefix(f"{path}: ")


@pytest.fixture
def path(tmp_path):
    np.save(tmp_path / "maps.npy", MAPS)
    return tmp_path / "maps.npy"


def test_open_prob_maps_good_file_is_mapped_not_read(path):
    observed = open_prob_maps(path, shape=(2, 3, 5), command="pipeline predict")
    assert isinstance(observed, np.memmap)
    np.testing.assert_array_equal(observed, MAPS)


def test_open_prob_maps_missing_file_says_what_to_run(tmp_path):
    assert fault_of(tmp_path / "none.npy") == "no such file; run: pipeline predict"


@pytest.mark.parametrize("size", [0, 1, 60, -1])
def test_open_prob_maps_cut_file_says_what_to_run(path, size):
    path.write_bytes(path.read_bytes()[:size])
    message = fault_of(path)
    assert message.startswith("damaged (")
    assert message.endswith("; run: pipeline predict")


def test_open_prob_maps_other_shape_says_what_to_run(path):
    assert fault_of(path, shape=(3, 3, 5)) == (
        "expected uint8 maps of shape (3, 3, 5), as the frames now are, got uint8 (2, 3, 5);"
        " run: pipeline predict"
    )


def test_open_prob_maps_other_type_says_what_to_run(path):
    np.save(path, MAPS / np.float32(255))
    assert fault_of(path) == (
        "expected uint8 maps of shape (2, 3, 5), as the frames now are, got float32 (2, 3, 5);"
        " run: pipeline predict"
    )
