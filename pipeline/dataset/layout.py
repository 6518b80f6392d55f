"""Which files a data folder holds, by a competition's patterns."""

import re
from glob import escape
from pathlib import Path

import pandas as pd

from pipeline.competitions.spec import FilePattern, Spec
from pipeline.errors import InputError


def list_training(data_dir: Path, spec: Spec) -> pd.DataFrame:
    """List the training frames with their masks, in the natural order of their ids.

    Returns
    -------
    pandas.DataFrame
        Columns id, subject (str), image and mask (Path).

    Raises
    ------
    InputError
        A folder is missing, there are no images, or images and masks don't pair up.
    """
    images = _list_files(data_dir, spec.images)
    masks = _list_files(data_dir, spec.masks, ids_like=spec.images)
    _check_pairs(images, masks, data_dir, spec)
    frames = pd.DataFrame({"id": list(images), "image": list(images.values())})
    frames["mask"] = [masks[frame_id] for frame_id in frames["id"]]
    pattern = FilePattern(spec.images)
    if "subject" in pattern.names:
        frames["subject"] = [
            pattern.match(path.relative_to(data_dir).as_posix())["subject"]
            for path in frames["image"]
        ]
    else:
        frames["subject"] = [f"group{i // spec.frames_per_subject}" for i in range(len(frames))]
    return frames[["id", "subject", "image", "mask"]]


def list_test(data_dir: Path, spec: Spec) -> pd.DataFrame:
    """List the test frames in the order of the submission.

    Returns
    -------
    pandas.DataFrame
        Columns id (str) and image (Path).

    Raises
    ------
    InputError
        The folder is missing or empty, an id does not fit ``submission.ids`` or stands twice.
    """
    images = _list_files(data_dir, spec.test)
    frames = pd.DataFrame({"id": list(images), "image": list(images.values())})
    if spec.submission.ids == "name":
        return frames.sort_values("id", ignore_index=True)
    for frame_id, path in images.items():
        if not re.fullmatch(r"[0-9]+", frame_id):
            raise InputError(f"{path}: expected an integer id (submission.ids), got {frame_id!r}")
    numbers = frames["id"].map(int).astype(object)  # Python's: an id may have 20 digits
    if numbers.duplicated().any():
        first, second = frames["image"][numbers == numbers[numbers.duplicated()].iloc[0]][:2]
        raise InputError(f"{second}: same id as {first}")
    frames["id"] = numbers.astype(str)
    return frames.iloc[numbers.argsort()].reset_index(drop=True)


def natural_key(text: str) -> list[tuple[int, str]]:
    """Sort key that counts: ``a2`` stands before ``a10``.

    Examples
    --------
    >>> sorted(["a10", "a2"], key=natural_key)
    ['a2', 'a10']
    """
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in _runs(text)]


def _runs(text: str) -> list[str]:
    return re.findall(r"[0-9]+|[^0-9]+", text)


def find_files(data_dir: Path, text: str, *, ids_like: str | None = None) -> dict[str, Path]:
    """Return path by id for every file that fits a pattern, in the natural order of ids.

    The placeholders stand in an id in the order of the pattern `ids_like`: masks may lie in
    ``{frame}/{subject}.tif`` and still pair with ``{subject}_{frame}.tif``. No two files have one
    id, as {id} alone may hold the underscore that joins them. Nothing is found where the folder
    is missing.
    """
    pattern = FilePattern(text)
    names = FilePattern(ids_like or text).names
    found: dict[str, Path] = {}
    for path in data_dir.glob("*".join(map(escape, re.split(r"\{\w+\}", text)))):
        values = pattern.match(path.relative_to(data_dir).as_posix())
        if values is not None:
            found["_".join(values[name] for name in names)] = path
    # "1" and "01" count the same: the text decides then, not the order on the disk.
    return {key: found[key] for key in sorted(found, key=lambda key: (natural_key(key), key))}


def _list_files(data_dir: Path, text: str, *, ids_like: str | None = None) -> dict[str, Path]:
    """Return what `find_files` finds; InputError where that is nothing."""
    folder = data_dir / FilePattern(text).folder
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected files {text} in {data_dir}")
    found = find_files(data_dir, text, ids_like=ids_like)
    if not found:
        raise InputError(f"{folder}: expected files {text} in {data_dir}, got none")
    return found


def _check_pairs(
    images: dict[str, Path], masks: dict[str, Path], data_dir: Path, spec: Spec
) -> None:
    sides = (("mask", images, masks, spec.masks), ("image", masks, images, spec.images))
    for kind, files, partners, pattern in sides:
        lonely = [path for frame_id, path in files.items() if frame_id not in partners]
        if lonely:
            more = f" (and {len(lonely) - 1} more)" if len(lonely) > 1 else ""
            raise InputError(
                f"{lonely[0]}: expected its {kind} as {data_dir / pattern}, got none{more}"
            )
