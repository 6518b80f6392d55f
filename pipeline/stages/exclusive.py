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
from pipeline.masks.metrics import METRICS
from pipeline.params import Params
from pipeline.paths import Paths
from pipeline.progress import progress_bar
from pipeline.stages.out_of_fold import OutOfFold, write_tables
from pipeline.stages.scores import mean_score, score_interval


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
    table = _tabulate(spec, index, predictions.folds, areas, presence)
    scores = _summarise(table, spec, params.seed)
    _write(paths, table, scores)
    return (
        f"out-of-fold mean IoU {scores['nested_score']:.4f}"
        f" (95 %: {scores['nested_score_low']:.4f} to {scores['nested_score_high']:.4f}),"
        f" pixel accuracy {scores['pixel_accuracy']:.4f}"
    )


def _summarise(table: pd.DataFrame, spec: Spec, seed: int) -> dict[str, object]:
    """Return the scores of all frames, of each fold's, and of each class that there is."""
    metric = METRICS[spec.metric]
    low, high = score_interval(table, metric, seed)
    there = table.groupby("class")[["true_area", "predicted_area"]].any().any(axis=1)
    return {
        "images": int(table["id"].nunique()),
        "metric": spec.metric,
        "nested_score": mean_score(table, metric),
        "nested_score_low": low,
        "nested_score_high": high,
        "cutoffs": {},
        "folds": {
            str(fold): {"nested_score": mean_score(part, metric)}
            for fold, part in table.groupby("fold")
        },
        "pixel_accuracy": float(table["overlap"].sum() / max(table["true_area"].sum(), 1)),
        "classes": {
            name: {"iou": mean_score(part, metric)}
            for name, part in table.groupby("class", sort=False)
            if there[name]
        },
    }


def _tabulate(
    spec: Spec,
    index: pd.DataFrame,
    folds: np.ndarray,
    areas: np.ndarray,
    presence: np.ndarray,
) -> pd.DataFrame:
    """Return a row per class and frame, class by class."""
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
    return pd.concat(tables)


def _write(paths: Paths, table: pd.DataFrame, scores: dict[str, object]) -> None:
    """Write the same files as tuning; there are no cut-offs, and no threshold has a score."""
    for path, columns in (
        (paths.threshold_curve, ["threshold", "score", "score_without_min_area", "class"]),
        (paths.area_curve, ["min_area", "score", "class"]),
        (paths.rule_gains, ["rule", "gain", "gain_low", "gain_high", "class"]),
    ):
        write_text(path, pd.DataFrame(columns=columns).to_csv(index=False))
    write_tables(paths, table, scores)
    write_text(paths.cutoffs, json.dumps({}) + "\n")
