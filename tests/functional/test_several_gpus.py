"""`pipeline train` where the host has several GPUs; here they are names that nothing answers to."""

from pathlib import Path

import filelock
import pytest

from pipeline.paths import Paths
from pipeline.stages import train, train_folds
from tests.functional import tiny_network
from tests.functional.projects import change_params, run_cli, run_well, weights_of

PATHS = Paths(Path())


@pytest.fixture(autouse=True)
def two_gpus(project, monkeypatch):
    monkeypatch.setattr(train_folds, "several_gpus", lambda: ["0", "1"])
    monkeypatch.setattr(train_folds, "train_fold", tiny_network.train_fold)
    monkeypatch.setattr(train, "_build_model", tiny_network.build_layers)
    change_params({"train": {"epochs": 2}})


def test_train_all_folds_on_gpus_of_their_own_gives_the_weights_of_one_after_the_other():
    printed = run_well("train")
    for fold in (0, 1):
        assert f"fold {fold}: on GPU {fold}\n" in printed
        assert f"fold {fold}: epoch 2/2" in printed
        assert f"models/folds/fold{fold}.keras: validation Dice" in printed
    spread = [weights_of(fold) for fold in (0, 1)]
    for fold in (0, 1):
        run_well("train", "--fold", fold, "--restart")
    assert [weights_of(fold) for fold in (0, 1)] == spread


def test_train_a_fold_that_fails_is_one_line_and_the_other_is_trained():
    with filelock.FileLock(PATHS.checkpoints(1).with_name("fold1.lock")):
        result = run_cli("train")
    assert result.exit_code == 1
    assert result.stderr == "Error: fold 1: another process is training it\n"
    assert PATHS.model(0).is_file()
    assert not PATHS.model(1).exists()
