"""How good cut-offs are, and how sure that is."""

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

import numpy as np

from pipeline.masks.clean import Cutoffs
from pipeline.masks.drops import first_best
from pipeline.masks.metrics import DICE, Metric
from pipeline.masks.search import Rule
from pipeline.masks.shapes import ShapePrior
from pipeline.masks.tables import Frames, evaluate_cutoffs, score_cutoffs
from pipeline.masks.tuning import tune_cutoffs

_RESAMPLES = 10_000
_DRAWN_AT_ONCE = 4_000_000  # resamples times subjects


def fold_weights(folds: np.ndarray) -> np.ndarray:
    """Weigh frames for nested tuning: all of them, then all but each fold in turn.

    Parameters
    ----------
    folds : numpy.ndarray
        int, (N,), of two folds at least.

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


class Nested(NamedTuple):
    """Cut-offs, and what they score on frames that did not choose them.

    Attributes
    ----------
    cutoffs : Cutoffs
        Chosen on all frames.
    by_fold : dict of int to Cutoffs
        Chosen on the frames of the other folds.
    overlaps, areas : numpy.ndarray
        int64, (N,): with its fold's cut-offs, each frame's predicted pixels that are in the true
        mask, and all of them.
    """

    cutoffs: Cutoffs
    by_fold: dict[int, Cutoffs]
    overlaps: np.ndarray
    areas: np.ndarray


def tune_nested(
    tables: Mapping[ShapePrior, Frames],
    folds: np.ndarray,
    rules: Collection[Rule],
    *,
    metric: Metric = DICE,
) -> Nested:
    """Tune on all frames, and without each fold in turn; score each fold with the latter.

    Parameters
    ----------
    tables : mapping of str to Frames
        The frames under each shape prior that may be used.
    folds : numpy.ndarray
        int, (N,).
    rules, metric
        See `tune_cutoffs`.
    """
    weights = fold_weights(folds)
    found = {
        prior: tune_cutoffs(frames, weights, rules, metric=metric)
        for prior, frames in tables.items()
    }
    chosen, *others = (
        _best_prior(tables, {prior: found[prior][column] for prior in found}, of_frames, metric)
        for column, of_frames in enumerate(weights.T)
    )
    by_fold = dict(zip(np.unique(folds).tolist(), others, strict=True))
    overlaps, areas = np.empty((2, len(folds)), dtype=np.int64)
    for fold, cutoffs in by_fold.items():
        of_all = evaluate_cutoffs(tables[cutoffs.shape_prior], cutoffs)
        for values, of_fold in zip((overlaps, areas), of_all, strict=True):
            values[folds == fold] = of_fold[folds == fold]
    return Nested(chosen, by_fold, overlaps, areas)


def _best_prior(
    tables: Mapping[ShapePrior, Frames],
    found: Mapping[ShapePrior, Cutoffs],
    weights: np.ndarray,
    metric: Metric,
) -> Cutoffs:
    scores = {
        prior: score_cutoffs(tables[prior], cutoffs, weights[:, None], metric).item()
        for prior, cutoffs in found.items()
    }
    best = list(scores)[first_best(list(scores.values()))]
    return found[best]._replace(shape_prior=best)


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
    columns = np.stack([values, np.ones(len(values))])
    return bootstrap_sums(columns, subjects, lambda sums: sums[0] / sums[1], seed=seed, level=level)


def bootstrap_sums(
    columns: np.ndarray,
    subjects: np.ndarray,
    score: Callable[[np.ndarray], np.ndarray],
    *,
    seed: int,
    level: float = 0.95,
) -> tuple[float, float]:
    """Return an interval of a score that hangs on sums over frames; see `bootstrap_interval`.

    Parameters
    ----------
    columns : numpy.ndarray
        float, (C, N), of each frame, such as its predicted area.
    score : callable
        From their sums, (C, R), to the scores of R draws.
    """
    _, subject = np.unique(subjects, return_inverse=True)
    count = subject.max() + 1
    sums = np.stack([np.bincount(subject, weights=column, minlength=count) for column in columns])
    generator, chances = np.random.default_rng(seed), np.full(count, 1 / count)
    at_once = max(1, _DRAWN_AT_ONCE // count)
    scores = [
        score(sums @ generator.multinomial(count, chances, size=size).T)
        for size in _split(_RESAMPLES, at_once)
    ]
    low, high = np.quantile(np.concatenate(scores), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _split(total: int, at_once: int) -> list[int]:
    """Return parts of at most `at_once` that sum to `total`."""
    return [min(at_once, total - start) for start in range(0, total, at_once)]
