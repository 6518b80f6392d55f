"""Compare two submissions row by row."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.atomic import atomic_folder
from pipeline.competitions.spec import load_spec
from pipeline.kaggle.submission import decode_image, read_submission
from pipeline.params import Params
from pipeline.paths import Paths
from pipeline.progress import progress_bar
from pipeline.report.contact_sheet import Picture, describe_area, write_sheets
from pipeline.stages.score import score_images
from pipeline.stages.show import open_originals

_SIDES = ["first", "second"]
_IDS_TOLD = 20


def run(params: Params, paths: Paths, first: Path, second: Path, *, pictures: int) -> str:
    """Write every row, worst first, and a picture of the largest changes; return a summary.

    Raises
    ------
    InputError
        A file is at fault, or the two have different ids.
    """
    rows = compare_submissions(params, paths, first, second)
    changed = rows[rows["changed_pixels"] > 0]
    drawn = _draw(params, paths, changed[:pictures], first, second)
    with atomic_folder(paths.diff) as folder:
        rows.to_csv(folder / "rows.csv", index=False, float_format="%.6f")
        if drawn:
            write_sheets(folder / "changes.png", drawn)
    only_first, only_second = (rows["id"][rows["only_in"] == side].tolist() for side in _SIDES)
    return "\n".join(
        [
            f"mean Dice {rows['dice'].mean():.4f} over {len(rows)} images; {len(changed)} changed,"
            f" {len(only_first) + len(only_second)} of them in presence",
            f"  with a mask only in {first}: {_tell(only_first)}",
            f"  with a mask only in {second}: {_tell(only_second)}",
            f"{paths.diff}: rows.csv, {len(drawn)} changes drawn",
        ]
    )


def compare_submissions(params: Params, paths: Paths, first: Path, second: Path) -> pd.DataFrame:
    """Return how alike two submissions are in each image, the largest change first.

    Returns
    -------
    pandas.DataFrame
        Columns id, class, dice (of the two masks), first_area, second_area and changed_pixels (that
        stand in one mask alone), and only_in: first or second where the other mask is empty,
        else "".

    Raises
    ------
    InputError
        See `run`.
    """
    scores = score_images(params, paths, second, first)
    scores = scores.rename(columns={"true_area": "first_area", "predicted_area": "second_area"})
    scores = scores[["id", "class", "dice", "first_area", "second_area"]].copy()
    areas = scores["first_area"] + scores["second_area"]
    # |X| + |Y| - 2|X∩Y|, of which Dice is the last part divided by the others
    scores["changed_pixels"] = (areas * (1 - scores["dice"])).round().astype(int)
    empty = scores["first_area"] == 0, scores["second_area"] == 0
    scores["only_in"] = np.select([empty[1] & ~empty[0], empty[0] & ~empty[1]], _SIDES, "")
    return scores.sort_values(
        ["dice", "changed_pixels"], ascending=[True, False], kind="stable", ignore_index=True
    )


def _draw(
    params: Params, paths: Paths, rows: pd.DataFrame, first: Path, second: Path
) -> list[Picture]:
    spec = load_spec(params.competition)
    originals = open_originals(params, paths)
    files = {name: (file, read_submission(file, spec)) for name, file in _names(first, second)}
    pictures = []
    with progress_bar("Frames", len(rows)) as advance:
        for _, row in rows.iterrows():
            shape, index = originals.shapes[row["id"]], spec.classes.index(row["class"])
            masks = {
                name: decode_image(file, runs, row["id"], shape, spec)[..., index]
                for name, (file, runs) in files.items()
            }
            areas = " → ".join(map(describe_area, (row["first_area"], row["second_area"])))
            of_class = f" {row['class']}" if len(spec.classes) > 1 else ""
            caption = f"{row['id']}{of_class}: Dice {row['dice']:.2f}, {areas}"
            pictures.append(Picture(originals.image(row["id"]), caption, masks))
            advance()
    return pictures


def _names(first: Path, second: Path) -> list[tuple[str, Path]]:
    """Return short names that differ, for a legend."""
    if first.name != second.name:
        return [(first.name, first), (second.name, second)]
    return [(str(first), first), (str(second), second)]


def _tell(ids: Sequence[str]) -> str:
    if not ids:
        return "none"
    more = f" and {len(ids) - _IDS_TOLD} more (rows.csv)" if len(ids) > _IDS_TOLD else ""
    return f"{len(ids)}: {', '.join(ids[:_IDS_TOLD])}{more}"
