"""Choose the cut-offs on all out-of-fold maps, and say what they are worth."""

import json
from collections.abc import Iterator

import numpy as np
import pandas as pd

from pipeline.atomic import write_text
from pipeline.dataset.out_of_fold import Predicted, tabulate_frames
from pipeline.dataset.predictions import open_predictions
from pipeline.dataset.store import open_index
from pipeline.masks import rle
from pipeline.masks.ablation import rule_gains, score_min_areas
from pipeline.masks.evaluation import bootstrap_interval, presence_rates, tune_nested
from pipeline.masks.shapes import ShapePrior, make_shape_prior
from pipeline.masks.tuning import THRESHOLDS, Frames, evaluate_cutoffs, search_pieces
from pipeline.params import Params
from pipeline.paths import Paths
from pipeline.progress import progress_bar
from pipeline.stages.folds import read_folds


def run(params: Params, paths: Paths) -> str:
    """Write cut-offs, scores, the score of every threshold and of every frame; return the scores.

    The headline is the nested score: every frame is scored with cut-offs that were chosen without
    its fold.
    """
    index = open_index(paths.train_store)
    folds = read_folds(params, paths, index)
    tables = {
        prior: _tabulate_out_of_fold(params, paths, index, folds, prior)
        for prior in ("none", *params.tune.shape_priors)
    }
    frames = tables["none"]
    tuned = tune_nested(tables, folds, params.tune.rules)
    chosen = tuned.cutoffs
    table = index[["id", "subject", "contradicts"]].assign(
        fold=folds,
        dice=tuned.dice,
        true_area=frames.true_areas,
        predicted_area=tuned.areas,
        presence=frames.presence,
        confidence=frames.confidence,
        touches_border=[_touches_border(*f) for f in index[["rle", "height", "width"]].values],
    )
    curve = _score_thresholds(frames)
    scores = _summarise(table, frames, seed=params.seed)
    scores |= {
        "oof_dice": float(evaluate_cutoffs(tables[chosen.shape_prior], chosen)[0].mean()),
        "oof_dice_at_half": float(curve["dice_without_min_area"][THRESHOLDS == 128].item()),
        "cutoffs": chosen._asdict(),
        "folds": {
            str(fold): {
                "nested_dice": float(part["dice"].mean()),
                "cutoffs": tuned.by_fold[fold]._asdict(),
            }
            for fold, part in table.groupby("fold")
        },
    }
    worst_first = table.sort_values(["dice", "id"])
    write_text(paths.threshold_curve, curve.to_csv(index=False, float_format="%.6f"))
    write_text(paths.frame_scores, worst_first.to_csv(index=False, float_format="%.6f"))
    write_text(paths.subject_scores, _by_subject(table).to_csv(float_format="%.6f"))
    gains = rule_gains(tables, folds, tuned.by_fold)
    write_text(paths.rule_gains, _tabulate_gains(gains, table["subject"], seed=params.seed))
    areas = dict(
        zip(("min_area", "dice"), score_min_areas(tables[chosen.shape_prior], chosen), strict=True)
    )
    write_text(paths.area_curve, pd.DataFrame(areas).to_csv(index=False, float_format="%.6f"))
    write_text(paths.metrics, json.dumps(scores, indent=2) + "\n")
    write_text(paths.cutoffs, json.dumps(chosen._asdict(), indent=2) + "\n")
    low, high = scores["nested_dice_low"], scores["nested_dice_high"]
    return (
        f"nested out-of-fold Dice {scores['nested_dice']:.4f} (95 %: {low:.4f} to {high:.4f}),"
        f" {scores['oof_dice']:.4f} on the frames that chose the cut-offs,"
        f" all-empty {scores['all_empty_dice']:.4f},"
        f" perfect presence {scores['perfect_presence_dice']:.4f}\n"
        f"cut-offs: {', '.join(f'{name} {value}' for name, value in chosen._asdict().items())}"
    )


def _tabulate_out_of_fold(
    params: Params, paths: Paths, index: pd.DataFrame, folds: np.ndarray, prior: ShapePrior
) -> Frames:
    """Read every fold's maps and list their pieces, in the order of the index.

    A shape prior that learns sees the masks of the other folds alone.

    Raises
    ------
    InputError
        Maps are missing, damaged or of other frames.
    """
    rows = {fold: np.flatnonzero(folds == fold) for fold in params.folds.indices}
    of_fold = {
        fold: open_predictions(
            paths.oof(fold),
            count=len(rows[fold]),
            size=(params.preprocess.height, params.preprocess.width),
            command=f"pipeline train --fold {fold}",
        )
        for fold in rows
    }

    reshape = {fold: make_shape_prior(prior, index[folds != fold]) for fold in of_fold}

    def predictions() -> Iterator[Predicted]:
        taken = dict.fromkeys(rows, 0)
        for fold, frame in zip(folds.tolist(), index.itertuples(), strict=True):
            prob_map, presence = of_fold[fold][taken[fold]].item()
            taken[fold] += 1
            shape = frame.height, frame.width
            yield Predicted(reshape[fold](prob_map), presence, shape, frame.rle)

    with progress_bar("Out-of-fold frames", len(index)) as advance:
        return tabulate_frames(predictions(), len(index), advance=advance)


def _score_thresholds(frames: Frames) -> pd.DataFrame:
    weights = np.full((len(frames.true_areas), 1), 1 / len(frames.true_areas))
    searches = {
        name: search_pieces(frames, weights, rules, uppers=(0,))
        for name, rules in {"dice": ["min_area"], "dice_without_min_area": []}.items()
    }
    scores = {name: search.scores[0, :, 0, 0] for name, search in searches.items()}
    return pd.DataFrame({"threshold": THRESHOLDS, **scores})


def _tabulate_gains(gains: dict[str, np.ndarray], subjects: pd.Series, *, seed: int) -> str:
    rows = [
        (rule, gain.mean(), *bootstrap_interval(gain, subjects.to_numpy(), seed=seed))
        for rule, gain in gains.items()
    ]
    table = pd.DataFrame(rows, columns=["rule", "gain", "gain_low", "gain_high"])
    table = table.sort_values("gain", ascending=False)
    return table.to_csv(index=False, float_format="%.6f")


def _summarise(table: pd.DataFrame, frames: Frames, *, seed: int) -> dict[str, float]:
    has_mask = (table["true_area"] > 0).to_numpy()
    low, high = bootstrap_interval(table["dice"].to_numpy(), table["subject"].to_numpy(), seed=seed)
    scores = {
        "images": len(table),
        "nested_dice": float(table["dice"].mean()),
        "nested_dice_low": low,
        "nested_dice_high": high,
        "all_empty_dice": float(1 - has_mask.mean()),
        "perfect_presence_dice": _with_perfect_presence(frames),
        **presence_rates(table["true_area"].to_numpy(), table["predicted_area"].to_numpy()),
    }
    if has_mask.any():
        scores["dice_positive"] = float(table["dice"][has_mask].mean())
    return scores


def _with_perfect_presence(frames: Frames) -> float:
    """Return the score at the best threshold if every empty frame were predicted empty."""
    has_mask = frames.true_areas > 0
    weights = np.full((len(has_mask), 1), 1 / len(has_mask))
    shown = frames._replace(pieces=frames.pieces[has_mask[frames.pieces["image"]]])
    return float(search_pieces(shown, weights, [], uppers=(0,)).scores.max())


def _by_subject(table: pd.DataFrame) -> pd.DataFrame:
    subjects = table.assign(has_mask=table["true_area"] > 0).groupby("subject")
    return subjects.agg(
        frames=("id", "size"), with_mask=("has_mask", "sum"), dice=("dice", "mean")
    ).sort_values("dice")


def _touches_border(runs: str, height: int, width: int) -> bool:
    mask = rle.decode(runs, (height, width))
    return bool(mask[[0, -1]].any() or mask[:, [0, -1]].any())
