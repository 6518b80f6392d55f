import cv2
import numpy as np
import pandas as pd
import pytest

from pipeline.dataset.arrays import Reading
from pipeline.dataset.originals import Originals, as_rgb
from pipeline.dataset.store import Store

GREY = np.arange(6, dtype=np.uint8).reshape(2, 3)


@pytest.fixture
def originals(tmp_path):
    """Two frames of 2 x 3 and 4 x 5 pixels at network size 1 x 2; the first one's file is there."""
    cv2.imwrite(str(tmp_path / "1.png"), GREY)
    index = pd.DataFrame({"id": ["1", "2"], "height": [2, 4], "width": [3, 5]})
    images = np.array([[[[10], [20]]], [[[30], [40]]]], np.uint8)
    return Originals(Store(index, images, None), {"1": tmp_path / "1.png"})


def test_shapes_are_those_of_the_index(originals):
    assert originals.shapes == {"1": (2, 3), "2": (4, 5)}


def test_image_of_a_file_that_is_there_is_the_original(originals):
    np.testing.assert_array_equal(originals.image("1"), np.dstack([GREY] * 3))


def test_image_without_a_file_is_what_the_store_has(originals):
    np.testing.assert_array_equal(originals.image("2"), [[[30, 30, 30], [40, 40, 40]]])


def test_image_of_a_deep_file_is_read_as_the_frames_were(tmp_path):
    cv2.imwrite(str(tmp_path / "1.png"), GREY.astype(np.uint16) * 100)
    index = pd.DataFrame({"id": ["1"], "height": [2], "width": [3]})
    store = Store(index, np.zeros((1, 1, 2, 1), np.uint8), None)
    originals = Originals(store, {"1": tmp_path / "1.png"}, Reading((0, 25500)))
    np.testing.assert_array_equal(originals.image("1"), np.dstack([GREY] * 3))


@pytest.mark.parametrize("channels", [1, 3])
def test_as_rgb_repeats_grey_and_keeps_colour(channels):
    image = np.arange(2 * 2 * channels, dtype=np.uint8).reshape(2, 2, channels)
    observed = as_rgb(image)
    assert observed.shape == (2, 2, 3)
    np.testing.assert_array_equal(observed[..., :channels], image)
    np.testing.assert_array_equal(observed[..., -channels:], image)
