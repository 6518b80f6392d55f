"""Probability maps drawn towards the shape of masks: ellipses, or what training masks look like."""

from collections.abc import Callable, Iterable
from typing import Literal, get_args

import cv2
import numpy as np
import pandas as pd
from scipy.linalg import eigh
from skimage.measure import label
from skimage.morphology import reconstruction

from pipeline.masks import rle

ShapePrior = Literal["none", "ellipse", "components"]
SHAPE_PRIORS: tuple[ShapePrior, ...] = get_args(ShapePrior)
_GRID = 36, 48  # height and width at which shapes are learned
_COMPONENTS = 32
_EIGHT = np.ones((3, 3))


def make_shape_prior(
    name: ShapePrior, index: pd.DataFrame | None
) -> Callable[[np.ndarray], np.ndarray]:
    """Return what takes a map, uint8 (H, W), to one of that shape and type.

    Parameters
    ----------
    name : {"none", "ellipse", "components"}
        As it is, `fit_ellipses`, or the components of `learn_components`.
    index : pandas.DataFrame, optional
        Columns rle (columns first, from 1), height and width: the training masks to learn from,
        which only ``components`` needs.
    """
    if name == "none":
        return lambda prob_map: prob_map
    if name == "ellipse":
        return fit_ellipses
    components = learn_components(
        rle.decode(frame.rle, (frame.height, frame.width)) for frame in index.itertuples()
    )
    return lambda prob_map: project(prob_map, components)


def fit_ellipses(prob_map: np.ndarray) -> np.ndarray:
    """Replace a map's surest piece by an ellipse, at every threshold, and drop the others.

    The piece is the one that holds the most probable pixels, the larger part of them. Its ellipse
    has the same centre and second moments, which for an ellipse means the same area.

    Parameters
    ----------
    prob_map : numpy.ndarray
        uint8, (H, W).

    Returns
    -------
    numpy.ndarray
        uint8, (H, W): each pixel's largest threshold whose ellipse holds it, 0 without any.

    Examples
    --------
    >>> square = np.zeros((7, 9), dtype=np.uint8)
    >>> square[:, :7], square[3, 8] = 7, 6
    >>> fit_ellipses(square)
    array([[0, 7, 7, 7, 7, 7, 0, 0, 0],
           [7, 7, 7, 7, 7, 7, 7, 0, 0],
           [7, 7, 7, 7, 7, 7, 7, 0, 0],
           [7, 7, 7, 7, 7, 7, 7, 7, 0],
           [7, 7, 7, 7, 7, 7, 7, 0, 0],
           [7, 7, 7, 7, 7, 7, 7, 0, 0],
           [0, 7, 7, 7, 7, 7, 0, 0, 0]], dtype=uint8)
    """
    peaks = label(prob_map == prob_map.max(), connectivity=2)
    largest = np.bincount(peaks.ravel())[1:].argmax() + 1
    seed = np.where(peaks == largest, prob_map, 0)
    # At every threshold what is left of this map is the piece of the peak.
    piece = reconstruction(seed, prob_map, method="dilation", footprint=_EIGHT).astype(np.uint8)
    rows, columns = np.indices(piece.shape, dtype=np.float64)
    terms = (np.ones_like(rows), rows, columns, rows**2, columns**2, rows * columns)
    level = piece.ravel()
    sums = np.stack([np.bincount(level, term.ravel(), minlength=256) for term in terms])
    count, *moments = sums[:, ::-1].cumsum(axis=1)[:, ::-1]
    fitted = np.zeros_like(piece)
    for threshold in np.unique(level[level > 0]):
        row, column, row_row, column_column, row_column = (
            moment[threshold] / count[threshold] for moment in moments
        )
        # A pixel is a square, of variance 1/12.
        height, width = row_row - row**2 + 1 / 12, column_column - column**2 + 1 / 12
        both = row_column - row * column
        reach = 2 * np.sqrt(height), 2 * np.sqrt(width)  # of the ellipse, which fills its box
        box = tuple(
            slice(max(0, int(centre - far)), int(centre + far) + 2)
            for centre, far in zip((row, column), reach, strict=True)
        )
        down, right = rows[box] - row, columns[box] - column
        distance = width * down**2 - 2 * both * down * right + height * right**2
        fitted[box][distance <= 4 * (height * width - both**2)] = threshold
    return fitted


def learn_components(masks: Iterable[np.ndarray]) -> np.ndarray:
    """Return the principal components of masks, about the empty one, so that it stays empty.

    Parameters
    ----------
    masks : iterable of numpy.ndarray
        bool, (H, W) of any size each.

    Returns
    -------
    numpy.ndarray
        float32, (K, 1728), orthonormal, of masks at 36x48; K is at most 32, less where few masks
        differ.
    """
    size = _GRID[::-1]
    shrunk = [
        cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA).ravel()
        for mask in masks
        if mask.any()
    ]
    pixels = _GRID[0] * _GRID[1]
    if not shrunk:  # nothing to learn from
        return np.empty((0, pixels), np.float32)
    flat = np.array(shrunk, dtype=np.float32)
    strength, components = eigh(flat.T @ flat, subset_by_index=(pixels - _COMPONENTS, pixels - 1))
    return components.T[strength > 1e-4 * strength[-1]]


def project(prob_map: np.ndarray, components: np.ndarray) -> np.ndarray:
    """Return the combination of components that is nearest to a map.

    Parameters
    ----------
    prob_map : numpy.ndarray
        uint8, (H, W).
    components : numpy.ndarray
        From `learn_components`.

    Returns
    -------
    numpy.ndarray
        uint8, (H, W).
    """
    height, width = prob_map.shape
    small = cv2.resize(prob_map, _GRID[::-1], interpolation=cv2.INTER_AREA).astype(np.float32)
    nearest = (components.T @ (components @ small.ravel())).reshape(_GRID)
    large = cv2.resize(nearest, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.rint(large.clip(0, 255)).astype(np.uint8)
