"""Write and check the submission."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field, ValidationError

from pipeline.competitions.spec import load_spec
from pipeline.dataset.predictions import open_predictions, prediction_to_mask
from pipeline.dataset.store import open_index
from pipeline.errors import InputError
from pipeline.kaggle.submission import check_submission, write_submission
from pipeline.masks.clean import Cutoffs
from pipeline.masks.shapes import ShapePrior, make_shape_prior
from pipeline.params import Params
from pipeline.paths import Paths
from pipeline.progress import progress_bar
from pipeline.validation import Section


class _CutoffsFile(Section):
    """The fields of `Cutoffs`, within their bounds."""

    threshold: Annotated[int, Field(ge=1, le=255)]
    upper: Annotated[int, Field(ge=0, le=255)]
    min_area: Annotated[int, Field(ge=0)]
    largest_only: bool
    fill_holes: bool
    min_presence: Annotated[float, Field(ge=0)]
    presence_weight: Annotated[float, Field(ge=0, le=1)]
    shape_prior: ShapePrior


def run(params: Params, paths: Paths) -> str:
    """Write `submission.csv` from the probability maps and cut-offs; return what was written."""
    cutoffs = read_cutoffs(paths.cutoffs)
    index = open_index(paths.test_store)
    predictions = open_predictions(
        paths.test_predictions,
        count=len(index),
        size=(params.preprocess.height, params.preprocess.width),
        command="pipeline predict --fold all",
    )
    reshape = make_shape_prior(cutoffs.shape_prior, open_index(paths.train_store))
    with progress_bar("Masks", len(index)) as advance:

        def masks() -> Iterator[tuple[str, np.ndarray]]:
            for predicted, frame in zip(predictions, index.itertuples(), strict=True):
                size = frame.height, frame.width
                yield frame.id, prediction_to_mask(predicted, size, cutoffs, reshape)
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
        values = _CutoffsFile.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; run: pipeline tune") from error
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"]))
        raise InputError(f"{path}: damaged ({where} {fault['msg']}); run: pipeline tune") from error
    return Cutoffs(**values.model_dump())
