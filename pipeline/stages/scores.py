"""What a table of scored frames says of all of them, of each class, and how sure it is."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipeline.masks.evaluation import bootstrap_interval, bootstrap_sums, presence_rates
from pipeline.masks.metrics import Metric


def summarise(
    table: pd.DataFrame, of_classes: Mapping[str, Mapping[str, float]], metric: Metric, seed: int
) -> dict[str, object]:
    """Return the scores of all classes together, the means of theirs, and theirs.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per class and frame, class by class: class, id, subject, overlap, true_area,
        predicted_area, dice; where the metric is of objects also objects, that score.
    of_classes : mapping of str to mapping
        What else each class scores, by name.
    metric : Metric
    seed : int
        Of the bootstrap over subjects.
    """
    low, high = score_interval(table, metric, seed)
    has_mask = table["true_area"] > 0
    scores: dict[str, object] = {
        "images": int(table["id"].nunique()),
        "nested_score": mean_score(table, metric),
        "nested_score_low": low,
        "nested_score_high": high,
    }
    for name in next(iter(of_classes.values())):
        scores[name] = float(np.mean([one[name] for one in of_classes.values()]))
    scores |= presence_rates(table["true_area"].to_numpy(), table["predicted_area"].to_numpy())
    if has_mask.any():
        scores["dice_positive"] = float(table["dice"][has_mask].mean())
    if len(of_classes) > 1:
        scores["classes"] = {
            name: {"nested_score": mean_score(part, metric), **of_classes[name]}
            for name, part in table.groupby("class", sort=False)
        }
    return scores


def mean_score(table: pd.DataFrame, metric: Metric) -> float:
    """Return the mean over classes of their score, that of objects where the table has it.

    Parameters
    ----------
    table : pandas.DataFrame
        See `summarise`; any frames of it, the same ones of each class.
    """
    if "objects" in table:
        return float(table.groupby("class")["objects"].mean().mean())
    areas = _areas(table)
    if metric.pooled:
        areas = areas.sum(axis=2, keepdims=True)
    values = metric.mean_over_classes(areas)
    return (values @ np.full((len(values), 1), 1 / len(values))).item()


def score_interval(table: pd.DataFrame, metric: Metric, seed: int) -> tuple[float, float]:
    """Return the 95 % interval of `mean_score`, from a bootstrap over subjects."""
    parts = [part for _, part in table.groupby("class", sort=False)]
    subjects = parts[0]["subject"].to_numpy()
    if "objects" in table:
        values = np.mean([part["objects"].to_numpy() for part in parts], axis=0)
        return bootstrap_interval(values, subjects, seed=seed)
    areas = _areas(table)
    if metric.pooled:
        return bootstrap_sums(
            areas.reshape(-1, len(subjects)),
            subjects,
            lambda sums: metric.mean_over_classes(sums.reshape(len(parts), 3, -1)),
            seed=seed,
        )
    return bootstrap_interval(metric.mean_over_classes(areas), subjects, seed=seed)


def _areas(table: pd.DataFrame) -> np.ndarray:
    """Return each class's areas, int (K, 3, N), see `Metric.mean_over_classes`."""
    columns = ["overlap", "true_area", "predicted_area"]
    parts = table.groupby("class", sort=False)
    return np.stack([part[columns].to_numpy().T for _, part in parts])
