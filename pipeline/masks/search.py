"""The score of every cut-off at once, from tables of the maps' connected pieces."""

import hashlib
from collections.abc import Collection, Iterable
from itertools import product
from typing import Literal, NamedTuple, get_args

import numpy as np

from pipeline.masks.clean import Cutoffs, presence_score
from pipeline.masks.metrics import DICE, Metric
from pipeline.masks.pieces import LOWEST

Rule = Literal["min_area", "upper", "largest", "holes", "presence"]
RULES: tuple[Rule, ...] = get_args(Rule)
THRESHOLDS = np.arange(LOWEST, 256)
EQUAL = 1e-9  # scores closer than this differ by rounding
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


def evaluate_cutoffs(frames: Frames, cutoffs: Cutoffs) -> tuple[np.ndarray, np.ndarray]:
    """Return what `apply_cutoffs` predicts for each frame.

    Returns
    -------
    overlaps, areas : numpy.ndarray
        int64, (N,): pixels of the predicted mask that are in the true one, and all of them.
    """
    rows = _kept(frames, cutoffs)
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
    known: dict[bytes, tuple[np.ndarray, np.ndarray]] = {}
    thresholds = list(enumerate(THRESHOLDS.tolist()))
    for (form, (filled, largest)), (at, threshold) in product(enumerate(forms), thresholds):
        rows = _by_area(_standing(frames, threshold, filled=filled))
        tried = np.array([upper for upper in uppers if not 0 < upper <= threshold], int)
        # Upper thresholds between the same two peaks keep the same pieces.
        between = np.searchsorted(np.unique(rows["peak"]), tried)
        for position in np.unique(between):
            alike = tried[between == position]
            seen = rows[rows["peak"] >= alike[0]]
            seen = seen[_is_last(seen["image"])] if largest else seen
            content = [seen[name].tobytes() for name in ("image", "area", "overlap")]
            key = hashlib.blake2b(b"".join(content), digest_size=16).digest()
            if key not in known:
                known[key] = _best_min_areas(
                    seen, frames.true_areas, weights, metric, may_drop="min_area" in rules
                )
            scores[form, at, alike], min_areas[form, at, alike] = known[key]
    return Search(forms, scores, min_areas)


def _best_min_areas(
    rows: np.ndarray,
    true_areas: np.ndarray,
    weights: np.ndarray,
    metric: Metric,
    *,
    may_drop: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Return each objective's best score and smallest area, (M,) each, for `rows` of `_by_area`."""
    order = np.argsort(rows["area"], kind="stable")
    score_drops = _drops_pooled if metric.pooled else _drops_of_images
    totals = score_drops(rows, order, true_areas, weights, metric)
    if not may_drop:
        return totals[0], np.zeros(weights.shape[1], dtype=np.int64)
    areas = rows["area"][order].astype(np.int64)
    # Pieces of equal area are dropped together or not at all.
    totals[1:-1][areas[1:] == areas[:-1]] = -np.inf
    # The first of equal totals; rounding, which hangs on the images' order, must not choose.
    dropped = (totals >= totals.max(axis=0) - EQUAL).argmax(axis=0)
    # The 0 stands for "none dropped", also where there is no piece.
    min_areas = np.append(0, areas + 1)[dropped]
    return totals[dropped, np.arange(len(dropped))], min_areas


def _drops_of_images(
    rows: np.ndarray,
    order: np.ndarray,
    true_areas: np.ndarray,
    weights: np.ndarray,
    metric: Metric,
) -> np.ndarray:
    """Return the mean score after each drop in turn, (1 + pieces, M).

    `rows` are pieces by image and, within an image, from small to large: dropping one means that
    the smaller ones of its image are dropped already. So the change of the image's score by each
    drop is known beforehand, and a cumulative sum over all pieces by area holds every total.
    """
    image = rows["image"]
    last = _is_last(image)
    group = np.cumsum(last) - last
    sums = np.stack([rows["area"], rows["overlap"]]).astype(np.int64)
    running = sums.cumsum(axis=1)
    without = running[:, last][:, group] - running
    within = without + sums
    truth = true_areas[image]
    loss = metric.of_areas(within[1], truth, within[0]) - metric.of_areas(
        without[1], truth, without[0]
    )
    lost = (loss[:, None] * weights[image])[order].cumsum(axis=0)
    lost = np.vstack([np.zeros(weights.shape[1]), lost])
    none = np.zeros_like(true_areas)
    return metric.score(none, true_areas, none, weights) + (lost[-1] - lost)


def _drops_pooled(
    rows: np.ndarray,
    order: np.ndarray,
    true_areas: np.ndarray,
    weights: np.ndarray,
    metric: Metric,
) -> np.ndarray:
    """Return the score of all pixels together after each drop in turn, (1 + pieces, M)."""
    of_piece = weights[rows["image"]][order]
    overlaps, areas = (
        np.vstack([np.zeros(weights.shape[1]), of_piece * rows[name][order, None]]).cumsum(axis=0)
        for name in ("overlap", "area")
    )
    # Rounding may leave less than nothing where all is dropped.
    left = [(total[-1] - total).clip(min=0) for total in (overlaps, areas)]
    return metric.of_areas(left[0], true_areas @ weights, left[1])


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
        at = thresholds[len(thresholds) // 2]
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


def _centre_min_area(cutoffs: Cutoffs, frames: Frames, weights: np.ndarray) -> Cutoffs:
    """Put the smallest area half-way between the largest piece dropped and the smallest kept."""
    if not cutoffs.min_area:
        return cutoffs
    rows = _kept(frames, cutoffs)
    kept = rows["area"][weights[rows["image"]] > 0]
    dropped = cutoffs.min_area - 1
    smallest = int(kept.min()) if kept.size else dropped
    return cutoffs._replace(min_area=(dropped + smallest) // 2 + 1)


def _kept(frames: Frames, cutoffs: Cutoffs) -> np.ndarray:
    """Return the pieces that these cut-offs keep."""
    rows = _standing(frames, cutoffs.threshold, filled=cutoffs.fill_holes)
    rows = rows[is_present(frames, cutoffs)[rows["image"]]]
    rows = _by_area(rows[rows["peak"] >= cutoffs.upper])
    if cutoffs.largest_only:
        rows = rows[_is_last(rows["image"])]
    return rows[rows["area"] >= cutoffs.min_area]


def is_present(frames: Frames, cutoffs: Cutoffs) -> np.ndarray:
    """Return which frames the presence rule keeps, bool (N,)."""
    values = presence_score(frames.presence, frames.confidence, cutoffs.presence_weight)
    return values >= cutoffs.min_presence


def _standing(frames: Frames, threshold: int, *, filled: bool) -> np.ndarray:
    """Return the pieces at a threshold, part by part: the table may be larger than memory."""
    every = frames.filled if filled else frames.pieces
    found = [np.empty(0, every.dtype)]
    for start in range(0, len(every), _ROWS_AT_ONCE):
        rows = every[start : start + _ROWS_AT_ONCE]
        rows = rows[(rows["above"] < threshold) & (rows["level"] >= threshold)]
        found.append(rows if frames.shown is None else rows[frames.shown[rows["image"]]])
    return np.concatenate(found)


def _by_area(rows: np.ndarray) -> np.ndarray:
    """Sort by image, then from small to large; of equal areas the first in the image is last."""
    return rows[np.lexsort((-np.arange(len(rows)), rows["area"], rows["image"]))]


def _is_last(image: np.ndarray) -> np.ndarray:
    """Return which rows are the last of their image, of rows sorted by image."""
    return np.append(image[1:] != image[:-1], True)[: len(image)]
