"""The best cut-offs, exactly: the score of every threshold and smallest area from histograms."""

from dataclasses import dataclass

import numpy as np

from pipeline.masks.clean import Cutoffs
from pipeline.masks.dice import dice_from_areas

THRESHOLDS = np.arange(1, 256)


def areas_by_threshold(prob_map: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count the predicted pixels, and those of them in the mask, for all 255 thresholds at once.

    Parameters
    ----------
    prob_map : numpy.ndarray
        uint8, (H, W), at original size.
    mask : numpy.ndarray
        bool, (H, W).

    Returns
    -------
    area, overlap : numpy.ndarray
        int64, (255,), for the thresholds 1 to 255.

    Examples
    --------
    >>> prob_map = np.array([[255, 2, 0]], dtype=np.uint8)
    >>> area, overlap = areas_by_threshold(prob_map, np.array([[True, False, False]]))
    >>> area[[0, 1, 2, 254]]  # thresholds 1, 2, 3 and 255
    array([2, 2, 1, 1])
    >>> overlap[[0, 254]]
    array([1, 1])
    """
    area, overlap = (
        np.bincount(pixels.ravel(), minlength=256)[::-1].cumsum()[::-1][1:]
        for pixels in (prob_map, prob_map[mask])
    )
    return area, overlap


@dataclass(frozen=True)
class Tuning:
    """What `tune_cutoffs` found.

    Attributes
    ----------
    cutoffs : Cutoffs
        The best pair.
    score : float
        Mean Dice over images with it.
    by_threshold : numpy.ndarray
        float64, (255,), mean Dice at thresholds 1 to 255, each with its best smallest area.
    by_threshold_alone : numpy.ndarray
        float64, (255,), mean Dice at thresholds 1 to 255 without a smallest area.
    """

    cutoffs: Cutoffs
    score: float
    by_threshold: np.ndarray
    by_threshold_alone: np.ndarray


def tune_cutoffs(areas: np.ndarray, overlaps: np.ndarray, true_areas: np.ndarray) -> Tuning:
    """Find the threshold and smallest area with the best mean Dice.

    Every pair that can make a difference is tried: at one threshold, dropping the masks below
    the k-th area changes the score by a sum over the k smallest, which a cumulative sum holds.

    Parameters
    ----------
    areas, overlaps : numpy.ndarray
        int, (N, 255), rows from `areas_by_threshold`.
    true_areas : numpy.ndarray
        int, (N,), pixels of the true masks.

    Returns
    -------
    Tuning
        Among equal scores the fewest masks dropped and the middle threshold; the smallest area
        lies half-way between the largest mask dropped and the smallest kept.
    """
    dice = dice_from_areas(overlaps, true_areas[:, None], areas)
    order = np.argsort(areas, axis=0, kind="stable")
    sorted_areas = np.take_along_axis(areas, order, axis=0)
    # An emptied mask scores 1 where the truth is empty too, else 0.
    gains = np.take_along_axis((true_areas == 0)[:, None] - dice, order, axis=0)
    totals = np.vstack([np.zeros(dice.shape[1]), gains.cumsum(axis=0)])
    # Masks of equal area are dropped together or not at all.
    totals[1:-1][sorted_areas[1:] == sorted_areas[:-1]] = -np.inf
    # The first of equal totals; rounding, which hangs on the images' order, must not choose.
    dropped = (totals >= totals.max(axis=0) - 1e-9).argmax(axis=0)
    alone = dice.mean(axis=0)
    best = alone + np.take_along_axis(totals, dropped[None], axis=0)[0] / len(dice)
    equals = np.flatnonzero(np.isclose(best, best.max(), rtol=0, atol=1e-12))
    chosen = equals[len(equals) // 2]
    min_area = _between(sorted_areas[:, chosen], int(dropped[chosen]))
    cutoffs = Cutoffs(threshold=int(THRESHOLDS[chosen]), min_area=min_area)
    return Tuning(cutoffs, float(best[chosen]), best, alone)


def _between(sorted_areas: np.ndarray, dropped: int) -> int:
    """Return a smallest area that drops this many masks."""
    if dropped == 0:
        return 0
    largest_dropped = int(sorted_areas[dropped - 1])
    if dropped == len(sorted_areas):
        return largest_dropped + 1
    return (largest_dropped + int(sorted_areas[dropped])) // 2 + 1
