"""Every competition that comes with the project, on a small data set of its form."""

import json
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from pipeline.competitions.patterns import FilePattern
from pipeline.competitions.spec import known_specs, load_spec
from pipeline.dataset.layout import list_test
from pipeline.kaggle.submission import decode_image, read_submission, write_submission
from pipeline.masks.clean import Cutoffs
from pipeline.models import vgg16
from pipeline.paths import Paths
from pipeline.stages import unseen
from tests.functional.competition_data import MAKERS, SHAPE
from tests.functional.projects import change_params, run_well
from tests.functional.test_bad_input import assert_refused
from tests.functional.test_deploy import start
from tests.functional.test_report import data_of

PATHS = Paths(Path())

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


def train_tiny(name):
    """Run the stages up to `tune` on a made-up data set, in the working folder."""
    MAKERS[name](Path("raw"))
    run_well("init", name, "--data", "raw")
    change_params(
        {
            "preprocess": {"height": 32, "width": 64},
            "folds": {"indices": [0, 1]},
            "model": {"width": 4, "encoder_weights": "none"},
            "train": {"epochs": 1, "batch_size": 2, "warmup_epochs": 0, "frozen": [], "ema": None},
        }
    )
    assert "no faults" in run_well("audit")
    for command in ("preprocess", "folds", "weights", "train", "tune", "predict", "submit"):
        run_well(command)


def write_median_cutoffs(spec):
    """Let half of the pixels of each class be foreground, as one epoch teaches nothing."""
    maps = np.load(PATHS.test_predictions)["prob_map"]
    medians = np.median(maps, axis=(0, 2, 3)).astype(int).clip(1).tolist()
    cutoffs = {
        name: Cutoffs(threshold=median)._asdict()
        for name, median in zip(spec.classes, medians, strict=True)
    }
    PATHS.cutoffs.write_text(json.dumps({} if spec.exclusive else cutoffs))
    run_well("submit")
    filled = int(re.search(r"(\d+) of them with a mask", run_well("check", PATHS.submission))[1])
    assert filled > 0


def check_frames_of_folds(spec, scores):
    """See that the scores of folds, and of all, are means of the frames' own."""
    if spec.metric != "mean_dice" and not spec.instances:
        return
    frames = pd.read_csv(PATHS.frame_scores, dtype={"id": str, "class": str})
    own = frames["objects" if spec.instances else "dice"]
    assert own.mean() == pytest.approx(scores["nested_score"], abs=1e-6)
    by_fold = {str(fold): score for fold, score in own.groupby(frames["fold"]).mean().items()}
    found = {fold: scored["nested_score"] for fold, scored in scores["folds"].items()}
    assert found == pytest.approx(by_fold, abs=1e-6)


def check_report(spec):
    """See that the report has an entry for each image and class, of the areas as tuned."""
    assert run_well("report") == "reports/index.html: 4 frames; reports/test.html: 2 frames\n"
    _, entries = data_of(PATHS.report)
    frames = pd.read_csv(PATHS.frame_scores, dtype={"id": str, "class": str})
    several = len(spec.classes) > 1
    names = frames["id"] + (" " + frames["class"] if several else "")
    areas = dict(zip(names, frames["predicted_area"].tolist(), strict=True))
    assert {key: entry["area"] for key, entry in entries.items()} == areas
    data, entries = data_of(PATHS.test_report)
    assert len(entries) == 2 * len(spec.classes)
    assert ("class" in data["columns"]) == several


def check_unseen(name, spec):
    """See that the project's folder, which is a bundle but for the wheel, writes the submission."""
    shutil.copy(known_specs()[name], unseen.SPEC)
    folder = Path("raw", FilePattern(spec.test[0]).folder)
    unseen.run(Path(), folder, Path("out.csv"), budget=None, started=0.0)
    assert Path("out.csv").read_bytes() == PATHS.submission.read_bytes()


def check_folder_masks(spec):
    """See that `predict --images` writes the submission's masks, a file for each class."""
    folder = Path("raw", FilePattern(spec.test[0]).folder)
    arguments = ["predict", "--images", folder, "--out", "masks"]
    if len(spec.test) > 1:
        assert_refused(arguments, "--images: expected a competition with one file an image, got 3")
        return
    run_well(*arguments)
    rows, frames = read_submission(PATHS.submission, spec), list_test(Path("raw"), spec)
    for image_id, image in frames[["id", "image"]].to_numpy():
        expected = decode_image(PATHS.submission, rows, image_id, SHAPE, spec)
        for index, name in enumerate(spec.classes):
            ending = f"_{name}.png" if len(spec.classes) > 1 else ".png"
            path = "masks" / image.relative_to(folder).with_name(image.stem + ending)
            mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
            np.testing.assert_array_equal(mask, 255 * expected[..., index].astype(np.uint8))


@pytest.mark.parametrize("name", MAKERS)
def test_competition_from_raw_files_to_a_score(name, tmp_path, monkeypatch, narrow_vgg):
    monkeypatch.chdir(tmp_path)
    train_tiny(name)
    spec = load_spec(name)
    # Against itself every score is perfect.
    assert f"{spec.metric_name} 1.0000 over 2 images" in run_well(
        "score", PATHS.submission, PATHS.submission
    )
    scores = json.loads(PATHS.metrics.read_text())
    assert scores["images"] == 4
    assert 0 <= scores["nested_score_low"] <= scores["nested_score"] <= scores["nested_score_high"]
    check_frames_of_folds(spec, scores)
    check_report(spec)
    write_median_cutoffs(spec)
    check_folder_masks(spec)
    if spec.lists is None:  # else the test images lie among those of the training
        check_unseen(name, spec)


def test_bundle_of_levels_and_several_classes_is_the_submission(tmp_path, monkeypatch, narrow_vgg):
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    train_tiny("uw-madison-gi-tract")
    write_median_cutoffs(load_spec("uw-madison-gi-tract"))
    run_well("bundle", "--out", "../bundle")
    (tmp_path / "elsewhere").mkdir()
    shutil.copytree("raw/test", tmp_path / "elsewhere/images")
    process = start(tmp_path / "bundle", tmp_path / "elsewhere", "images", "out.csv")
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert output == "out.csv: 2 images, 6 rows with a mask, by 2 folds in 2 views\n"
    expected = PATHS.submission.read_bytes()
    assert (tmp_path / "elsewhere/out.csv").read_bytes() == expected
