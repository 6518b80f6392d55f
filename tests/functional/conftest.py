import shutil

import pytest

from tests.functional.clones import clone_repository, commit, run
from tests.functional.projects import (
    run_well,
    write_out_of_fold_maps,
    write_raw,
    write_test_predictions,
    write_tiny_params,
)


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """Return a project that ran every stage but the two that need networks."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_tiny_params()
        write_raw()
        run_well("preprocess")
        run_well("folds")
        run_well("weights")
        write_out_of_fold_maps()
        run_well("tune")
        write_test_predictions()
        run_well("submit")
    return folder


@pytest.fixture
def project(finished, tmp_path, monkeypatch):
    """Return a copy of the finished project, as the working folder."""
    folder = tmp_path / "project"
    shutil.copytree(finished, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(scope="session")
def reproduced(tmp_path_factory):
    """Return a clone with tiny parameters and what `dvc repro` printed there."""
    folder = tmp_path_factory.mktemp("clone")
    clone_repository(folder)
    write_tiny_params(folder / "params.yaml", folder / "params.yaml")
    commit(folder, "tiny")
    output = run(folder, "dvc repro")
    commit(folder, "reproduced")
    yield folder, output
    shutil.rmtree(folder)  # networks of hundreds of MB
