import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from pipeline.masks.dice import dice_from_areas, dice_score, mean_dice

EMPTY = np.zeros((3, 5), dtype=bool)
LEFT = np.array(
    [
        [1, 1, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [0, 0, 0, 0, 0],
    ],
    dtype=bool,
)
MIDDLE = np.array(
    [
        [0, 1, 1, 0, 0],
        [0, 1, 1, 0, 0],
        [0, 1, 1, 0, 0],
    ],
    dtype=bool,
)


@st.composite
def mask_pairs(draw):
    shape = draw(array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=8))
    return draw(arrays(bool, shape)), draw(arrays(bool, shape))


@pytest.mark.parametrize(
    ("y_true", "y_pred", "expected"),
    [
        (EMPTY, EMPTY, 1.0),  # the competition's rule
        (LEFT, EMPTY, 0.0),
        (EMPTY, LEFT, 0.0),
        (LEFT, LEFT, 1.0),
        (LEFT, MIDDLE, 0.4),  # 2 pixels in common: 2 * 2 / (4 + 6)
        (LEFT, ~LEFT, 0.0),
    ],
)
def test_dice_score_small_masks_match_hand_count(y_true, y_pred, expected):
    assert dice_score(y_true, y_pred) == expected


@given(mask_pairs())
def test_dice_score_any_pair_is_symmetric_and_in_range(pair):
    y_true, y_pred = pair
    observed = dice_score(y_true, y_pred)
    assert observed == dice_score(y_pred, y_true)
    assert 0 <= observed <= 1
    # 1 for equal masks and for no others.
    assert (observed == 1) == np.array_equal(y_true, y_pred)


@given(mask_pairs())
def test_dice_score_any_pair_matches_sets_of_pixels(pair):
    true, predicted = (set(zip(*np.nonzero(mask), strict=True)) for mask in pair)
    total = len(true) + len(predicted)
    expected = 2 * len(true & predicted) / total if total else 1.0
    assert dice_score(*pair) == expected


@pytest.mark.parametrize(
    ("y_true", "y_pred", "message"),
    [
        (LEFT, LEFT.T, r"y_pred: expected the shape of y_true \(3, 5\), got \(5, 3\)"),
        # (3, 5) and (1, 5) would broadcast.
        (LEFT, LEFT[:1], r"y_pred: expected the shape of y_true \(3, 5\), got \(1, 5\)"),
        (LEFT, LEFT * np.uint8(255), r"y_pred: expected a bool array \(H, W\), got .* uint8"),
        (LEFT * 0.5, LEFT, r"y_true: expected a bool array \(H, W\), got .* float64"),
        (LEFT[None], LEFT[None], r"y_true: expected a bool array \(H, W\), got \(1, 3, 5\) bool"),
    ],
)
def test_dice_score_bad_masks_are_value_errors(y_true, y_pred, message):
    with pytest.raises(ValueError, match=message):
        dice_score(y_true, y_pred)


def test_mean_dice_array_is_mean_over_images_not_over_pixels():
    y_true = np.stack([LEFT, EMPTY, LEFT])
    y_pred = np.stack([MIDDLE, EMPTY, LEFT])
    # Images: 0.4, 1, 1. All pixels pooled would give 2 * 6 / (8 + 10) = 0.667.
    assert mean_dice(y_true, y_pred) == pytest.approx(0.8)


def test_mean_dice_sequences_of_differing_sizes_are_averaged():
    y_true = [LEFT, np.ones((2, 2), dtype=bool)]
    y_pred = [MIDDLE, np.zeros((2, 2), dtype=bool)]
    assert mean_dice(y_true, y_pred) == pytest.approx(0.2)  # (0.4 + 0) / 2


def test_mean_dice_no_image_is_value_error():
    with pytest.raises(ValueError, match="y_true: expected at least one mask, got none"):
        mean_dice([], [])


def test_mean_dice_unequal_lengths_are_value_error():
    with pytest.raises(ValueError, match="y_pred: expected 2 masks as in y_true, got 1"):
        mean_dice([LEFT, LEFT], [LEFT])


def test_mean_dice_single_masks_are_value_error():
    with pytest.raises(ValueError, match=r"y_true: expected a bool array \(H, W\), got \(5,\)"):
        mean_dice(LEFT, LEFT)


def test_dice_from_areas_broadcasts_images_against_thresholds():
    true_area = np.array([[4], [0]])
    predicted_area = np.array([[6, 2, 0], [6, 2, 0]])
    intersection = np.array([[2, 2, 0], [0, 0, 0]])
    observed = dice_from_areas(intersection, true_area, predicted_area)
    # 2 * 2 / 10, 2 * 2 / 6, 0 / 4; an empty image scores only when nothing is predicted.
    expected = np.array([[0.4, 2 / 3, 0.0], [0.0, 0.0, 1.0]])
    np.testing.assert_allclose(observed, expected, rtol=1e-15)
    assert observed.dtype == np.float64


def test_dice_from_areas_narrow_integers_do_not_overflow():
    area = np.array([200], dtype=np.uint8)  # 2 * 200 and 200 + 200 both pass 255
    assert dice_from_areas(area, area, area) == [1.0]


def test_dice_from_areas_impossible_areas_are_value_errors():
    with pytest.raises(ValueError, match="intersection: expected at least 0 and at most the"):
        dice_from_areas([0, 5], [4, 4], [6, 6])
    with pytest.raises(ValueError, match="intersection: expected at least 0 and at most the"):
        dice_from_areas(-1, 4, 6)
    with pytest.raises(ValueError, match=r"areas: expected whole numbers, got .*float64"):
        dice_from_areas(0.5, 4, 6)
