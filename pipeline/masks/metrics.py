"""What competitions score: a value per image and its mean, or one of all images together."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from pipeline.masks.dice import dice_from_areas

IOU_THRESHOLDS = np.arange(0.5, 0.96, 0.05).round(2)

Areas = np.ndarray | float
OfAreas = Callable[[Areas, Areas, Areas], np.ndarray]


@dataclass(frozen=True)
class Metric:
    """A score that hangs on areas alone.

    Attributes
    ----------
    of_areas : callable
        From intersection, true area and predicted area (pixels, arrays that broadcast) to scores.
    pooled : bool
        Whether the areas of all images are added up first; else the images' scores are averaged.
    skips_absent : bool
        Whether the mean over classes leaves out those that are in neither mask.
    """

    of_areas: OfAreas
    pooled: bool = False
    skips_absent: bool = False

    def score(
        self, overlaps: np.ndarray, true_areas: np.ndarray, areas: np.ndarray, weights: np.ndarray
    ) -> np.ndarray:
        """Return the score under each weighting.

        Parameters
        ----------
        overlaps, true_areas, areas : numpy.ndarray
            int, (N,), pixels.
        weights : numpy.ndarray
            float, (N, M); columns sum to 1.

        Returns
        -------
        numpy.ndarray
            float64, (M,).
        """
        if self.pooled:
            return self.of_areas(overlaps @ weights, true_areas @ weights, areas @ weights)
        return self.of_areas(overlaps, true_areas, areas) @ weights

    def mean_over_classes(self, areas: np.ndarray) -> np.ndarray:
        """Return the mean of the classes' scores, of each image or sum of images.

        Parameters
        ----------
        areas : numpy.ndarray
            (K, 3, R), pixels: of each class intersection, true area and predicted area.

        Returns
        -------
        numpy.ndarray
            float64, (R,); 1 where there is no class that counts: nothing is missed.

        Examples
        --------
        >>> areas = np.array([[[2], [4], [2]], [[0], [0], [0]]])  # the second class is nowhere
        >>> METRICS["mean_iou"].mean_over_classes(areas)
        array([0.5])
        >>> METRICS["global_dice"].mean_over_classes(areas).round(3)  # (2 / 3 + 1) / 2
        array([0.833])
        """
        scores = np.stack([self.of_areas(*of_class) for of_class in areas])
        if not self.skips_absent:
            return scores.mean(axis=0)
        counts = areas[:, 1:].any(axis=1)
        total = (scores * counts).sum(axis=0)
        return np.divide(total, counts.sum(axis=0), out=np.ones_like(total), where=counts.any(0))


def f_from_areas(
    intersection: Areas, true_area: Areas, predicted_area: Areas, *, beta: float
) -> np.ndarray:
    """F score: recall weighs `beta` times as much as precision; 1 where both masks are empty.

    Examples
    --------
    >>> f_from_areas(2, true_area=4, predicted_area=2, beta=0.5)  # precision 1, recall 1/2
    array(0.83333333)
    """
    weighted = beta**2 * np.asarray(true_area, np.float64) + predicted_area
    hit = (1 + beta**2) * np.asarray(intersection, np.float64)
    return np.divide(hit, weighted, out=np.ones_like(weighted), where=weighted > 0)


def iou_from_areas(intersection: Areas, true_area: Areas, predicted_area: Areas) -> np.ndarray:
    """Intersection over union; 1 where both masks are empty.

    Examples
    --------
    >>> iou_from_areas([2, 0], true_area=[4, 0], predicted_area=[2, 0])
    array([0.5, 1. ])
    """
    intersection = np.asarray(intersection, np.float64)
    union = np.asarray(true_area, np.float64) + predicted_area - intersection
    return np.divide(intersection, union, out=np.ones_like(union), where=union > 0)


def iou_precision_from_areas(
    intersection: Areas, true_area: Areas, predicted_area: Areas
) -> np.ndarray:
    """Share of the thresholds .50, .55, ... .95 that the intersection over union passes.

    References
    ----------
    https://www.kaggle.com/c/tgs-salt-identification-challenge/overview/evaluation

    Examples
    --------
    >>> iou_precision_from_areas([2, 3, 0], true_area=[4, 4, 0], predicted_area=[2, 4, 0])
    array([0. , 0.2, 1. ])
    """
    iou = iou_from_areas(intersection, true_area, predicted_area)
    return (iou[..., None] > IOU_THRESHOLDS).mean(axis=-1)


DICE = Metric(dice_from_areas)
METRICS: dict[str, Metric] = {
    "mean_dice": DICE,
    "global_dice": Metric(partial(f_from_areas, beta=1.0), pooled=True),
    "global_f05": Metric(partial(f_from_areas, beta=0.5), pooled=True),
    "mean_iou_precision": Metric(iou_precision_from_areas),
    # Objects decide these, and pixels the cut-offs: what is tuned is Dice.
    "instance_precision": DICE,
    "instance_f2": DICE,
    # Of classes that exclude each other: the largest wins, and there is nothing to tune.
    "mean_iou": Metric(iou_from_areas, pooled=True, skips_absent=True),
}
