"""Write the ensemble as one SavedModel or ONNX file."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.atomic import atomic_file, atomic_folder
from pipeline.competitions.spec import load_spec
from pipeline.dataset.store import open_store
from pipeline.errors import InputError
from pipeline.inference.export import FORMATS, OUTPUTS, Format, make_members, mean_of
from pipeline.inference.predict import predict_batch
from pipeline.params import Params
from pipeline.paths import Paths
from pipeline.progress import progress_bar
from pipeline.stages.folds import check_folds
from pipeline.stages.predict import load_models

TOLERANCE = 1e-3  # of a probability; a quarter of a level of the stored maps
_FRAMES = 8  # on which the file is compared


def run(params: Params, paths: Paths, folds: Sequence[int], to: Format, out: Path) -> str:
    """Write the mean of these folds' networks, and compare it with Keras on test frames.

    Raises
    ------
    InputError
        An artefact is at fault, `out` is in use by something else, or the file's outputs are not
        those of Keras.
    """
    check_folds(params, folds)
    _check_replaceable(out, to)
    store = open_store(paths.test_store, **params.preprocess.size)
    frames = store.images[:_FRAMES]
    models = load_models(params, paths, folds)
    exclusive = load_spec(params.competition).exclusive
    size = {"height": params.preprocess.height, "width": params.preprocess.width}
    members = make_members(models, exclusive=exclusive, **size)
    write, open_file = FORMATS[to]
    with (atomic_file if to == "onnx" else atomic_folder)(out) as beside:
        with progress_bar(f"Folds to {to}", len(members)) as advance:
            write(members, beside, advance=advance)
        raw = frames.astype(np.float32)
        in_float32 = mean_of(members).predict_on_batch(raw)
        difference = _difference(open_file(beside)(raw), in_float32)
        if not difference <= TOLERANCE:  # nor NaN
            raise InputError(
                f"{out}: expected the probabilities of Keras to {TOLERANCE:g}, got a difference of"
                f" {difference:.2g}; nothing written"
            )
    options = {"views": ["identity"], "exclusive": exclusive}
    as_trained = dict(zip(OUTPUTS, predict_batch(models, frames, **options), strict=True))
    trained = _difference(in_float32, as_trained)
    return (
        f"{out}: {to}, mean of folds {', '.join(map(str, folds))}, without views; on"
        f" {len(frames)} test frames at most {difference:.2g} from Keras in float32, which is at"
        f" most {trained:.2g} from the precision of the training"
    )


def _difference(some: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> float:
    return max(float(np.abs(some[name] - other[name]).max()) for name in other)


def _check_replaceable(out: Path, to: Format) -> None:
    """Refuse to replace anything but what an export wrote."""
    if to == "onnx":
        if out.is_dir():
            raise InputError(f"{out}: expected a file's name, got a folder")
        return
    is_free = not out.exists() or (out.is_dir() and not any(out.iterdir()))
    if not is_free and not (out / "saved_model.pb").is_file():
        raise InputError(f"{out}: expected a new or empty folder, or a SavedModel")
