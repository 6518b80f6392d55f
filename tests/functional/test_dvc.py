"""The real DVC on a clone of the repository, from the embedded data to the submission."""

import ast
import json
import re
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest
from ruamel.yaml import YAML

from pipeline.params import load_params
from tests.functional.clones import ENVIRONMENT, run, stages_that_run
from tests.functional.projects import REPOSITORY, change_params

SUBMISSION = "submissions/submission.csv"


@pytest.fixture
def clone(reproduced):
    """Return the reproduced clone; take back what a test changed there."""
    folder, _ = reproduced
    yield folder
    run(folder, "git reset -q --hard")
    run(folder, "git clean -q -f -d")


def test_dvc_repro_from_nothing_runs_every_stage(reproduced):
    _, output = reproduced
    observed = stages_that_run(output)
    assert sorted(observed) == [
        "data/dvc.yaml:sample",
        "folds",
        "predict",
        "preprocess",
        "report",
        "submit",
        "train@0",
        "train@1",
        "tune",
        "weights",
    ]
    assert observed[:2] == ["data/dvc.yaml:sample", "preprocess"]
    assert observed[-2:] == ["submit", "report"]


def test_dvc_repro_submission_is_valid(clone):
    lines = (clone / SUBMISSION).read_text().splitlines()
    assert lines[0] == "img,pixels"
    assert [line.split(",")[0] for line in lines[1:]] == ["1", "2", "3", "4"]
    observed = run(clone, f"pipeline check {SUBMISSION}")
    assert observed.startswith(f"{SUBMISSION}: valid, 4 rows, ")


def test_dvc_repro_submission_scores_against_the_truth(clone):
    observed = run(clone, f"pipeline score {SUBMISSION} data/raw/sample/truth")
    assert re.match(rf"{SUBMISSION}: mean Dice [01]\.\d{{4}} over 4 images", observed)


def test_dvc_metrics_show_lists_folds_and_total(clone):
    observed = json.loads(run(clone, "dvc metrics show --json"))[""]["data"]
    assert set(observed) == {
        "reports/metrics.json",
        "reports/training/fold0/metrics.json",
        "reports/training/fold1/metrics.json",
    }
    total = observed["reports/metrics.json"]["data"]
    assert total["images"] == 12  # 3 subjects x 4 frames
    assert total["oof_score"] >= total["all_empty_score"]


def test_dvc_plots_show_draws_training_and_thresholds(clone):
    run(clone, "dvc plots show")
    page = (clone / "dvc_plots" / "index.html").read_text()
    assert "reports/thresholds.csv" in page
    assert "reports/training/fold0/plots/metrics/val/dice.tsv" in page
    assert "reports/training/fold1/plots/metrics/train/loss.tsv" in page


def test_dvc_repro_leaves_nothing_for_git_to_track_but_text(reproduced):
    folder, _ = reproduced
    tracked = run(folder, "git ls-files data models reports submissions").splitlines()
    assert not [path for path in tracked if path.endswith((".npy", ".npz", ".keras", ".tif"))]
    assert {"data/dvc.lock", "reports/metrics.json"} <= set(tracked)


def test_dvc_repro_again_runs_no_stage(clone):
    output = run(clone, "dvc repro")
    assert stages_that_run(output) == []
    assert "Data and pipelines are up to date." in output


def test_dvc_repro_after_a_change_of_submit_runs_submit_alone(clone):
    before = (clone / SUBMISSION).read_bytes()
    with (clone / "pipeline" / "stages" / "submit.py").open("a") as file:
        file.write("# changed\n")
    assert stages_that_run(run(clone, "dvc repro")) == ["submit"]
    assert (clone / SUBMISSION).read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"seed": 7}, {"data/dvc.yaml:sample", "folds", "train@0", "train@1", "tune"}),
        ({"sample": {"frames": 5}}, {"data/dvc.yaml:sample"}),
        ({"folds": {"indices": [0, 1, 2]}}, {"folds", "train@2", "predict", "report"}),
        ({"preprocess": {"height": 64}}, {"preprocess", "train@0", "train@1", "predict", "report"}),
        ({"model": {"width": 8}}, {"train@0", "train@1"}),
    ],
    ids=["seed", "sample", "folds", "preprocess", "model"],
)
def test_dvc_status_names_the_stages_that_use_a_parameter(clone, changes, expected):
    change_params(changes, clone / "params.yaml")
    assert set(json.loads(run(clone, "dvc status --json"))) == expected


@pytest.mark.parametrize("place", ["inside", "outside"])
def test_dvc_repro_with_other_data_needs_no_sample(clone, tmp_path, place):
    data_dir = {"inside": clone / "data" / "raw" / "nerves", "outside": tmp_path / "nerves"}[place]
    for name in ("images", "masks", "test/images"):
        (data_dir / name).mkdir(parents=True)
        cv2.imwrite(str(data_dir / name / "1.png"), np.zeros((40, 50, 3), np.uint8))
    run(clone, f"pipeline init usgra-seg --data {data_dir}")
    observed = stages_that_run(run(clone, "dvc repro --dry"))
    assert "preprocess" in observed
    assert "train@4" in observed
    assert "data/dvc.yaml:sample" not in observed


def test_dvc_exp_run_sets_parameters_and_keeps_the_experiment(clone):
    output = run(clone, "dvc exp run --name narrow -S train.epochs=2 -S model.width=2 train@0")
    assert stages_that_run(output) == ["train@0"]
    params = load_params(clone / "params.yaml")
    assert (params.train.epochs, params.model.width) == (2, 2)
    losses = clone / "reports/training/fold0/plots/metrics/train/loss.tsv"
    assert len(losses.read_text().splitlines()) == 3  # a header and two epochs
    assert run(clone, "dvc exp list --name-only").split() == ["narrow"]
    changed = json.loads(run(clone, "dvc metrics diff --json"))
    assert "diff" in changed["reports/training/fold0/metrics.json"]["val.loss"]
    run(clone, "git reset -q --hard")
    run(clone, "dvc checkout --quiet")


def test_training_anew_gives_the_same_bytes(clone):
    artefacts = [
        clone / path for path in ("data/oof/fold1.npy", "data/predictions/test.npy", SUBMISSION)
    ]
    before = [path.read_bytes() for path in artefacts]
    for path in artefacts:
        path.unlink()
    for command in ("train --fold all --restart", "tune", "predict --fold all", "submit"):
        run(clone, f"pipeline {command}")
    assert [path.read_bytes() for path in artefacts] == before


def test_training_all_folds_anew_is_entered_in_dvc_lock(clone):
    (clone / "models/folds/fold0.keras").unlink()
    assert "dvc.lock: train@0, train@1 entered" in run(clone, "pipeline train --restart")
    assert json.loads(run(clone, "dvc status --json train@0 train@1")) == {}


@pytest.mark.skipif(find_spec("ray") is None, reason="needs the extra [ray]")
def test_what_ray_made_is_entered_in_dvc_lock(clone):
    (clone / "models/folds/fold1.keras").unlink()
    (clone / "data/predictions/test.npy").unlink()
    change_params({"predict": {"batch_size": 3}}, clone / "params.yaml")
    run(clone, "pipeline train --fold 1 --on ray")
    run(clone, "pipeline predict --on ray")
    assert json.loads(run(clone, "dvc status --json train@1 predict")) == {}
    assert "train@0" in json.loads(run(clone, "dvc status --json train@0"))


def test_what_dvc_runs_is_entered_by_dvc(clone, monkeypatch):
    monkeypatch.setitem(ENVIRONMENT, "DVC_STAGE", "train@0")
    assert "dvc.lock" not in run(clone, "pipeline train")


# What dvc.yaml says, by reading it

STAGES = {
    name: stage
    for folder in (REPOSITORY, REPOSITORY / "data")
    for name, stage in YAML(typ="safe").load(folder / "dvc.yaml")["stages"].items()
}
# Changes here change no artefact: reading, checking and writing of files, and threads.
PLUMBING = {
    "pipeline/atomic.py",
    "pipeline/errors.py",
    "pipeline/parallel.py",
    "pipeline/params.py",
    "pipeline/paths.py",
    "pipeline/progress.py",
    "pipeline/validation.py",
}
SPECS = {
    "pipeline/competitions/formats.py",
    "pipeline/competitions/patterns.py",
    "pipeline/competitions/spec.py",
    "pipeline/competitions/table.py",
}
# The store's module makes the store of these; other stages only open it.
RAW_FILES = {
    "pipeline/dataset/arrays.py",
    "pipeline/dataset/decode.py",
    "pipeline/dataset/layout.py",
    "pipeline/dataset/truth.py",
}
# Nor here, of what one stage imports: it calls none of it, or checks by it alone.
UNUSED = {
    # Of submissions it reads the header and ids.
    "preprocess": {
        "pipeline/masks/dice.py",
        "pipeline/masks/instances.py",
        "pipeline/masks/metrics.py",
    },
    "folds": {"pipeline/masks/rle.py"},
    "train": {
        # The fingerprint decides whether a training goes on, and not with what weights.
        *("pipeline/stages/fingerprint.py", "pipeline/dataset/folds.py", "pipeline/masks/rle.py"),
        *SPECS,
        *RAW_FILES,
    },
    # Of the submission's stage it takes the shape of the maps.
    "tune": {
        "pipeline/dataset/folds.py",
        "pipeline/dataset/store.py",
        "pipeline/kaggle/submission.py",
        "pipeline/stages/submit.py",
        *RAW_FILES,
    },
    "predict": {
        "pipeline/dataset/folds.py",
        "pipeline/masks/codes.py",
        "pipeline/masks/rle.py",
        "pipeline/stages/folds.py",
        *SPECS,
        *RAW_FILES,
    },
    "submit": {"pipeline/dataset/store.py", *RAW_FILES},
    "report": {
        "pipeline/dataset/folds.py",
        "pipeline/dataset/out_of_fold.py",
        "pipeline/dataset/truth.py",
        "pipeline/stages/submit.py",
    },
}


def imported_modules(path):
    """Return the files of this package that a file imports, at its top or in a function."""
    found = set()
    for node in ast.walk(ast.parse((REPOSITORY / path).read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        files = (Path(f"{name.replace('.', '/')}.py") for name in names)
        found |= {file.as_posix() for file in files if (REPOSITORY / file).is_file()}
    return found


def all_imported_modules(path):
    """Return what a file imports and what that imports."""
    found, waiting = set(), {path}
    while waiting:
        new = imported_modules(waiting.pop()) - found
        found |= new
        waiting |= new
    return found


@pytest.mark.parametrize("name", STAGES)
def test_dvc_yaml_every_module_that_computes_is_a_dependency_of_its_stage(name):
    script, dependencies = f"pipeline/stages/{name}.py", set(STAGES[name]["deps"])
    assert script in dependencies
    unwatched = {
        file
        for file in all_imported_modules(script) - PLUMBING
        if not {file, *map(str, Path(file).parents)} & dependencies
    }
    assert unwatched == UNUSED.get(name, set())
