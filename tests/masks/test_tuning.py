from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.masks.clean import Cutoffs, apply_cutoffs, confidence
from pipeline.masks.metrics import DICE, METRICS
from pipeline.masks.pieces import fill_holes, list_pieces
from pipeline.masks.search import RULES, search_pieces
from pipeline.masks.tables import Frames, evaluate_cutoffs, score_cutoffs
from pipeline.masks.tuning import tune_cutoffs
from tests.masks.tables import stack_pieces

SHAPE = (3, 5)
LEVELS = [0, 5, 8, 9, 128, 255]
prob_maps = arrays(np.uint8, SHAPE, elements=st.sampled_from(LEVELS))
masks = arrays(bool, SHAPE) | st.just(np.zeros(SHAPE, bool))
images = st.lists(
    st.tuples(prob_maps, masks, st.sampled_from([0.1, 0.5, 0.9])), min_size=1, max_size=5
)
cutoffs_of_any_kind = st.builds(
    Cutoffs,
    threshold=st.sampled_from([8, 9, 10, 128, 129, 255]),
    upper=st.sampled_from([0, 9, 128, 129, 255]),
    min_area=st.integers(0, 16),
    largest_only=st.booleans(),
    fill_holes=st.booleans(),
    min_presence=st.sampled_from([0.0, 0.3, 0.7]),
    presence_weight=st.sampled_from([0.0, 0.5, 1.0]),
)


def table(images):
    prob_maps, masks, presence = zip(*images, strict=True)
    return Frames(
        pieces=stack_pieces([list_pieces(*pair) for pair in zip(prob_maps, masks, strict=True)]),
        filled=stack_pieces(
            [list_pieces(fill_holes(p), m) for p, m in zip(prob_maps, masks, strict=True)]
        ),
        true_areas=np.array([np.count_nonzero(mask) for mask in masks]),
        presence=np.array(presence),
        confidence=np.array([confidence(prob_map) for prob_map in prob_maps]),
    )


def equal_weights(images):
    return np.full((len(images), 1), 1 / len(images))


def tune(images, rules=RULES, metric=DICE):
    (cutoffs,) = tune_cutoffs(table(images), equal_weights(images), rules, metric=metric)
    return cutoffs


def score(images, cutoffs, metric=DICE):
    """The score of these cut-offs, by the function that makes the submission."""
    predicted = np.array([apply_cutoffs(p, presence, cutoffs) for p, _, presence in images])
    truth = np.array([mask for _, mask, _ in images])
    areas = (np.sum(m, axis=(1, 2)) for m in (predicted & truth, truth, predicted))
    (observed,) = metric.score(*areas, equal_weights(images))
    return observed


@given(images, cutoffs_of_any_kind)
def test_evaluate_cutoffs_any_rules_match_the_masks_that_are_submitted(images, cutoffs):
    overlaps, areas = evaluate_cutoffs(table(images), cutoffs)
    predicted = [apply_cutoffs(prob_map, presence, cutoffs) for prob_map, _, presence in images]
    np.testing.assert_array_equal(areas, [mask.sum() for mask in predicted])
    expected = [(image[1] & mask).sum() for image, mask in zip(images, predicted, strict=True)]
    np.testing.assert_array_equal(overlaps, expected)


@pytest.mark.parametrize("metric", ["mean_dice", "mean_iou_precision", "global_dice", "global_f05"])
@settings(max_examples=15)
@given(images=images)
def test_tune_cutoffs_small_maps_match_all_combinations(images, metric):
    metric = METRICS[metric]
    thresholds = [8, 9, 128, 255]  # between two levels the masks are the same
    uppers = [0, 9, 10, 128, 129, 255]
    options = product(thresholds, uppers, range(17), [False, True], [False, True])
    frames, weights = table(images), equal_weights(images)
    brute = max(
        score_cutoffs(frames, Cutoffs(*option), weights, metric).item() for option in options
    )
    without_presence = [rule for rule in RULES if rule != "presence"]
    found = tune(images, without_presence, metric)
    assert score(images, found, metric) == pytest.approx(brute, abs=1e-9)
    assert score(images, tune(images, RULES, metric), metric) >= brute - 1e-9


@settings(max_examples=25)
@given(images)
def test_tune_cutoffs_presence_pooled_is_no_worse_than_without(images):
    metric, frames, weights = METRICS["global_dice"], table(images), equal_weights(images)
    without = search_pieces(frames, weights, [], metric=metric).scores.max()
    assert score(images, tune(images, ["presence"], metric), metric) >= without - 1e-9


@pytest.mark.parametrize("metric", ["mean_dice", "mean_iou_precision", "global_dice", "global_f05"])
def test_tune_cutoffs_presence_shows_masks_that_do_not_pay_without_it(metric):
    # One map of three is right, and all look the same: without presence, empty masks win.
    prob_map = np.full(SHAPE, 100, np.uint8)
    full, empty = np.ones(SHAPE, bool), np.zeros(SHAPE, bool)
    images = [(prob_map, full, 0.9), (prob_map, empty, 0.1), (prob_map, empty, 0.1)]
    assert score(images, tune(images, ["presence"], METRICS[metric]), METRICS[metric]) == 1.0


@given(images, st.randoms())
def test_tune_cutoffs_other_order_of_images_is_the_same(images, random):
    shuffled = random.sample(images, len(images))
    assert tune(images) == tune(shuffled)


@given(images, images)
def test_tune_cutoffs_objective_sees_its_frames_only(images, others):
    both = images + others
    weights = np.zeros((len(both), 2))
    weights[: len(images), 0] = 1 / len(images)
    weights[:, 1] = 1 / len(both)
    found = tune_cutoffs(table(both), weights, RULES)
    assert found == [tune(images), tune(both)]


@given(images, st.sets(st.sampled_from(RULES)))
def test_tune_cutoffs_uses_no_other_rules(images, rules):
    found = tune(images, rules)
    for rule, unused in {
        "upper": found.upper == 0,
        "min_area": found.min_area == 0,
        "largest": not found.largest_only,
        "holes": not found.fill_holes,
        "presence": found.min_presence == 0,
    }.items():
        assert rule in rules or unused


def test_tune_cutoffs_false_alarm_is_dropped_half_way():
    # Thresholds 8 to 200: the first mask has 4 pixels, all right; the second 1, all wrong.
    right = np.array([[200, 200, 200], [200, 0, 0]], np.uint8)
    wrong = np.array([[250, 0, 0], [0, 0, 0]], np.uint8)
    found = tune([(right, right > 0, 1.0), (wrong, np.zeros(right.shape, bool), 1.0)], ["min_area"])
    # Middle of the 193 equal thresholds 8 ... 200; areas 1 and 4: 2 and 3 lie between as well.
    assert found == Cutoffs(threshold=104, min_area=3)


def test_tune_cutoffs_faint_piece_falls_to_the_upper_threshold():
    # A faint false piece beside a true one whose rim is as faint.
    prob_map = np.array([[90, 200, 90, 0, 90]], np.uint8)
    mask = np.array([[True, True, True, False, False]])
    found = tune([(prob_map, mask, 1.0)], ["upper"])
    assert (found.threshold, found.upper) == (49, 146)  # 8 to 90 are equal, and 91 to 200
    assert score([(prob_map, mask, 1.0)], found) == 1.0


def test_tune_cutoffs_presence_decides_where_masks_look_alike():
    prob_map = np.full((2, 2), 200, np.uint8)
    images = [
        (prob_map, prob_map > 0, 0.8),
        (prob_map, prob_map == 0, 0.4),  # empty
    ]
    found = tune(images, ["presence"])
    assert found.presence_weight > 0
    assert score(images, found) == 1.0
    assert score(images, tune(images, ["min_area", "upper", "largest", "holes"])) == 0.5


def test_tune_cutoffs_equal_sums_do_not_hang_on_rounding():
    # Gains of dropping by area, small to large: three masks lose 2/3, 1/3 and 0 and an empty
    # truth gains 1: as good as dropping none, though in floating point the sum has an order.
    two, one = np.zeros((2, 2, 5), bool)
    two[:, 0], one[0, 0] = True, True
    four = np.zeros((2, 5), np.uint8)
    four[:, :2] = 255
    eight = np.full((2, 5), 255, np.uint8)
    images = [
        (four, two, 1.0),
        (four, one, 1.0),
        (four, np.zeros((2, 5), bool), 1.0),
        (eight, eight > 0, 1.0),
    ]
    for order in ([0, 1, 2, 3], [2, 0, 1, 3], [1, 2, 0, 3], [1, 0, 2, 3]):
        assert tune([images[i] for i in order], ["min_area"]).min_area == 0


def test_search_pieces_without_a_rule_scores_every_threshold():
    right = np.array([[200, 200, 200], [200, 0, 0]], np.uint8)
    wrong = np.array([[250, 0, 0], [0, 0, 0]], np.uint8)
    images = [(right, right > 0, 1.0), (wrong, np.zeros(right.shape, bool), 1.0)]
    search = search_pieces(table(images), equal_weights(images), [])
    # From 8 on: 1 and 0 up to 200, 0 and 0 up to 250, then 0 and 1.
    expected = np.repeat([0.5, 0.0, 0.5], [193, 50, 5])
    np.testing.assert_array_equal(search.scores[0, :, 0, 0], expected)


@given(images, cutoffs_of_any_kind)
def test_evaluate_cutoffs_frames_that_are_not_shown_are_empty(images, cutoffs):
    frames = table(images)
    shown = np.arange(len(images)) % 2 == 0
    observed = evaluate_cutoffs(frames._replace(shown=shown), cutoffs)
    for values, of_all in zip(observed, evaluate_cutoffs(frames, cutoffs), strict=True):
        np.testing.assert_array_equal(values, of_all * shown)


def test_search_pieces_part_by_part_is_the_same(monkeypatch):
    generator = np.random.default_rng(0)
    several = [
        (generator.choice(LEVELS, SHAPE).astype(np.uint8), generator.random(SHAPE) < 0.5, 0.5)
        for _ in range(4)
    ]
    frames, weights = table(several), equal_weights(several)
    expected = search_pieces(frames, weights, RULES)
    monkeypatch.setattr("pipeline.masks.tables._ROWS_AT_ONCE", 3)
    observed = search_pieces(frames, weights, RULES)
    np.testing.assert_array_equal(observed.scores, expected.scores)
    np.testing.assert_array_equal(observed.min_areas, expected.min_areas)
