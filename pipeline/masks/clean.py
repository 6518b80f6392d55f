"""From a probability map to the mask that is submitted."""

from typing import NamedTuple

import numpy as np
from scipy.ndimage import binary_fill_holes
from scipy.ndimage import maximum as maximum_of_labels
from skimage.measure import label

from pipeline.masks.shapes import ShapePrior


class Cutoffs(NamedTuple):
    """What a frame, its probability map and the pieces of its mask must reach.

    The defaults but the threshold ask for nothing.

    Attributes
    ----------
    threshold : int
        Foreground is ``prob_map >= threshold``, 1 to 255.
    upper : int
        A piece whose largest probability is lower is dropped: the upper one of two thresholds.
    min_area : int
        A piece of fewer pixels, at original size, is dropped.
    largest_only : bool
        Of the pieces that reach `upper`, only the largest is kept.
    fill_holes : bool
        Holes are filled first.
    min_presence : float
        A frame whose `presence_score` is lower has no mask.
    presence_weight : float
        The weight of `presence` in that score, beside the map's `confidence`.
    shape_prior : {"none", "ellipse", "components"}
        Which map all that is asked of: the network's, or what `make_shape_prior` makes of it.
    """

    threshold: int
    upper: int = 0
    min_area: int = 0
    largest_only: bool = False
    fill_holes: bool = False
    min_presence: float = 0.0
    presence_weight: float = 0.0
    shape_prior: ShapePrior = "none"


def apply_cutoffs(prob_map: np.ndarray, presence: float, cutoffs: Cutoffs) -> np.ndarray:
    """Threshold a map, fill its holes and drop what is too faint or too small.

    Parameters
    ----------
    prob_map : numpy.ndarray
        uint8, (H, W), at original size, 255 for probability 1; the shape prior lies behind it.
    presence : float
        Probability that the frame has any foreground.
    cutoffs : Cutoffs
        See there.

    Returns
    -------
    numpy.ndarray
        bool, (H, W).

    Examples
    --------
    >>> prob_map = np.array([[200, 90, 10, 90]], dtype=np.uint8)
    >>> apply_cutoffs(prob_map, 1.0, Cutoffs(threshold=90))
    array([[ True,  True, False,  True]])
    >>> apply_cutoffs(prob_map, 1.0, Cutoffs(threshold=90, upper=150))
    array([[ True,  True, False, False]])
    """
    mask = prob_map >= cutoffs.threshold
    score = presence_score(presence, confidence(prob_map), cutoffs.presence_weight)
    if score < cutoffs.min_presence:
        return np.zeros_like(mask)
    if cutoffs.fill_holes:
        mask = binary_fill_holes(mask)
    is_faint_dropped = cutoffs.upper > cutoffs.threshold
    if not (cutoffs.largest_only or is_faint_dropped or cutoffs.min_area > 1) or not mask.any():
        return mask
    labels, count = label(mask, connectivity=2, return_num=True)
    areas = np.bincount(labels.ravel(), minlength=count + 1)
    if is_faint_dropped:
        peaks = maximum_of_labels(prob_map, labels, np.arange(count + 1))
        areas[peaks < cutoffs.upper] = 0
    areas[0] = 0  # the background
    keep = (areas > 0) & (areas >= cutoffs.min_area)
    if cutoffs.largest_only:
        keep &= np.arange(count + 1) == areas.argmax()
    return keep[labels]


def confidence(prob_map: np.ndarray) -> float:
    """Return the mean probability of the pixels that are rather foreground, 0 without any."""
    foreground = prob_map[prob_map >= 128]
    return float(foreground.mean()) / 255 if foreground.size else 0.0


def presence_score(presence: float, confidence: float, weight: float) -> float:
    """Mix presence and `confidence`, each from 0 to 1; arrays as well."""
    return weight * presence + (1 - weight) * confidence
