"""Choose the cut-offs on all out-of-fold maps."""

import json

import numpy as np
import pandas as pd

from pipeline.atomic import write_text
from pipeline.dataset.images import resize_prob_map
from pipeline.dataset.prob_maps import open_prob_maps
from pipeline.dataset.store import open_index
from pipeline.masks import rle
from pipeline.masks.tuning import THRESHOLDS, areas_by_threshold, tune_cutoffs
from pipeline.params import Params
from pipeline.paths import Paths
from pipeline.progress import progress_bar
from pipeline.stages.folds import read_folds


def run(params: Params, paths: Paths) -> str:
    """Write the cut-offs, the scores and the score of every threshold; return the scores."""
    index = open_index(paths.train_store)
    areas, overlaps = _count_pixels(params, paths, index)
    true_areas = index["area"].to_numpy()
    tuning = tune_cutoffs(areas, overlaps, true_areas)
    scores = {
        "oof_dice": tuning.score,
        "oof_dice_at_half": float(tuning.by_threshold_alone[THRESHOLDS == 128][0]),
        "all_empty_dice": float(np.mean(true_areas == 0)),
        "images": len(index),
        **tuning.cutoffs._asdict(),
    }
    curve = pd.DataFrame(
        {
            "threshold": THRESHOLDS,
            "dice": tuning.by_threshold,
            "dice_without_min_area": tuning.by_threshold_alone,
        }
    )
    write_text(paths.threshold_curve, curve.to_csv(index=False, float_format="%.6f"))
    write_text(paths.metrics, json.dumps(scores, indent=2) + "\n")
    write_text(paths.cutoffs, json.dumps(tuning.cutoffs._asdict(), indent=2) + "\n")
    return (
        f"out-of-fold Dice {tuning.score:.4f} at threshold {tuning.cutoffs.threshold}/255 and"
        f" at least {tuning.cutoffs.min_area} pixels (all-empty {scores['all_empty_dice']:.4f})"
    )


def _count_pixels(
    params: Params, paths: Paths, index: pd.DataFrame
) -> tuple[np.ndarray, np.ndarray]:
    """Return predicted and overlapping pixels, (N, 255), at original size."""
    folds = read_folds(params, paths, index)
    areas = np.zeros((len(index), len(THRESHOLDS)), dtype=np.int64)
    overlaps = np.zeros_like(areas)
    with progress_bar("Out-of-fold frames", len(index)) as advance:
        for fold in params.folds.indices:
            rows = np.flatnonzero(folds == fold)
            maps = open_prob_maps(
                paths.oof(fold),
                shape=(len(rows), params.preprocess.height, params.preprocess.width),
                command=f"pipeline train --fold {fold}",
            )
            for prob_map, row in zip(maps, rows, strict=True):
                frame = index.iloc[row]
                shape = int(frame["height"]), int(frame["width"])
                mask = rle.decode(frame["rle"], shape)
                areas[row], overlaps[row] = areas_by_threshold(
                    resize_prob_map(prob_map, *shape), mask
                )
                advance()
    return areas, overlaps
