"""The submission file: written, read and checked."""

import csv
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.atomic import atomic_file
from pipeline.competitions.formats import SubmissionFormat
from pipeline.competitions.spec import Spec
from pipeline.competitions.table import Rows, read_rows, read_table
from pipeline.errors import InputError
from pipeline.masks import rle
from pipeline.masks.instances import split_pieces

Row = tuple[tuple[str, ...], str]  # what stands before the runs, and these


def write_submission(path: Path, masks: Iterable[tuple[str, np.ndarray]], spec: Spec) -> None:
    """Encode masks as they come.

    Parameters
    ----------
    path : Path
        Replaced when the last row is written.
    masks : iterable of (str, numpy.ndarray)
        Id and masks, bool (H, W, classes) at original size, of each image in the rows' order.
    spec : Spec
        Classes and format.
    """
    rows = (row for image_id, of_image in masks for row in encode_rows(image_id, of_image, spec))
    write_rows(path, rows, spec.submission)


def encode_rows(image_id: str, masks: np.ndarray, spec: Spec) -> list[Row]:
    """Return an image's rows: one per class, or of objects one per connected piece.

    Parameters
    ----------
    masks : numpy.ndarray
        bool, (H, W, classes). A class without foreground has one row, without runs.
    """
    rows = []
    for index, name in enumerate(spec.classes):
        mask, key = masks[..., index], spec.submission.key(image_id, name)
        pieces = (split_pieces(mask) if spec.instances else []) or [mask]
        rows += [(key, rle.encode(piece, **spec.submission.scan)) for piece in pieces]
    return rows


def write_rows(path: Path, rows: Iterable[Row], form: SubmissionFormat) -> None:
    """Write rows, of which "" stands for an empty mask; `path` is replaced at the last."""
    with atomic_file(path) as beside, beside.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(form.header)
        for key, runs in rows:
            writer.writerow([*key, runs or form.empty])


def read_submission(path: Path, spec: Spec) -> Rows:
    """Return the run lengths of each row, or of each image's objects; "" for an empty mask.

    Raises
    ------
    InputError
        The file is missing, is no CSV, has another header, or an id stands twice.
    """
    return read_table(path, spec.submission, repeats=spec.instances)


def check_submission(
    path: Path, spec: Spec, *, ids: Sequence[str], shapes: Sequence[tuple[int, int]]
) -> tuple[int, int]:
    """Verify header, ids, their order, and that every row decodes within its image.

    A valid file is read in constant memory.

    Parameters
    ----------
    ids : sequence of str
        Expected images in the expected order.
    shapes : sequence of (int, int)
        Height and width of each, pixels.

    Returns
    -------
    rows, filled : int
        Number of rows, and of those that are not empty.

    Raises
    ------
    InputError
        The first fault.
    """
    counts = _count_in_order(path, spec, ids, shapes)
    if counts is not None:
        return counts
    # Something is out of place, which only the whole file tells; objects' rows may be.
    rows = read_submission(path, spec)
    check_keys(path, list(rows), expected_keys(ids, spec))
    for image_id, shape in zip(ids, shapes, strict=True):
        decode_rows(path, rows, image_id, shape, spec)
    runs = [one for of_key in rows.values() for one in of_key]
    return len(runs), sum(one != "" for one in runs)


def _count_in_order(
    path: Path, spec: Spec, ids: Sequence[str], shapes: Sequence[tuple[int, int]]
) -> tuple[int, int] | None:
    """Return what `check_submission` does if every row is valid and in its place, else None."""
    count = filled = 0
    try:
        of_keys = groupby(read_rows(path, spec.submission), key=lambda row: row[1])
        for image_id, shape in zip(ids, shapes, strict=True):
            rows: Rows = {}
            for expected in expected_keys([image_id], spec):
                key, of_key = next(of_keys, (None, ()))
                rows[expected] = [runs for _, _, runs in of_key]
                if key != expected or (len(rows[expected]) > 1 and not spec.instances):
                    return None
                count += len(rows[expected])
                filled += sum(runs != "" for runs in rows[expected])
            decode_rows(path, rows, image_id, shape, spec)
        return None if next(of_keys, None) else (count, filled)
    except InputError:
        return None


def expected_keys(ids: Iterable[str], spec: Spec) -> list[tuple[str, ...]]:
    """Return what stands before the runs in a submission of these images, in its order."""
    return [spec.submission.key(image_id, name) for image_id in ids for name in spec.classes]


def check_keys(
    path: Path, found: Sequence[tuple[str, ...]], expected: Sequence[tuple[str, ...]]
) -> None:
    """Raise InputError unless the ids of the rows are the expected ones in the expected order."""
    found, expected = (list(map(",".join, keys)) for keys in (found, expected))
    missing = pd.Index(expected).difference(found, sort=False)
    if len(missing):
        raise InputError(f"{path}: expected {len(expected)} ids, {_some(missing)} missing")
    extra = pd.Index(found).difference(expected, sort=False)
    if len(extra):
        raise InputError(f"{path}: expected {len(expected)} ids, {_some(extra)} unknown")
    for number, (one, other) in enumerate(zip(found, expected, strict=True), start=1):
        if one != other:  # not told by its line: an id may have many
            raise InputError(f"{path}: expected {other} as id {number} in order, got {one}")


def decode_rows(
    path: Path, rows: Rows, image_id: str, shape: tuple[int, int], spec: Spec
) -> list[list[np.ndarray]]:
    """Decode an image's rows: of each class its masks, bool (H, W), one or one per object.

    Raises
    ------
    InputError
        A row is at fault, or objects overlap; names file and id.
    """
    decoded = []
    for name in spec.classes:
        key = spec.submission.key(image_id, name)
        try:
            masks = [rle.decode(runs, shape, **spec.submission.scan) for runs in rows[key]]
        except ValueError as error:
            raise InputError(f"{path}: id {','.join(key)}: {error}") from error
        if len(masks) > 1 and np.sum(masks, axis=0, dtype=np.int32).max() > 1:
            raise InputError(
                f"{path}: id {','.join(key)}: expected rows apart, got ones that overlap"
            )
        decoded.append(masks)
    return decoded


def decode_image(
    path: Path, rows: Rows, image_id: str, shape: tuple[int, int], spec: Spec
) -> np.ndarray:
    """Decode an image's rows into bool (H, W, classes); InputError as `decode_rows`."""
    decoded = decode_rows(path, rows, image_id, shape, spec)
    return np.stack([np.logical_or.reduce(masks) for masks in decoded], axis=-1)


def _some(ids: pd.Index) -> str:
    shown = ", ".join(ids[:3])
    return f"{shown} and {len(ids) - 3} more" if len(ids) > 3 else shown
