import numpy as np
import pytest

from pipeline.dataset.predictions import (
    create_predictions,
    join_predictions,
    mean_predictions,
    open_predictions,
    pack_predictions,
    prediction_type,
)
from pipeline.errors import InputError

SHAPE = (2, 3, 5)  # classes, height, width


def fault_of(path, count=2):
    with pytest.raises(InputError) as caught:
        open_predictions(path, count=count, shape=SHAPE, command="pipeline predict")
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value).removeprefix(f"{path}: ")


@pytest.fixture
def path(tmp_path):
    predictions = create_predictions(tmp_path / "maps.npy", 2, SHAPE)
    predictions["prob_map"] = np.arange(2 * 2 * 3 * 5).reshape(2, 2, 3, 5)
    predictions["presence"] = [[0.25, 0.5], [0.75, 1.0]]
    predictions.flush()
    return tmp_path / "maps.npy"


def test_open_predictions_good_file_is_mapped_not_read(path):
    observed = open_predictions(path, count=2, shape=SHAPE, command="pipeline predict")
    assert isinstance(observed, np.memmap)
    np.testing.assert_array_equal(observed["prob_map"].ravel(), np.arange(60))
    np.testing.assert_array_equal(observed["presence"], [[0.25, 0.5], [0.75, 1.0]])


def test_join_predictions_stand_one_after_the_other(path, tmp_path):
    whole = np.load(path)
    create_predictions(tmp_path / "tail.npy", 1, SHAPE)[:] = whole[:1]
    join_predictions(tmp_path / "joined.npy", [path, tmp_path / "tail.npy", path])
    observed = np.load(tmp_path / "joined.npy")
    np.testing.assert_array_equal(observed, np.concatenate([whole, whole[:1], whole]))
    join_predictions(tmp_path / "same.npy", [path])
    assert (tmp_path / "same.npy").read_bytes() == path.read_bytes()


def test_open_predictions_missing_file_says_what_to_run(tmp_path):
    assert fault_of(tmp_path / "none.npy") == "no such file; run: pipeline predict"


@pytest.mark.parametrize("size", [0, 1, 60, -1])
def test_open_predictions_cut_file_says_what_to_run(path, size):
    path.write_bytes(path.read_bytes()[:size])
    message = fault_of(path)
    assert message.startswith("damaged (")
    assert message.endswith("; run: pipeline predict")


def test_open_predictions_of_other_frames_says_what_to_run(path):
    assert fault_of(path, count=3) == (
        "expected maps of shape (3, 2, 3, 5), as the frames now are, got (2, 2, 3, 5);"
        " run: pipeline predict"
    )


def test_open_predictions_of_other_classes_says_what_to_run(path):
    create_predictions(path, 2, (1, 3, 5)).flush()
    assert fault_of(path) == (
        "expected maps of shape (2, 2, 3, 5), as the frames now are, got (2, 1, 3, 5);"
        " run: pipeline predict"
    )


def test_open_predictions_of_another_kind_says_what_to_run(path):
    np.save(path, np.zeros((2, 3, 5), np.uint8))
    assert fault_of(path) == (
        "expected prob_map and presence of each frame, got uint8; run: pipeline predict"
    )


def test_pack_predictions_rounds_to_255_levels():
    packed = pack_predictions(np.array([[[[0.0], [0.4], [1.0]]]]), np.array([[0.7]]))
    assert packed.dtype == prediction_type(1, 1, 3)
    assert packed["prob_map"].tolist() == [[[[0, 102, 255]]]]
    assert packed["presence"].tolist() == [[np.float32(0.7)]]


def test_pack_predictions_classes_come_first():
    probability = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5) / 120
    presence = np.arange(10).reshape(2, 5) / 10
    packed = pack_predictions(probability, presence)
    assert packed.dtype == prediction_type(5, 3, 4)
    for number in range(5):
        expected = np.rint(255 * probability[..., number])
        np.testing.assert_array_equal(packed["prob_map"][:, number], expected)
    np.testing.assert_array_equal(packed["presence"], presence.astype(np.float32))


def test_mean_predictions_weighs_maps_and_presence():
    one = pack_predictions(np.array([[[[0.2, 1.0]]]]), np.array([[1.0, 0.0]]))
    other = pack_predictions(np.array([[[[0.8, 0.0]]]]), np.array([[0.5, 1.0]]))
    observed = mean_predictions([one, other], [0.75, 0.25])
    # Two classes of one pixel: 89.25 and 191.25.
    assert observed["prob_map"].tolist() == [[[[89]], [[191]]]]
    assert observed["presence"].tolist() == [[0.875, 0.25]]
