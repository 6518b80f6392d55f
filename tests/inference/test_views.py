import numpy as np
import pytest

from pipeline.inference.views import VIEWS

FRAMES = np.arange(2 * 3 * 5).reshape(2, 3, 5, 1)


@pytest.mark.parametrize("name", VIEWS)
def test_view_invert_undoes_apply(name):
    view = VIEWS[name]
    np.testing.assert_array_equal(view.invert(view.apply(FRAMES)), FRAMES)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("identity", [[1, 2, 3], [4, 5, 6]]),
        ("hflip", [[3, 2, 1], [6, 5, 4]]),
        ("vflip", [[4, 5, 6], [1, 2, 3]]),
        ("rot180", [[6, 5, 4], [3, 2, 1]]),
    ],
)
def test_view_apply_is_what_its_name_says(name, expected):
    frame = np.array([[1, 2, 3], [4, 5, 6]])[None, ..., None]
    np.testing.assert_array_equal(VIEWS[name].apply(frame)[0, ..., 0], expected)
