import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

import pipeline
from pipeline.params import load_params
from pipeline.paths import Paths
from pipeline.stages import fingerprint as module
from pipeline.stages.fingerprint import fingerprint
from pipeline.stages.init import render_params


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with stand-ins for its data, and a copy of the code that is looked at."""
    code = tmp_path / "code" / "pipeline"
    unwanted = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(pipeline.__file__).parent, code, ignore=unwanted)
    monkeypatch.setattr(pipeline, "__file__", str(code / "__init__.py"))
    paths = Paths(tmp_path)
    paths.params.write_text(render_params("sample"))
    for path in (paths.train_store / "images.npy", paths.folds, paths.encoder):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("data")
    params = load_params(paths.params)
    return SimpleNamespace(
        code=code, paths=paths, params=params, fingerprint=lambda: fingerprint(params, paths, 0)
    )


def append(path):
    with path.open("a") as file:
        file.write("\n")


def test_fingerprint_of_the_same_is_the_same(project):
    assert project.fingerprint() == project.fingerprint()


@pytest.mark.parametrize(
    "name",
    [
        "dataset/augment.py",
        "dataset/batches.py",
        "dataset/images.py",
        "masks/codes.py",
        "models/fcn.py",
        "models/losses.py",
        "models/vgg16.py",
        "models/zoo.py",
        "runtime.py",
        "stages/train.py",
        "training/fit.py",
        "training/optimizer.py",
        "training/phases.py",
    ],
)
def test_fingerprint_of_other_code_is_another(project, name):
    before = project.fingerprint()
    append(project.code / name)
    assert project.fingerprint() != before


@pytest.mark.parametrize("name", ["report/charts.py", "stages/tune.py", "inference/predict.py"])
def test_fingerprint_of_code_that_does_not_train_is_the_same(project, name):
    before = project.fingerprint()
    append(project.code / name)
    assert project.fingerprint() == before


@pytest.mark.parametrize(
    ("section", "changes", "same"),
    [
        ("train", {"learning_rate": 0.5}, False),
        ("model", {"width": 3}, False),
        ("preprocess", {"height": 64}, False),
        ("predict", {"batch_size": 3}, True),
    ],
)
def test_fingerprint_of_parameters_of_a_training_alone(project, section, changes, same):
    changed = getattr(project.params, section).model_copy(update=changes)
    params = project.params.model_copy(update={section: changed})
    assert (fingerprint(params, project.paths, 0) == project.fingerprint()) == same


def test_fingerprint_of_another_seed_or_fold_is_another(project):
    params = project.params.model_copy(update={"seed": project.params.seed + 1})
    others = {
        fingerprint(params, project.paths, 0),
        fingerprint(project.params, project.paths, 1),
    }
    assert len(others | {project.fingerprint()}) == 3


def test_fingerprint_of_other_data_of_the_same_size_is_another(project):
    images, seen = project.paths.train_store / "images.npy", {project.fingerprint()}
    for path in (images, project.paths.folds, project.paths.encoder):
        status = path.stat()
        path.write_text("DATA")
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))  # on a coarse clock too
        seen.add(project.fingerprint())
    assert len(seen) == 4


@pytest.mark.parametrize(
    "library", ["albumentations", "keras", "numpy", "opencv-python-headless", "tensorflow"]
)
def test_fingerprint_of_another_version_is_another(project, monkeypatch, library):
    before, version = project.fingerprint(), module.version
    monkeypatch.setattr(module, "version", lambda name: "0.0" if name == library else version(name))
    assert project.fingerprint() != before


def test_fingerprint_again_reads_nothing_again(project, monkeypatch):
    project.fingerprint()
    hashed = []
    monkeypatch.setattr(module.hashlib, "sha256", lambda: hashed.append(1))
    project.fingerprint()
    assert not hashed
