"""The tables of a store: its frames, the true mask of every class, and objects."""

import csv
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.errors import InputError
from pipeline.masks import rle

_FRAME_TYPES = {"id": str, "height": int, "width": int}
_INDEX_TYPES = {**_FRAME_TYPES, "subject": str, "area": int, "contradicts": str}
_MASK_TYPES = {"id": str, "class": str, "area": int, "rle": str}
_ROWS_AT_ONCE = 1000  # of a table that is copied


def open_index(folder: Path) -> pd.DataFrame:
    """Read the index of a store alone; see `Store`.

    Raises
    ------
    InputError
        There is none, or it is damaged.
    """
    return _read_table(folder / "index.csv", _INDEX_TYPES, _FRAME_TYPES)


def open_masks(folder: Path, classes: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Read the masks of these classes beside the index.

    Returns
    -------
    dict of str to pandas.DataFrame
        By class, the table of `open_index` with the class's area and its rle (columns first, from
        1, original size).

    Raises
    ------
    InputError
        A table is missing or damaged, or knows no such class.
    """
    index, table = open_index(folder), _read_table(folder / "masks.csv", _MASK_TYPES)
    masks = {}
    for name in classes:
        of_class = table[table["class"] == name]
        if list(of_class["id"]) != list(index["id"]):
            raise InputError(
                f"{folder}: expected a mask of class {name} of every frame;"
                " run: pipeline preprocess"
            )
        masks[name] = index.assign(area=of_class["area"].to_numpy(), rle=of_class["rle"].to_numpy())
    return masks


def open_objects(folder: Path, classes: Sequence[str]) -> list[dict[str, list[str]]]:
    """Read the run lengths of each frame's objects of these classes.

    Returns
    -------
    list of dict
        Of each class, the objects by id; frames without any have no entry.

    Raises
    ------
    InputError
        The table is missing or damaged.
    """
    table = _read_table(folder / "objects.csv", _MASK_TYPES)
    of_classes = [table[table["class"] == name].groupby("id")["rle"] for name in classes]
    return [{str(key): runs.tolist() for key, runs in objects} for objects in of_classes]


def _read_table(path: Path, *kinds: dict[str, type]) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, dtype=kinds[0], keep_default_na=False)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; run: pipeline preprocess") from error
    except ValueError as error:
        raise InputError(f"{path}: damaged ({error}); run: pipeline preprocess") from error
    if list(table) not in [list(kind) for kind in kinds]:
        raise InputError(f"{path}: damaged (columns {list(table)}); run: pipeline preprocess")
    return table


def mask_row(frame_id: str, class_name: str, mask: np.ndarray) -> dict[str, Any]:
    """Return the row of a mask, bool (H, W), in the tables of masks and of objects."""
    area = int(np.count_nonzero(mask))
    return {"id": frame_id, "class": class_name, "area": area, "rle": rle.encode(mask)}


def write_tables(
    folder: Path,
    written: Iterable[dict[str, list[dict[str, Any]]]],
    *,
    masks: bool,
    objects: bool,
) -> None:
    """Write the tables row by row, as frames come.

    Parameters
    ----------
    folder : Path
        The store.
    written : iterable of dict
        Of each frame, its rows of the tables ``index``, ``masks`` and ``objects``.
    masks, objects : bool
        Whether there are these tables; test frames have the first alone.
    """
    columns = {"index": list(_INDEX_TYPES if masks else _FRAME_TYPES)}
    columns |= {"masks": list(_MASK_TYPES)} if masks else {}
    columns |= {"objects": list(_MASK_TYPES)} if objects else {}
    with ExitStack() as stack:
        writers = {}
        for name, of_table in columns.items():
            path = folder / f"{name}.csv"
            file = stack.enter_context(path.open("w", encoding="utf-8", newline=""))
            writers[name] = csv.DictWriter(file, of_table, lineterminator="\n")
            writers[name].writeheader()
        for of_frame in written:
            for name, writer in writers.items():
                writer.writerows(of_frame[name])


def keep_ids(path: Path, ids: pd.Series) -> None:
    """Leave the rows of other ids out of a table of masks, without reading it as a whole."""
    kept = path.with_name(f"kept_{path.name}")
    parts = pd.read_csv(path, dtype=_MASK_TYPES, keep_default_na=False, chunksize=_ROWS_AT_ONCE)
    with kept.open("w", encoding="utf-8", newline="") as file:
        for number, part in enumerate(parts):
            part[part["id"].isin(ids)].to_csv(file, index=False, header=number == 0)
    kept.replace(path)
