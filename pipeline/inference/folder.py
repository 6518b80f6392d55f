"""Masks for a folder of images, file by file."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from pipeline.atomic import atomic_file
from pipeline.dataset.arrays import Reading, decode_image
from pipeline.dataset.images import EIGHT_BITS
from pipeline.dataset.layout import natural_key
from pipeline.errors import InputError
from pipeline.inference.ensemble import Ensemble
from pipeline.parallel import map_ahead

SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".gif", ".bmp")
DEEP_SUFFIXES = (*SUFFIXES, ".dcm", ".npy")  # where levels say what becomes of deep pixels


class Job(NamedTuple):
    """An image and the files of its masks, one per class."""

    image: Path
    masks: tuple[Path, ...]


def plan_folder(
    images: Path,
    out: Path,
    classes: Sequence[str] = ("mask",),
    *,
    suffixes: Sequence[str] = SUFFIXES,
) -> list[Job]:
    """List the images of a folder, nested ones too, and where their masks go.

    Files of other suffixes and hidden ones are no images.

    Parameters
    ----------
    images : Path
        A folder.
    out : Path
        The folder of the masks, which need not exist: ``a/b.tif`` becomes ``a/b.png`` there, of
        several classes ``a/b_CLASS.png`` each.
    classes : sequence of str
        Masks per image.
    suffixes : sequence of str
        Of the images.

    Returns
    -------
    list of Job
        In the natural order of the images' paths.

    Raises
    ------
    InputError
        `images` is no folder or holds no image, `out` is that folder or lies in it, two images
        have the same mask file, a mask would replace an image, or a class can't name a file.
    """
    for name in classes:
        if "/" in name or not name.isprintable():
            raise InputError(f"classes: expected names that a file can have, got {name!r}")
    if not images.is_dir():
        raise InputError(f"{images}: expected a folder of images, found none")
    inside = images.resolve()
    if inside in (out.resolve(), *out.resolve().parents):
        raise InputError(f"{out}: expected a folder outside of the images' ({images})")
    found = [
        path.relative_to(images) for path in images.rglob("*") if _is_image(path, images, suffixes)
    ]
    if not found:
        raise InputError(f"{images}: expected images ({', '.join(suffixes)}), got none")
    found.sort(key=lambda path: (natural_key(path.as_posix()), path.as_posix()))
    endings = [f"_{name}" for name in classes] if len(classes) > 1 else [""]
    sources = {inside / path for path in found}
    jobs, owners = [], {}
    for path in found:
        image = images / path
        masks = tuple(out / path.with_name(f"{path.stem}{ending}.png") for ending in endings)
        for mask in masks:
            if mask in owners:
                raise InputError(f"{image}: same mask file as {owners[mask]}")
            if mask.resolve() in sources:
                raise InputError(f"{image}: its mask would replace the image {mask}")
            owners[mask] = image
        jobs.append(Job(image, masks))
    return jobs


def check_images(
    jobs: Sequence[Job],
    *,
    reading: Reading = EIGHT_BITS,
    advance: Callable[[], None] = lambda: None,
) -> None:
    """Decode every image once, on all cores, as `Ensemble.read` will.

    Raises
    ------
    InputError
        The first that can't be decoded.
    """

    def check(job: Job) -> None:
        decode_image(job.image, reading)
        advance()

    cores = os.cpu_count() or 1
    with ThreadPoolExecutor(cores) as pool:
        for _ in map_ahead(pool, check, jobs, ahead=2 * cores):
            pass


def write_masks(
    jobs: Sequence[Job],
    ensemble: Ensemble,
    *,
    batch_size: int,
    advance: Callable[[int], None] = lambda count: None,
) -> int:
    """Write the masks as PNG, 0 and 255, batch by batch; return how many are not empty.

    Each file is complete or not there; a run that is stopped leaves the masks of its batches.

    Raises
    ------
    InputError
        An image can't be decoded.
    OSError
        The disk is full.
    """
    filled = 0
    for start in range(0, len(jobs), batch_size):
        batch = jobs[start : start + batch_size]
        frames = [ensemble.read(job.image) for job in batch]
        for job, frame, predicted in zip(batch, frames, ensemble.predict(frames), strict=True):
            masks = ensemble.masks(predicted, frame)
            for index, path in enumerate(job.masks):
                _write_mask(path, masks[..., index])
                filled += bool(masks[..., index].any())
        advance(len(batch))
    return filled


def _is_image(path: Path, folder: Path, suffixes: Sequence[str]) -> bool:
    is_hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return path.suffix.lower() in suffixes and not is_hidden and path.is_file()


def _write_mask(path: Path, mask: np.ndarray) -> None:
    _, data = cv2.imencode(".png", mask.astype(np.uint8) * 255)
    with atomic_file(path, sync=False) as beside:  # thousands of files; made again if lost
        beside.write_bytes(data.tobytes())
