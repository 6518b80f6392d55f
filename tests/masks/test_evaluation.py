import numpy as np
import pytest

from pipeline.masks.clean import Cutoffs
from pipeline.masks.evaluation import (
    bootstrap_interval,
    fold_weights,
    presence_rates,
    tune_nested,
)
from pipeline.masks.pieces import list_pieces
from pipeline.masks.tables import Frames, evaluate_cutoffs
from tests.masks.tables import stack_pieces


def test_fold_weights_leave_each_fold_out():
    weights = fold_weights(np.array([2, 0, 2, 1]))
    np.testing.assert_allclose(weights.sum(axis=0), 1)
    np.testing.assert_array_equal(weights[:, 0], 0.25)
    # Columns of the folds 0, 1, 2 in turn.
    np.testing.assert_array_equal(weights[:, 1:] == 0, np.array([[2], [0], [2], [1]]) == [0, 1, 2])


MASK = np.array([[True, True, False, False]])
FIRST, BOTH = (np.array([[200, level, 0, 0]], np.uint8) for level in (100, 180))


def table(*prob_maps):
    pieces = stack_pieces([list_pieces(prob_map, MASK) for prob_map in prob_maps])
    ones = np.ones(len(prob_maps))
    return Frames(pieces, pieces, 2 * ones.astype(int), ones, ones)


def test_tune_nested_each_fold_gets_what_the_others_chose():
    # A threshold up to 100 suits every frame; what the frames of BOTH choose, about 95, does too,
    # while those of FIRST alone choose about 55.
    tuned = tune_nested({"none": table(BOTH, FIRST)}, np.array([0, 1]), [])
    assert tuned.by_fold == {0: Cutoffs(54), 1: Cutoffs(94)}
    assert tuned.cutoffs == Cutoffs(54)
    assert tuned.overlaps.tolist() == tuned.areas.tolist() == [2, 2]


def test_tune_nested_a_fold_that_differs_pays_for_it():
    # Unseen: at the threshold of a frame like BOTH, one like FIRST loses half of its mask.
    faint = np.array([[200, 60, 0, 0]], np.uint8)
    tuned = tune_nested({"none": table(BOTH, faint)}, np.array([0, 1]), [])
    assert tuned.by_fold[1].threshold > 60
    assert tuned.overlaps.tolist() == [2, 1]
    assert evaluate_cutoffs(table(BOTH, faint), tuned.cutoffs)[0].tolist() == [2, 2]


def test_tune_nested_a_shape_prior_is_chosen_where_it_gains_without_the_fold():
    hopeless = np.array([[0, 0, 9, 9]], np.uint8)
    # The prior helps the second frame alone, so only fold 0, which the first is in, is given it.
    tables = {"none": table(BOTH, hopeless), "ellipse": table(BOTH, BOTH)}
    tuned = tune_nested(tables, np.array([0, 1]), [])
    assert {fold: c.shape_prior for fold, c in tuned.by_fold.items()} == {0: "ellipse", 1: "none"}
    assert tuned.cutoffs.shape_prior == "ellipse"
    assert tuned.overlaps.tolist() == [2, 0]


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


def test_bootstrap_interval_drawn_in_parts_is_the_same(monkeypatch):
    generator = np.random.default_rng(0)
    values, subjects = generator.random(60), generator.integers(0, 9, 60)
    at_once = bootstrap_interval(values, subjects, seed=0)
    # 9 subjects: parts of 333 draws, and a last one of 10.
    monkeypatch.setattr("pipeline.masks.evaluation._DRAWN_AT_ONCE", 3000)
    np.testing.assert_allclose(bootstrap_interval(values, subjects, seed=0), at_once, rtol=1e-12)


def test_bootstrap_interval_same_seed_is_the_same():
    values, subjects = np.linspace(0, 1, 30), np.arange(30) % 7
    first, again, other = (bootstrap_interval(values, subjects, seed=s) for s in (1, 1, 2))
    assert first == again != other
    assert first[0] < values.mean() < first[1]
