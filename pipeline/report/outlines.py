"""Outlines of masks as SVG paths, drawn over a frame and switched on and off by the page."""

import cv2
import numpy as np

_SIDES = 800  # an outline keeps what is seen where the longer side of a frame has this many pixels


def outline_path(mask: np.ndarray) -> str:
    """Return the outlines of a mask's pieces and holes as the ``d`` of an SVG path.

    The corners are centres of pixels on the edge: integers, columns before rows, relative to the
    one before, so that thousands of outlines fit in a page.

    Parameters
    ----------
    mask : numpy.ndarray
        bool, (H, W).

    Returns
    -------
    str
        Empty where the mask is.

    Examples
    --------
    >>> mask = np.zeros((6, 8), dtype=bool)
    >>> mask[1:4, 2:6] = True
    >>> outline_path(mask)
    'M2,1l0,2 3,0 0,-2z'
    """
    contours, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    tolerance = max(0.5, max(mask.shape) / _SIDES)
    return "".join(_path(cv2.approxPolyDP(contour, tolerance, True)[:, 0]) for contour in contours)


def _path(corners: np.ndarray) -> str:
    (column, row), steps = corners[0], np.diff(corners, axis=0)
    lines = " ".join(f"{right},{down}" for right, down in steps)
    return f"M{column},{row}{'l' if lines else ''}{lines}z"
