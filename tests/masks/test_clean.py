import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.masks.clean import Cutoffs, apply_cutoffs

PROB_MAP = np.array(
    [
        [0, 10, 20, 10, 0],
        [0, 20, 90, 20, 0],
        [0, 10, 255, 10, 1],
    ],
    dtype=np.uint8,
)


@pytest.mark.parametrize(
    ("threshold", "min_area", "area"),
    [
        (1, 0, 10),  # every pixel that is not 0
        (20, 0, 5),
        (21, 0, 2),
        (90, 2, 2),
        (90, 3, 0),  # 2 pixels, fewer than 3
        (255, 1, 1),
        (255, 2, 0),
    ],
)
def test_apply_cutoffs_small_map_matches_hand_count(threshold, min_area, area):
    observed = apply_cutoffs(PROB_MAP, 1.0, Cutoffs(threshold, min_area=min_area))
    assert (observed.shape, observed.dtype) == ((3, 5), bool)
    assert np.count_nonzero(observed) == area
    assert (PROB_MAP[observed] >= threshold).all()


@given(arrays(np.uint8, (3, 5)), st.integers(1, 254), st.integers(0, 15))
def test_apply_cutoffs_higher_cutoffs_give_part_of_the_mask(prob_map, threshold, min_area):
    lower = Cutoffs(threshold, upper=threshold, min_area=min_area, min_presence=0.2)
    mask = apply_cutoffs(prob_map, 0.5, lower)
    for name, step in {"threshold": 1, "upper": 1, "min_area": 1, "min_presence": 0.4}.items():
        higher = lower._replace(**{name: getattr(lower, name) + step})
        assert not (apply_cutoffs(prob_map, 0.5, higher) & ~mask).any()


@pytest.mark.parametrize(
    ("cutoffs", "expected"),
    [
        # Two pieces: a ring of 8 pixels with a hole, and 2 pixels of a higher peak.
        ({}, ["XXX.X", "X.X.X", "XXX.."]),
        ({"fill_holes": True}, ["XXX.X", "XXX.X", "XXX.."]),
        ({"largest_only": True}, ["XXX..", "X.X..", "XXX.."]),
        ({"upper": 200}, ["....X", "....X", "....."]),
        ({"upper": 200, "largest_only": True}, ["....X", "....X", "....."]),
        ({"min_area": 3}, ["XXX..", "X.X..", "XXX.."]),
        ({"min_area": 9}, [".....", ".....", "....."]),
        ({"min_area": 9, "fill_holes": True}, ["XXX..", "XXX..", "XXX.."]),
        # Mean probability of the pixels from 128 on: (8 * 150 + 2 * 250) / 10 / 255 = 0.667.
        ({"min_presence": 0.66}, ["XXX.X", "X.X.X", "XXX.."]),
        ({"min_presence": 0.68}, [".....", ".....", "....."]),
        # Half of it and half of the presence of 0.8: 0.733.
        ({"min_presence": 0.73, "presence_weight": 0.5}, ["XXX.X", "X.X.X", "XXX.."]),
        ({"min_presence": 0.74, "presence_weight": 0.5}, [".....", ".....", "....."]),
    ],
)
def test_apply_cutoffs_each_rule_on_a_ring_and_a_spot(cutoffs, expected):
    prob_map = np.array(
        [[150, 150, 150, 0, 250], [150, 9, 150, 0, 250], [150, 150, 150, 0, 0]], np.uint8
    )
    observed = apply_cutoffs(prob_map, 0.8, Cutoffs(threshold=100, **cutoffs))
    assert ["".join(".X"[int(x)] for x in row) for row in observed] == expected


def test_apply_cutoffs_leaves_the_map_alone():
    before = PROB_MAP.copy()
    apply_cutoffs(PROB_MAP, 0.0, Cutoffs(1, min_area=15, min_presence=0.5))
    np.testing.assert_array_equal(PROB_MAP, before)
