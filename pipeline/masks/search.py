"""The score of every cut-off at once, from tables of the maps' connected pieces."""

from collections import deque
from collections.abc import Collection, Iterable
from itertools import product
from typing import Literal, NamedTuple, get_args

import numpy as np

from pipeline.masks.clean import Cutoffs
from pipeline.masks.drops import EQUAL, Drops
from pipeline.masks.metrics import DICE, Metric
from pipeline.masks.pieces import LOWEST
from pipeline.masks.tables import Frames, by_area, is_last, kept_pieces, standing_pieces

Rule = Literal["min_area", "upper", "largest", "holes", "presence"]
RULES: tuple[Rule, ...] = get_args(Rule)
THRESHOLDS = np.arange(LOWEST, 256)


class Search(NamedTuple):
    """The score of everything that was tried, at its best smallest area.

    Attributes
    ----------
    forms : list of (bool, bool)
        Holes filled, largest piece only; the first axis of the arrays.
    scores : numpy.ndarray
        float, (forms, `THRESHOLDS`, 256 upper thresholds, M objectives); -inf where not tried.
    min_areas : numpy.ndarray
        int, same shape: one more than the largest piece that is dropped, 0 where none is.
    """

    forms: list[tuple[bool, bool]]
    scores: np.ndarray
    min_areas: np.ndarray


def search_pieces(
    frames: Frames,
    weights: np.ndarray,
    rules: Collection[Rule],
    *,
    metric: Metric = DICE,
    forms: Iterable[tuple[bool, bool]] | None = None,
    uppers: Collection[int] | None = None,
) -> Search:
    """Score every threshold, upper threshold, smallest area, largest piece and hole filling.

    Parameters
    ----------
    frames, weights, rules, metric
        See `pipeline.masks.tuning.tune_cutoffs`.
    forms, uppers : collection, optional
        The only ones to try.

    Returns
    -------
    Search
    """
    if forms is None:
        forms = product(
            (False, True)[: 1 + ("holes" in rules)], (False, True)[: 1 + ("largest" in rules)]
        )
    forms = list(forms)
    if uppers is None:
        uppers = range(256) if "upper" in rules else (0,)
    shape = len(forms), len(THRESHOLDS), 256, weights.shape[1]
    scores, min_areas = np.full(shape, -np.inf), np.zeros(shape, dtype=np.int64)

    none = np.zeros_like(frames.true_areas)
    all_empty = metric.score(none, frames.true_areas, none, weights)
    for filled, (at, threshold) in product({f for f, _ in forms}, enumerate(THRESHOLDS.tolist())):
        rows = by_area(standing_pieces(frames, threshold, filled=filled))
        drops = Drops(rows, frames.true_areas, weights, metric, all_empty)
        known: deque[tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]] = deque(maxlen=2)
        tried = np.array([upper for upper in uppers if not 0 < upper <= threshold], int)
        of_filled = [(form, largest) for form, (f, largest) in enumerate(forms) if f == filled]
        for alike, (form, largest) in product(_group(tried, rows["peak"]), of_filled):
            kept = np.flatnonzero(rows["peak"] >= alike[0])
            kept = kept[is_last(rows["image"][kept])] if largest else kept
            # Often the largest pieces are all there are, or those of the upper threshold before.
            best = next((best for same, best in known if np.array_equal(same, kept)), None)
            if best is None:
                best = drops.best(kept, may_drop="min_area" in rules)
                known.append((kept, best))
            scores[form, at, alike], min_areas[form, at, alike] = best
    return Search(forms, scores, min_areas)


def _group(uppers: np.ndarray, peaks: np.ndarray) -> list[np.ndarray]:
    """Put upper thresholds together that lie between the same two peaks: they keep the same."""
    between = np.searchsorted(np.unique(peaks), uppers)
    return [uppers[between == position] for position in np.unique(between)]


def best_of(search: Search, frames: Frames, weights: np.ndarray) -> list[Cutoffs]:
    """Return each objective's best cut-offs; only its own frames, of a weight, decide ties."""
    used = np.sum(search.forms, axis=1)[:, None, None] + (np.arange(256) > 0)
    found = []
    for objective in range(weights.shape[1]):
        scores, min_areas = search.scores[..., objective], search.min_areas[..., objective]
        equal = scores >= scores.max() - EQUAL
        rules = np.where(equal, used + (min_areas > 0), 99)
        form, _, upper = np.argwhere(rules == rules.min())[0]
        thresholds = np.flatnonzero(rules[form, :, upper] == rules.min())
        at = _middle(thresholds)
        upper = _middle(np.flatnonzero(rules[form, at] == rules.min()))
        filled, largest = search.forms[form]
        cutoffs = Cutoffs(
            threshold=int(THRESHOLDS[at]),
            upper=int(upper),
            min_area=int(min_areas[form, at, upper]),
            largest_only=bool(largest),
            fill_holes=bool(filled),
        )
        found.append(_centre_min_area(cutoffs, frames, weights[:, objective]))
    return found


def _middle(values: np.ndarray) -> int:
    return int(values[len(values) // 2])


def _centre_min_area(cutoffs: Cutoffs, frames: Frames, weights: np.ndarray) -> Cutoffs:
    """Put the smallest area half-way between the largest piece dropped and the smallest kept."""
    if not cutoffs.min_area:
        return cutoffs
    rows = kept_pieces(frames, cutoffs)
    kept = rows["area"][weights[rows["image"]] > 0]
    dropped = cutoffs.min_area - 1
    smallest = int(kept.min()) if kept.size else dropped
    return cutoffs._replace(min_area=(dropped + smallest) // 2 + 1)
