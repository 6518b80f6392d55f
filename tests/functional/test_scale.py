"""Work past one device, without Ray; GPUs are names here that nothing answers to."""

import sys
from pathlib import Path

import filelock
import pytest

import pipeline.cluster
from pipeline.paths import Paths
from pipeline.stages import train, train_folds
from tests.functional import tiny_network
from tests.functional.projects import change_params, run_cli, run_well, weights_of

PATHS = Paths(Path())


@pytest.fixture
def two_gpus(project, monkeypatch):
    monkeypatch.setattr(train_folds, "several_gpus", lambda: ["0", "1"])
    monkeypatch.setattr(train_folds, "train_fold", tiny_network.train_fold)
    monkeypatch.setattr(train, "_build_model", tiny_network.build_layers)
    change_params({"train": {"epochs": 2}})


def test_train_all_folds_on_gpus_of_their_own_gives_the_weights_of_one_after_the_other(
    two_gpus,
):
    printed = run_well("train")
    for fold in (0, 1):
        assert f"fold {fold}: on GPU {fold}\n" in printed
        assert f"fold {fold}: epoch 2/2" in printed
        assert f"models/folds/fold{fold}.keras: validation Dice" in printed
    spread = [weights_of(fold) for fold in (0, 1)]
    for fold in (0, 1):
        run_well("train", "--fold", fold, "--restart")
    assert [weights_of(fold) for fold in (0, 1)] == spread


def test_train_a_fold_that_fails_is_one_line_and_the_other_is_trained(two_gpus):
    with filelock.FileLock(PATHS.checkpoints(1).with_name("fold1.lock")):
        result = run_cli("train")
    assert result.exit_code == 1
    assert result.stderr == "Error: fold 1: another process is training it\n"
    assert PATHS.model(0).is_file()
    assert not PATHS.model(1).exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--cpus", "2"], "expected --cpus and --gpus with --on ray"),
        (["predict", "--gpus", "1"], "expected --cpus and --gpus with --on ray"),
        (
            ["predict", "--on", "ray", "--images", "a", "--out", "b"],
            "expected --on ray or --images, not both",
        ),
        (
            ["compare", "plan.yaml", "--on", "ray", "--minutes", "1"],
            "expected --minutes or --on ray, not both",
        ),
    ],
)
def test_options_that_do_not_go_together_are_a_usage_error(project, arguments, message):
    result = run_cli(*arguments)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == f"Error: {message}"


@pytest.mark.parametrize("command", ["train", "predict"])
def test_on_ray_without_the_extra_is_one_line(project, monkeypatch, command):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delattr(pipeline.cluster, "on_ray", raising=False)
    monkeypatch.delitem(sys.modules, "pipeline.cluster.on_ray", raising=False)
    result = run_cli(command, "--on", "ray")
    assert result.exit_code == 1
    assert result.stderr == "Error: --on ray: needs the extra [ray]: pip install -e .[ray]\n"


def test_train_of_a_fold_that_is_not_there_is_one_line(project):
    result = run_cli("train", "--fold", "7", "--on", "ray")
    assert result.exit_code == 1
    assert result.stderr == "Error: fold: expected one of [0, 1], got 7\n"
