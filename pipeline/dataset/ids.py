"""The raw files' ids against each other, a sample submission and a table of masks."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from pipeline.competitions.formats import SubmissionFormat
from pipeline.dataset.findings import Finding
from pipeline.dataset.integrity import Frame
from pipeline.dataset.truth import MaskRows


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


def by_submission_id(files: Mapping[str, Path], form: SubmissionFormat) -> dict[str, Path]:
    """Return test images by the id that the submission writes.

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
        Test images by id, as the submission writes it.
    expected : sequence of str
        The sample submission's ids, in any order.
    where : Path
        The sample submission.
    """
    known = set(expected)
    findings = [
        Finding(where, "id without its image", f"a test image {frame_id}", "none")
        for frame_id in expected
        if frame_id not in found
    ]
    return findings + [
        Finding(path, "id not in the sample submission", f"an id of {where}", frame_id)
        for frame_id, path in found.items()
        if frame_id not in known
    ]


def compare_table(frames: Mapping[str, Frame], table: MaskRows) -> list[Finding]:
    """Compare the ids of a table of run lengths with the images and their mask files."""
    known = {key for image_id in frames for key in table.keys(image_id)}
    findings = [
        Finding(table.path, "row without its image", f"an image of {','.join(key)}", "none")
        for key in table.rows
        if key not in known
    ]
    # Where files hold the masks the table has a row of each; else no row means no foreground.
    return findings + [
        Finding(frame.masks[0][1], "mask not in the table", f"a row in {table.path}", "none")
        for image_id, frame in frames.items()
        if frame.masks
        and frame.image is not None
        and not any(key in table.rows for key in table.keys(image_id))
    ]


def _is_number(frame_id: str) -> bool:
    return frame_id.isascii() and frame_id.isdecimal()
