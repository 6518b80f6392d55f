"""Write mask files for a folder of any images."""

from collections.abc import Sequence
from pathlib import Path

import keras

from pipeline.competitions.spec import load_spec
from pipeline.dataset.arrays import Reading
from pipeline.errors import InputError
from pipeline.inference.ensemble import Ensemble
from pipeline.inference.folder import (
    DEEP_SUFFIXES,
    SUFFIXES,
    check_images,
    plan_folder,
    write_masks,
)
from pipeline.params import Params
from pipeline.paths import Paths
from pipeline.progress import progress_bar
from pipeline.stages.folds import check_folds
from pipeline.stages.predict import load_models
from pipeline.stages.submit import open_decision


def run(params: Params, paths: Paths, folds: Sequence[int], images: Path, out: Path) -> str:
    """Write the masks by these folds' models; return what was written.

    Nothing is written unless every image can be decoded.

    Raises
    ------
    InputError
        An artefact or an image is at fault, or the competition's images are several files each;
        see also `plan_folder`.
    """
    spec = load_spec(params.competition)
    if len(spec.test) > 1:
        raise InputError(
            f"--images: expected a competition with one file an image, got {len(spec.test)}"
            f" ({', '.join(spec.test)}); use: pipeline bundle"
        )
    suffixes = SUFFIXES if spec.levels is None else DEEP_SUFFIXES
    jobs = plan_folder(images, out, spec.classes, suffixes=suffixes)
    check_folds(params, folds)
    ensemble = open_ensemble(params, paths, load_models(params, paths, folds))
    with progress_bar("Images checked", len(jobs)) as advance:
        check_images(jobs, reading=ensemble.reading, advance=advance)
    with progress_bar("Masks", len(jobs)) as advance:
        batch_size = params.predict.batch_size
        filled = write_masks(jobs, ensemble, batch_size=batch_size, advance=advance)
    return (
        f"{out}: {len(jobs) * len(spec.classes)} masks, {filled} of them not empty, mean of folds"
        f" {', '.join(map(str, folds))} and views {', '.join(params.predict.views)}"
    )


def open_ensemble(params: Params, paths: Paths, models: Sequence[keras.Model]) -> Ensemble:
    """Put to the networks what makes masks of their predictions.

    Raises
    ------
    InputError
        An artefact is missing or damaged.
    """
    spec = load_spec(params.competition)
    return Ensemble(
        models=models,
        views=params.predict.views,
        **params.preprocess.size,
        decide=open_decision(params, paths),
        reading=Reading(spec.levels, spec.page),
        exclusive=spec.exclusive,
    )
