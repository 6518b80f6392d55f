"""Decode, check and resize every frame."""

from pathlib import Path

from pipeline.atomic import atomic_folder
from pipeline.competitions.spec import load_spec
from pipeline.dataset.layout import list_test, list_training
from pipeline.dataset.store import build_store
from pipeline.kaggle.submission import check_ids, read_submission
from pipeline.params import Params
from pipeline.paths import Paths
from pipeline.progress import progress_bar


def run(params: Params, paths: Paths) -> str:
    """Write the stores of training and test frames; return what was written."""
    spec = load_spec(params.competition)
    data_dir = paths.root / params.data_dir
    training, test = list_training(data_dir, spec), list_test(data_dir, spec)
    if spec.sample_submission is not None:
        sample_submission = data_dir / spec.sample_submission
        if sample_submission.exists():
            expected = list(read_submission(sample_submission, spec.submission))
            check_ids(data_dir / Path(spec.test).parent, list(test["id"]), expected)
    options = {**params.preprocess.model_dump(), "foreground": spec.foreground}
    with (
        atomic_folder(paths.processed) as folder,
        progress_bar("Frames", len(training) + len(test)) as advance,
    ):
        build_store(folder / paths.train_store.name, training, advance=advance, **options)
        build_store(folder / paths.test_store.name, test, advance=advance, **options)
    return f"{paths.processed}: {len(training)} training and {len(test)} test frames"
