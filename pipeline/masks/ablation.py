"""What each rule of the chosen cut-offs is worth."""

from collections.abc import Mapping

import numpy as np

from pipeline.masks.clean import Cutoffs
from pipeline.masks.metrics import DICE, Metric
from pipeline.masks.shapes import ShapePrior
from pipeline.masks.tables import Frames, evaluate_cutoffs, score_cutoffs

_AREAS = 100
# The values that ask for nothing, of the fields of each rule.
OFF = {
    "min_area": {"min_area": 0},
    "upper": {"upper": 0},
    "largest": {"largest_only": False},
    "holes": {"fill_holes": False},
    "presence": {"min_presence": 0.0, "presence_weight": 0.0},
    "shape_prior": {"shape_prior": "none"},
}


def rule_gains(
    tables: Mapping[ShapePrior, Frames],
    folds: np.ndarray,
    by_fold: Mapping[int, Cutoffs],
    *,
    metric: Metric = DICE,
) -> dict[str, np.ndarray]:
    """Return what each rule adds to every frame's nested score, the others left as they are.

    Parameters
    ----------
    tables : mapping of str to Frames
        The frames under each shape prior that may be used.
    folds : numpy.ndarray
        int, (N,).
    by_fold : mapping of int to Cutoffs
        Chosen on the frames of the other folds.
    metric : Metric
        Of single frames, also where the score is of all pixels together.

    Returns
    -------
    dict of str to numpy.ndarray
        float64, (N,), by rule; only rules that some fold uses.
    """
    gains: dict[str, np.ndarray] = {}
    for fold, cutoffs in by_fold.items():
        rows = folds == fold
        with_rule = _scores(tables[cutoffs.shape_prior], cutoffs, metric)
        for rule, nothing in OFF.items():
            changed = cutoffs._replace(**nothing)
            if changed == cutoffs:
                continue
            without = _scores(tables[changed.shape_prior], changed, metric)
            gains.setdefault(rule, np.zeros(len(folds)))[rows] = (with_rule - without)[rows]
    return gains


def _scores(frames: Frames, cutoffs: Cutoffs, metric: Metric) -> np.ndarray:
    overlaps, areas = evaluate_cutoffs(frames, cutoffs)
    return metric.of_areas(overlaps, frames.true_areas, areas)


def score_min_areas(
    frames: Frames, cutoffs: Cutoffs, *, metric: Metric = DICE
) -> tuple[np.ndarray, np.ndarray]:
    """Return the score of these cut-offs at other smallest areas.

    Returns
    -------
    min_areas : numpy.ndarray
        int, ascending from 0 to twice the one in use or beyond, and that one.
    scores : numpy.ndarray
        float64, same shape.
    """
    end = max(2 * cutoffs.min_area, int(np.quantile(frames.true_areas, 0.9)), _AREAS)
    min_areas = np.unique(np.append(np.linspace(0, end, _AREAS).astype(int), cutoffs.min_area))
    changed = (cutoffs._replace(min_area=area) for area in min_areas.tolist())
    equal = np.full((len(frames.true_areas), 1), 1 / len(frames.true_areas))
    scores = [score_cutoffs(frames, each, equal, metric).item() for each in changed]
    return min_areas, np.array(scores)
