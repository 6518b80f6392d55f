"""Draw a submission's masks on the test frames."""

from contextlib import suppress
from pathlib import Path

import numpy as np

from pipeline.competitions.spec import load_spec
from pipeline.dataset.layout import list_test
from pipeline.dataset.originals import Originals
from pipeline.dataset.store import open_store
from pipeline.errors import InputError
from pipeline.kaggle.submission import check_ids, decode_row, read_submission
from pipeline.params import Params
from pipeline.paths import Paths
from pipeline.progress import progress_bar
from pipeline.report.contact_sheet import Picture, describe_area, write_sheets


def run(params: Params, paths: Paths, submission: Path, *, count: int, out: Path | None) -> str:
    """Draw `count` rows, evenly spread over the submission; return what was drawn.

    Raises
    ------
    InputError
        The submission is at fault, or is not one of these test frames.
    """
    form = load_spec(params.competition).submission
    originals = open_originals(params, paths)
    runs = read_submission(submission, form)
    check_ids(submission, sorted(runs), sorted(originals.shapes))
    drawn = np.array(list(runs))[spread(len(runs), count)].tolist()
    pictures = []
    with progress_bar("Frames", len(drawn)) as advance:
        for frame_id in drawn:
            shape = originals.shapes[frame_id]
            mask = decode_row(submission, frame_id, runs[frame_id], shape, form)
            caption = f"{frame_id}: {describe_area(mask.sum())}"
            masks = {submission.name: mask}
            pictures.append(Picture(originals.image(frame_id), caption, masks))
            advance()
    written = write_sheets(out or paths.sheet, pictures)
    return f"{', '.join(map(str, written))}: {len(drawn)} of {len(runs)} frames of {submission}"


def open_originals(params: Params, paths: Paths) -> Originals:
    """Open the test frames at original size; InputError where `pipeline preprocess` didn't run."""
    store = open_store(paths.test_store, **params.preprocess.size)
    files = {}
    with suppress(InputError):  # the raw files lie elsewhere: the store has all, at network size
        listed = list_test(paths.root / params.data_dir, load_spec(params.competition))
        files = dict(zip(listed["id"], listed["image"], strict=True))
    return Originals(store, files)


def spread(total: int, count: int) -> np.ndarray:
    """Return at most `count` rows of `total`, int and ascending, evenly apart.

    Examples
    --------
    >>> spread(10, 3).tolist()
    [0, 4, 9]
    """
    return np.linspace(0, total - 1, min(total, count)).astype(int)
