"""What is wrong with the raw files: every fault, not the first alone."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.competitions.spec import FilePattern, SubmissionFormat
from pipeline.dataset.decode import UnsuitableImageError, decode_file
from pipeline.dataset.findings import Finding, as_finding
from pipeline.dataset.images import MaskValuesError, read_mask
from pipeline.dataset.layout import find_files, natural_key
from pipeline.dataset.store import map_on_all_cores
from pipeline.errors import InputError
from pipeline.masks import rle

UNCOMMON_SHARE = 0.05  # a size or mode that fewer frames have is worth a note


class Frame(NamedTuple):
    """An image, its mask, or both, and the mask's run lengths as a table has them."""

    image: Path | None
    mask: Path | None = None
    runs: str | None = None


class Checked(NamedTuple):
    """What `check_frames` found, and every sound image's size and mode ("420 x 580 grey")."""

    findings: list[Finding]
    kinds: dict[Path, str]


def list_frames(
    data_dir: Path, images: str, masks: str | None, table: Mapping[str, str] | None = None
) -> tuple[dict[str, Frame], list[Finding]]:
    """List the frames of two file patterns, whether or not they pair up.

    Parameters
    ----------
    images, masks : str
        Patterns as in the spec; without `masks` images alone are expected.
    table : mapping of str to str, optional
        Run lengths by id.

    Returns
    -------
    frames : dict of str to Frame
        By id, in the natural order.
    findings : list of Finding
        Folders without files, and partners that are missing.
    """
    image_files = find_files(data_dir, images)
    mask_files = find_files(data_dir, masks, ids_like=images) if masks is not None else {}
    table = table or {}
    ids = sorted({*image_files, *mask_files}, key=lambda key: (natural_key(key), key))
    frames = {key: Frame(image_files.get(key), mask_files.get(key), table.get(key)) for key in ids}
    sides = (("images", images, image_files), ("masks", masks, mask_files))
    findings = [
        Finding(data_dir / FilePattern(pattern).folder, f"no {side}", pattern, "none")
        for side, pattern, files in sides
        if pattern is not None and not files
    ]
    if masks is not None:
        findings += _find_lonely(frames, images, masks)
    return frames, findings


def check_frames(
    frames: Sequence[Frame],
    *,
    foreground: int | tuple[int, int, int] | str,
    form: SubmissionFormat,
    advance: Callable[[], None] = lambda: None,
) -> Checked:
    """Read every file, on all cores, in constant memory.

    Parameters
    ----------
    foreground
        As in `read_mask`.
    form : SubmissionFormat
        How the run lengths of a table are written.
    advance : callable
        Called after each frame.
    """

    def check(row: int) -> tuple[list[Finding], str | None]:
        result = _check_frame(frames[row], foreground, form)
        advance()
        return result

    results = map_on_all_cores(check, len(frames))
    kinds = {
        frame.image: kind
        for frame, (_, kind) in zip(frames, results, strict=True)
        if kind is not None
    }
    return Checked([finding for findings, _ in results for finding in findings], kinds)


def compare_runs(mask: np.ndarray, runs: str, form: SubmissionFormat) -> str | None:
    """Say how run lengths differ from a mask; None where they don't.

    Parameters
    ----------
    mask : bool array, shape (H, W)
    runs : str
        "" or the form's own marker for an empty mask.
    form : SubmissionFormat
        Scan order and first pixel.
    """
    try:
        listed = rle.decode(
            "" if runs == form.empty else runs, mask.shape, order=form.order, origin=form.origin
        )
    except ValueError as error:
        return str(error)
    differing = np.count_nonzero(listed != mask)
    return f"{differing} pixels that differ" if differing else None


def note_uncommon(kinds: Mapping[Path, str]) -> list[Finding]:
    """Note the images whose size and mode fewer than `UNCOMMON_SHARE` of all have."""
    counts = Counter(kinds.values())
    if not counts:
        return []
    usual = counts.most_common(1)[0][0]
    return [
        Finding(path, "uncommon size or mode", usual, kind, is_note=True)
        for path, kind in kinds.items()
        if counts[kind] < UNCOMMON_SHARE * len(kinds)
    ]


def _find_lonely(frames: Mapping[str, Frame], images: str, masks: str) -> list[Finding]:
    findings = []
    for frame in frames.values():
        if frame.mask is None:
            findings.append(Finding(frame.image, "image without mask", masks, "none"))
        elif frame.image is None:
            findings.append(Finding(frame.mask, "mask without image", images, "none"))
    return findings


def _check_frame(
    frame: Frame, foreground: int | tuple[int, int, int] | str, form: SubmissionFormat
) -> tuple[list[Finding], str | None]:
    findings, kind, shape = [], None, None
    if frame.image is not None:
        try:
            image = decode_file(frame.image)
            shape = image.shape[:2]
            kind = f"{shape[0]} x {shape[1]} {'grey' if image.ndim == 2 else 'colour'}"
        except InputError as error:
            findings.append(as_finding(frame.image, error, _kind_of(error)))
    if frame.mask is not None:
        findings += _check_mask(frame, foreground, form, shape)
    return findings, kind


def _check_mask(
    frame: Frame,
    foreground: int | tuple[int, int, int] | str,
    form: SubmissionFormat,
    shape: tuple[int, int] | None,
) -> list[Finding]:
    """Check a mask alone, against its image's shape and against the table's runs."""
    try:
        mask = read_mask(frame.mask, foreground=foreground)
    except InputError as error:
        return [as_finding(frame.mask, error, _kind_of(error))]
    findings = []
    if shape is not None and mask.shape != shape:
        sizes = f"{shape[0]} x {shape[1]}", f"{mask.shape[0]} x {mask.shape[1]}"
        findings.append(Finding(frame.mask, "size of mask and image differ", *sizes))
    if frame.runs is not None and (difference := compare_runs(mask, frame.runs, form)):
        findings.append(
            Finding(frame.mask, "mask and run lengths differ", "the table's mask", difference)
        )
    return findings


def _kind_of(error: InputError) -> str:
    if isinstance(error, UnsuitableImageError):
        return "mode"
    return "mask not binary" if isinstance(error, MaskValuesError) else "unreadable"
