"""The raw files' ids against each other, a sample submission and a table of masks."""

import csv
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from pipeline.competitions.spec import FilePattern, Spec, SubmissionFormat
from pipeline.dataset.findings import Finding
from pipeline.dataset.integrity import Frame
from pipeline.errors import InputError


def check_numbers(files: Mapping[str, Path]) -> list[Finding]:
    """Find ids that are no whole numbers, and ids that are the same number.

    Parameters
    ----------
    files : mapping of str to Path
        Test images by id.
    """
    findings = []
    numbers: dict[int, Path] = {}
    for frame_id, path in files.items():
        if not _is_number(frame_id):
            findings.append(Finding(path, "id is no number", "an integer", frame_id))
        elif int(frame_id) in numbers:
            first = numbers[int(frame_id)]
            findings.append(Finding(path, "id twice", f"one file {int(frame_id)}", f"{first} too"))
        else:
            numbers[int(frame_id)] = path
    return findings


def find_gaps(files: Mapping[str, Path]) -> list[Finding]:
    """Find the numbers that are missing between the smallest and the largest id.

    A gap is told at the file before it, as a whole.
    """
    numbers = sorted((int(key), path) for key, path in files.items() if _is_number(key))
    return [
        Finding(path, "gap in the ids", f"{number + 1} next", f"{following}")
        for (number, path), (following, _) in pairwise(numbers)
        if following > number + 1
    ]


def in_submission_order(files: Mapping[str, Path], form: SubmissionFormat) -> dict[str, Path]:
    """Return test images by the id that the submission writes, in its order.

    Ids that are no numbers, where numbers are expected, are left out: see `check_numbers`.
    """
    if form.ids == "name":
        return dict(sorted(files.items()))
    numbers = {int(key): path for key, path in files.items() if _is_number(key)}
    return {str(number): numbers[number] for number in sorted(numbers)}


def compare_ids(found: Mapping[str, Path], expected: Sequence[str], where: Path) -> list[Finding]:
    """Compare test images with the ids of a sample submission.

    Parameters
    ----------
    found : mapping of str to Path
        Test images by id, as the submission writes it, in the submission's order.
    expected : sequence of str
        The sample submission's ids, in its order.
    where : Path
        The sample submission.
    """
    known = set(expected)
    findings = [
        Finding(where, "id without its image", f"a test image {frame_id}", "none")
        for frame_id in expected
        if frame_id not in found
    ]
    findings += [
        Finding(path, "id not in the sample submission", f"an id of {where}", frame_id)
        for frame_id, path in found.items()
        if frame_id not in known
    ]
    ordered = [frame_id for frame_id in found if frame_id in known]
    rows = [frame_id for frame_id in expected if frame_id in found]
    for one, other in zip(rows, ordered, strict=False):
        if one != other:
            return [*findings, Finding(where, "order of the ids", f"{other} first", one)]
    return findings


def compare_table(
    frames: Mapping[str, Frame], table: Mapping[str, str], where: Path
) -> list[Finding]:
    """Compare the ids of a table of run lengths with those of the mask files."""
    findings = [
        Finding(where, "row without its mask file", f"a mask file of {frame_id}", "none")
        for frame_id in table
        if frame_id not in frames or frames[frame_id].mask is None
    ]
    return findings + [
        Finding(frame.mask, "mask not in the table", f"a row {frame_id} in {where}", "none")
        for frame_id, frame in frames.items()
        if frame.mask is not None and frame_id not in table
    ]


def read_mask_table(path: Path, spec: Spec) -> dict[str, str]:
    """Read run lengths by id from a CSV of the placeholders of ``images``, and the runs.

    Raises
    ------
    InputError
        The file is unreadable, no CSV, has other columns, or an id stands twice.
    """
    width = len(FilePattern(spec.images).names) + 1
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file, strict=True))[1:]
    except (OSError, csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"{path}: expected a CSV file, got {error}") from error
    table = {}
    for line, row in enumerate(rows, start=2):
        if len(row) != width:
            raise InputError(f"{path}:{line}: expected {width} fields, got {len(row)}")
        if "_".join(row[:-1]) in table:
            raise InputError(f"{path}:{line}: expected an id once, got it twice")
        table["_".join(row[:-1])] = row[-1]
    return table


def _is_number(frame_id: str) -> bool:
    return frame_id.isascii() and frame_id.isdecimal()
