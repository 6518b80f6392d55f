import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.masks.clean import Cutoffs, apply_cutoffs
from pipeline.masks.dice import dice_score, mean_dice
from pipeline.masks.tuning import THRESHOLDS, areas_by_threshold, tune_cutoffs

SHAPE = (2, 3)
# Few levels, so that areas are often equal, or any.
levels = st.sampled_from([0, 1, 2, 127, 128, 254, 255]) | st.integers(0, 255)
prob_maps = arrays(np.uint8, SHAPE, elements=levels)
masks = arrays(bool, SHAPE) | st.just(np.zeros(SHAPE, bool))
images = st.lists(st.tuples(prob_maps, masks), min_size=1, max_size=6)


def tune(pairs):
    counts = [areas_by_threshold(*pair) for pair in pairs]
    areas, overlaps = (np.array(part) for part in zip(*counts, strict=True))
    return tune_cutoffs(areas, overlaps, np.array([mask.sum() for _, mask in pairs]))


def score(pairs, cutoffs):
    """Mean Dice with these cut-offs, by the functions that make the submission."""
    return mean_dice(
        [mask for _, mask in pairs], [apply_cutoffs(prob_map, cutoffs) for prob_map, _ in pairs]
    )


@given(prob_maps, masks)
def test_areas_by_threshold_any_map_matches_counting(prob_map, mask):
    area, overlap = areas_by_threshold(prob_map, mask)
    assert area.shape == overlap.shape == THRESHOLDS.shape
    for threshold in (1, 2, 127, 128, 254, 255):
        predicted = prob_map >= threshold
        assert area[threshold - 1] == np.count_nonzero(predicted)
        assert overlap[threshold - 1] == np.count_nonzero(predicted & mask)


@settings(max_examples=12)
@given(st.lists(st.tuples(prob_maps, masks), min_size=1, max_size=3))
def test_tune_cutoffs_small_maps_match_all_pairs(pairs):
    # A smallest area above all pixels drops every mask.
    min_areas = range(np.prod(SHAPE) + 2)
    scores = np.array(
        [[score(pairs, Cutoffs(int(t), area)) for area in min_areas] for t in THRESHOLDS]
    )
    observed = tune(pairs)
    np.testing.assert_allclose(observed.by_threshold, scores.max(axis=1), rtol=0, atol=1e-12)
    np.testing.assert_allclose(observed.by_threshold_alone, scores[:, 0], rtol=0, atol=1e-12)
    assert observed.score == pytest.approx(scores.max(), abs=1e-12)


@given(images)
def test_tune_cutoffs_applied_give_the_score(pairs):
    observed = tune(pairs)
    # One sum runs over the areas in order, the other over the images: not the last bit.
    assert score(pairs, observed.cutoffs) == pytest.approx(observed.score, abs=1e-12)
    assert 1 <= observed.cutoffs.threshold <= 255


@given(images, st.randoms())
def test_tune_cutoffs_other_order_of_images_is_the_same(pairs, random):
    shuffled = random.sample(pairs, len(pairs))
    first, second = tune(pairs), tune(shuffled)
    assert first.cutoffs == second.cutoffs
    assert first.score == pytest.approx(second.score, abs=1e-12)


def test_tune_cutoffs_equal_sums_do_not_hang_on_rounding():
    # One threshold for all. Gains by area: true masks lose their Dice, empty truths gain 1.
    # Dropping the first three changes the sum by -2/3 - 1/3 + 1 = 0: as good as dropping none,
    # though in floating point the sum depends on its order.
    areas = np.repeat([[4], [4], [4], [9]], 255, axis=1)
    overlaps = np.repeat([[2], [1], [0], [9]], 255, axis=1)
    true_areas = np.array([2, 2, 0, 9])  # Dice 2 * 2 / 6, 2 * 1 / 6, 0, 1
    for order in ([0, 1, 2, 3], [2, 0, 1, 3], [1, 2, 0, 3], [1, 0, 2, 3]):
        observed = tune_cutoffs(areas[order], overlaps[order], true_areas[order])
        assert observed.cutoffs.min_area == 0
        assert observed.score == pytest.approx((2 / 3 + 1 / 3 + 0 + 1) / 4)


def test_tune_cutoffs_false_alarm_is_dropped_half_way():
    # Thresholds 1 to 200: the first mask has 4 pixels, all right; the second 1, all wrong.
    right = np.array([[200, 200, 200], [200, 0, 0]], np.uint8)
    wrong = np.array([[250, 0, 0], [0, 0, 0]], np.uint8)
    observed = tune([(right, right > 0), (wrong, np.zeros(SHAPE, bool))])
    # Middle of the 200 equal thresholds 1 ... 200; areas 1 and 4: 2 and 3 lie between as well.
    assert observed.cutoffs == Cutoffs(threshold=101, min_area=3)
    assert observed.score == 1.0
    # Without a smallest area: 1 and 0 up to 200, 0 and 0 up to 250, then 0 and 1.
    np.testing.assert_array_equal(
        observed.by_threshold_alone, np.repeat([0.5, 0.0, 0.5], [200, 50, 5])
    )


def test_tune_cutoffs_without_false_alarms_has_no_min_area():
    right = np.array([[200, 200, 200], [0, 0, 0]], np.uint8)
    assert tune([(right, right > 0)]).cutoffs.min_area == 0


def test_tune_cutoffs_only_false_alarms_drops_all():
    alarm = np.full(SHAPE, 255, np.uint8)
    observed = tune([(alarm, np.zeros(SHAPE, bool))] * 2)
    assert observed.cutoffs.min_area == 7  # 6 pixels are predicted at every threshold
    assert observed.score == 1.0
    assert not apply_cutoffs(alarm, observed.cutoffs).any()


def test_tune_cutoffs_score_is_the_mean_over_images():
    # 1 of 1 and 1 of 3 pixels found: (1 + 2 * 1 / 4) / 2; pooled it would be 2 * 2 / 6.
    one = np.array([[255, 0, 0], [0, 0, 0]], np.uint8)
    three = np.array([[1, 1, 1], [0, 0, 0]], bool)
    assert tune([(one, one > 0), (one, three)]).score == 0.75
    assert dice_score(three, one > 0) == 0.5
