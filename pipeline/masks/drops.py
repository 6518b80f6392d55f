"""The score of dropping the pieces of masks in turn, from the smallest of all to the largest."""

import numpy as np
from numpy.typing import ArrayLike

from pipeline.masks.metrics import Metric
from pipeline.masks.tables import is_last

EQUAL = 1e-9  # scores closer than this differ by rounding


def first_best(scores: ArrayLike) -> np.ndarray:
    """Return where the first of the best scores stands, along the last axis.

    Rounding, which hangs on the order of the images, must not choose.
    """
    scores = np.asarray(scores)
    return (scores >= scores.max(axis=-1, keepdims=True) - EQUAL).argmax(axis=-1)


class Drops:
    """The pieces at one threshold, prepared for the best smallest area of any part of them.

    Parameters
    ----------
    rows : numpy.ndarray
        Of `PIECE`, as `by_area` sorts them.
    true_areas, weights, metric
        See `pipeline.masks.tuning.tune_cutoffs`.
    all_empty : numpy.ndarray
        float64, (M,), the score without any piece.
    """

    def __init__(
        self,
        rows: np.ndarray,
        true_areas: np.ndarray,
        weights: np.ndarray,
        metric: Metric,
        all_empty: np.ndarray,
    ) -> None:
        self.image = rows["image"].copy()  # of its own, a field of a wide row is slow to gather
        self.area, self.overlap = (rows[name].astype(np.int64) for name in ("area", "overlap"))
        self.order = np.argsort(self.area, kind="stable")
        self.truth = true_areas[self.image]
        self.score_of_none = metric.of_areas(0, self.truth, 0)
        self.weights = weights.T[:, self.image]
        self.pooled_truth = true_areas @ weights
        self.metric = metric
        self.all_empty = all_empty

    def best(self, kept: np.ndarray, *, may_drop: bool) -> tuple[np.ndarray, np.ndarray]:
        """Return each objective's best score and smallest area where only some pieces are kept.

        Parameters
        ----------
        kept : numpy.ndarray
            int, their rows, from small to large.
        may_drop : bool
            Whether any may be dropped.

        Returns
        -------
        scores, min_areas : numpy.ndarray
            float64 and int64, (M,) each.
        """
        is_kept = np.zeros(len(self.image), bool)
        is_kept[kept] = True
        order = self.order[is_kept[self.order]]
        totals = self._pooled(order) if self.metric.pooled else self._of_images(kept, order)
        if not may_drop:
            return totals[:, 0], np.zeros(len(totals), np.int64)
        areas = self.area[order]
        # Pieces of equal area are dropped together or not at all.
        np.copyto(totals[:, 1:-1], -np.inf, where=areas[1:] == areas[:-1])
        dropped = first_best(totals)
        # The 0 stands for "none dropped", also where there is no piece.
        return totals[np.arange(len(totals)), dropped], np.append(0, areas + 1)[dropped]

    def _of_images(self, kept: np.ndarray, order: np.ndarray) -> np.ndarray:
        """Return the mean score after each drop in turn, (M, 1 + pieces).

        `kept` are pieces by image and, within an image, from small to large: dropping one means
        that the smaller ones of its image are dropped already. So the image's score before and
        after each drop is known beforehand, and a cumulative sum over all pieces by area holds
        every total.
        """
        last = is_last(self.image[kept])
        area, overlap = (_with_larger(values[kept], last) for values in (self.area, self.overlap))
        before = self.metric.of_areas(overlap, self.truth[kept], area)
        after = np.empty_like(before)
        after[:-1] = before[1:]
        after[last] = self.score_of_none[kept[last]]
        loss = np.empty(len(self.image))
        loss[kept] = before - after
        return self.all_empty[:, None] + _left(loss[order] * self.weights[:, order])

    def _pooled(self, order: np.ndarray) -> np.ndarray:
        """Return the score of all pixels together after each drop in turn, (M, 1 + pieces)."""
        weights = self.weights[:, order]
        # Rounding may leave less than nothing where all is dropped.
        overlap, area = (
            _left(weights * values[order]).clip(min=0) for values in (self.overlap, self.area)
        )
        return self.metric.of_areas(overlap, self.pooled_truth[:, None], area)


def _with_larger(values: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Return the sum of each piece's value and those after it, up to its image's last piece."""
    running, group = values.cumsum(), np.cumsum(last) - last
    return running[last][group] - running + values


def _left(values: np.ndarray) -> np.ndarray:
    """Return the sums along the last axis without the first value, the first two, ... all."""
    sums = np.zeros((len(values), values.shape[1] + 1))
    values.cumsum(axis=1, out=sums[:, 1:])
    return sums[:, -1:] - sums
