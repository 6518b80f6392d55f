"""Dice's coefficient, the score of the competition."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike


def dice_from_areas(
    intersection: ArrayLike, true_area: ArrayLike, predicted_area: ArrayLike
) -> np.ndarray:
    """Dice of many pairs of masks, of which only the areas are known.

    The arguments broadcast against each other, so that one true area can meet the predicted areas
    of all thresholds.

    Parameters
    ----------
    intersection : array of int
        Pixels that stand in both masks.
    true_area, predicted_area : array of int
        Pixels of each mask.

    Returns
    -------
    float64 array
        2|X∩Y| / (|X| + |Y|), and 1 where both masks are empty: the competition's rule.

    Raises
    ------
    ValueError
        Areas that are no whole numbers, or that no pair of masks can have.

    Examples
    --------
    >>> dice_from_areas([0, 3, 2], true_area=[0, 4, 4], predicted_area=[0, 4, 2])
    array([1.        , 0.75      , 0.66666667])
    """
    areas = [np.asarray(area) for area in (intersection, true_area, predicted_area)]
    if not all(np.issubdtype(area.dtype, np.integer) for area in areas):
        raise ValueError(f"areas: expected whole numbers, got {[str(a.dtype) for a in areas]}")
    # In float64 first: the sum of two uint8 or int32 areas could pass their range.
    overlap, true, predicted = np.broadcast_arrays(*(area.astype(np.float64) for area in areas))
    if (overlap < 0).any() or (overlap > np.minimum(true, predicted)).any():
        raise ValueError("intersection: expected at least 0 and at most the smaller area")
    total = true + predicted
    return np.divide(2 * overlap, total, out=np.ones_like(total), where=total > 0)


def dice_score(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    """Dice of one image.

    Parameters
    ----------
    y_true, y_pred : bool array, shape (H, W)
        Mask as annotated and as predicted.

    Returns
    -------
    float
        2|X∩Y| / (|X| + |Y|), from 0 (apart) to 1 (equal, or both empty).

    Raises
    ------
    ValueError
        Masks not boolean, not 2-D or of different shapes.

    References
    ----------
    https://www.kaggle.com/c/ultrasound-nerve-segmentation/overview/evaluation

    Examples
    --------
    >>> dice_score(np.array([[True, True, False]]), np.array([[False, True, False]]))
    0.6666666666666666
    """
    y_true, y_pred = _as_mask(y_true, "y_true"), _as_mask(y_pred, "y_pred")
    if y_true.shape != y_pred.shape:
        raise ValueError(f"y_pred: expected the shape of y_true {y_true.shape}, got {y_pred.shape}")
    intersection, true_area, predicted_area = map(
        np.count_nonzero, (y_true & y_pred, y_true, y_pred)
    )
    return float(dice_from_areas(intersection, true_area, predicted_area))


def mean_dice(y_true: Sequence[np.ndarray], y_pred: Sequence[np.ndarray]) -> float:
    """Mean over images of their Dice; not the Dice of all pixels pooled.

    Parameters
    ----------
    y_true, y_pred : bool array, shape (N, H, W), or sequence of N bool arrays (H, W)
        Masks as annotated and as predicted; the sizes of a sequence's images may differ.

    Returns
    -------
    float
        From 0 to 1.

    Raises
    ------
    ValueError
        No image, unequal numbers of images, or masks that `dice_score` refuses.

    Examples
    --------
    >>> nothing, everything = np.zeros((2, 3), dtype=bool), np.ones((2, 3), dtype=bool)
    >>> mean_dice([nothing, everything], [nothing, nothing])
    0.5
    """
    if len(y_true) != len(y_pred):
        raise ValueError(f"y_pred: expected {len(y_true)} masks as in y_true, got {len(y_pred)}")
    if len(y_true) == 0:
        raise ValueError("y_true: expected at least one mask, got none")
    return float(np.mean([dice_score(*pair) for pair in zip(y_true, y_pred, strict=True)]))


def _as_mask(mask, name):
    mask = np.asarray(mask)
    if mask.ndim != 2 or mask.dtype != bool:
        raise ValueError(f"{name}: expected a bool array (H, W), got {mask.shape} {mask.dtype}")
    return mask
