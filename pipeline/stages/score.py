"""Score a submission against known masks."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.atomic import write_text
from pipeline.competitions.spec import FilePattern, Spec, load_spec
from pipeline.dataset.images import read_mask
from pipeline.dataset.store import open_index
from pipeline.errors import InputError
from pipeline.kaggle.submission import check_ids, decode_row, read_submission
from pipeline.masks.dice import dice_score
from pipeline.params import Params
from pipeline.paths import Paths


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
    submission = submission or paths.submission
    if truth is None:
        spec = load_spec(params.competition)
        if spec.truth is None:
            raise InputError(f"TRUTH: expected a CSV or a folder, as {spec.title} names none")
        truth = paths.root / params.data_dir / FilePattern(spec.truth).folder
    scores = score_images(params, paths, submission, truth)
    if per_image is not None:
        write_text(per_image, scores.to_csv(index=False, float_format="%.6f"))
    positives = scores["true_area"] > 0
    with_mask = f", {scores['dice'][positives].mean():.4f} on those with a mask"
    return (
        f"{submission}: mean Dice {scores['dice'].mean():.4f} over {len(scores)} images"
        f"{with_mask if positives.any() else ''} (all-empty {1 - positives.mean():.4f})"
    )


def score_images(params: Params, paths: Paths, submission: Path, truth: Path) -> pd.DataFrame:
    """Return the exact score of every image.

    Parameters
    ----------
    submission : Path
        A submission in the competition's format.
    truth : Path
        A CSV in the same format, or a folder of masks named by id.

    Returns
    -------
    pandas.DataFrame
        Columns id, dice, true_area and predicted_area (pixels), in the submission's order.

    Raises
    ------
    InputError
        A file is at fault, or the ids differ.
    """
    spec = load_spec(params.competition)
    predicted = read_submission(submission, spec.submission)
    true_masks = TruthFolder(truth, spec) if truth.is_dir() else _TruthCsv(truth, spec, paths)
    check_ids(submission, sorted(predicted), sorted(true_masks.ids))
    rows = []
    for mask_id, runs in predicted.items():
        y_true = true_masks.mask(mask_id)
        y_pred = decode_row(submission, mask_id, runs, y_true.shape, spec.submission)
        rows.append((mask_id, dice_score(y_true, y_pred), int(y_true.sum()), int(y_pred.sum())))
    return pd.DataFrame(rows, columns=["id", "dice", "true_area", "predicted_area"])


class TruthFolder:
    """A folder of true masks, named by id as the competition's spec says."""

    def __init__(self, folder: Path, spec: Spec) -> None:
        self._files: dict[str, Path] = {}
        pattern = FilePattern(Path(spec.truth or "{id}").name)
        for path in sorted(folder.iterdir()):
            if not path.is_file() or path.name.startswith("."):  # such as .DS_Store
                continue
            named = pattern.match(path.name)
            mask_id = "_".join(named.values()) if spec.truth and named else path.stem
            if spec.submission.ids == "integer" and re.fullmatch(r"[0-9]+", mask_id):
                mask_id = str(int(mask_id))
            if mask_id in self._files:
                raise InputError(f"{path}: same id as {self._files[mask_id]}")
            self._files[mask_id] = path
        self._foreground = spec.foreground
        self.ids = list(self._files)

    def mask(self, mask_id: str) -> np.ndarray:
        """Return the mask of an id, bool (H, W)."""
        return read_mask(self._files[mask_id], foreground=self._foreground)


class _TruthCsv:
    def __init__(self, path: Path, spec: Spec, paths: Paths) -> None:
        self._path, self._form = path, spec.submission
        self._runs = read_submission(path, spec.submission)
        self.ids = list(self._runs)
        index = open_index(paths.test_store)
        shapes = zip(index["height"], index["width"], strict=True)
        self._shapes = dict(zip(index["id"], shapes, strict=True))

    def mask(self, mask_id: str) -> np.ndarray:
        if mask_id not in self._shapes:
            raise InputError(f"{self._path}: id {mask_id} is none of the test frames")
        return decode_row(
            self._path, mask_id, self._runs[mask_id], self._shapes[mask_id], self._form
        )
