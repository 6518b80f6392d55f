"""The best cut-offs for out-of-fold maps, exactly."""

from collections.abc import Callable, Collection, Iterable

import numpy as np

from pipeline.masks.clean import Cutoffs, presence_score
from pipeline.masks.drops import EQUAL, first_best
from pipeline.masks.metrics import DICE, Metric
from pipeline.masks.search import Rule, best_of, search_pieces
from pipeline.masks.tables import Frames, evaluate_cutoffs, is_present, score_cutoffs

PRESENCE_WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)
_ROUNDS = 5


def tune_cutoffs(
    frames: Frames, weights: np.ndarray, rules: Collection[Rule], *, metric: Metric = DICE
) -> list[Cutoffs]:
    """Find the cut-offs with the best weighted score, for several weightings at once.

    Threshold, upper threshold, smallest area, largest piece and holes are searched in all
    combinations that make a difference. The presence rule is found for the best of them, exactly
    too; then threshold with smallest area and presence in turn, until neither gains. That also
    starts from the cut-offs that would be best if every empty frame were known: where empty masks
    win without the rule, the first start has nothing that it could gain on.

    Parameters
    ----------
    frames : Frames
        See there.
    weights : numpy.ndarray
        float, (N, M); a column is the weights of the frames in one objective and sums to 1.
    rules : collection of str
        The rules that may be used besides the threshold, of `RULES`.
    metric : Metric
        What is scored.

    Returns
    -------
    list of Cutoffs
        One per objective. Among equal scores those with the fewest rules and the middle threshold.
    """
    found = best_of(search_pieces(frames, weights, rules, metric=metric), frames, weights)
    if "presence" not in rules:
        return found
    known = frames._replace(shown=frames.true_areas > 0)
    if_known = search_pieces(known, weights, rules, metric=metric, uppers=(0,))
    starts = zip(weights.T, found, best_of(if_known, known, weights), strict=True)
    return [
        _best_end(frames, column, of_objective, rules, metric) for column, *of_objective in starts
    ]


def _best_end(
    frames: Frames,
    weights: np.ndarray,
    starts: Iterable[Cutoffs],
    rules: Collection[Rule],
    metric: Metric,
) -> Cutoffs:
    """Return where the best of these starts ends, the first of equal ones."""
    ends = [_alternate(frames, weights, cutoffs, rules, metric) for cutoffs in starts]
    scores = [score_cutoffs(frames, each, weights[:, None], metric).item() for each in ends]
    return ends[first_best(scores)]


def _alternate(
    frames: Frames,
    weights: np.ndarray,
    cutoffs: Cutoffs,
    rules: Collection[Rule],
    metric: Metric,
) -> Cutoffs:
    """Tune presence for these cut-offs, then threshold and area again, until neither gains."""
    (best,) = score_cutoffs(frames, cutoffs, weights[:, None], metric)
    for _ in range(_ROUNDS):
        changed = _tune_presence(frames, weights, cutoffs, metric)
        if changed == cutoffs:
            break
        shown = frames._replace(shown=is_present(frames, changed))
        again = search_pieces(
            shown,
            weights[:, None],
            rules,
            metric=metric,
            forms=[(cutoffs.fill_holes, cutoffs.largest_only)],
            uppers=(cutoffs.upper,),
        )
        (searched,) = best_of(again, shown, weights[:, None])
        changed = searched._replace(
            min_presence=changed.min_presence, presence_weight=changed.presence_weight
        )
        (score,) = score_cutoffs(frames, changed, weights[:, None], metric)
        if score <= best + EQUAL:
            break
        cutoffs, best = changed, score
    return cutoffs


def _tune_presence(
    frames: Frames, weights: np.ndarray, cutoffs: Cutoffs, metric: Metric
) -> Cutoffs:
    """Find the best presence rule for the masks of the other cut-offs."""
    always = cutoffs._replace(min_presence=0.0, presence_weight=0.0)
    own = weights > 0
    overlaps, areas = (values[own] for values in evaluate_cutoffs(frames, always))
    empty_first = _score_emptied(overlaps, frames.true_areas[own], areas, weights[own], metric)
    best, found = 0.0, always
    for weight in PRESENCE_WEIGHTS:
        values = presence_score(frames.presence, frames.confidence, weight)[own]
        order = np.argsort(values, kind="stable")
        values, totals = values[order], empty_first(order)
        totals[:-1][values[1:] == values[:-1]] = -np.inf
        dropped = int(first_best(totals)) + 1
        if totals[dropped - 1] > best + EQUAL:  # rounding must not choose a weight
            best = totals[dropped - 1]
            beyond = values[dropped] if dropped < len(values) else 1.0 + 1e-6
            found = always._replace(
                min_presence=float((values[dropped - 1] + beyond) / 2), presence_weight=weight
            )
    return found


def _score_emptied(
    overlaps: np.ndarray,
    true_areas: np.ndarray,
    areas: np.ndarray,
    weights: np.ndarray,
    metric: Metric,
) -> Callable[[np.ndarray], np.ndarray]:
    """Return what tells, for an order of frames, the gain of emptying the first, two, ... of them.

    The gains are float64, (N,).
    """
    none = np.zeros_like(areas)
    if not metric.pooled:
        changes = metric.of_areas(none, true_areas, none) - metric.of_areas(
            overlaps, true_areas, areas
        )
        return lambda order: (changes * weights)[order].cumsum()
    truth, before = true_areas @ weights, metric.score(overlaps, true_areas, areas, weights)

    def gains(order: np.ndarray) -> np.ndarray:
        left = [
            (values @ weights - (values * weights)[order].cumsum()).clip(min=0)
            for values in (overlaps, areas)
        ]
        return metric.of_areas(left[0], truth, left[1]) - before

    return gains
