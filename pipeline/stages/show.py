"""Draw a submission's masks on the test frames."""

from contextlib import suppress
from pathlib import Path

import numpy as np

from pipeline.competitions.spec import load_spec
from pipeline.dataset.arrays import Reading
from pipeline.dataset.layout import list_test
from pipeline.dataset.originals import Originals
from pipeline.dataset.store import open_store
from pipeline.errors import InputError
from pipeline.kaggle.submission import (
    check_keys,
    decode_image,
    expected_keys,
    read_submission,
)
from pipeline.params import Params
from pipeline.paths import Paths
from pipeline.progress import progress_bar
from pipeline.report.contact_sheet import Picture, describe_area, write_sheets


def run(params: Params, paths: Paths, submission: Path, *, count: int, out: Path | None) -> str:
    """Draw `count` rows, evenly spread over the submission; return what was drawn.

    Raises
    ------
    InputError
        The submission is at fault, or is not one of these test frames, or `out` names no PNG.
    """
    if out is not None and out.suffix.lower() != ".png":
        raise InputError(f"{out}: expected a name that ends in .png")
    spec = load_spec(params.competition)
    originals = open_originals(params, paths)
    rows, ids = read_submission(submission, spec), list(originals.shapes)
    check_keys(submission, sorted(rows), sorted(expected_keys(ids, spec)))
    drawn = np.array(ids)[spread(len(ids), count)].tolist()
    pictures = []
    with progress_bar("Frames", len(drawn)) as advance:
        for frame_id in drawn:
            shape = originals.shapes[frame_id]
            of_classes = decode_image(submission, rows, frame_id, shape, spec)
            caption = f"{frame_id}: {describe_area(of_classes.any(axis=-1).sum())}"
            names = spec.classes if len(spec.classes) > 1 else [submission.name]
            masks = dict(zip(names, np.moveaxis(of_classes, -1, 0), strict=True))
            pictures.append(Picture(originals.image(frame_id), caption, masks))
            advance()
    written = write_sheets(out or paths.sheet, pictures)
    return f"{', '.join(map(str, written))}: {len(drawn)} of {len(ids)} frames of {submission}"


def open_originals(params: Params, paths: Paths) -> Originals:
    """Open the test frames at original size; InputError where `pipeline preprocess` didn't run."""
    spec = load_spec(params.competition)
    store = open_store(paths.test_store, **params.preprocess.size)
    files = {}
    with suppress(InputError):  # the raw files lie elsewhere: the store has all, at network size
        listed = list_test(paths.root / params.data_dir, spec)
        files = dict(zip(listed["id"], listed["image"], strict=True))
    return Originals(store, files, Reading(spec.levels, spec.page))


def spread(total: int, count: int) -> np.ndarray:
    """Return at most `count` rows of `total`, int and ascending, evenly apart.

    Examples
    --------
    >>> spread(10, 3).tolist()
    [0, 4, 9]
    """
    return np.linspace(0, total - 1, min(total, count)).astype(int)
