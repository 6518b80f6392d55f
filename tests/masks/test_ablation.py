import numpy as np
import pytest

from pipeline.masks.ablation import rule_gains, score_min_areas
from pipeline.masks.clean import Cutoffs
from pipeline.masks.pieces import list_pieces
from pipeline.masks.tables import Frames
from tests.masks.tables import stack_pieces


@pytest.fixture
def frames():
    """Return two frames: a mask of 4 pixels beside a false piece of 1, and an empty one with 1."""
    maps = np.zeros((2, 3, 6), np.uint8)
    maps[0, :2, :2] = 200
    maps[:, 2, 5] = 200
    masks = np.zeros((2, 3, 6), bool)
    masks[0, :2, :2] = True
    pieces = stack_pieces([list_pieces(*each) for each in zip(maps, masks, strict=True)])
    ones = np.ones(2)
    return Frames(pieces, pieces, np.array([4, 0]), presence=ones, confidence=ones)


def test_rule_gains_is_what_the_frame_loses_without_the_rule(frames):
    by_fold = {0: Cutoffs(100, min_area=2), 1: Cutoffs(100, min_area=2)}
    gains = rule_gains({"none": frames}, np.array([0, 1]), by_fold)
    assert list(gains) == ["min_area"]
    # Without it the frames score 2 * 4 / (4 + 5) = 8 / 9 and 0, with it 1 and 1.
    np.testing.assert_allclose(gains["min_area"], [1 / 9, 1])


def test_rule_gains_counts_a_rule_in_the_folds_that_use_it(frames):
    by_fold = {0: Cutoffs(100), 1: Cutoffs(100, largest_only=True, min_presence=2.0)}
    gains = rule_gains({"none": frames}, np.array([0, 1]), by_fold)
    assert set(gains) == {"largest", "presence"}
    assert gains["largest"].tolist() == [0, 0]
    assert gains["presence"].tolist() == [0, 1]


def test_rule_gains_no_rule_no_gain(frames):
    assert rule_gains({"none": frames}, np.array([0, 0]), {0: Cutoffs(100)}) == {}


def test_score_min_areas_holds_the_one_in_use(frames):
    min_areas, dice = score_min_areas(frames, Cutoffs(100, min_area=3))
    scores = dict(zip(min_areas.tolist(), dice, strict=True))
    assert min_areas.tolist() == sorted(scores)
    assert scores[0] == pytest.approx((8 / 9 + 0) / 2)
    assert scores[3] == 1
    assert scores[max(scores)] == 0.5  # all dropped: right for the empty one
