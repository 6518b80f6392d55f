"""What is wrong with the raw files: every fault, not the first alone."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.competitions.patterns import FilePattern
from pipeline.competitions.spec import Spec
from pipeline.dataset.arrays import Reading, decode_image
from pipeline.dataset.decode import UnsuitableImageError
from pipeline.dataset.findings import Finding, as_finding
from pipeline.dataset.images import MaskValuesError
from pipeline.dataset.layout import find_files, find_masks, natural_key
from pipeline.dataset.truth import MaskFiles, MaskRows, Piece, to_channels
from pipeline.errors import InputError
from pipeline.parallel import map_on_all_cores

UNCOMMON_SHARE = 0.05  # a size or mode that fewer frames have is worth a note


class Frame(NamedTuple):
    """An image, its mask files with the class of each, or both; further channels of the image."""

    id: str
    image: Path | None
    masks: Sequence[tuple[int | None, Path]] = ()
    channels: Sequence[Path] = ()


class Checked(NamedTuple):
    """What `check_frames` found, and every sound image's size and mode ("420 x 580 grey")."""

    findings: list[Finding]
    kinds: dict[Path, str]


def list_frames(
    data_dir: Path, images: Sequence[str], masks: Sequence[str], spec: Spec
) -> tuple[dict[str, Frame], list[Finding]]:
    """List the frames of file patterns, whether or not they pair up.

    Parameters
    ----------
    images : sequence of str
        Patterns as in the spec: one, or one for each channel.
    masks : sequence of str
        Likewise; without any, images alone are expected.
    spec : Spec
        Classes, and how ids are made.

    Returns
    -------
    frames : dict of str to Frame
        By id, in the natural order.
    findings : list of Finding
        Folders without files, and partners that are missing.
    """
    first, *others = images
    image_files = find_files(data_dir, first, template=spec.id)
    channels = {
        text: find_files(data_dir, text, ids_like=first, template=spec.id) for text in others
    }
    mask_files = find_masks(data_dir, masks, spec, ids_like=first)
    ids = sorted({*image_files, *mask_files}, key=lambda key: (natural_key(key), key))
    frames = {
        key: Frame(
            key,
            image_files.get(key),
            mask_files.get(key, ()),
            [files[key] for files in channels.values() if key in files],
        )
        for key in ids
    }
    sides = [("images", first, image_files), *(("masks", text, mask_files) for text in masks[:1])]
    findings = [
        Finding(data_dir / FilePattern(pattern).folder, f"no {side}", pattern, "none")
        for side, pattern, files in sides
        if not files
    ]
    findings += [
        Finding(path, "channel missing", text, "none")
        for key, path in image_files.items()
        for text, files in channels.items()
        if key not in files
    ]
    if masks and spec.lists is None:
        findings += _find_lonely(frames, first, masks[0])
    return frames, findings


def check_frames(
    frames: Sequence[Frame],
    spec: Spec,
    *,
    table: MaskRows | None = None,
    advance: Callable[[], None] = lambda: None,
) -> Checked:
    """Read every file, on all cores, in constant memory.

    Parameters
    ----------
    spec : Spec
        Classes, and how pixels are read.
    table : MaskRows, optional
        The masks as run lengths.
    advance : callable
        Called after each frame.
    """

    def check(row: int) -> tuple[list[Finding], str | None]:
        result = _check_frame(frames[row], spec, table)
        advance()
        return result

    findings, kinds = [], {}
    for frame, (of_frame, kind) in zip(frames, map_on_all_cores(check, len(frames)), strict=True):
        findings += of_frame
        if kind is not None:
            kinds[frame.image] = kind
    return Checked(findings, kinds)


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
        if not frame.masks:
            findings.append(Finding(frame.image, "image without mask", masks, "none"))
        elif frame.image is None:
            findings.append(Finding(frame.masks[0][1], "mask without image", images, "none"))
    return findings


def _check_image(
    frame: Frame, spec: Spec
) -> tuple[list[Finding], str | None, tuple[int, int] | None]:
    """Return what is wrong with the image's files, and the kind and size that they have."""
    findings, kind, shape = [], None, None
    for path in (*filter(None, [frame.image]), *frame.channels):
        try:
            image = decode_image(path, Reading(spec.levels, spec.page))
        except InputError as error:
            findings.append(as_finding(path, error, _kind_of(error)))
            continue
        found = image.shape[:2]
        if path == frame.image:
            kind = f"{found[0]} x {found[1]} {'grey' if image.ndim == 2 else 'colour'}"
        shape = shape or found
        if found != shape:
            sizes = (f"{height} x {width}" for height, width in (shape, found))
            findings.append(Finding(path, "sizes of channels differ", *sizes))
    return findings, kind, shape


def _check_frame(
    frame: Frame, spec: Spec, table: MaskRows | None
) -> tuple[list[Finding], str | None]:
    findings, kind, shape = _check_image(frame, spec)
    pieces: list[Piece] = []
    of_image = len(findings)
    for class_index, path in frame.masks:
        try:
            found = MaskFiles({frame.id: [(class_index, path)]}, spec).pieces(frame.id)
        except InputError as error:
            findings.append(as_finding(path, error, _kind_of(error)))
            continue
        if shape is not None and found[0].mask.shape != shape:
            sizes = (f"{height} x {width}" for height, width in (shape, found[0].mask.shape))
            findings.append(Finding(path, "size of mask and image differ", *sizes))
            continue
        shape = found[0].mask.shape
        pieces += found
    are_masks_sound = len(findings) == of_image
    if table is not None and shape is not None and are_masks_sound:
        findings += _check_runs(frame, pieces, shape, spec, table)
    return findings, kind


def _check_runs(
    frame: Frame, pieces: Sequence[Piece], shape: tuple[int, int], spec: Spec, table: MaskRows
) -> list[Finding]:
    """Check that the table's runs fit the image, and that they say what its mask files say."""
    where = frame.masks[0][1] if frame.masks else table.path
    kind, expected = "mask and run lengths differ", "the table's mask"
    try:
        listed = table.pieces(frame.id, shape)
    except InputError as error:
        return [Finding(where, kind, expected, str(error).removeprefix(f"{table.path}: "))]
    if not frame.masks or not any(key in table.rows for key in table.keys(frame.id)):
        return []
    one, other = (to_channels(of, len(spec.classes), shape) for of in (pieces, listed))
    differing = np.count_nonzero(one != other)
    return [Finding(where, kind, expected, f"{differing} pixels that differ")] if differing else []


def _kind_of(error: InputError) -> str:
    if isinstance(error, UnsuitableImageError):
        return "mode"
    return "mask not binary" if isinstance(error, MaskValuesError) else "unreadable"
