import pytest

from pipeline.dataset.index import open_index
from pipeline.errors import InputError
from pipeline.params import load_params
from pipeline.paths import Paths
from pipeline.stages.init import run as init
from pipeline.stages.preprocess import run
from tests.functional.competition_data import MAKERS, TRAIN


@pytest.fixture
def paths(tmp_path):
    """A project with data in the form of the salt competition, without a sample submission."""
    paths = Paths(tmp_path)
    init(paths, "tgs-salt", data_dir="raw", device="cpu")
    MAKERS["tgs-salt"](tmp_path / "raw")
    return paths


def ids_of_test(paths, sample):
    (paths.root / "raw/sample_submission.csv").write_text(sample)
    run(load_params(paths.params), paths)
    return open_index(paths.test_store)["id"].tolist()


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        ("id,rle_mask\nff6,1 1\nee5,1 1\n", ["ff6", "ee5"]),
        ("id,rle_mask\nee5,\nff6,\n", ["ee5", "ff6"]),
        ("id,rle_mask\n", ["ee5", "ff6"]),  # the test images are hidden: no order is known
    ],
)
def test_run_takes_the_order_of_the_sample_submission(paths, sample, expected):
    assert ids_of_test(paths, sample) == expected


def test_run_other_ids_than_the_sample_submissions_are_refused(paths):
    with pytest.raises(InputError, match=r"raw/test/images: expected 1 ids, ff6 unknown"):
        ids_of_test(paths, "id,rle_mask\nee5,\n")
    assert not paths.processed.exists()


def test_run_keeps_the_training_frames_in_the_order_of_their_names(paths):
    run(load_params(paths.params), paths)
    assert open_index(paths.train_store)["id"].tolist() == TRAIN
