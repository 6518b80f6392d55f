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
    observed = apply_cutoffs(PROB_MAP, Cutoffs(threshold, min_area))
    assert (observed.shape, observed.dtype) == ((3, 5), bool)
    assert np.count_nonzero(observed) == area
    assert (PROB_MAP[observed] >= threshold).all()


@given(arrays(np.uint8, (3, 5)), st.integers(1, 254), st.integers(0, 15))
def test_apply_cutoffs_higher_cutoffs_give_part_of_the_mask(prob_map, threshold, min_area):
    mask = apply_cutoffs(prob_map, Cutoffs(threshold, min_area))
    for higher in (Cutoffs(threshold + 1, min_area), Cutoffs(threshold, min_area + 1)):
        assert not (apply_cutoffs(prob_map, higher) & ~mask).any()


def test_apply_cutoffs_leaves_the_map_alone():
    before = PROB_MAP.copy()
    apply_cutoffs(PROB_MAP, Cutoffs(1, 15))
    np.testing.assert_array_equal(PROB_MAP, before)
