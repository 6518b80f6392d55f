"""Frames at network size as uint8 memory maps beside an index table."""

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import DTypeLike

from pipeline.dataset.images import read_frame, read_mask, resize_mask
from pipeline.errors import InputError
from pipeline.masks import rle

_FRAME_TYPES = {"id": str, "height": int, "width": int}
_INDEX_TYPES = {**_FRAME_TYPES, "subject": str, "area": int, "rle": str, "contradicts": str}


@dataclass(frozen=True)
class Store:
    """What `build_store` wrote, opened without reading it.

    Attributes
    ----------
    index : pandas.DataFrame
        One row per frame: id, height and width of the original (pixels); with masks also
        subject, area (pixels of the original), rle (columns first, from 1, original size) and
        contradicts: the id of the most similar frame of which one has a mask and one has none.
    images : numpy.memmap
        uint8, (N, H, W, channels).
    masks : numpy.memmap or None
        uint8 0 or 1, (N, H, W); None for test frames.
    """

    index: pd.DataFrame
    images: np.memmap
    masks: np.memmap | None


def build_store(
    folder: Path,
    frames: pd.DataFrame,
    *,
    height: int,
    width: int,
    channels: int,
    foreground: int | tuple[int, int, int] | str,
    advance: Callable[[], None] = lambda: None,
) -> None:
    """Decode, check and resize frames into `folder`, on all cores, in constant memory.

    Parameters
    ----------
    folder : Path
        Created. It is complete when the function returns; put it in place as a whole then.
    frames : pandas.DataFrame
        Columns id and image (Path); with masks also subject and mask (Path).
    height, width : int
        Network size, pixels.
    channels : {1, 3}
        Grey or RGB; files of the other kind are converted.
    foreground : int, tuple of int or "nonzero"
        Which mask pixels are foreground.
    advance : callable
        Called after each frame.

    Raises
    ------
    InputError
        The first file at fault.
    OSError
        The disk is full.
    """
    folder.mkdir()
    shape = (len(frames), height, width)
    images = create_map(folder / "images.npy", (*shape, channels))
    masks = create_map(folder / "masks.npy", shape) if "mask" in frames else None

    def write(row: int) -> dict[str, Any]:
        frame = frames.iloc[row]
        images[row], size = read_frame(
            frame["image"], height=height, width=width, channels=channels
        )
        entry = {"id": frame["id"], "height": size[0], "width": size[1]}
        if masks is not None:
            mask = _read_mask_of(frame, size, foreground)
            masks[row] = resize_mask(mask, height, width)
            entry |= {"subject": frame["subject"], "area": int(np.count_nonzero(mask))}
            entry |= {"rle": rle.encode(mask), "contradicts": ""}
        advance()
        return entry

    pd.DataFrame(map_on_all_cores(write, len(frames))).to_csv(folder / "index.csv", index=False)
    images.flush()
    if masks is not None:
        masks.flush()
    size = {"height": height, "width": width, "channels": channels}
    (folder / "size.json").write_text(json.dumps(size))


def select_frames(
    folder: Path, rows: np.ndarray, *, subjects: np.ndarray, contradicts: np.ndarray
) -> None:
    """Keep only `rows` of a store of training frames; set what comparing the frames showed.

    Parameters
    ----------
    folder : Path
        Written by `build_store`, not yet in its place.
    rows : numpy.ndarray
        int, ascending.
    subjects, contradicts : numpy.ndarray
        str, columns of the index, one value per frame that is kept.
    """
    index = open_index(folder)
    for name in ("images.npy", "masks.npy") if len(rows) < len(index) else ():
        old = np.lib.format.open_memmap(folder / name, mode="r")
        kept = create_map(folder / f"kept_{name}", (len(rows), *old.shape[1:]))
        for target, row in enumerate(rows):
            kept[target] = old[row]
        kept.flush()
        (folder / f"kept_{name}").replace(folder / name)
    index = index.iloc[rows].assign(subject=subjects, contradicts=contradicts)
    index.to_csv(folder / "index.csv", index=False)


def open_store(folder: Path, *, height: int, width: int, channels: int) -> Store:
    """Open a store made at this size.

    Raises
    ------
    InputError
        There is none, it was made at another size, or its files don't belong together.
    """
    expected = {"height": height, "width": width, "channels": channels}
    try:
        size = json.loads((folder / "size.json").read_text())
        if size != expected:
            raise InputError(
                f"{folder}: expected frames of {_describe(expected)} (params.yaml), got"
                f" {_describe(size)}; run: pipeline preprocess"
            )
        index = open_index(folder)
        images = np.lib.format.open_memmap(folder / "images.npy", mode="r")
        has_masks = "rle" in index
        masks = np.lib.format.open_memmap(folder / "masks.npy", mode="r") if has_masks else None
    except FileNotFoundError as error:
        raise InputError(f"{error.filename}: no such file; run: pipeline preprocess") from error
    except (ValueError, KeyError, TypeError, EOFError) as error:
        raise InputError(f"{folder}: damaged ({error}); run: pipeline preprocess") from error
    if len(index) != len(images) or (masks is not None and len(index) != len(masks)):
        raise InputError(f"{folder}: index and arrays differ in length; run: pipeline preprocess")
    return Store(index, images, masks)


def open_index(folder: Path) -> pd.DataFrame:
    """Read the index of a store alone; see `Store`.

    Raises
    ------
    InputError
        There is none, or it is damaged.
    """
    path = folder / "index.csv"
    try:
        index = pd.read_csv(path, dtype=_INDEX_TYPES, keep_default_na=False)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; run: pipeline preprocess") from error
    except ValueError as error:
        raise InputError(f"{path}: damaged ({error}); run: pipeline preprocess") from error
    if list(index) not in (list(_INDEX_TYPES), list(_FRAME_TYPES)):
        raise InputError(f"{path}: damaged (columns {list(index)}); run: pipeline preprocess")
    return index


def create_map(path: Path, shape: tuple[int, ...], dtype: DTypeLike = np.uint8) -> np.memmap:
    """Create a ``.npy`` file of this shape and map it into memory.

    Raises
    ------
    OSError
        The disk is full.
    """
    array = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    # A sparse file on a full disk would kill the process at a write; reserving the blocks
    # raises an OSError here instead.
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as handle:
            os.posix_fallocate(handle.fileno(), 0, path.stat().st_size)
    return array


def _read_mask_of(
    frame: pd.Series, shape: tuple[int, int], foreground: int | tuple[int, int, int] | str
) -> np.ndarray:
    mask = read_mask(frame["mask"], foreground=foreground)
    if mask.shape != shape:
        raise InputError(
            f"{frame['mask']}: expected the size of its image {shape}, got {mask.shape}"
        )
    return mask


def _describe(size: dict[str, int]) -> str:
    return f"{size['height']}x{size['width']}x{size['channels']}"


def map_on_all_cores(function: Callable[[int], Any], count: int) -> list[Any]:
    """Return what `function` makes of 0 to count - 1, in threads: OpenCV frees Python's lock."""
    cv2_threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            try:
                return list(pool.map(function, range(count)))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    finally:
        cv2.setNumThreads(cv2_threads)
