"""The part of `pipeline audit` that looks at the raw files alone."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pipeline.competitions.spec import Spec
from pipeline.dataset.findings import Finding, as_finding
from pipeline.dataset.ids import (
    check_numbers,
    compare_ids,
    compare_table,
    find_gaps,
    in_submission_order,
    read_mask_table,
)
from pipeline.dataset.integrity import Frame, check_frames, list_frames, note_uncommon
from pipeline.dataset.layout import find_files
from pipeline.errors import InputError
from pipeline.kaggle.submission import read_submission
from pipeline.progress import progress_bar


def find_faults(data_dir: Path, spec: Spec) -> list[Finding]:
    """Return all that is wrong with the raw files, then what is uncommon about them."""
    table, findings = _read_if_there(
        data_dir, spec.mask_table, lambda path: read_mask_table(path, spec)
    )
    sample, faults = _read_if_there(
        data_dir, spec.sample_submission, lambda path: list(read_submission(path, spec.submission))
    )
    training, more = list_frames(data_dir, spec.images, spec.masks, table)
    findings += faults + more
    has_truth = spec.truth is not None and bool(find_files(data_dir, spec.truth))
    test, more = list_frames(data_dir, spec.test, spec.truth if has_truth else None)
    findings += more
    if table is not None:
        findings += compare_table(training, table, data_dir / spec.mask_table)
    findings += _check_test_ids(test, sample, data_dir, spec)
    with progress_bar("Raw files", len(training) + len(test)) as advance:
        frames = [*training.values(), *test.values()]
        options = {"foreground": spec.foreground, "form": spec.submission}
        checked = check_frames(frames, advance=advance, **options)
    return findings + checked.findings + note_uncommon(checked.kinds)


def _read_if_there(
    data_dir: Path, name: str | None, read: Callable[[Path], Any]
) -> tuple[Any, list[Finding]]:
    """Return what a file says, None where it is absent or can't be read, which is a fault."""
    if name is None or not (data_dir / name).exists():
        return None, []
    try:
        return read(data_dir / name), []
    except InputError as error:
        return None, [as_finding(data_dir / name, error, "unreadable")]


def _check_test_ids(
    test: Mapping[str, Frame], sample: list[str] | None, data_dir: Path, spec: Spec
) -> list[Finding]:
    files = {frame_id: frame.image for frame_id, frame in test.items() if frame.image is not None}
    findings = check_numbers(files) if spec.submission.ids == "integer" else []
    if sample is not None:  # it tells which numbers there are
        found = in_submission_order(files, spec.submission)
        findings += compare_ids(found, sample, data_dir / spec.sample_submission)
    elif spec.submission.ids == "integer":
        findings += find_gaps(files)
    return findings
