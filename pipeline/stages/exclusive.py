"""Score classes that exclude each other: the largest probability wins, nothing is tuned."""

import json

import numpy as np
import pandas as pd

from pipeline.atomic import write_text
from pipeline.competitions.spec import Spec
from pipeline.dataset.decision import largest_wins
from pipeline.dataset.index import open_masks
from pipeline.masks import rle
from pipeline.masks.dice import dice_from_areas
from pipeline.masks.evaluation import bootstrap_sums
from pipeline.masks.metrics import METRICS
from pipeline.params import Params
from pipeline.paths import Paths
from pipeline.progress import progress_bar
from pipeline.stages.out_of_fold import OutOfFold, write_tables


def score_exclusive(
    params: Params, paths: Paths, spec: Spec, index: pd.DataFrame, predictions: OutOfFold
) -> str:
    """Write mean IoU, pixel accuracy and every frame's Dice per class; return the scores."""
    masks = open_masks(paths.train_store, spec.classes).values()
    areas = np.zeros((3, len(spec.classes), len(index)), np.int64)  # overlap, true, predicted
    presence = np.array([prediction["presence"] for prediction in predictions])
    with progress_bar("Out-of-fold frames", len(index)) as advance:
        for row, (prediction, frame) in enumerate(
            zip(predictions, index.itertuples(), strict=True)
        ):
            shape = frame.height, frame.width
            true = np.stack([rle.decode(of["rle"].iloc[row], shape) for of in masks], axis=-1)
            predicted = largest_wins(prediction, shape) & true.any(axis=-1, keepdims=True)
            for number, counted in enumerate((true & predicted, true, predicted)):
                areas[number, :, row] = np.count_nonzero(counted, axis=(0, 1))
            advance()
    low, high = bootstrap_sums(
        areas.reshape(-1, len(index)), index["subject"].to_numpy(), _mean_iou, seed=params.seed
    )
    overlap, true, predicted = areas.sum(axis=2)
    scores = {
        "images": len(index),
        "metric": spec.metric,
        "nested_score": _score(areas),
        "nested_score_low": low,
        "nested_score_high": high,
        "cutoffs": {},
        "folds": {
            str(fold): {"nested_score": _score(areas[..., predictions.folds == fold])}
            for fold in params.folds.indices
        },
        "pixel_accuracy": float(overlap.sum() / max(true.sum(), 1)),
        "classes": {
            name: {"iou": float(iou)}
            for name, iou in zip(
                spec.classes, METRICS["mean_iou"].of_areas(overlap, true, predicted), strict=True
            )
        },
    }
    _write(paths, spec, index, predictions.folds, areas, presence, scores)
    return (
        f"out-of-fold mean IoU {scores['nested_score']:.4f} (95 %: {low:.4f} to {high:.4f}),"
        f" pixel accuracy {scores['pixel_accuracy']:.4f}"
    )


def _score(areas: np.ndarray) -> float:
    return float(_mean_iou(areas.reshape(-1, areas.shape[2]).sum(axis=1)[:, None])[0])


def _mean_iou(sums: np.ndarray) -> np.ndarray:
    """Return the mean IoU of sums (3 * classes, R) over the classes that there are, (R,)."""
    overlap, true, predicted = sums.reshape(3, -1, sums.shape[1])
    iou = METRICS["mean_iou"].of_areas(overlap, true, predicted)
    there = true + predicted > 0
    return (iou * there).sum(axis=0) / np.maximum(there.sum(axis=0), 1)


def _write(
    paths: Paths,
    spec: Spec,
    index: pd.DataFrame,
    folds: np.ndarray,
    areas: np.ndarray,
    presence: np.ndarray,
    scores: dict[str, object],
) -> None:
    """Write the same files as tuning; there are no cut-offs, and no threshold has a score."""
    tables = [
        index[["id", "subject", "contradicts"]].assign(
            **{"class": name},
            fold=folds,
            dice=dice_from_areas(*areas[:, number]),
            presence=presence[:, number],
            overlap=areas[0, number],
            true_area=areas[1, number],
            predicted_area=areas[2, number],
        )
        for number, name in enumerate(spec.classes)
    ]
    for path, columns in (
        (paths.threshold_curve, ["threshold", "score", "score_without_min_area", "class"]),
        (paths.area_curve, ["min_area", "score", "class"]),
        (paths.rule_gains, ["rule", "gain", "gain_low", "gain_high", "class"]),
    ):
        write_text(path, pd.DataFrame(columns=columns).to_csv(index=False))
    write_tables(paths, pd.concat(tables), scores)
    write_text(paths.cutoffs, json.dumps({}) + "\n")
