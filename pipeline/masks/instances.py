"""Scores of objects: how many of an image's are found, at several strictnesses."""

from collections.abc import Sequence

import numpy as np
from skimage.measure import label

from pipeline.masks.metrics import IOU_THRESHOLDS, iou_from_areas


def instance_precision(true: Sequence[np.ndarray], predicted: Sequence[np.ndarray]) -> float:
    """Return the mean over IoU thresholds of TP / (TP + FP + FN).

    Parameters
    ----------
    true, predicted : sequence of numpy.ndarray
        An image's objects, bool (H, W) each; no two of one side overlap.

    Returns
    -------
    float
        From 0 to 1; 1 where there is no object and none is predicted.

    References
    ----------
    https://www.kaggle.com/c/data-science-bowl-2018/overview/evaluation

    Examples
    --------
    >>> whole, part = np.array([[True] * 10]), np.array([[True] * 7 + [False] * 3])
    >>> instance_precision([whole], [part])  # IoU 0.7: above .50 to .65, 4 of 10 thresholds
    0.4
    """
    hits, missed, false = _count_hits(true, predicted)
    return _mean_share(hits, hits + missed + false)


def instance_f2(true: Sequence[np.ndarray], predicted: Sequence[np.ndarray]) -> float:
    """Return the mean over IoU thresholds of the F2 score, 5 TP / (5 TP + 4 FN + FP).

    Parameters and returns as in `instance_precision`.

    References
    ----------
    https://www.kaggle.com/c/airbus-ship-detection/overview/evaluation
    """
    hits, missed, false = _count_hits(true, predicted)
    return _mean_share(5 * hits, 5 * hits + 4 * missed + false)


def split_pieces(mask: np.ndarray) -> list[np.ndarray]:
    """Return the connected pieces of a mask, bool (H, W) each; none of an empty mask.

    Pixels that touch at a side or a corner belong together.
    """
    labels, count = label(mask, connectivity=2, return_num=True)
    return [labels == number for number in range(1, count + 1)]


INSTANCE_METRICS = {"instance_precision": instance_precision, "instance_f2": instance_f2}


def _count_hits(
    true: Sequence[np.ndarray], predicted: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return true positives, false negatives and false positives at each threshold, int (10,)."""
    if not len(true) or not len(predicted):
        none = np.zeros(len(IOU_THRESHOLDS), int)
        return none, none + len(true), none + len(predicted)
    y_true, y_pred = (np.stack([mask.ravel() for mask in masks]) for masks in (true, predicted))
    overlaps = y_true.astype(np.float32) @ y_pred.astype(np.float32).T
    iou = iou_from_areas(overlaps, y_true.sum(axis=1)[:, None], y_pred.sum(axis=1)[None])
    # Above one half an object matches one other at most: the best is the only one.
    hits = (iou.max(axis=1)[:, None] > IOU_THRESHOLDS).sum(axis=0)
    return hits, len(true) - hits, len(predicted) - hits


def _mean_share(hits: np.ndarray, total: np.ndarray) -> float:
    return float(np.divide(hits, total, out=np.ones(len(total)), where=total > 0).mean())
