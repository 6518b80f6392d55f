"""How good cut-offs are, and how sure that is."""

from collections.abc import Mapping

import numpy as np

from pipeline.masks.clean import Cutoffs
from pipeline.masks.tuning import Frames, evaluate_cutoffs

_RESAMPLES = 10_000


def fold_weights(folds: np.ndarray) -> np.ndarray:
    """Weigh frames for nested tuning: all of them, then all but each fold in turn.

    Parameters
    ----------
    folds : numpy.ndarray
        int, (N,).

    Returns
    -------
    numpy.ndarray
        float64, (N, 1 + number of folds); columns sum to 1.

    Examples
    --------
    >>> fold_weights(np.array([0, 0, 1]))
    array([[0.33333333, 0.        , 0.5       ],
           [0.33333333, 0.        , 0.5       ],
           [0.33333333, 1.        , 0.        ]])
    """
    others = [folds != fold for fold in np.unique(folds)]
    weights = np.stack([np.ones(len(folds)), *others], axis=1)
    return weights / weights.sum(axis=0)


def evaluate_nested(
    frames: Frames, folds: np.ndarray, cutoffs: Mapping[int, Cutoffs]
) -> tuple[np.ndarray, np.ndarray]:
    """Score each frame with the cut-offs of its fold, which were chosen on the other folds.

    Returns
    -------
    dice : numpy.ndarray
        float64, (N,).
    areas : numpy.ndarray
        int64, (N,), predicted pixels.
    """
    dice, areas = np.empty(len(folds)), np.empty(len(folds), dtype=np.int64)
    for fold, chosen in cutoffs.items():
        of_all = evaluate_cutoffs(frames, chosen)
        for values, of_fold in zip((dice, areas), of_all, strict=True):
            values[folds == fold] = of_fold[folds == fold]
    return dice, areas


def presence_rates(true_areas: np.ndarray, areas: np.ndarray) -> dict[str, float]:
    """Return how often presence is right, for frames with a mask and for empty ones.

    Returns
    -------
    dict
        ``sensitivity``, the share of frames with a mask for which one is predicted, and
        ``specificity``, the share of empty frames that are predicted empty; each only where there
        are such frames.
    """
    has_mask, predicted = true_areas > 0, areas > 0
    rates = {}
    if has_mask.any():
        rates["sensitivity"] = float(predicted[has_mask].mean())
    if not has_mask.all():
        rates["specificity"] = float(1 - predicted[~has_mask].mean())
    return rates


def bootstrap_interval(
    values: np.ndarray, subjects: np.ndarray, *, seed: int, level: float = 0.95
) -> tuple[float, float]:
    """Return an interval of the mean, from subjects drawn again with replacement.

    Frames of one subject are alike: drawing frames would make the interval too narrow.

    Parameters
    ----------
    values : numpy.ndarray
        float, (N,), such as the Dice of each frame.
    subjects : numpy.ndarray
        (N,), whom each frame shows.
    seed : int
        Of the draws.
    level : float
        The share of the resampled means that the interval holds.

    Returns
    -------
    low, high : float

    References
    ----------
    Efron, *Bootstrap methods: another look at the jackknife*, 1979.
    """
    _, subject = np.unique(subjects, return_inverse=True)
    sums, counts = np.bincount(subject, weights=values), np.bincount(subject)
    draws = np.random.default_rng(seed).multinomial(
        len(counts), np.full(len(counts), 1 / len(counts)), size=_RESAMPLES
    )
    low, high = np.quantile((draws @ sums) / (draws @ counts), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
