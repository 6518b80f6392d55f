import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from pipeline.dataset.arrays import Reading
from pipeline.dataset.images import (
    read_frame,
    read_image,
    read_mask,
    resize_image,
    resize_mask,
    resize_masks,
    resize_prob_map,
)
from pipeline.errors import InputError

GREY = np.array([[0, 64, 128, 192, 255], [7, 8, 9, 10, 11], [1, 2, 4, 8, 16]], np.uint8)
COLOUR = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], axis=2)
MASK = np.array([[0, 0, 0, 0, 0], [0, 1, 1, 0, 0], [0, 1, 1, 1, 0]], bool)


def save(path, pixels, mode=None, **options):
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(path, **options)
    return path


def palette_image(indices, colours):
    image = Image.fromarray(indices).convert("P")
    image.putdata(indices.ravel().tolist())
    image.putpalette(np.array(colours, np.uint8).tobytes())
    return image


# Frames


def test_read_image_colour_as_grey_is_luma(tmp_path):
    # 0.299 * 255 = 76.2, 0.587 * 255 = 149.7, 0.114 * 255 = 29.1
    primaries = (np.eye(3) * 255).astype(np.uint8)[np.newaxis]
    observed = read_image(save(tmp_path / "a.png", primaries), channels=1)
    np.testing.assert_array_equal(observed, [[76, 150, 29]])


def test_read_image_grey_as_colour_repeats(tmp_path):
    observed = read_image(save(tmp_path / "a.png", GREY), channels=3)
    np.testing.assert_array_equal(observed, np.dstack([GREY] * 3))


def test_read_image_two_channels_is_refused(tmp_path):
    with pytest.raises(ValueError, match="channels: expected 1 or 3, got 2"):
        read_image(tmp_path / "a.png", channels=2)


def test_read_image_files_of_channels_are_stacked_in_order(tmp_path):
    paths = tuple(save(tmp_path / f"{k}.png", COLOUR[..., k].copy()) for k in range(3))
    np.testing.assert_array_equal(read_image(paths, channels=3), COLOUR)
    whole = save(tmp_path / "a.png", COLOUR)
    np.testing.assert_array_equal(read_image(paths, channels=1), read_image(whole, channels=1))


def test_read_image_files_of_deep_channels_are_read_alike(tmp_path):
    paths = []
    for k in range(3):
        paths.append(tmp_path / f"{k}.png")
        cv2.imwrite(str(paths[-1]), COLOUR[..., k].astype(np.uint16) * 100)
    reading = Reading((0, 25500))
    np.testing.assert_array_equal(read_image(tuple(paths), channels=3, reading=reading), COLOUR)


def test_read_image_channel_of_another_size_or_kind_is_named(tmp_path):
    first = save(tmp_path / "r.png", GREY)
    for other, shape in ((GREY[:, :4].copy(), r"\(3, 4\)"), (COLOUR, r"\(3, 5, 3\)")):
        second = save(tmp_path / "g.png", other)
        expected = rf"g.png: expected a grey image of the size of .*r.png \(3, 5\), got {shape}"
        with pytest.raises(InputError, match=expected):
            read_image((first, second, first), channels=3)
    with pytest.raises(InputError, match=r"g.png: expected a grey image"):
        read_image((second, first, first), channels=3)  # the first itself is colour


def test_read_image_deep_file_needs_levels(tmp_path):
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), GREY.astype(np.uint16) * 257)
    with pytest.raises(InputError, match="got a PNG of 16 bits per channel"):
        read_image(path, channels=1)
    observed = read_image(path, channels=3, reading=Reading((0, 65535)))
    np.testing.assert_array_equal(observed, np.dstack([GREY] * 3))


@pytest.mark.parametrize("channels", [1, 3])
def test_read_frame_is_of_network_size_and_knows_the_original(tmp_path, channels):
    path = save(tmp_path / "a.png", GREY)
    frame, size = read_frame(path, height=6, width=10, channels=channels)
    assert (frame.shape, size) == ((6, 10, channels), (3, 5))
    expected = resize_image(GREY, 6, 10)
    for channel in range(channels):
        np.testing.assert_array_equal(frame[..., channel], expected)


# Masks


@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.bmp", "a.gif"])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "1", "P"])
def test_read_mask_grey_value_in_any_storage_is_exact(tmp_path, name, mode):
    if name == "a.bmp" and mode == "RGBA":
        mode = "RGB"
    path = save(tmp_path / name, MASK.astype(np.uint8) * 255, mode)
    observed = read_mask(path, foreground=255)
    assert observed.dtype == bool
    np.testing.assert_array_equal(observed, MASK)


def test_read_mask_other_grey_value_is_exact(tmp_path):
    path = save(tmp_path / "a.png", MASK.astype(np.uint8))
    np.testing.assert_array_equal(read_mask(path, foreground=1), MASK)


def test_read_mask_empty_file_of_zeros_is_empty(tmp_path):
    path = save(tmp_path / "a.png", np.zeros((3, 5), np.uint8))
    for foreground in (255, (128, 0, 0), "nonzero"):
        np.testing.assert_array_equal(
            read_mask(path, foreground=foreground), np.zeros((3, 5), bool)
        )


def test_read_mask_third_grey_level_is_refused(tmp_path):
    pixels = MASK.astype(np.uint8) * 255
    pixels[0, 0] = 7
    expected = r"a.png: expected a binary mask \(0 and 255\), got 3 grey levels \(0, 7, 255\)"
    with pytest.raises(InputError, match=expected):
        read_mask(save(tmp_path / "a.png", pixels), foreground=255)


def test_read_mask_many_grey_levels_are_abridged(tmp_path):
    # GREY holds 0, 1, 2, 4, 7, 8 (twice), 9, 10, 11, 16, 64, 128, 192, 255
    with pytest.raises(InputError, match=r"got 14 grey levels \(0, 1, 2, \.\.\., 255\)"):
        read_mask(save(tmp_path / "a.png", GREY), foreground=255)


def test_read_mask_colour_file_for_a_grey_value_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"binary mask \(0 and 255\), got a colour image"):
        read_mask(save(tmp_path / "a.png", COLOUR), foreground=255)


@pytest.mark.parametrize("name", ["a.tif", "a.png"])
def test_read_mask_colour_leaves_other_classes_out(tmp_path, name):
    classes = np.array([[0, 1, 2, 0, 1], [2, 2, 0, 0, 0], [1, 0, 0, 2, 2]], np.uint8)
    image = palette_image(classes, [(0, 0, 0), (128, 0, 0), (128, 128, 128)])
    image.save(tmp_path / name)
    observed = read_mask(tmp_path / name, foreground=(128, 0, 0))
    np.testing.assert_array_equal(observed, classes == 1)


def test_read_mask_colour_from_a_grey_file_is_refused(tmp_path):
    path = save(tmp_path / "a.png", MASK.astype(np.uint8) * 255)
    with pytest.raises(InputError, match=r"with the colour \(128, 0, 0\), got a grey image"):
        read_mask(path, foreground=(128, 0, 0))


def test_read_mask_grey_triple_from_a_grey_file_is_exact(tmp_path):
    path = save(tmp_path / "a.png", MASK.astype(np.uint8) * 255)
    np.testing.assert_array_equal(read_mask(path, foreground=(255, 255, 255)), MASK)


@pytest.mark.parametrize("pixels", [GREY, COLOUR], ids=["grey", "colour"])
def test_read_mask_nonzero_takes_every_pixel_but_black(tmp_path, pixels):
    path = save(tmp_path / "a.png", pixels)
    expected = pixels > 0 if pixels.ndim == 2 else pixels.max(axis=2) > 0
    np.testing.assert_array_equal(read_mask(path, foreground="nonzero"), expected)


# Sizes


sides = st.integers(1, 12)
frames = arrays(np.uint8, st.tuples(sides, sides))


@given(frames, sides, sides)
def test_resize_image_any_size_stays_in_range(image, height, width):
    observed = resize_image(image, height, width)
    assert observed.shape == (height, width)
    assert observed.dtype == np.uint8
    assert observed.min() >= image.min()
    assert observed.max() <= image.max()


@given(frames, st.integers(1, 4), st.integers(1, 4))
def test_resize_mask_enlarged_and_back_is_the_same(image, rows, columns):
    mask = image > 127
    height, width = mask.shape
    enlarged = resize_mask(mask, height * rows, width * columns)
    np.testing.assert_array_equal(enlarged, mask.repeat(rows, 0).repeat(columns, 1))
    np.testing.assert_array_equal(resize_mask(enlarged, height, width), mask)


def test_resize_image_shrinks_by_the_mean_of_each_area():
    # means of the 2x2 blocks: (0 + 10 + 20 + 30) / 4, (100 + 100 + 0 + 0) / 4
    image = np.array([[0, 10, 100, 100], [20, 30, 0, 0]], np.uint8)
    np.testing.assert_array_equal(resize_image(image, 1, 2), [[15, 50]])


def test_resize_image_one_side_shrinks_and_one_grows():
    # columns first: the means of 0, 10, 20, 30 and of 40, 50, 60, 70; then a row is repeated
    image = np.array([[0, 10, 20, 30, 40, 50, 60, 70]], np.uint8)
    np.testing.assert_array_equal(resize_image(image, 2, 2), [[15, 55], [15, 55]])


def test_resize_image_colour_keeps_three_channels():
    assert resize_image(COLOUR, 2, 7).shape == (2, 7, 3)


def test_resize_mask_half_covered_is_foreground():
    # blocks of 2x2 with 2 and with 1 of 4 pixels
    mask = np.array([[1, 0, 1, 0], [0, 1, 0, 0]], bool)
    observed = resize_mask(mask, 1, 2)
    assert observed.dtype == bool
    np.testing.assert_array_equal(observed, [[True, False]])


def test_resize_mask_ellipse_keeps_its_coverage():
    mask = cv2.ellipse(np.zeros((420, 580), np.uint8), (290, 210), (70, 32), 10, 0, 360, 1, -1) > 0
    observed = resize_mask(mask, 96, 128)
    # A perimeter of about 75 small pixels, each off by well below half of one at random
    assert observed.mean() == pytest.approx(mask.mean(), rel=0.02)


def labels_resized(labels, *size, count):
    """Resize exclusive classes 1, 2, ... of a label map; 0 is void."""
    of_classes = np.array(labels)[..., None] == 1 + np.arange(count)
    observed = resize_masks(of_classes, *size, exclusive=True)
    assert (observed.dtype, observed.shape) == (np.dtype(bool), (*size, count))
    assert observed.sum(axis=-1).max() <= 1
    return (observed * (1 + np.arange(count))).sum(axis=-1)


def test_resize_masks_exclusive_checkerboard_of_four_classes_has_no_void():
    labels = np.tile([[1, 2], [4, 3]], (2, 3))
    np.testing.assert_array_equal(labels_resized(labels, 2, 3, count=4), np.ones((2, 3)))


def test_resize_masks_exclusive_largest_share_wins_and_the_first_of_equal_ones():
    # 2x2 blocks: 2 has half, others a quarter; 2 and 3 half each; void half, 3 a quarter; void and
    # 2 half each.
    labels = [[1, 2, 3, 2, 0, 3, 2, 0], [2, 3, 2, 3, 0, 1, 0, 2]]
    np.testing.assert_array_equal(labels_resized(labels, 1, 4, count=3), [[2, 2, 0, 2]])


def test_resize_masks_exclusive_at_the_same_size_is_the_same():
    labels = np.random.default_rng(0).integers(0, 4, (5, 7))
    np.testing.assert_array_equal(labels_resized(labels, 5, 7, count=3), labels)


def test_resize_masks_of_classes_that_overlap_are_resized_each_by_itself():
    of_classes = np.stack([MASK, ~MASK, MASK[::-1]], axis=-1)
    observed = resize_masks(of_classes, 2, 3, exclusive=False)
    for number in range(3):
        np.testing.assert_array_equal(
            observed[..., number], resize_mask(of_classes[..., number], 2, 3)
        )


def test_resize_prob_map_doubled_meets_pixel_centres_half_way():
    # new centres at -0.25, 0.25, 0.75, 1.25 old pixels, the outer ones held: 0, 25, 75, 100
    prob_map = np.array([[0, 100]], np.uint8)
    np.testing.assert_array_equal(resize_prob_map(prob_map, 1, 4), [[0, 25, 75, 100]])


@given(frames, sides, sides)
def test_resize_prob_map_mirrored_does_not_shift(prob_map, height, width):
    mirrored = resize_prob_map(np.ascontiguousarray(prob_map[::-1, ::-1]), height, width)
    observed = resize_prob_map(prob_map, height, width)
    np.testing.assert_allclose(mirrored[::-1, ::-1].astype(int), observed, atol=1)  # rounding
