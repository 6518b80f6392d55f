"""Make the embedded data set."""

from pipeline.atomic import atomic_folder
from pipeline.dataset.phantom import write_sample
from pipeline.params import Params
from pipeline.paths import Paths
from pipeline.progress import progress_bar


def run(params: Params, paths: Paths) -> str:
    """Write synthetic frames in the form of the nerve competition; return what was written."""
    sample = params.sample
    total = sample.subjects * sample.frames + sample.test_frames
    with (
        atomic_folder(paths.sample) as folder,
        progress_bar("Sample frames", total) as advance,
    ):
        write_sample(
            folder,
            subjects=sample.subjects,
            frames=sample.frames,
            test_frames=sample.test_frames,
            seed=params.seed,
            progress=advance,
        )
    return f"{paths.sample}: {total} frames"
