"""Score a submission against known masks."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.atomic import write_text
from pipeline.competitions.patterns import FilePattern
from pipeline.competitions.spec import Spec, load_spec
from pipeline.competitions.table import Rows
from pipeline.dataset.index import open_index
from pipeline.dataset.layout import class_index
from pipeline.dataset.truth import MaskFiles
from pipeline.errors import InputError
from pipeline.kaggle.submission import check_keys, decode_rows, expected_keys, read_submission
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
    known = TruthFolder(truth, spec) if truth.is_dir() else _TruthCsv(truth, spec, paths)
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


class TruthFolder:
    """A folder of true masks, named by id as the competition's spec says."""

    def __init__(self, folder: Path, spec: Spec) -> None:
        files: dict[str, list[tuple[int | None, Path]]] = {}
        pattern = FilePattern(Path(spec.truth or "{id}").name)
        for path in sorted(folder.iterdir()):
            if not path.is_file() or path.name.startswith("."):  # such as .DS_Store
                continue
            named = (pattern.match(path.name) if spec.truth else None) or {"id": path.stem}
            mask_id = "_".join(named[name] for name in pattern.id_names if name in named)
            if spec.submission.ids == "integer" and re.fullmatch(r"[0-9]+", mask_id):
                mask_id = str(int(mask_id))
            index = class_index(path, named, spec)
            same = [other for of_class, other in files.get(mask_id, ()) if of_class == index]
            if same and "instance" not in named:
                raise InputError(f"{path}: same id as {same[0]}")
            files.setdefault(mask_id, []).append((index, path))
        self._masks, self._spec, self._folder = MaskFiles(files, spec), spec, folder
        self.ids = list(files)

    def check(self, submission: Path, predicted: Rows) -> list[str]:
        """Return the ids in the submission's order; InputError where others are predicted."""
        return _check_rows(submission, predicted, self.ids, self._spec)

    def objects(self, image_id: str) -> list[list[np.ndarray]]:
        """Return of each class its masks, one or one per object, bool (H, W)."""
        pieces = self._masks.pieces(image_id)
        nothing = np.zeros_like(pieces[0].mask)
        for piece in pieces:
            if piece.mask.shape != nothing.shape:
                raise InputError(
                    f"{self._folder}: expected masks of one size of {image_id}, got"
                    f" {nothing.shape} and {piece.mask.shape}"
                )
        of_classes = [
            [piece.mask for piece in pieces if piece.class_index == number]
            for number in range(len(self._spec.classes))
        ]
        return [masks or [nothing] for masks in of_classes]

    def masks(self, image_id: str) -> np.ndarray:
        """Return an image's masks, bool (H, W, classes)."""
        return np.stack([np.logical_or.reduce(m) for m in self.objects(image_id)], axis=-1)


class _TruthCsv:
    def __init__(self, path: Path, spec: Spec, paths: Paths) -> None:
        self._path, self._spec = path, spec
        self._rows = read_submission(path, spec)
        index = open_index(paths.test_store)
        shapes = zip(index["height"], index["width"], strict=True)
        self._shapes = dict(zip(index["id"], shapes, strict=True))

    def check(self, submission: Path, predicted: Rows) -> list[str]:
        known = set(expected_keys(self._shapes, self._spec))
        for key in self._rows:
            if key not in known:
                raise InputError(f"{self._path}: id {','.join(key)} is none of the test frames")
        check_keys(submission, sorted(predicted), sorted(self._rows))
        ids = [
            image_id
            for image_id in self._shapes
            if all(key in self._rows for key in expected_keys([image_id], self._spec))
        ]
        return _check_rows(submission, predicted, ids, self._spec)

    def objects(self, image_id: str) -> list[list[np.ndarray]]:
        shape = self._shapes[image_id]
        return decode_rows(self._path, self._rows, image_id, shape, self._spec)


def _check_rows(submission: Path, predicted: Rows, ids: Sequence[str], spec: Spec) -> list[str]:
    """Return ids in the order of the rows; InputError unless these are the ids' rows."""
    check_keys(submission, sorted(predicted), sorted(expected_keys(ids, spec)))
    place = {key: number for number, key in enumerate(predicted)}
    return sorted(ids, key=lambda image_id: place[spec.submission.key(image_id, spec.classes[0])])
