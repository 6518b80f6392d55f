import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline.competitions.spec import load_spec
from pipeline.kaggle.solution import TruthCsv, TruthFolder
from pipeline.kaggle.submission import read_submission, write_submission

SPEC = load_spec("sample")
MASKS = {"2": np.eye(3, 5, dtype=bool), "10": np.zeros((4, 6), bool), "1": np.ones((3, 5), bool)}


@pytest.fixture(params=["folder", "csv"])
def truth(request, tmp_path):
    """The same masks as files and as run lengths."""
    if request.param == "folder":
        for mask_id, mask in MASKS.items():
            Image.fromarray(np.uint8(255 * mask)).save(tmp_path / f"{mask_id}.tif")
        return TruthFolder(tmp_path, SPEC)
    sizes = pd.DataFrame([mask.shape for mask in MASKS.values()], columns=["height", "width"])
    sizes.insert(0, "id", list(MASKS))
    sizes.to_csv(tmp_path / "index.csv", index=False)
    of_classes = ((mask_id, mask[..., None]) for mask_id, mask in MASKS.items())
    write_submission(tmp_path / "truth.csv", of_classes, SPEC)
    return TruthCsv(tmp_path / "truth.csv", SPEC, tmp_path)


def test_objects_are_the_masks_at_their_own_size(truth):
    for mask_id, mask in MASKS.items():
        ((observed,),) = truth.objects(mask_id)
        np.testing.assert_array_equal(observed, mask)


def test_check_returns_ids_in_the_submissions_order(truth, tmp_path):
    submission = tmp_path / "submission.csv"
    empty = ((key, np.zeros((*MASKS[key].shape, 1), bool)) for key in ("1", "10", "2"))
    write_submission(submission, empty, SPEC)
    assert truth.check(submission, read_submission(submission, SPEC)) == ["1", "10", "2"]
