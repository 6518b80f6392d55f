"""Artefacts that travel by an S3 store, here a server on this machine."""

import json
import tarfile
from importlib.util import find_spec

import pytest

from tests.functional.clones import run, stages_that_run
from tests.functional.projects import change_params
from tests.functional.s3 import BUCKET, KEYS, serve_bucket

pytestmark = pytest.mark.skipif(
    find_spec("dvc_s3") is None or find_spec("moto") is None,
    reason="needs the extra [dev]: dvc-s3 and moto's server",
)


@pytest.fixture(scope="module")
def server():
    """Return the address of an S3 server with an empty bucket."""
    with serve_bucket() as url:
        yield url


def clone(source, folder):
    run(folder.parent, f"git clone -q {source} {folder}")
    run(folder, "git config user.name test")
    run(folder, "git config user.email test@localhost")
    return folder


@pytest.fixture(scope="module")
def pushed(reproduced, server, tmp_path_factory):
    """Return a finished project whose artefacts are in the store, and whose cache is gone."""
    source, _ = reproduced
    folder = clone(source, tmp_path_factory.mktemp("pushed") / "project")
    run(folder, f"dvc config --local cache.dir {source / '.dvc' / 'cache'}")
    run(folder, f"dvc remote add --default store s3://{BUCKET}/project")
    run(folder, f"dvc remote modify store endpointurl {server}")
    run(folder, "git commit -q -a -m remote")
    run(folder, "dvc push --quiet", **KEYS)
    run(folder, "dvc config --local --unset cache.dir")
    return folder


def test_dvc_pull_gives_another_machine_what_was_pushed(pushed, reproduced, tmp_path):
    there = clone(pushed, tmp_path / "there")
    run(there, "dvc pull --quiet", **KEYS)
    source, _ = reproduced
    run(source, "dvc checkout --force --quiet")  # another test may have trained there
    for name in (
        "data/raw/sample",
        "data/processed",
        "data/folds.csv",
        "data/oof",
        "data/predictions",
        "models",
        "submissions/submission.csv",
    ):
        paths = [path for path in (source / name, *(source / name).rglob("*")) if path.is_file()]
        assert paths
        for path in paths:
            assert (there / path.relative_to(source)).read_bytes() == path.read_bytes()


def test_dvc_pull_leaves_only_the_report_to_be_made(pushed, tmp_path):
    # Its pages are in no cache: they are made of what was pulled.
    there = clone(pushed, tmp_path / "there")
    run(there, "dvc pull --quiet", **KEYS)
    assert set(json.loads(run(there, "dvc status --json"))) == {"report"}
    assert stages_that_run(run(there, "dvc repro")) == ["report"]
    assert run(there, "dvc status").strip() == "Data and pipelines are up to date."


def test_dvc_pull_of_the_store_is_enough_to_train(pushed, tmp_path):
    there = clone(pushed, tmp_path / "there")
    run(there, "dvc pull --quiet preprocess folds weights", **KEYS)
    assert not (there / "data" / "raw" / "sample").exists()
    change_params({"train": {"epochs": 2}}, there / "params.yaml")
    assert stages_that_run(run(there, "dvc repro --single-item train@0")) == ["train@0"]
    assert (there / "models" / "folds" / "fold0.keras").is_file()


def test_raw_files_travel_as_one_archive(pushed, reproduced, tmp_path):
    here, there = clone(pushed, tmp_path / "here"), clone(pushed, tmp_path / "there")
    source, _ = reproduced
    with tarfile.open(here / "data" / "sample.tar", "w") as archive:
        archive.add(source / "data" / "raw" / "sample", arcname="sample")
    run(here, "dvc add --quiet data/sample.tar")
    run(here, "dvc push --quiet data/sample.tar", **KEYS)
    run(here, "git add data/sample.tar.dvc data/.gitignore")
    run(here, "git commit -q -m raw")
    run(there, "git pull -q ../here")
    run(there, "dvc pull --quiet data/sample.tar", **KEYS)
    with tarfile.open(there / "data" / "sample.tar") as archive:
        archive.extractall(there / "data" / "raw", filter="data")
    # The files are the same; only the cache has no copy of each.
    assert json.loads(run(there, "dvc status --json data/dvc.yaml:sample")) == {
        "data/dvc.yaml:sample": [{"changed outs": {"data/raw/sample": "not in cache"}}]
    }


def test_dvc_push_again_sends_nothing(pushed, reproduced):
    source, _ = reproduced
    run(pushed, f"dvc config --local cache.dir {source / '.dvc' / 'cache'}")
    assert "Everything is up to date." in run(pushed, "dvc push", **KEYS)
    run(pushed, "dvc config --local --unset cache.dir")
