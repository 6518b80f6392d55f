"""Check the raw files; look for frames of one scene, contradicting masks and leaks."""

import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain

import numpy as np
import pandas as pd

from pipeline.atomic import atomic_file, atomic_folder
from pipeline.competitions.spec import load_spec
from pipeline.dataset.duplicates import describe_frames, find_similar
from pipeline.dataset.findings import summarise, to_table
from pipeline.dataset.originals import as_rgb
from pipeline.dataset.store import Store, open_store
from pipeline.errors import InputError
from pipeline.masks.dice import dice_score
from pipeline.params import Params
from pipeline.paths import Paths
from pipeline.progress import progress_bar
from pipeline.report.contact_sheet import Picture, describe_area, write_sheets
from pipeline.stages.audit_files import find_faults
from pipeline.stages.folds import read_folds
from pipeline.stages.init import how_to_get


def run(params: Params, paths: Paths, *, pictures: int) -> Iterator[str]:
    """Check the raw files, then, where frames are preprocessed, look for pairs of them.

    Yields
    ------
    str
        What was found, part by part.

    Raises
    ------
    InputError
        There are faults in the raw files; what they are was yielded and written before.
    """
    data_dir = paths.root / params.data_dir
    is_preprocessed = paths.processed.exists()
    if data_dir.is_dir():
        table = to_table(find_faults(data_dir, load_spec(params.competition)), data_dir)
        with atomic_file(paths.raw_faults) as beside:
            table.to_csv(beside, index=False)
        faults = int((table["severity"] == "fault").sum())
        heading = f"{params.data_dir}: {faults or 'no'} faults in the raw files"
        yield "\n".join(filter(None, (heading, summarise(table))))
        if faults:
            raise InputError(f"{params.data_dir}: {faults} faults, listed in {paths.raw_faults}")
    elif is_preprocessed:
        yield f"{params.data_dir}: not there, so the raw files were not checked"
    else:
        get = how_to_get(params.competition)
        raise InputError(f"{params.data_dir}: no such folder{f'; run: {get}' if get else ''}")
    if is_preprocessed:
        yield find_pairs(params, paths, pictures=pictures)
    else:
        yield "not preprocessed yet: frames were not compared"


def find_pairs(params: Params, paths: Paths, *, pictures: int) -> str:
    """Write the table of pairs, contradictions first, and pictures; return what was found."""
    train = open_store(paths.train_store, **params.preprocess.size)
    test = open_store(paths.test_store, **params.preprocess.size)
    with progress_bar("Frames", len(train.images) + len(test.images)) as advance:
        sets = train.images, test.images
        descriptors = describe_frames(*sets, folder=paths.processed, advance=advance)
    pairs = find_similar(chain(*sets), descriptors)
    frames = _list_frames(params, paths, train, test)
    table = _describe_pairs(pairs, frames, train)
    with atomic_folder(paths.audit) as folder:
        if paths.raw_faults.exists():
            shutil.copy(paths.raw_faults, folder)
        table.to_csv(folder / "pairs.csv", index=False, float_format="%.4f")
        drawn = pairs.loc[table.index[:pictures]]
        for number, (first, second) in enumerate(drawn[["first", "second"]].to_numpy(), start=1):
            ids = table.loc[drawn.index[number - 1], ["first_id", "second_id"]]
            name = re.sub(r"[^\w.-]", "_", f"{number:03}_{'_'.join(ids)}.png")
            pair = [_picture(row, frames, train, test) for row in (first, second)]
            write_sheets(folder / name, pair)
    counts = {
        "with the same pixels": table["exact"],
        "with a mask in one only": table["contradiction"],
        "of two subjects": table["first_subject"].notna()
        & table["second_subject"].notna()
        & (table["first_subject"] != table["second_subject"]),
        "in two folds": table["across_folds"],
        "in training and test": table["first_set"] != table["second_set"],
    }
    lines = [f"{paths.audit}: {len(table)} pairs of frames alike, {len(drawn)} drawn"]
    return "\n".join([*lines, *(f"  {int(flags.sum())} {name}" for name, flags in counts.items())])


def _list_frames(params: Params, paths: Paths, train: Store, test: Store) -> pd.DataFrame:
    """Return id, set, subject, fold and area of all frames; training ones stand first."""
    columns = train.index[["id", "subject", "area"]].assign(set="train", fold=None)
    with suppress(InputError):  # no folds yet, or those of other frames
        columns["fold"] = read_folds(params, paths, train.index)
    frames = pd.concat([columns, test.index[["id"]].assign(set="test")], ignore_index=True)
    return frames.astype({"fold": "Int64"})


def _describe_pairs(pairs: pd.DataFrame, frames: pd.DataFrame, train: Store) -> pd.DataFrame:
    sides = {side: frames.loc[pairs[side]].reset_index(drop=True) for side in ("first", "second")}
    table = pd.concat(
        [part.drop(columns="area").add_prefix(f"{side}_") for side, part in sides.items()], axis=1
    ).assign(similarity=pairs["similarity"], exact=pairs["exact"])
    with_masks = (table["first_set"] == "train") & (table["second_set"] == "train")
    codes = train.masks
    table["mask_dice"] = [
        dice_score(codes[first] > 0, codes[second] > 0) if known else np.nan
        for first, second, known in zip(pairs["first"], pairs["second"], with_masks, strict=True)
    ]
    empty = [sides[side]["area"] == 0 for side in ("first", "second")]
    table["contradiction"] = with_masks & (empty[0] != empty[1])
    folds = sides["first"]["fold"], sides["second"]["fold"]
    table["across_folds"] = (folds[0] != folds[1]).fillna(False).astype(bool)
    return table.sort_values(["contradiction", "similarity"], ascending=False, kind="stable")


def _picture(row: int, frames: pd.DataFrame, train: Store, test: Store) -> Picture:
    """Return a frame with the outline of its mask; those of the test set have none."""
    frame = frames.loc[row]
    if row >= len(train.images):
        return Picture(as_rgb(test.images[row - len(train.images)]), f"{frame['id']}, test")
    fold = "" if pd.isna(frame["fold"]) else f", fold {frame['fold']}"
    caption = f"{frame['id']}{fold}: {describe_area(int(frame['area']))}"
    return Picture(as_rgb(train.images[row]), caption, {"mask": train.masks[row] > 0})
