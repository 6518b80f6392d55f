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
    low, high = _interval(table, metric, seed)
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
    """Return the mean over classes of their score, that of objects where the table has it."""
    if "objects" in table:
        return float(table.groupby("class")["objects"].mean().mean())
    of_classes = []
    for _, part in table.groupby("class", sort=False):
        areas = part[["overlap", "true_area", "predicted_area"]].to_numpy().T
        of_classes.append(metric.score(*areas, np.full((len(part), 1), 1 / len(part))).item())
    return float(np.mean(of_classes))


def _interval(table: pd.DataFrame, metric: Metric, seed: int) -> tuple[float, float]:
    """Return the 95 % interval of the nested score, from a bootstrap over subjects."""
    parts = [part for _, part in table.groupby("class", sort=False)]
    subjects = parts[0]["subject"].to_numpy()
    if "objects" in table:
        values = np.mean([part["objects"].to_numpy() for part in parts], axis=0)
        return bootstrap_interval(values, subjects, seed=seed)
    areas = [part[["overlap", "true_area", "predicted_area"]].to_numpy().T for part in parts]
    if metric.pooled:

        def score(sums: np.ndarray) -> np.ndarray:
            return np.mean(
                [metric.of_areas(*sums[at : at + 3]) for at in range(0, len(sums), 3)], 0
            )

        return bootstrap_sums(np.concatenate(areas), subjects, score, seed=seed)
    values = np.mean([metric.of_areas(*of_class) for of_class in areas], axis=0)
    return bootstrap_interval(values, subjects, seed=seed)
