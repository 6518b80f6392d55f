"""The data of a page's gallery, and where its pictures lie."""

import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from pipeline.dataset.layout import natural_key
from pipeline.report.frames import Drawn

_SORTS = {
    "dice up": "Dice, worst first",
    "dice down": "Dice, best first",
    "presence down": "presence, surest first",
    "presence up": "presence, faintest first",
    "area down": "predicted area, largest first",
    "true_area down": "true area, largest first",
    "id up": "id",
}
_KINDS = {
    "all": "all",
    "mask": "with a mask",
    "empty": "empty",
    "alarm": "false alarms",
    "miss": "misses",
    "contradiction": "contradicting another",
    "predicted": "predicted with a mask",
    "unpredicted": "predicted empty",
}
_NEEDS_TRUTH = {"mask", "empty", "alarm", "miss", "contradiction"}


class Gallery(NamedTuple):
    """What the templates ask of a gallery.

    Attributes
    ----------
    data : dict
        What becomes JSON: base (the pictures' folder), masks (names), columns and frames (rows).
    sorts, kinds : list of (str, str)
        Choices with what they are called.
    filters : dict of str to list
        Values by column.
    """

    data: dict[str, Any]
    sorts: list[tuple[str, str]]
    kinds: list[tuple[str, str]]
    filters: dict[str, list[object]]


def make_gallery(
    table: pd.DataFrame, drawn: Sequence[Drawn], base: str, *, filters: Sequence[str] = ()
) -> Gallery:
    """Put a table of frames and what was drawn of them together.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per frame, in the order of `drawn`: id, width, height, area, presence; with truth
        also dice, true_area and contradicts; and the columns of `filters`.
    base : str
        The pictures' folder as the page sees it.
    """
    masks = list(drawn[0].outlines) if drawn else []
    outlines = {name: [frame.outlines[name] for frame in drawn] for name in masks}
    table = table.assign(has_map=[int(frame.has_map) for frame in drawn], **outlines)
    columns = [table[name].tolist() for name in table]
    known = "dice" in table
    return Gallery(
        data={
            "base": base,
            "masks": masks,
            "columns": list(table),
            "frames": list(zip(*columns, strict=True)),
        },
        sorts=[each for each in _SORTS.items() if each[0].split()[0] in table],
        kinds=[each for each in _KINDS.items() if known or each[0] not in _NEEDS_TRUTH],
        filters={name: sorted(set(table[name]), key=_counting) for name in filters},
    )


def place_pictures(
    parent: Path, name: str, draw: Callable[[Path], list[Drawn]]
) -> tuple[Path, list[Drawn]]:
    """Let `draw` fill a new folder, and call it ``NAME-DIGEST`` after its content.

    A page that names it can be replaced in one step, and the page before finds its own until then.

    Returns
    -------
    folder : Path
        In `parent`; complete.
    drawn : list of Drawn
        What `draw` returned.

    Raises
    ------
    OSError
        The disk is full. Nothing of the folder is left.
    """
    partial = parent / f".partial-{name}"
    shutil.rmtree(partial, ignore_errors=True)  # what a killed run left
    partial.mkdir(parents=True)
    try:
        drawn = draw(partial)
        target = parent / f"{name}-{_digest(partial)}"
        if not target.exists():
            if hasattr(os, "sync"):
                os.sync()  # file by file it would take long
            partial.rename(target)
        return target, drawn
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def remove_others(kept: Path) -> None:
    """Remove the versions of a folder of pictures that no page names any more."""
    name = kept.name.rpartition("-")[0]
    for path in kept.parent.glob(f"{name}-*"):
        if path != kept:
            shutil.rmtree(path)


def _counting(value: object) -> list[tuple[int, str]]:
    return natural_key(str(value))


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)} ".encode())
        digest.update(content)
    return digest.hexdigest()[:12]
