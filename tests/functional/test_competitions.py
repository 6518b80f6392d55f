"""Every competition that comes with the project, on a small data set of its form."""

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.competitions.spec import known_specs, load_spec
from pipeline.kaggle.submission import read_submission, write_submission
from pipeline.models import vgg16
from tests.functional.competition_data import MAKERS
from tests.functional.projects import change_params, run_well

# Columns first from 1: pixels 3 to 7 and 15. In rows 2 3, 7, 11 12, 15.
MASK = np.array(
    [
        [0, 1, 1, 0, 0],
        [0, 1, 0, 0, 0],
        [1, 1, 0, 0, 1],
    ],
    dtype=bool,
)
COLUMNS = "3 5 15 1"
GOLDEN = {
    "airbus-ships": "ImageId,EncodedPixels\na.jpg,3 5\na.jpg,15 1\nb.jpg,\n",
    "carvana": "img,rle_mask\na.jpg,2 2 7 1 11 2 15 1\nb.jpg,\n",
    "contrails": f"record_id,encoded_pixels\na,{COLUMNS}\nb,-\n",
    "data-science-bowl-2018": "ImageId,EncodedPixels\na,3 5\na,15 1\nb,\n",
    "folder": f"id,rle_mask\na,{COLUMNS}\nb,\n",
    "hubmap-kidney": f"id,predicted\na,{COLUMNS}\nb,\n",
    "sample": f"img,pixels\na,{COLUMNS}\nb,\n",
    "severstal-steel": (
        f"ImageId_ClassId,EncodedPixels\na.jpg_1,\na.jpg_2,\na.jpg_3,\na.jpg_4,{COLUMNS}\n"
        "b.jpg_1,\nb.jpg_2,\nb.jpg_3,\nb.jpg_4,\n"
    ),
    # From 0: 2 to 6, then 14, which is 7 pixels behind the end of the first run.
    "siim-acr-pneumothorax": "ImageId,EncodedPixels\na,2 5 7 1\nb,-1\n",
    "tgs-salt": f"id,rle_mask\na,{COLUMNS}\nb,\n",
    "ultrasound-nerve": f"img,pixels\na,{COLUMNS}\nb,\n",
    "usgra-seg": f"id,rle_mask\na,{COLUMNS}\nb,\n",
    "uw-madison-gi-tract": (
        "id,class,predicted\na,large_bowel,\na,small_bowel,\n"
        f"a,stomach,{COLUMNS}\nb,large_bowel,\nb,small_bowel,\nb,stomach,\n"
    ),
    "vesuvius-ink": "Id,Predicted\na,2 2 7 1 11 2 15 1\nb,\n",
}


def test_every_competition_has_a_made_up_data_set():
    assert set(MAKERS) == set(known_specs()) - {"sample"}


@pytest.mark.parametrize("name", GOLDEN)
def test_submission_in_the_last_class_is_the_golden_one(name, tmp_path):
    spec, path = load_spec(name), tmp_path / "submission.csv"
    masks = np.zeros((2, *MASK.shape, len(spec.classes)), bool)
    masks[0, ..., -1] = MASK
    write_submission(path, zip(["a", "b"], masks, strict=True), spec)
    assert path.read_text() == GOLDEN[name]
    assert len(read_submission(path, spec)) == 2 * len(spec.classes)


@pytest.fixture
def narrow_vgg(monkeypatch):
    """One convolution of four channels in each block, so that a step takes no time."""
    monkeypatch.setattr(vgg16, "_BLOCKS", ((1, 4),) * 5)


@pytest.mark.parametrize("name", MAKERS)
def test_competition_from_raw_files_to_a_score(name, tmp_path, monkeypatch, narrow_vgg):
    monkeypatch.chdir(tmp_path)
    MAKERS[name](tmp_path / "raw")
    run_well("init", name, "--data", "raw")
    change_params(
        {
            "preprocess": {"height": 32, "width": 64},
            "folds": {"indices": [0, 1]},
            "model": {"width": 4, "encoder_weights": "none"},
            "train": {"epochs": 1, "batch_size": 2, "warmup_epochs": 0},
        }
    )
    assert "no faults" in run_well("audit")
    for command in ("preprocess", "folds", "weights", "train", "tune", "predict", "submit"):
        run_well(command)
    submission = Path("submissions/submission.csv")
    assert "valid" in run_well("check", submission)
    # Against itself every score is perfect.
    assert f"{load_spec(name).metric_name} 1.0000 over 2 images" in run_well(
        "score", submission, submission
    )
    scores = json.loads(Path("reports/metrics.json").read_text())
    assert scores["images"] == 4
    assert 0 <= scores["nested_score_low"] <= scores["nested_score"] <= scores["nested_score_high"]
