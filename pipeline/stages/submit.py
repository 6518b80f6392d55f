"""Write and check the submission."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field, TypeAdapter, ValidationError

from pipeline.competitions.spec import Spec, load_spec
from pipeline.dataset.decision import Decision, Reshape, by_cutoffs, largest_wins
from pipeline.dataset.index import open_index, open_masks
from pipeline.dataset.predictions import open_predictions
from pipeline.errors import InputError
from pipeline.kaggle.submission import check_submission, write_submission
from pipeline.masks.clean import Cutoffs
from pipeline.masks.shapes import ShapePrior, make_shape_prior
from pipeline.params import Params
from pipeline.paths import Paths
from pipeline.progress import progress_bar
from pipeline.validation import Section


class _Cutoffs(Section):
    """The fields of `Cutoffs`, within their bounds."""

    threshold: Annotated[int, Field(ge=1, le=255)]
    upper: Annotated[int, Field(ge=0, le=255)]
    min_area: Annotated[int, Field(ge=0)]
    largest_only: bool
    fill_holes: bool
    min_presence: Annotated[float, Field(ge=0)]
    presence_weight: Annotated[float, Field(ge=0, le=1)]
    shape_prior: ShapePrior


_CutoffsFile = TypeAdapter(dict[str, _Cutoffs])  # by class


def run(params: Params, paths: Paths) -> str:
    """Write `submission.csv` from the probability maps and cut-offs; return what was written."""
    spec, decide = load_spec(params.competition), open_decision(params, paths)
    index = open_index(paths.test_store)
    predictions = open_predictions(
        paths.test_predictions,
        count=len(index),
        shape=map_shape(params, spec),
        command="pipeline predict --fold all",
    )
    with progress_bar("Masks", len(index)) as advance:

        def masks() -> Iterator[tuple[str, np.ndarray]]:
            for predicted, frame in zip(predictions, index.itertuples(), strict=True):
                yield frame.id, decide(predicted, (frame.height, frame.width))
                advance()

        write_submission(paths.submission, masks(), spec)
    return check(params, paths, paths.submission)


def map_shape(params: Params, spec: Spec) -> tuple[int, int, int]:
    """Return classes, height and width of the probability maps."""
    return len(spec.classes), params.preprocess.height, params.preprocess.width


def open_decision(params: Params, paths: Paths) -> Decision:
    """Return what makes masks of predictions: the tuned cut-offs, with their shape priors.

    Raises
    ------
    InputError
        An artefact is missing or damaged.
    """
    spec = load_spec(params.competition)
    if spec.exclusive:
        return largest_wins
    cutoffs = read_cutoffs(paths.cutoffs, spec)
    return by_cutoffs([(chosen, _reshape(chosen, name, paths)) for name, chosen in cutoffs.items()])


def _reshape(cutoffs: Cutoffs, class_name: str, paths: Paths) -> Reshape:
    # Only this one learns from training masks, which a bundle has none of otherwise.
    learns = cutoffs.shape_prior == "components"
    masks = open_masks(paths.train_store, [class_name])[class_name] if learns else None
    return make_shape_prior(cutoffs.shape_prior, masks)


def check(params: Params, paths: Paths, submission: Path) -> str:
    """Verify a submission against the test frames; return what it holds.

    Raises
    ------
    InputError
        The first fault.
    """
    index = open_index(paths.test_store)
    rows, filled = check_submission(
        submission,
        load_spec(params.competition),
        ids=list(index["id"]),
        shapes=index[["height", "width"]].to_numpy(),
    )
    return f"{submission}: valid, {rows} rows, {filled} of them with a mask"


def read_cutoffs(path: Path, spec: Spec) -> dict[str, Cutoffs]:
    """Read what `pipeline tune` chose for each class, in the spec's order.

    Raises
    ------
    InputError
        The file is missing, damaged, or for other classes.
    """
    again = "run: pipeline tune"
    try:
        values = _CutoffsFile.validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; {again}") from error
    except ValidationError as error:
        fault = error.errors()[0]
        where = " ".join([".".join(map(str, fault["loc"])), fault["msg"]]).strip()
        raise InputError(f"{path}: damaged ({where}); {again}") from error
    if list(values) != list(spec.classes):
        raise InputError(
            f"{path}: expected the classes {', '.join(spec.classes)},"
            f" got {', '.join(values) or 'none'}; {again}"
        )
    return {name: Cutoffs(**chosen.model_dump()) for name, chosen in values.items()}
