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


# Of two classes: the first in image 1 and 2, the second nowhere and wrongly found in image 2.
OF_CLASSES = np.array([[[2, 1, 0], [4, 2, 0], [2, 1, 0]], [[0, 0, 0], [0, 0, 0], [0, 5, 0]]])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mean_dice", [(4 / 6 + 1) / 2, (2 / 3 + 0) / 2, 1]),
        # Alone in image 1; in image 3 no class is left.
        ("mean_iou", [2 / 4, (1 / 2 + 0) / 2, 1]),
    ],
)
def test_mean_over_classes_each_image_matches_hand_count(name, expected):
    np.testing.assert_allclose(METRICS[name].mean_over_classes(OF_CLASSES), expected)


@pytest.mark.parametrize("name", METRICS)
def test_mean_over_classes_of_one_class_is_its_score(name):
    metric = METRICS[name]
    expected = [metric.score(*image[:, None], np.ones((1, 1))).item() for image in AREAS]
    assert metric.mean_over_classes(AREAS.T[None]).tolist() == expected


def test_iou_thresholds_are_the_competitions():
    assert IOU_THRESHOLDS.tolist() == [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95]
