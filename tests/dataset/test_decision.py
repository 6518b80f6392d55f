import numpy as np

from pipeline.dataset.decision import by_cutoffs, largest_wins
from pipeline.dataset.images import resize_prob_map
from pipeline.dataset.predictions import pack_predictions
from pipeline.masks.clean import Cutoffs, apply_cutoffs


def predict(*maps, presence):
    """A prediction of probability maps of each class."""
    (prediction,) = pack_predictions(np.stack(maps, axis=-1)[None], np.array([presence]))
    return prediction


def same(prob_map):
    return prob_map


MAP = np.random.default_rng(0).random((4, 6))


def test_by_cutoffs_each_class_has_its_own():
    prediction = predict(MAP, MAP, 1 - MAP, presence=[0.9, 0.1, 0.9])
    chosen = [
        Cutoffs(100),
        Cutoffs(100, min_presence=0.5, presence_weight=1.0),
        Cutoffs(128, min_area=4, largest_only=True),
    ]
    observed = by_cutoffs([(cutoffs, same) for cutoffs in chosen])(prediction, (9, 13))
    assert (observed.shape, observed.dtype) == ((9, 13, 3), bool)
    for number, (cutoffs, presence) in enumerate(zip(chosen, (0.9, 0.1, 0.9), strict=True)):
        prob_map = resize_prob_map(prediction["prob_map"][number], 9, 13)
        expected = apply_cutoffs(prob_map, presence, cutoffs)
        np.testing.assert_array_equal(observed[..., number], expected)
    assert observed[..., 0].any()
    assert not observed[..., 1].any()  # too improbable


def test_by_cutoffs_draws_the_map_to_its_shape_before_it_is_resized():
    seen = []

    def blank(prob_map):
        seen.append(prob_map.shape)
        return np.zeros_like(prob_map)

    prediction = predict(MAP, MAP, presence=[1.0, 1.0])
    observed = by_cutoffs([(Cutoffs(1), same), (Cutoffs(1), blank)])(prediction, (8, 12))
    assert seen == [(4, 6)]
    assert observed[..., 0].any()
    assert not observed[..., 1].any()


def test_largest_wins_every_pixel_has_the_most_probable_class():
    maps = [[[0.5, 0.2, 0.1]], [[0.3, 0.6, 0.1]], [[0.2, 0.2, 0.8]]]
    prediction = predict(*np.array(maps), presence=[1.0, 1.0, 1.0])
    observed = largest_wins(prediction, (1, 3))
    assert (observed.shape, observed.dtype) == ((1, 3, 3), bool)
    np.testing.assert_array_equal(observed[0], np.eye(3, dtype=bool))


def test_largest_wins_of_equal_ones_the_first():
    prediction = predict(MAP * 0 + 0.5, MAP * 0 + 0.5, presence=[0.0, 0.0])
    np.testing.assert_array_equal(largest_wins(prediction, (5, 7))[..., 0], np.ones((5, 7), bool))


def test_largest_wins_at_any_size_is_a_partition():
    rng = np.random.default_rng(1)
    prediction = predict(*rng.random((4, 5, 6)), presence=[0.5] * 4)
    for size in ((2, 3), (5, 6), (20, 17)):
        np.testing.assert_array_equal(largest_wins(prediction, size).sum(axis=-1), 1)
