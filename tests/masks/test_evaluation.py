import numpy as np
import pytest

from pipeline.masks.clean import Cutoffs
from pipeline.masks.evaluation import (
    bootstrap_interval,
    evaluate_nested,
    fold_weights,
    presence_rates,
)
from pipeline.masks.pieces import list_pieces, stack_pieces
from pipeline.masks.tuning import Frames


def test_fold_weights_leave_each_fold_out():
    weights = fold_weights(np.array([2, 0, 2, 1]))
    np.testing.assert_allclose(weights.sum(axis=0), 1)
    np.testing.assert_array_equal(weights[:, 0], 0.25)
    # Columns of the folds 0, 1, 2 in turn.
    np.testing.assert_array_equal(weights[:, 1:] == 0, np.array([[2], [0], [2], [1]]) == [0, 1, 2])


def test_evaluate_nested_each_frame_gets_its_folds_cutoffs():
    prob_map = np.array([[200, 100, 0, 0]], np.uint8)
    mask = np.array([[True, True, False, False]])
    pieces = stack_pieces([list_pieces(prob_map, mask)] * 2)
    frames = Frames(pieces, pieces, np.array([2, 2]), np.ones(2), np.ones(2))
    dice, areas = evaluate_nested(frames, np.array([0, 1]), {0: Cutoffs(150), 1: Cutoffs(50)})
    assert dice.tolist() == pytest.approx([2 / 3, 1])
    assert areas.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("true_areas", "areas", "expected"),
    [
        ([5, 5, 5, 0], [1, 9, 0, 0], {"sensitivity": 2 / 3, "specificity": 1}),
        ([0, 0], [3, 0], {"specificity": 0.5}),
        ([4], [4], {"sensitivity": 1}),
    ],
)
def test_presence_rates_count_frames(true_areas, areas, expected):
    assert presence_rates(np.array(true_areas), np.array(areas)) == pytest.approx(expected)


def test_bootstrap_interval_draws_subjects_not_frames():
    # Two subjects, all frames of one alike: a draw is both (1/4), neither (1/4) or one of each.
    values, subjects = np.repeat([0.0, 1.0], 50), np.repeat(["a", "b"], 50)
    assert bootstrap_interval(values, subjects, seed=0) == (0, 1)
    # As frames they would give 0.5 +- 0.1.
    low, high = bootstrap_interval(values, np.arange(100), seed=0)
    assert 0.35 < low < 0.45 < 0.55 < high < 0.65


def test_bootstrap_interval_same_seed_is_the_same():
    values, subjects = np.linspace(0, 1, 30), np.arange(30) % 7
    first, again, other = (bootstrap_interval(values, subjects, seed=s) for s in (1, 1, 2))
    assert first == again != other
    assert first[0] < values.mean() < first[1]
