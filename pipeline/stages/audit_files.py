"""The part of `pipeline audit` that looks at the raw files alone."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pipeline.competitions.spec import Spec
from pipeline.competitions.table import Rows
from pipeline.dataset.findings import Finding, as_finding
from pipeline.dataset.ids import (
    by_submission_id,
    check_numbers,
    compare_ids,
    compare_table,
    find_gaps,
)
from pipeline.dataset.integrity import Frame, check_frames, list_frames, note_uncommon
from pipeline.dataset.layout import find_files
from pipeline.dataset.truth import open_rows
from pipeline.errors import InputError
from pipeline.kaggle.submission import expected_keys, read_submission
from pipeline.progress import progress_bar


def find_faults(data_dir: Path, spec: Spec) -> list[Finding]:
    """Return all that is wrong with the raw files, then what is uncommon about them."""
    training, findings = list_frames(data_dir, spec.images, spec.masks or (), spec)
    images = {key: frame.image for key, frame in training.items() if frame.image is not None}
    form = spec.mask_table
    table, faults = _read_if_there(
        data_dir, form and form.file, lambda path: open_rows(data_dir, spec, images)
    )
    findings += faults
    if form is not None and spec.masks is None and not (data_dir / form.file).exists():
        findings.append(Finding(data_dir / form.file, "no masks", "a table of them", "none"))
    sample, faults = _read_if_there(
        data_dir, spec.sample_submission, lambda path: read_submission(path, spec)
    )
    has_truth = spec.truth is not None and bool(find_files(data_dir, spec.truth))
    truth = (spec.truth,) if has_truth else ()
    test, more = list_frames(data_dir, spec.test, truth, spec)
    findings += faults + more
    if table is not None:
        findings += compare_table(training, table)
    findings += _check_test_ids(test, sample, data_dir, spec)
    with progress_bar("Raw files", len(training) + len(test)) as advance:
        checked = [
            check_frames(list(training.values()), spec, table=table, advance=advance),
            check_frames(list(test.values()), spec, advance=advance),
        ]
    kinds = checked[0].kinds | checked[1].kinds
    return findings + checked[0].findings + checked[1].findings + note_uncommon(kinds)


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
    test: Mapping[str, Frame], sample: Rows | None, data_dir: Path, spec: Spec
) -> list[Finding]:
    files = {frame_id: frame.image for frame_id, frame in test.items() if frame.image is not None}
    findings = check_numbers(files) if spec.submission.ids == "integer" else []
    if sample:  # it tells which numbers there are
        by_id = by_submission_id(files, spec.submission)
        found = {
            ",".join(key): path
            for frame_id, path in by_id.items()
            for key in expected_keys([frame_id], spec)
        }
        rows = [",".join(key) for key in sample]
        findings += compare_ids(found, rows, data_dir / spec.sample_submission)
    elif spec.submission.ids == "integer":
        findings += find_gaps(files)
    return findings
