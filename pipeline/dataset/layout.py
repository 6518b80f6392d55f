"""Which files a data folder holds, by a competition's patterns."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd

from pipeline.competitions.patterns import FilePattern, fill
from pipeline.competitions.spec import Spec
from pipeline.errors import InputError


def list_training(data_dir: Path, spec: Spec) -> pd.DataFrame:
    """List the training images in the natural order of their ids.

    Returns
    -------
    pandas.DataFrame
        Columns id, subject (str) and image (Path, or a tuple of them: the channels).

    Raises
    ------
    InputError
        A folder is missing, there are no images, or a channel of one is missing.
    """
    frames = _list_images(data_dir, spec.images, spec, spec.lists and spec.lists.train)
    pattern = FilePattern(spec.images[0])
    if "subject" in pattern.names:
        firsts = (image if isinstance(image, Path) else image[0] for image in frames["image"])
        frames["subject"] = [
            pattern.match(path.relative_to(data_dir).as_posix())["subject"] for path in firsts
        ]
    else:
        frames["subject"] = [f"group{i // spec.frames_per_subject}" for i in range(len(frames))]
    return frames[["id", "subject", "image"]]


def list_test(data_dir: Path, spec: Spec) -> pd.DataFrame:
    """List the test frames in the order of the submission.

    Returns
    -------
    pandas.DataFrame
        Columns id (str) and image (Path, or a tuple of them: the channels).

    Raises
    ------
    InputError
        The folder is missing or empty, an id does not fit ``submission.ids`` or stands twice.
    """
    frames = _list_images(data_dir, spec.test, spec, spec.lists and spec.lists.test)
    if spec.submission.ids == "name":
        return frames.sort_values("id", ignore_index=True)
    for frame_id, path in frames[["id", "image"]].values:
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


def find_files(
    data_dir: Path, text: str, *, ids_like: str | None = None, template: str | None = None
) -> dict[str, Path]:
    """Return path by id for every file that fits a pattern, in the natural order of ids.

    The placeholders stand in an id in the order of the pattern `ids_like`: masks may lie in
    ``{frame}/{subject}.tif`` and still pair with ``{subject}_{frame}.tif``. A `template` with
    placeholders that the pattern has makes the id otherwise. Nothing is found where the folder is
    missing.

    Raises
    ------
    InputError
        Two files have one id.
    """
    found: dict[str, Path] = {}
    for frame_id, _, path in _matches(data_dir, text, ids_like=ids_like, template=template):
        if frame_id in found:
            raise InputError(f"{path}: same id {frame_id} as {found[frame_id]}")
        found[frame_id] = path
    # "1" and "01" count the same: the text decides then, not the order on the disk.
    return {key: found[key] for key in sorted(found, key=lambda key: (natural_key(key), key))}


def find_masks(
    data_dir: Path, patterns: Sequence[str], spec: Spec, *, ids_like: str
) -> dict[str, list[tuple[int | None, Path]]]:
    """Return the mask files of each image with their class, None where a file holds all.

    Of several patterns the first that an image has files of counts.

    Raises
    ------
    InputError
        A file's {class} is none of the spec's.
    """
    masks: dict[str, list[tuple[int | None, Path]]] = {}
    for text in patterns:
        known = set(masks)
        options = {"ids_like": ids_like, "template": spec.id}
        for frame_id, values, path in sorted(
            _matches(data_dir, text, **options), key=lambda found: natural_key(str(found[2]))
        ):
            index = class_index(path, values, spec)
            if frame_id not in known:
                masks.setdefault(frame_id, []).append((index, path))
    return masks


def class_index(path: Path, values: Mapping[str, str], spec: Spec) -> int | None:
    """Return which class a file is of, by its placeholders' values; None where it holds all.

    Raises
    ------
    InputError
        The spec knows no such class.
    """
    name = values.get("class")
    if name is None:
        return None
    if name not in spec.classes:
        known = ", ".join(spec.classes)
        raise InputError(f"{path}: expected one of the classes {known}, got {name}")
    return spec.classes.index(name)


def check_pairs(
    images: Mapping[str, Path], masks: Mapping[str, Path], data_dir: Path, spec: Spec
) -> None:
    """Raise InputError unless every image has a mask file and the other way round.

    Where lists name the images, masks of others are no fault.
    """
    sides = [("mask", images, masks, spec.masks)]
    if spec.lists is None:
        sides.append(("image", masks, images, spec.images))
    for kind, files, partners, patterns in sides:
        lonely = [path for frame_id, path in files.items() if frame_id not in partners]
        if lonely:
            more = f" (and {len(lonely) - 1} more)" if len(lonely) > 1 else ""
            raise InputError(
                f"{lonely[0]}: expected its {kind} as {data_dir / patterns[0]}, got none{more}"
            )


def _list_images(
    data_dir: Path, patterns: Sequence[str], spec: Spec, listed: str | None
) -> pd.DataFrame:
    """Return id and image, the tuple of its channels' files where there are several patterns."""
    channels = [_list_files(data_dir, text, patterns[0], spec.id) for text in patterns]
    ids = list(channels[0]) if listed is None else _read_list(data_dir / listed)
    for frame_id in ids:
        for files, text in zip(channels, patterns, strict=True):
            if frame_id not in files:
                raise InputError(f"{data_dir}: expected an image {text} of {frame_id}, got none")
    images = [tuple(files[frame_id] for files in channels) for frame_id in ids]
    return pd.DataFrame({"id": ids, "image": [i[0] if len(i) == 1 else i for i in images]})


def _read_list(path: Path) -> list[str]:
    try:
        ids = path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: expected a list of ids, one a line, got {error}") from error
    if not ids:
        raise InputError(f"{path}: expected a list of ids, one a line, got none")
    return list(dict.fromkeys(ids))


def _list_files(data_dir: Path, text: str, ids_like: str, template: str | None) -> dict[str, Path]:
    """Return what `find_files` finds; InputError where that is nothing."""
    folder = data_dir / FilePattern(text).folder
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected files {text} in {data_dir}")
    found = find_files(data_dir, text, ids_like=ids_like, template=template)
    if not found:
        raise InputError(f"{folder}: expected files {text} in {data_dir}, got none")
    return found


def _matches(
    data_dir: Path, text: str, *, ids_like: str | None, template: str | None
) -> Iterator[tuple[str, dict[str, str], Path]]:
    """Yield id, placeholders and path of every file that fits."""
    pattern = FilePattern(text)
    names = FilePattern(ids_like or text).id_names
    if template is None or not set(re.findall(r"\{(\w+)\}", template)) <= set(pattern.names):
        template = "_".join(f"{{{name}}}" for name in names)
    for path in data_dir.glob(pattern.glob):
        values = pattern.match(path.relative_to(data_dir).as_posix())
        if values is not None:
            yield fill(template, values), values, path
