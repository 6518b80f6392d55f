"""Masks for a folder of images, file by file."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from pipeline.atomic import atomic_file
from pipeline.dataset.decode import decode_file
from pipeline.dataset.layout import natural_key
from pipeline.errors import InputError
from pipeline.inference.ensemble import Ensemble

SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".gif", ".bmp")


class Job(NamedTuple):
    """An image and the file of its mask."""

    image: Path
    mask: Path


def plan_folder(images: Path, out: Path) -> list[Job]:
    """List the images of a folder, nested ones too, and where their masks go.

    Files of other suffixes and hidden ones are no images.

    Parameters
    ----------
    images : Path
        A folder.
    out : Path
        The folder of the masks, which need not exist: ``a/b.tif`` becomes ``a/b.png`` there.

    Returns
    -------
    list of Job
        In the natural order of the images' paths.

    Raises
    ------
    InputError
        `images` is no folder or holds no image, `out` is that folder or lies in it, two images
        have the same mask file, or a mask would replace an image.
    """
    if not images.is_dir():
        raise InputError(f"{images}: expected a folder of images, found none")
    inside = images.resolve()
    if inside in (out.resolve(), *out.resolve().parents):
        raise InputError(f"{out}: expected a folder outside of the images' ({images})")
    found = [path.relative_to(images) for path in images.rglob("*") if _is_image(path, images)]
    if not found:
        raise InputError(f"{images}: expected images ({', '.join(SUFFIXES)}), got none")
    found.sort(key=lambda path: (natural_key(path.as_posix()), path.as_posix()))
    jobs: dict[Path, Job] = {}
    sources = {inside / path for path in found}
    for path in found:
        job = Job(images / path, out / path.with_suffix(".png"))
        if job.mask in jobs:
            raise InputError(f"{job.image}: same mask file as {jobs[job.mask].image}")
        if job.mask.resolve() in sources:
            raise InputError(f"{job.image}: its mask would replace the image {job.mask}")
        jobs[job.mask] = job
    return list(jobs.values())


def check_images(jobs: Sequence[Job], *, advance: Callable[[], None] = lambda: None) -> None:
    """Decode every image once, on all cores.

    Raises
    ------
    InputError
        The first that can't be decoded.
    """

    def check(job: Job) -> None:
        decode_file(job.image)
        advance()

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            for _ in pool.map(check, jobs):
                pass
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def write_masks(
    jobs: Sequence[Job],
    ensemble: Ensemble,
    classes: Sequence[str],
    *,
    batch_size: int,
    advance: Callable[[int], None] = lambda count: None,
) -> int:
    """Write the masks as PNG, 0 and 255, batch by batch; return how many are not empty.

    Of several classes each has a file of its own, ``NAME_CLASS.png``.
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
            for index, name in enumerate(classes):
                suffix = f"_{name}" if len(classes) > 1 else ""
                _write_mask(job.mask.with_stem(job.mask.stem + suffix), masks[..., index])
            filled += bool(masks.any())
        advance(len(batch))
    return filled


def _is_image(path: Path, folder: Path) -> bool:
    is_hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return path.suffix.lower() in SUFFIXES and not is_hidden and path.is_file()


def _write_mask(path: Path, mask: np.ndarray) -> None:
    _, data = cv2.imencode(".png", mask.astype(np.uint8) * 255)
    with atomic_file(path, sync=False) as beside:  # thousands of files; made again if lost
        beside.write_bytes(data.tobytes())
