"""The true masks of test images, Kaggle's solution: a folder of files, or a CSV of run lengths."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.competitions.patterns import FilePattern
from pipeline.competitions.spec import Spec
from pipeline.competitions.table import Rows
from pipeline.dataset.index import open_index
from pipeline.dataset.layout import class_index
from pipeline.dataset.truth import MaskFiles
from pipeline.errors import InputError
from pipeline.kaggle.submission import check_keys, decode_rows, expected_keys, read_submission


class TruthFolder:
    """A folder of true masks, named by id as the competition's spec says.

    Attributes
    ----------
    ids : list of str
        Of the images whose masks are there.

    Raises
    ------
    InputError
        A file's name is of no class, or two files are of one mask.
    """

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


class TruthCsv:
    """True masks in a CSV of the submission's format.

    Parameters
    ----------
    path : Path
        The file.
    spec : Spec
        Classes and format.
    store : Path
        That of the test frames, which knows their sizes.

    Raises
    ------
    InputError
        The file is at fault, or the test frames are not preprocessed.
    """

    def __init__(self, path: Path, spec: Spec, store: Path) -> None:
        self._path, self._spec = path, spec
        self._rows = read_submission(path, spec)
        index = open_index(store)
        shapes = zip(index["height"], index["width"], strict=True)
        self._shapes = dict(zip(index["id"], shapes, strict=True))

    def check(self, submission: Path, predicted: Rows) -> list[str]:
        """Return the ids in the submission's order; InputError where others are predicted."""
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
        """Return of each class its masks, one or one per object, bool (H, W)."""
        shape = self._shapes[image_id]
        return decode_rows(self._path, self._rows, image_id, shape, self._spec)


def _check_rows(submission: Path, predicted: Rows, ids: Sequence[str], spec: Spec) -> list[str]:
    """Return ids in the order of the rows; InputError unless these are the ids' rows."""
    check_keys(submission, sorted(predicted), sorted(expected_keys(ids, spec)))
    place = {key: number for number, key in enumerate(predicted)}
    return sorted(ids, key=lambda image_id: place[spec.submission.key(image_id, spec.classes[0])])
