import numpy as np
import pytest

from pipeline.inference.views import VIEWS

FRAMES = np.arange(2 * 3 * 5, dtype=np.uint8).reshape(2, 3, 5, 1)
SCALES = ("smaller", "larger")
EXACT = [name for name in VIEWS if name not in SCALES]


@pytest.mark.parametrize("name", EXACT)
def test_view_invert_undoes_apply(name):
    view = VIEWS[name]
    np.testing.assert_array_equal(view.invert(view.apply(FRAMES), (3, 5)), FRAMES)


@pytest.mark.parametrize("name", EXACT)
def test_view_keeps_size_where_it_says_so(name):
    shape = VIEWS[name].apply(FRAMES).shape
    assert shape == ((2, 3, 5, 1) if VIEWS[name].keeps_size else (2, 5, 3, 1))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("identity", [[1, 2, 3], [4, 5, 6]]),
        ("hflip", [[3, 2, 1], [6, 5, 4]]),
        ("vflip", [[4, 5, 6], [1, 2, 3]]),
        ("rot180", [[6, 5, 4], [3, 2, 1]]),
        ("rot90", [[3, 6], [2, 5], [1, 4]]),
        ("rot270", [[4, 1], [5, 2], [6, 3]]),
    ],
)
def test_view_apply_is_what_its_name_says(name, expected):
    frame = np.array([[1, 2, 3], [4, 5, 6]])[None, ..., None]
    np.testing.assert_array_equal(VIEWS[name].apply(frame)[0, ..., 0], expected)


def test_view_shift_moves_by_eight_pixels_and_wraps():
    frame = np.zeros((1, 32, 64, 1), np.uint8)
    frame[0, 30, 2] = 1
    np.testing.assert_array_equal(np.argwhere(VIEWS["shift"].apply(frame)), [[0, 6, 10, 0]])
    np.testing.assert_array_equal(np.argwhere(VIEWS["shift_back"].apply(frame)), [[0, 22, 58, 0]])


@pytest.mark.parametrize(("name", "size"), [("smaller", (64, 96)), ("larger", (96, 96))])
@pytest.mark.parametrize("channels", [1, 3])
def test_view_scale_gives_multiples_of_32_and_comes_back(name, size, channels):
    # 64 x 80: 58 x 72 and 70 x 88 before the mirrored edges.
    rows, columns = np.mgrid[:64, :80].astype(np.float32)
    spot = 255 * np.exp(-(((rows - 20.5) / 6) ** 2) - ((columns - 50.5) / 8) ** 2)
    frames = np.repeat(spot[None, ..., None], channels, axis=3)
    view = VIEWS[name]
    changed = view.apply(frames)
    assert changed.shape == (1, *size, channels)
    observed = view.invert(changed[..., :1], (64, 80))[0, ..., 0]
    # The spot is where it was, to a twentieth of a pixel.
    for grid, centre in ((rows, 20.5), (columns, 50.5)):
        assert (observed * grid).sum() / observed.sum() == pytest.approx(centre, abs=0.05)
    np.testing.assert_allclose(observed, spot, atol=0.03 * 255)


@pytest.mark.parametrize("name", VIEWS)
def test_view_constant_frame_stays_constant(name):
    view = VIEWS[name]
    frames = np.full((1, 32, 64, 1), 7, np.float32)
    assert (view.invert(view.apply(frames), (32, 64)) == 7).all()
