"""The submission file: written, read and checked."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.atomic import atomic_file
from pipeline.competitions.spec import SubmissionFormat
from pipeline.errors import InputError
from pipeline.masks import rle

csv.field_size_limit(2**31 - 1)  # a mask's runs are one field; the default is 131,072 characters


def write_submission(
    path: Path, masks: Iterable[tuple[str, np.ndarray]], form: SubmissionFormat
) -> None:
    """Encode masks, one row each, as they come.

    Parameters
    ----------
    path : Path
        Replaced when the last row is written.
    masks : iterable of (str, numpy.ndarray)
        Id and bool (H, W) mask at original size, in the order of the rows.
    form : SubmissionFormat
        Header, scan order, first pixel and empty marker.
    """
    rows = ((mask_id, encode_row(mask, form)) for mask_id, mask in masks)
    write_rows(path, rows, form)


def encode_row(mask: np.ndarray, form: SubmissionFormat) -> str:
    """Return the run lengths of a bool (H, W) mask, "" for an empty one."""
    return rle.encode(mask, order=form.order, origin=form.origin)


def write_rows(path: Path, rows: Iterable[tuple[str, str]], form: SubmissionFormat) -> None:
    """Write rows of id and run lengths, "" for an empty mask; `path` is replaced at the last."""
    with atomic_file(path) as beside, beside.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(form.header)
        for mask_id, runs in rows:
            writer.writerow([mask_id, runs or form.empty])


def read_submission(path: Path, form: SubmissionFormat) -> dict[str, str]:
    """Return the run lengths by id, in the order of the rows; "" for an empty mask.

    Raises
    ------
    InputError
        The file is missing, is no CSV, has another header, or an id stands twice.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file, strict=True))
    except OSError as error:
        raise InputError(f"{path}: can't be read: {error.strerror}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a CSV file: {error}") from error
    if not rows or tuple(rows[0]) != form.header:
        found = ",".join(rows[0]) if rows else ""
        raise InputError(f"{path}: expected the header {','.join(form.header)}, got {found[:80]!r}")
    runs: dict[str, str] = {}
    for line, row in enumerate(rows[1:], start=2):
        if len(row) != 2:
            raise InputError(f"{path}:{line}: expected 2 fields, got {len(row)}")
        if row[0] in runs:
            raise InputError(f"{path}:{line}: id {row[0]} stands twice")
        if row[1] == "" != form.empty:
            raise InputError(f"{path}:{line}: expected {form.empty} for an empty mask, got nothing")
        runs[row[0]] = "" if row[1] == form.empty else row[1]
    return runs


def check_submission(
    path: Path, form: SubmissionFormat, *, ids: Sequence[str], shapes: Sequence[tuple[int, int]]
) -> int:
    """Verify header, ids, their order, and that every row decodes within its frame.

    Parameters
    ----------
    ids : sequence of str
        Expected ids in the expected order.
    shapes : sequence of (int, int)
        Height and width of each frame, pixels.

    Returns
    -------
    int
        Number of rows that are not empty.

    Raises
    ------
    InputError
        The first fault.
    """
    runs = read_submission(path, form)
    check_ids(path, list(runs), ids)
    for mask_id, shape in zip(ids, shapes, strict=True):
        decode_row(path, mask_id, runs[mask_id], shape, form)
    return sum(row != "" for row in runs.values())


def check_ids(path: Path, found: Sequence[str], expected: Sequence[str]) -> None:
    """Raise InputError unless the ids are the expected ones in the expected order."""
    missing = pd.Index(expected).difference(found, sort=False)
    if len(missing):
        raise InputError(f"{path}: expected {len(expected)} ids, {_some(missing)} missing")
    extra = pd.Index(found).difference(expected, sort=False)
    if len(extra):
        raise InputError(f"{path}: expected {len(expected)} ids, {_some(extra)} unknown")
    for line, (one, other) in enumerate(zip(found, expected, strict=True), start=2):
        if one != other:
            raise InputError(f"{path}:{line}: expected id {other} in this place, got {one}")


def decode_row(
    path: Path, mask_id: str, runs: str, shape: tuple[int, int], form: SubmissionFormat
) -> np.ndarray:
    """Decode one row into a bool (H, W) mask; InputError names file and id."""
    try:
        return rle.decode(runs, shape, order=form.order, origin=form.origin)
    except ValueError as error:
        raise InputError(f"{path}: id {mask_id}: {error}") from error


def _some(ids: pd.Index) -> str:
    shown = ", ".join(ids[:3])
    return f"{shown} and {len(ids) - 3} more" if len(ids) > 3 else shown
