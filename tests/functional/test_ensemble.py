"""Averaging the maps of finished projects."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.dataset.predictions import prediction_type
from pipeline.paths import Paths
from tests.functional.projects import change_params, run_cli, run_well

FIRST, SECOND, OUT = (Paths(Path(name)) for name in ("first", "second", "out"))


def change_predictions(path, **fields):
    """Set fields of the predictions in a file."""
    predictions = np.load(path)
    for name, value in fields.items():
        predictions[name] = value
    np.save(path, predictions)


@pytest.fixture
def runs(finished, tmp_path, monkeypatch):
    """Return two copies of the finished project: maps of 70 and 255, and of 27 and 55."""
    monkeypatch.chdir(tmp_path)
    for name in ("first", "second"):
        shutil.copytree(finished, name)
    for fold in (0, 1):
        change_predictions(SECOND.oof(fold), prob_map=27, presence=0.2)
    change_predictions(SECOND.test_predictions, prob_map=55)


def test_ensemble_is_the_weighted_mean(runs):
    bright = np.load(FIRST.test_predictions)["prob_map"] > 0
    output = run_well("ensemble", "first", "second", "--out", "out", "--weights", "3,1")
    assert output == (
        "out: 0.750 first, 0.250 second; run there: pipeline tune && pipeline submit\n"
    )
    for fold in (0, 1):
        predictions = np.load(OUT.oof(fold))
        assert (predictions["prob_map"] == 59).all()  # (3 * 70 + 27) / 4
        np.testing.assert_allclose(predictions["presence"], 0.8)  # (3 * 1 + 0.2) / 4
    # (3 * 0 + 55) / 4 = 13.75 and (3 * 255 + 55) / 4 = 205
    observed = np.load(OUT.test_predictions)["prob_map"]
    np.testing.assert_array_equal(observed, np.where(bright, 205, 14))


def test_ensemble_goes_on_with_tune_and_submit(runs, monkeypatch):
    run_well("ensemble", "first", "second", "--out", "out")
    run_well("ensemble", "out", "first", "--out", "again")
    for folder in ("out", "again"):
        with monkeypatch.context() as patch:
            patch.chdir(folder)
            run_well("tune")
            assert "valid, 3 rows" in run_well("submit")
            assert "mean Dice" in run_well("score")


def test_ensemble_by_score_weighs_what_is_above_empty_masks(runs):
    for paths, nested in ((FIRST, 0.8), (SECOND, 0.6)):
        paths.metrics.write_text(json.dumps({"nested_score": nested, "all_empty_score": 0.5}))
    output = run_well("ensemble", "first", "second", "--out", "out", "--weights", "score")
    assert output.startswith("out: 0.750 first, 0.250 second;")


def test_ensemble_matches_frames_by_id_in_other_folds_and_sizes(runs):
    # The second run: the folds the other way round, and twice the size.
    folds = pd.read_csv(SECOND.folds, dtype={"id": str})
    folds["fold"] = 1 - folds["fold"]
    folds.to_csv(SECOND.folds, index=False)
    change_params({"preprocess": {"height": 64, "width": 128}}, SECOND.params)
    for fold in (0, 1):
        ids = folds["id"][folds["fold"] == fold]
        # A frame's map is 10 times its subject.
        values = [10 * int(frame_id[0]) for frame_id in ids]
        predictions = np.zeros(len(ids), prediction_type(1, 64, 128))
        predictions["prob_map"] = np.array(values)[:, None, None, None]
        np.save(SECOND.oof(fold), predictions)
    np.save(SECOND.test_predictions, np.zeros(3, prediction_type(1, 64, 128)))
    run_well("ensemble", "first", "second", "--out", "out", "--weights", "0,1")
    kept = pd.read_csv(OUT.folds, dtype={"id": str})
    for fold in (0, 1):
        ids = kept["id"][kept["fold"] == fold]
        maps = np.load(OUT.oof(fold))["prob_map"]
        assert maps.shape[1:] == (1, 32, 64)
        assert maps[:, 0, 0, 0].tolist() == [10 * int(frame_id[0]) for frame_id in ids]


def change_mask(paths):
    masks = pd.read_csv(paths.train_store / "masks.csv", dtype=str, keep_default_na=False)
    masks.loc[0, "rle"] = "1 80"
    masks.to_csv(paths.train_store / "masks.csv", index=False)


FAULTS = {
    "no run": (lambda: shutil.rmtree("second"), "second/params.yaml: can't be read"),
    "other masks": (
        lambda: change_mask(SECOND),
        "second: expected the train frames of first, got another size or mask of 1_1",
    ),
    "no maps": (SECOND.test_predictions.unlink, "second/data/predictions/test.npy: no such file;"),
    "no folds": (SECOND.folds.unlink, "second/data/folds.csv: no such file;"),
    "out in use": (lambda: shutil.copytree("first", "out"), "out: expected a new or empty folder"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_ensemble_fault_is_one_line_and_nothing_is_written(runs, fault):
    change, line = FAULTS[fault]
    change()
    before = sorted(Path().rglob("*"))
    result = run_cli("ensemble", "first", "second", "--out", "out")
    assert result.exit_code == 1
    assert line in result.stderr
    assert result.stderr.count("\n") == 1
    assert sorted(Path().rglob("*")) == before


def test_ensemble_by_score_of_runs_no_better_than_empty_is_refused(runs):
    for run in (FIRST, SECOND):
        scores = json.loads(run.metrics.read_text())
        run.metrics.write_text(json.dumps(scores | {"nested_score": 0.1, "all_empty_score": 0.5}))
    result = run_cli("ensemble", "first", "second", "--out", "out", "--weights", "score")
    assert result.exit_code == 1
    assert "weights: no run's nested score is above that of empty masks" in result.stderr
    assert not OUT.root.exists()


@pytest.mark.parametrize("weights", ["1", "1,x", "-1,2", "0,0", "nan,1", "best"])
def test_ensemble_weights_that_cannot_be_are_refused(runs, weights):
    result = run_cli("ensemble", "first", "second", "--out", "out", "--weights", weights)
    assert result.exit_code == 1
    assert "weights: expected" in result.stderr
    assert not Path("out").exists()
