"""Write a submission for unseen images from a bundle, within a time budget."""

import math
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from pipeline.competitions.patterns import FilePattern
from pipeline.competitions.spec import Spec, load_spec
from pipeline.dataset.layout import list_test
from pipeline.kaggle.draft import Draft
from pipeline.params import Params, load_params
from pipeline.paths import Paths
from pipeline.progress import progress_bar
from pipeline.runtime import start_keras

SPEC = "competition.yaml"  # in the bundle
_RESERVE = 0.05  # of the budget, as the last batch may be slower than the ones before
_LOADING = 0.5  # of the budget, after which no further fold is loaded


def run(root: Path, images: Path, out: Path, *, budget: float | None, started: float) -> str:
    """Write the submission; return what is in it.

    A valid all-empty file stands there before any network is loaded. An image that can't be
    decoded, or for which the time does not last, stays empty.

    Parameters
    ----------
    root : Path
        The bundle's folder.
    images : Path
        Holds what the competition's spec has in the folder of its test images.
    budget : float or None
        Seconds from `started` on.
    started : float
        By `time.monotonic`.

    Raises
    ------
    InputError
        There are no images, an id does not fit, or the bundle is damaged.
    """
    paths = Paths(root)
    # The parameters name the spec as it lies in the bundle, which runs from any folder.
    params = load_params(paths.params).model_copy(update={"competition": str(root / SPEC)})
    spec = load_spec(params.competition)
    files = list_test(images, _of_folder(spec))
    draft = Draft(out, files["id"], spec)

    def seconds_left(share: float = 1 - _RESERVE) -> float:
        if budget is None:
            return math.inf
        return budget * share - (time.monotonic() - started)

    try:
        done, parts = _fill(draft, files, params, paths, seconds_left)
    finally:
        draft.save()
    left = len(files) - done
    empty = f"; {left} without a prediction stay empty" if left else ""
    return f"{out}: {len(files)} images, {draft.filled} rows with a mask, {parts}{empty}"


def _of_folder(spec: Spec) -> Spec:
    """Return the spec whose test images lie in the data folder itself."""
    folder = FilePattern(spec.test[0]).folder
    test = tuple(text.removeprefix(f"{folder}/") for text in spec.test)
    return spec.model_copy(update={"test": test, "lists": None})


def _fill(
    draft: Draft,
    files: pd.DataFrame,
    params: Params,
    paths: Paths,
    seconds_left: Callable[..., float],
) -> tuple[int, str]:
    """Put masks into the draft; return how many, and by which parts of the ensemble."""
    start_keras()
    # Not at the top: TensorFlow takes seconds, before which the draft is to stand there.
    from pipeline.inference.budget import Meter, Pace
    from pipeline.inference.unseen import masks_in_time, measure_pace
    from pipeline.stages.predict import load_models
    from pipeline.stages.predict_folder import open_ensemble

    is_limited = math.isfinite(seconds_left())
    models, pace = [], Pace(0.0)
    for fold in params.folds.indices:
        if seconds_left(_LOADING) < 0 and (models or seconds_left() < 0):
            break
        models += load_models(params, paths, [fold])
        if is_limited:
            pace = measure_pace(models[-1], tuple(params.preprocess.size.values()))
    if not models:
        return 0, _describe({})
    parts: dict[str, int] = {}
    done = 0
    with progress_bar("Masks", len(files)) as advance:
        masks = masks_in_time(
            files["image"],
            open_ensemble(params, paths, models),
            batch_size=params.predict.batch_size,
            meter=Meter(pace),
            seconds_left=seconds_left,
            on_bad_file=lambda error: print(error, file=sys.stderr),
        )
        for position, plan, mask in masks:
            draft.put(files["id"][position], mask)
            part = f"{plan.folds} folds in {plan.views} views"
            parts[part] = parts.get(part, 0) + 1
            done += 1
            advance()
    return done, _describe(parts)


def _describe(parts: dict[str, int]) -> str:
    if not parts:
        return "none predicted"
    if len(parts) == 1:
        return f"by {next(iter(parts))}"
    return "by " + ", ".join(f"{part} ({count})" for part, count in parts.items())
