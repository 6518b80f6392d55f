import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.masks.instances import INSTANCE_METRICS, instance_f2, instance_precision, split_pieces

# Of 18 pixels: one that differs makes an IoU of 17 / 18 at most, which is not above .95.
masks = arrays(bool, (3, 6))


def row(start, stop, length=20):
    """An object: the pixels from start to before stop of one row."""
    mask = np.zeros((1, length), bool)
    mask[0, start:stop] = True
    return mask


TEN, OTHER = row(0, 10), row(10, 20)


@pytest.mark.parametrize(
    ("true", "predicted", "precision", "f2"),
    [
        ([], [], 1, 1),
        ([TEN], [], 0, 0),
        ([], [TEN], 0, 0),
        ([TEN], [OTHER], 0, 0),
        ([TEN], [TEN], 1, 1),
        ([TEN, OTHER], [OTHER, TEN], 1, 1),
        # At each threshold one hit and one missed: 1 / 2, and 5 / (5 + 4).
        ([TEN, OTHER], [TEN], 1 / 2, 5 / 9),
        # One hit and one false: 1 / 2, and 5 / (5 + 1).
        ([TEN], [TEN, OTHER], 1 / 2, 5 / 6),
        # One hit, one missed, two false: 1 / 4, and 5 / (5 + 4 + 2).
        ([TEN, OTHER], [TEN, row(10, 12), row(13, 15)], 1 / 4, 5 / 11),
        # IoU 7 / 10: above .50, .55, .60 and .65, not above .70.
        ([TEN], [row(0, 7)], 4 / 10, 4 / 10),
        # IoU 5 / 10 is not above .50.
        ([TEN], [row(0, 5)], 0, 0),
        # 9 / 10 is a hit at 8 thresholds (.50 to .85), beside one that is always a hit:
        # 8 thresholds of 1, and 2 of 1 / 3 (a hit, one missed, one false), or 5 / (5 + 4 + 1).
        ([TEN, OTHER], [row(0, 9), OTHER], (8 + 2 / 3) / 10, (8 + 2 * 0.5) / 10),
        # An object in two halves: neither is a hit.
        ([TEN], [row(0, 5), row(5, 10)], 0, 0),
    ],
)
def test_instance_scores_match_hand_count(true, predicted, precision, f2):
    assert instance_precision(true, predicted) == pytest.approx(precision)
    assert instance_f2(true, predicted) == pytest.approx(f2)


@pytest.mark.parametrize("metric", INSTANCE_METRICS.values(), ids=list(INSTANCE_METRICS))
@given(mask=masks, data=st.data())
def test_instance_scores_perfect_prediction_in_any_order_is_one(metric, mask, data):
    objects = split_pieces(mask)
    assert metric(objects, data.draw(st.permutations(objects))) == 1.0


@pytest.mark.parametrize("metric", INSTANCE_METRICS.values(), ids=list(INSTANCE_METRICS))
@given(true=masks, predicted=masks)
def test_instance_scores_are_from_0_to_1_and_1_for_the_same_alone(metric, true, predicted):
    score = metric(split_pieces(true), split_pieces(predicted))
    assert 0 <= score <= 1
    assert (score == 1) == (true == predicted).all()


def test_split_pieces_corners_touch():
    mask = np.array([[1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 0, 0], [1, 1, 0, 0]], bool)
    pieces = split_pieces(mask)
    # The diagonal pair, the right column, the foot.
    assert [np.argwhere(piece).tolist() for piece in pieces] == [
        [[0, 0], [1, 1]],
        [[0, 3], [1, 3]],
        [[3, 0], [3, 1]],
    ]


def test_split_pieces_of_an_empty_mask_is_none():
    assert split_pieces(np.zeros((3, 5), bool)) == []


@given(masks)
def test_split_pieces_are_a_partition_of_connected_masks(mask):
    pieces = split_pieces(mask)
    np.testing.assert_array_equal(np.sum([np.zeros_like(mask, int), *pieces], axis=0), mask)
    for piece in pieces:
        assert piece.dtype == bool
        assert len(split_pieces(piece)) == 1
