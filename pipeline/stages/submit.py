"""Write and check the submission."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pipeline.competitions.spec import load_spec
from pipeline.dataset.images import resize_prob_map
from pipeline.dataset.prob_maps import open_prob_maps
from pipeline.dataset.store import open_index
from pipeline.errors import InputError
from pipeline.kaggle.submission import check_submission, write_submission
from pipeline.masks.clean import Cutoffs, apply_cutoffs
from pipeline.params import Params
from pipeline.paths import Paths
from pipeline.progress import progress_bar


def run(params: Params, paths: Paths) -> str:
    """Write `submission.csv` from the probability maps and cut-offs; return what was written."""
    cutoffs = read_cutoffs(paths.cutoffs)
    index = open_index(paths.test_store)
    size = (len(index), params.preprocess.height, params.preprocess.width)
    maps = open_prob_maps(paths.test_maps, shape=size, command="pipeline predict --fold all")
    with progress_bar("Masks", len(index)) as advance:

        def masks() -> Iterator[tuple[str, np.ndarray]]:
            for prob_map, frame in zip(maps, index.itertuples(), strict=True):
                at_original_size = resize_prob_map(prob_map, frame.height, frame.width)
                yield frame.id, apply_cutoffs(at_original_size, cutoffs)
                advance()

        write_submission(paths.submission, masks(), load_spec(params.competition).submission)
    return check(params, paths, paths.submission)


def check(params: Params, paths: Paths, submission: Path) -> str:
    """Verify a submission against the test frames; return what it holds.

    Raises
    ------
    InputError
        The first fault.
    """
    index = open_index(paths.test_store)
    filled = check_submission(
        submission,
        load_spec(params.competition).submission,
        ids=list(index["id"]),
        shapes=list(zip(index["height"], index["width"], strict=True)),
    )
    return f"{submission}: valid, {len(index)} rows, {filled} of them with a mask"


def read_cutoffs(path: Path) -> Cutoffs:
    """Read what `pipeline tune` chose.

    Raises
    ------
    InputError
        The file is missing or damaged.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        cutoffs = Cutoffs(int(values["threshold"]), int(values["min_area"]))
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; run: pipeline tune") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: damaged ({error}); run: pipeline tune") from error
    if not (1 <= cutoffs.threshold <= 255 and cutoffs.min_area >= 0):
        raise InputError(f"{path}: damaged ({tuple(cutoffs)}); run: pipeline tune")
    return cutoffs
