"""What tuning knows of frames, and what cut-offs predict for them."""

from typing import NamedTuple

import numpy as np

from pipeline.masks.clean import Cutoffs, presence_score
from pipeline.masks.metrics import DICE, Metric

_ROWS_AT_ONCE = 2**20  # of the tables of pieces


class Frames(NamedTuple):
    """What tuning knows of N frames.

    Attributes
    ----------
    pieces, filled : numpy.ndarray
        Of `PIECE`, ``image`` is the frame's number: of the maps at original size, and of the maps
        without holes. Memory maps, as they may be larger than memory.
    true_areas : numpy.ndarray
        int, (N,), pixels of the true masks.
    presence, confidence : numpy.ndarray
        float, (N,), presence and the maps' `confidence`.
    shown : numpy.ndarray, optional
        bool, (N,), the frames whose pieces count; the others are predicted empty. All by default.
    """

    pieces: np.ndarray
    filled: np.ndarray
    true_areas: np.ndarray
    presence: np.ndarray
    confidence: np.ndarray
    shown: np.ndarray | None = None


def evaluate_cutoffs(frames: Frames, cutoffs: Cutoffs) -> tuple[np.ndarray, np.ndarray]:
    """Return what `apply_cutoffs` predicts for each frame.

    Returns
    -------
    overlaps, areas : numpy.ndarray
        int64, (N,): pixels of the predicted mask that are in the true one, and all of them.
    """
    rows = kept_pieces(frames, cutoffs)
    areas, overlaps = np.zeros((2, len(frames.true_areas)), dtype=np.int64)
    np.add.at(areas, rows["image"], rows["area"])
    np.add.at(overlaps, rows["image"], rows["overlap"])
    return overlaps, areas


def score_cutoffs(
    frames: Frames, cutoffs: Cutoffs, weights: np.ndarray, metric: Metric = DICE
) -> np.ndarray:
    """Return the score of cut-offs under each weighting, float64 (M,)."""
    overlaps, areas = evaluate_cutoffs(frames, cutoffs)
    return metric.score(overlaps, frames.true_areas, areas, weights)


def kept_pieces(frames: Frames, cutoffs: Cutoffs) -> np.ndarray:
    """Return the pieces that these cut-offs keep."""
    rows = standing_pieces(frames, cutoffs.threshold, filled=cutoffs.fill_holes)
    rows = rows[is_present(frames, cutoffs)[rows["image"]]]
    rows = by_area(rows[rows["peak"] >= cutoffs.upper])
    if cutoffs.largest_only:
        rows = rows[is_last(rows["image"])]
    return rows[rows["area"] >= cutoffs.min_area]


def is_present(frames: Frames, cutoffs: Cutoffs) -> np.ndarray:
    """Return which frames the presence rule keeps, bool (N,)."""
    values = presence_score(frames.presence, frames.confidence, cutoffs.presence_weight)
    return values >= cutoffs.min_presence


def standing_pieces(frames: Frames, threshold: int, *, filled: bool) -> np.ndarray:
    """Return the pieces at a threshold, part by part: the table may be larger than memory."""
    every = frames.filled if filled else frames.pieces
    found = [np.empty(0, every.dtype)]
    for start in range(0, len(every), _ROWS_AT_ONCE):
        rows = every[start : start + _ROWS_AT_ONCE]
        rows = rows[(rows["above"] < threshold) & (rows["level"] >= threshold)]
        found.append(rows if frames.shown is None else rows[frames.shown[rows["image"]]])
    return np.concatenate(found)


def by_area(rows: np.ndarray) -> np.ndarray:
    """Sort by image, then from small to large; of equal areas the first in the image is last."""
    return rows[np.lexsort((-np.arange(len(rows)), rows["area"], rows["image"]))]


def is_last(image: np.ndarray) -> np.ndarray:
    """Return which rows are the last of their image, of rows sorted by image."""
    return np.append(image[1:] != image[:-1], True)[: len(image)]
