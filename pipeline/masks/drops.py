"""The score of dropping the pieces of masks in turn, from the smallest of all to the largest."""

import numpy as np

from pipeline.masks.metrics import Metric
from pipeline.masks.tables import is_last

EQUAL = 1e-9  # scores closer than this differ by rounding


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
        # The first of equal totals; rounding, which hangs on the images' order, must not choose.
        dropped = (totals >= totals.max(axis=1, keepdims=True) - EQUAL).argmax(axis=1)
        # The 0 stands for "none dropped", also where there is no piece.
        return totals[np.arange(len(totals)), dropped], np.append(0, areas + 1)[dropped]

    def _of_images(self, kept: np.ndarray, order: np.ndarray) -> np.ndarray:
        """Return the mean score after each drop in turn, (M, 1 + pieces).

        `kept` are pieces by image and, within an image, from small to large: dropping one means
        that the smaller ones of its image are dropped already. So the change of the image's score
        by each drop is known beforehand, and a cumulative sum over all pieces by area holds every
        total.
        """
        last = is_last(self.image[kept])
        group = np.cumsum(last) - last
        area, overlap, truth = self.area[kept], self.overlap[kept], self.truth[kept]
        larger = [running[last][group] - running for running in (area.cumsum(), overlap.cumsum())]
        of_areas = self.metric.of_areas
        loss = np.empty(len(self.image))
        loss[kept] = of_areas(larger[1] + overlap, truth, larger[0] + area)
        loss[kept] -= of_areas(larger[1], truth, larger[0])
        return self.all_empty[:, None] + _left(loss[order] * self.weights[:, order])

    def _pooled(self, order: np.ndarray) -> np.ndarray:
        """Return the score of all pixels together after each drop in turn, (M, 1 + pieces)."""
        weights = self.weights[:, order]
        # Rounding may leave less than nothing where all is dropped.
        overlap, area = (
            _left(weights * values[order]).clip(min=0) for values in (self.overlap, self.area)
        )
        return self.metric.of_areas(overlap, self.pooled_truth[:, None], area)


def _left(values: np.ndarray) -> np.ndarray:
    """Return the sums along the last axis without the first value, the first two, ... all."""
    sums = np.zeros((len(values), values.shape[1] + 1))
    values.cumsum(axis=1, out=sums[:, 1:])
    return sums[:, -1:] - sums
