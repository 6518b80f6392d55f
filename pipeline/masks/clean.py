"""From a probability map to the mask that is submitted."""

from typing import NamedTuple

import numpy as np


class Cutoffs(NamedTuple):
    """What a probability map must reach.

    Attributes
    ----------
    threshold : int
        Foreground is ``prob_map >= threshold``, 1 to 255.
    min_area : int
        A mask of fewer pixels, at original size, is dropped.
    """

    threshold: int
    min_area: int


def apply_cutoffs(prob_map: np.ndarray, cutoffs: Cutoffs) -> np.ndarray:
    """Threshold a map and empty the mask if it is too small.

    Parameters
    ----------
    prob_map : numpy.ndarray
        uint8, (H, W), at original size, 255 for probability 1.
    cutoffs : Cutoffs
        See there.

    Returns
    -------
    numpy.ndarray
        bool, (H, W).

    Examples
    --------
    >>> prob_map = np.array([[200, 90, 10]], dtype=np.uint8)
    >>> apply_cutoffs(prob_map, Cutoffs(threshold=90, min_area=2))
    array([[ True,  True, False]])
    >>> apply_cutoffs(prob_map, Cutoffs(threshold=90, min_area=3))
    array([[False, False, False]])
    """
    mask = prob_map >= cutoffs.threshold
    if np.count_nonzero(mask) < cutoffs.min_area:
        return np.zeros_like(mask)
    return mask
