"""Score a submission against known masks."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.atomic import write_text
from pipeline.competitions.patterns import FilePattern
from pipeline.competitions.spec import Spec, load_spec
from pipeline.errors import InputError
from pipeline.kaggle.solution import TruthCsv, TruthFolder
from pipeline.kaggle.submission import decode_rows, read_submission
from pipeline.masks.dice import dice_from_areas
from pipeline.masks.instances import INSTANCE_METRICS
from pipeline.masks.metrics import METRICS
from pipeline.params import Params
from pipeline.paths import Paths
from pipeline.progress import progress_bar
from pipeline.stages.scores import mean_score


def run(
    params: Params,
    paths: Paths,
    submission: Path | None,
    truth: Path | None,
    *,
    per_image: Path | None,
) -> str:
    """Score a submission; write every image's score where `per_image` says; return the mean.

    By default the submission is the pipeline's own, and the truth lies where the competition's
    spec has it.

    Raises
    ------
    InputError
        See `score_images`; or no truth is given, and the spec names none.
    """
    spec = load_spec(params.competition)
    submission = submission or paths.submission
    if truth is None:
        if spec.truth is None:
            raise InputError(f"TRUTH: expected a CSV or a folder, as {spec.title} names none")
        truth = paths.root / params.data_dir / FilePattern(spec.truth).folder
    scores = score_images(params, paths, submission, truth)
    if per_image is not None:
        write_text(per_image, scores.to_csv(index=False, float_format="%.6f"))
    positives = scores["true_area"] > 0
    dice = scores["dice"][positives].mean()
    with_mask = f", Dice {dice:.4f} on those with a mask" if positives.any() else ""
    mean, empty = (_mean_score(scores, spec, empty=empty) for empty in (False, True))
    return (
        f"{submission}: {spec.metric_name} {mean:.4f} over {scores['id'].nunique()} images"
        f"{with_mask} (all-empty {empty:.4f})"
    )


def _mean_score(scores: pd.DataFrame, spec: Spec, *, empty: bool) -> float:
    """Return the mean over classes of the competition's score, or of what empty masks get."""
    table = scores.assign(overlap=0, predicted_area=0) if empty else scores
    of_objects = {"empty_score" if empty else "score": "objects"}
    return mean_score(table.rename(columns=of_objects), METRICS[spec.metric])


def score_images(params: Params, paths: Paths, submission: Path, truth: Path) -> pd.DataFrame:
    """Return how well each image's mask of each class is predicted.

    Parameters
    ----------
    submission : Path
        A submission in the competition's format.
    truth : Path
        A CSV in the same format, or a folder of masks named by id.

    Returns
    -------
    pandas.DataFrame
        Columns id, class, dice, overlap, true_area and predicted_area (pixels), in the
        submission's order; where objects are scored also score and empty_score.

    Raises
    ------
    InputError
        A file is at fault, or the ids differ.
    """
    spec = load_spec(params.competition)
    predicted = read_submission(submission, spec)
    known = TruthFolder(truth, spec) if truth.is_dir() else TruthCsv(truth, spec, paths.test_store)
    ids = known.check(submission, predicted)
    rows = []
    with progress_bar("Images", len(ids)) as advance:
        for image_id in ids:
            true = known.objects(image_id)
            shape = true[0][0].shape
            found = decode_rows(submission, predicted, image_id, shape, spec)
            if spec.exclusive:  # a pixel without a class, void, counts for none
                has_class = np.logical_or.reduce([mask for masks in true for mask in masks])
                found = [[mask & has_class for mask in masks] for masks in found]
            for name, y_true, y_pred in zip(spec.classes, true, found, strict=True):
                rows.append({"id": image_id, "class": name, **_compare(y_true, y_pred, spec)})
            advance()
    return pd.DataFrame(rows)


def _compare(
    true: Sequence[np.ndarray], predicted: Sequence[np.ndarray], spec: Spec
) -> dict[str, float]:
    """Compare an image's masks of one class, one or one per object."""
    y_true, y_pred = np.logical_or.reduce(true), np.logical_or.reduce(predicted)
    areas = [int(np.count_nonzero(mask)) for mask in (y_true & y_pred, y_true, y_pred)]
    columns = dict(zip(("overlap", "true_area", "predicted_area"), areas, strict=True))
    columns = {"dice": float(dice_from_areas(*areas)), **columns}
    if spec.metric in INSTANCE_METRICS:
        measure = INSTANCE_METRICS[spec.metric]
        true, predicted = ([mask for mask in masks if mask.any()] for masks in (true, predicted))
        columns |= {"score": measure(true, predicted), "empty_score": measure(true, [])}
    return columns
