"""Choose the cut-offs on all out-of-fold maps, and say what they are worth."""

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipeline.atomic import write_text
from pipeline.competitions.spec import Spec, load_spec
from pipeline.dataset.index import open_index, open_masks
from pipeline.masks import rle
from pipeline.masks.ablation import rule_gains, score_min_areas
from pipeline.masks.dice import dice_from_areas
from pipeline.masks.evaluation import Nested, bootstrap_interval, tune_nested
from pipeline.masks.metrics import METRICS, Metric
from pipeline.masks.search import THRESHOLDS, Rule, search_pieces
from pipeline.masks.tables import Frames, score_cutoffs
from pipeline.params import Params
from pipeline.paths import Paths
from pipeline.stages.exclusive import score_exclusive
from pipeline.stages.folds import read_folds
from pipeline.stages.objects import score_objects
from pipeline.stages.out_of_fold import OutOfFold, write_tables
from pipeline.stages.scores import mean_score, summarise

_TOLD = {
    "oof_score": "{:.4f} on the frames that chose the cut-offs",
    "all_empty_score": "all-empty {:.4f}",
    "perfect_presence_score": "perfect presence {:.4f}",
}


class Tuned(NamedTuple):
    """What tuning says of one class."""

    frames: Frames
    nested: Nested
    scores: dict[str, object]
    curve: pd.DataFrame  # the score at every threshold
    areas: pd.DataFrame  # and at every smallest area
    gains: pd.DataFrame  # of each rule


def run(params: Params, paths: Paths) -> str:
    """Write cut-offs, scores, the score of every threshold and of every frame; return the scores.

    The headline is the nested score: every frame is scored with cut-offs that were chosen without
    its fold.
    """
    spec = load_spec(params.competition)
    index = open_index(paths.train_store)
    folds = read_folds(params, paths, index)
    predictions = OutOfFold(params, paths, spec, folds)
    if spec.exclusive:
        return score_exclusive(params, paths, spec, index, predictions)
    masks = open_masks(paths.train_store, spec.classes)
    tuned = {
        name: _tune_class(params, spec, masks[name], predictions, number)
        for number, name in enumerate(spec.classes)
    }
    table = pd.concat([_tabulate(masks[name], folds, name, tuned[name]) for name in spec.classes])
    cutoffs = {
        fold: {name: one.nested.by_fold[fold] for name, one in tuned.items()}
        for fold in params.folds.indices
    }
    if spec.instances:
        of_objects, of_empty = score_objects(paths, spec, masks, cutoffs, predictions)
        table["objects"] = of_objects.ravel()
        for one, empty in zip(tuned.values(), of_empty.mean(axis=1), strict=True):
            one.scores.clear()  # of pixels, to which those of objects can't be compared
            one.scores["all_empty_score"] = float(empty)
    metric = METRICS[spec.metric]
    of_classes = {name: one.scores for name, one in tuned.items()}
    scores = summarise(table, of_classes, metric, params.seed)
    chosen = {name: one.nested.cutoffs._asdict() for name, one in tuned.items()}
    scores["metric"], scores["cutoffs"] = spec.metric, chosen
    scores["folds"] = {
        str(fold): {
            "nested_score": mean_score(part, metric),
            "cutoffs": {name: of_class._asdict() for name, of_class in cutoffs[fold].items()},
        }
        for fold, part in table.groupby("fold")
    }
    for part, path in (
        ("curve", paths.threshold_curve),
        ("areas", paths.area_curve),
        ("gains", paths.rule_gains),
    ):
        tables = [getattr(one, part).assign(**{"class": name}) for name, one in tuned.items()]
        filled = [each for each in tables if len(each)] or tables[:1]  # no rule may gain
        write_text(path, pd.concat(filled).to_csv(index=False, float_format="%.6f"))
    write_tables(paths, table, scores)
    write_text(paths.cutoffs, json.dumps(chosen, indent=2) + "\n")
    return describe(spec.metric_name, scores, chosen)


def describe(
    metric: str, scores: Mapping[str, float], chosen: Mapping[str, Mapping[str, object]]
) -> str:
    """Say what was chosen and what it scores."""
    low, high = scores["nested_score_low"], scores["nested_score_high"]
    parts = [
        f"nested out-of-fold {metric} {scores['nested_score']:.4f} (95 %: {low:.4f} to {high:.4f})",
        *(text.format(scores[name]) for name, text in _TOLD.items() if name in scores),
    ]
    lines = [", ".join(parts)]
    for name, cutoffs in chosen.items():
        of_class = f" of {name}" if len(chosen) > 1 else ""
        values = ", ".join(f"{key} {value}" for key, value in cutoffs.items())
        lines.append(f"cut-offs{of_class}: {values}")
    return "\n".join(lines)


def _tune_class(
    params: Params, spec: Spec, masks: pd.DataFrame, predictions: OutOfFold, number: int
) -> Tuned:
    tables = {
        prior: predictions.tabulate(masks, number, prior)
        for prior in ("none", *params.tune.shape_priors)
    }
    metric, frames = METRICS[spec.metric], tables["none"]
    nested = tune_nested(tables, predictions.folds, params.tune.rules, metric=metric)
    equal = np.full((len(masks), 1), 1 / len(masks))
    curve = _score_thresholds(frames, equal, metric)
    none = np.zeros(len(masks), int)
    (oof,) = score_cutoffs(
        tables[nested.cutoffs.shape_prior], nested.cutoffs, equal, metric
    ).tolist()
    (empty,) = metric.score(none, frames.true_areas, none, equal).tolist()
    scores = {
        "oof_score": oof,
        "oof_score_at_half": curve["score_without_min_area"][THRESHOLDS == 128].item(),
        "all_empty_score": empty,
        "perfect_presence_score": max(
            _with_perfect_presence(of_prior, equal, metric, params.tune.rules, nested.cutoffs.upper)
            for of_prior in tables.values()
        ),
    }
    best = tables[nested.cutoffs.shape_prior]
    areas = score_min_areas(best, nested.cutoffs, metric=metric)
    gains = rule_gains(tables, predictions.folds, nested.by_fold, metric=metric)
    return Tuned(
        frames,
        nested,
        scores,
        curve,
        pd.DataFrame(dict(zip(("min_area", "score"), areas, strict=True))),
        _tabulate_gains(gains, masks["subject"].to_numpy(), params.seed),
    )


def _tabulate(masks: pd.DataFrame, folds: np.ndarray, name: str, tuned: Tuned) -> pd.DataFrame:
    frames, nested = tuned.frames, tuned.nested
    return masks[["id", "subject", "contradicts"]].assign(
        **{"class": name},
        fold=folds,
        dice=dice_from_areas(nested.overlaps, frames.true_areas, nested.areas),
        overlap=nested.overlaps,
        true_area=frames.true_areas,
        predicted_area=nested.areas,
        presence=frames.presence,
        confidence=frames.confidence,
        touches_border=[_touches_border(*f) for f in masks[["rle", "height", "width"]].values],
    )


def _tabulate_gains(gains: dict[str, np.ndarray], subjects: np.ndarray, seed: int) -> pd.DataFrame:
    rows = [
        (rule, gain.mean(), *bootstrap_interval(gain, subjects, seed=seed))
        for rule, gain in gains.items()
    ]
    table = pd.DataFrame(rows, columns=["rule", "gain", "gain_low", "gain_high"])
    return table.sort_values("gain", ascending=False)


def _score_thresholds(frames: Frames, weights: np.ndarray, metric: Metric) -> pd.DataFrame:
    searches = {
        name: search_pieces(frames, weights, rules, metric=metric, uppers=(0,))
        for name, rules in {"score": ["min_area"], "score_without_min_area": []}.items()
    }
    scores = {name: search.scores[0, :, 0, 0] for name, search in searches.items()}
    return pd.DataFrame({"threshold": THRESHOLDS, **scores})


def _with_perfect_presence(
    frames: Frames, weights: np.ndarray, metric: Metric, rules: Sequence[Rule], upper: int
) -> float:
    """Return the score at the best cut-offs if every empty frame were predicted empty."""
    shown = frames._replace(shown=frames.true_areas > 0)
    others = [rule for rule in rules if rule != "presence"]
    found = search_pieces(shown, weights, others, metric=metric, uppers={0, upper})
    return float(found.scores.max())


def _touches_border(runs: str, height: int, width: int) -> bool:
    mask = rle.decode(runs, (height, width))
    return bool(mask[[0, -1]].any() or mask[:, [0, -1]].any())
