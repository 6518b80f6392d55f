"""Frames at network size as uint8 memory maps beside an index table."""

import json
import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import DTypeLike

from pipeline.competitions.spec import Spec
from pipeline.dataset.arrays import Reading
from pipeline.dataset.images import read_frame, resize_masks
from pipeline.dataset.index import keep_ids, mask_row, open_index, write_tables
from pipeline.dataset.truth import Truth, to_channels
from pipeline.errors import InputError
from pipeline.masks.codes import pack
from pipeline.parallel import map_on_all_cores


@dataclass(frozen=True)
class Store:
    """What `build_store` wrote, opened without reading it.

    Attributes
    ----------
    index : pandas.DataFrame
        One row per frame: id, height and width of the original (pixels); with masks also
        subject, area (pixels of the original with any class, of exclusive ones but the first)
        and contradicts: the id of the most similar frame of which one has a mask and one has none.
    images : numpy.memmap
        uint8, (N, H, W, channels).
    masks : numpy.memmap or None
        uint8, (N, H, W), codes of `pipeline.masks.codes`; None for test frames.
    """

    index: pd.DataFrame
    images: np.memmap
    masks: np.memmap | None


def build_store(
    folder: Path,
    frames: pd.DataFrame,
    spec: Spec,
    *,
    height: int,
    width: int,
    channels: int,
    truth: Truth | None = None,
    advance: Callable[[], None] = lambda: None,
) -> None:
    """Decode, check and resize frames into `folder`, on all cores, in constant memory.

    Parameters
    ----------
    folder : Path
        Created. It is complete when the function returns; put it in place as a whole then.
    frames : pandas.DataFrame
        Columns id and image; with masks also subject.
    spec : Spec
        Classes, and how deep pixels are read.
    height, width : int
        Network size, pixels.
    channels : {1, 3}
        Grey or RGB; files of the other kind are converted.
    truth : Truth, optional
        The masks of training frames.
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
    size = {"height": height, "width": width, "channels": channels}
    reading = Reading(spec.levels, spec.page)
    images = create_map(folder / "images.npy", (len(frames), *size.values()))
    codes = create_map(folder / "masks.npy", (len(frames), height, width)) if truth else None

    def write(row: int) -> dict[str, list[dict[str, Any]]]:
        frame = frames.iloc[row]
        images[row], shape = read_frame(frame["image"], reading=reading, **size)
        entry = {"id": frame["id"], "height": shape[0], "width": shape[1]}
        masks, objects = [], []
        if truth is not None:
            pieces = truth.pieces(frame["id"], shape)
            of_classes = to_channels(pieces, len(spec.classes), shape)
            small = resize_masks(of_classes, height, width, exclusive=spec.exclusive)
            codes[row] = pack(small, exclusive=spec.exclusive)
            foreground = of_classes[..., 1:] if spec.exclusive else of_classes
            area = int(np.count_nonzero(foreground.any(axis=-1)))
            entry |= {"subject": frame["subject"], "area": area, "contradicts": ""}
            masks = [
                mask_row(frame["id"], name, of_classes[..., index])
                for index, name in enumerate(spec.classes)
            ]
            objects = [
                mask_row(frame["id"], spec.classes[piece.class_index], piece.mask)
                for piece in pieces
                if spec.instances and piece.mask.any()
            ]
        advance()
        return {"index": [entry], "masks": masks, "objects": objects}

    with closing(map_on_all_cores(write, len(frames))) as written:
        write_tables(
            folder, written, masks=truth is not None, objects=truth is not None and spec.instances
        )
    images.flush()
    if codes is not None:
        codes.flush()
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
    kept_index = index.iloc[rows].assign(subject=subjects, contradicts=contradicts)
    kept_index.to_csv(folder / "index.csv", index=False)
    if len(rows) == len(index):
        return
    for name in ("images.npy", "masks.npy"):
        old = np.lib.format.open_memmap(folder / name, mode="r")
        kept = create_map(folder / f"kept_{name}", (len(rows), *old.shape[1:]))
        for target, row in enumerate(rows):
            kept[target] = old[row]
        kept.flush()
        (folder / f"kept_{name}").replace(folder / name)
    for path in (folder / "masks.csv", folder / "objects.csv"):
        if path.exists():
            keep_ids(path, kept_index["id"])


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
        has_masks = "subject" in index
        masks = np.lib.format.open_memmap(folder / "masks.npy", mode="r") if has_masks else None
    except FileNotFoundError as error:
        raise InputError(f"{error.filename}: no such file; run: pipeline preprocess") from error
    except (ValueError, KeyError, TypeError, EOFError) as error:
        raise InputError(f"{folder}: damaged ({error}); run: pipeline preprocess") from error
    if len(index) != len(images) or (masks is not None and len(index) != len(masks)):
        raise InputError(f"{folder}: index and arrays differ in length; run: pipeline preprocess")
    return Store(index, images, masks)


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


def _describe(size: dict[str, int]) -> str:
    return f"{size['height']}x{size['width']}x{size['channels']}"
