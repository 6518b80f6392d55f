"""`pipeline train` with a network of one layer in place of VGG-16."""

import json
import subprocess
import sys
from pathlib import Path

import filelock
import keras
import numpy as np
import pytest

from pipeline.paths import Paths
from pipeline.stages import train
from tests.functional.projects import REPOSITORY, change_params, run_cli, run_well

PATHS = Paths(Path())


# The command on two devices, for which the processor stands in.
ON_TWO_DEVICES = """
import sys
from tests.training.mirrored import TWO, split_processor
split_processor()
from pipeline import cli, runtime
from pipeline.stages import train
from tests.functional.test_training import build_tiny
runtime.training_devices = lambda: TWO
train._build_model = build_tiny
cli.main(sys.argv[1:])
"""


def build_tiny(params, spec, final_stride, weights):
    frames = keras.Input((None, None, params.preprocess.channels))
    classes = len(spec.classes)
    layer = keras.layers.Conv2D(classes, 3, padding="same", dtype="float32", name="score")
    logits = layer(frames)
    return keras.Model(frames, logits, name=f"stride{final_stride}")


@pytest.fixture(autouse=True)
def tiny_network(project, monkeypatch):
    monkeypatch.setattr(train, "_build_model", build_tiny)


def model_bytes():
    return keras.saving.load_model(PATHS.model(0)).get_weights()[0].tobytes()


def test_train_writes_model_maps_and_metrics():
    assert "validation Dice" in run_well("train", "--fold", "0")
    assert PATHS.model(0).is_file()
    assert PATHS.oof(0).is_file()
    assert (PATHS.training_log(0) / "metrics.json").is_file()
    assert (PATHS.training_log(0) / "plots/metrics/val/dice.tsv").is_file()


def test_train_says_after_each_epoch_what_it_brought():
    change_params({"train": {"epochs": 2}})
    lines = [line for line in run_well("train", "--fold", "0").splitlines() if "epoch " in line]
    assert len(lines) == 2
    for part in ("epoch 2/2: loss", "validation Dice", "predicted empty", "images/s", "min left"):
        assert part in lines[1]


def test_train_again_does_not_train_but_writes_the_same():
    run_well("train", "--fold", "0")
    first = model_bytes()
    PATHS.model(0).unlink()
    PATHS.oof(0).unlink()
    assert "going on after epoch 1" in run_well("train", "--fold", "0")
    assert model_bytes() == first
    assert PATHS.oof(0).is_file()


def test_train_all_folds_on_two_devices_gives_the_networks_of_one(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    command = [sys.executable, "-c", ON_TWO_DEVICES, "train", "--fold", "all"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    mirrored = [keras.saving.load_model(PATHS.model(fold)).get_weights() for fold in (0, 1)]
    assert json.loads((PATHS.checkpoints(0) / "fingerprint").read_text())["replicas"] == 2
    # Sums in another order are other bits, so one device does not go on with what two have begun.
    assert "set aside: .train/fold0.aside" in run_well("train", "--fold", "all")
    for fold in (0, 1):
        for array, other in zip(
            keras.saving.load_model(PATHS.model(fold)).get_weights(), mirrored[fold], strict=True
        ):
            np.testing.assert_allclose(other, array, rtol=1e-4, atol=1e-6)


def test_train_restart_trains_anew():
    run_well("train", "--fold", "0")
    printed = run_well("train", "--fold", "0", "--restart")
    assert "going on" not in printed
    assert "epoch 1/1" in printed


@pytest.mark.parametrize("change", [{"seed": 1}, {"train": {"learning_rate": 0.5}}])
def test_train_other_parameters_set_the_checkpoint_aside(change):
    run_well("train", "--fold", "0")
    change_params(change)
    printed = run_well("train", "--fold", "0")
    assert "checkpoints of other data or parameters set aside: .train/fold0.aside" in printed
    assert "epoch 1/1" in printed


def test_train_other_data_sets_the_checkpoint_aside():
    run_well("train", "--fold", "0")
    images = PATHS.train_store / "images.npy"
    content = bytearray(images.read_bytes())
    content[-1] ^= 1
    images.write_bytes(content)
    assert "set aside" in run_well("train", "--fold", "0")


def test_train_changed_views_predict_anew_without_training():
    run_well("train", "--fold", "0")
    change_params({"predict": {"views": ["identity"]}})
    assert "going on after epoch 1" in run_well("train", "--fold", "0")


def test_train_second_process_on_the_fold_is_refused():
    run_well("train", "--fold", "0")
    with filelock.FileLock(".train/fold0.lock"):
        result = run_cli("train", "--fold", "0")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == "Error: fold 0: another process is training it"


def test_train_earlier_stages_come_before_the_last():
    stage = {"final_stride": 32, "epochs": 2, "learning_rate": 1e-3, "frozen": []}
    change_params({"train": {"earlier_stages": [stage]}})
    printed = run_well("train", "--fold", "0")
    assert printed.index("epoch 2/2") < printed.index("epoch 1/1")


def test_predict_is_the_mean_of_all_folds():
    run_well("train", "--fold", "all")
    assert "mean of folds 0, 1 and views identity, hflip" in run_well("predict")
    assert "mean of folds 1 and views" in run_well("predict", "--fold", "1")


def test_predict_views_named_twice_are_refused():
    change_params({"predict": {"views": ["hflip", "hflip"]}})
    result = run_cli("predict")
    assert result.exit_code == 1
    assert "predict.views: expected views that differ" in result.stderr


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ('{"mask": {"threshold": 999}}', "damaged ("),
        ("[1]", "damaged ("),
        ("{}", "expected the classes mask, got none;"),
    ],
)
def test_submit_cutoffs_that_cannot_be_are_refused(values, message):
    submission = PATHS.submission.read_bytes()
    PATHS.cutoffs.write_text(values)
    result = run_cli("submit")
    assert result.exit_code == 1
    assert f"models/cutoffs.json: {message}" in result.stderr
    assert "run: pipeline tune" in result.stderr
    assert PATHS.submission.read_bytes() == submission


@pytest.mark.parametrize("command", ["folds", "tune", "predict"])
def test_commands_unknown_competition_is_told_by_each(command):
    change_params({"competition": "sampel"})
    result = run_cli(command)
    assert result.exit_code == 1
    assert "competition: expected one of airbus-ships, " in result.stderr
    assert "sampel" in result.stderr


def test_predict_cut_model_says_how_to_make_it_anew():
    run_well("train", "--fold", "all")
    PATHS.model(1).write_bytes(PATHS.model(1).read_bytes()[:999])
    result = run_cli("predict")
    assert result.exit_code == 1
    assert "damaged or cut off; run: pipeline train --fold 1" in result.stderr
