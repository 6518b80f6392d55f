import numpy as np
import pytest

from pipeline.masks.metrics import IOU_THRESHOLDS, METRICS

# Intersection, true area, predicted area of three images.
AREAS = np.array([[4, 8, 4], [0, 0, 0], [0, 0, 6]])
EQUAL = np.full((3, 1), 1 / 3)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mean_dice", (2 * 4 / 12 + 1 + 0) / 3),
        ("global_dice", 2 * 4 / (8 + 10)),
        # Precision 4/10, recall 4/8: 1.25 p r / (0.25 p + r).
        ("global_f05", 1.25 * 0.4 * 0.5 / (0.25 * 0.4 + 0.5)),
        # IoU 4/8 is not above 0.5: no threshold is passed.
        ("mean_iou_precision", (0 + 1 + 0) / 3),
        ("mean_iou", 4 / 14),
    ],
)
def test_metric_score_three_images_match_hand_count(name, expected):
    assert METRICS[name].score(*AREAS.T, EQUAL) == pytest.approx([expected])


@pytest.mark.parametrize("name", METRICS)
def test_metric_score_nothing_anywhere_is_one(name):
    assert METRICS[name].score(*np.zeros((3, 2), int), np.full((2, 1), 0.5)) == [1.0]


@pytest.mark.parametrize("name", METRICS)
def test_metric_score_frames_without_weight_do_not_count(name):
    weights = np.array([[1.0, 0.5], [0.0, 0.5], [0.0, 0.0]])
    alone, both = METRICS[name].score(*AREAS.T, weights)
    assert alone == METRICS[name].score(*AREAS[:1].T, np.ones((1, 1)))
    assert both == METRICS[name].score(*AREAS[:2].T, np.full((2, 1), 0.5))


def test_iou_thresholds_are_the_competitions():
    assert IOU_THRESHOLDS.tolist() == [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95]
