"""The real command line on a Ray cluster of two nodes, both on this machine."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import psutil
import pytest

from pipeline.paths import Paths
from pipeline.stages import train
from tests.functional import tiny_network
from tests.functional.projects import (
    REPOSITORY,
    change_params,
    run_cli,
    run_well,
    save_networks,
    weights_of,
)

pytestmark = pytest.mark.skipif(find_spec("ray") is None, reason="needs the extra [ray]")

PATHS = Paths(Path())
NODE = {"num_cpus": 1, "object_store_memory": 80_000_000}
PATIENCE = 900  # seconds, of a busy machine


@pytest.fixture(scope="module")
def cluster():
    """A cluster of two nodes that have one processor each."""
    from ray._private import services
    from ray.cluster_utils import Cluster

    get_node = services.get_node

    def get_node_patiently(*arguments):
        """Look for a node that starts, for longer than Ray's 30 seconds on a busy machine."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            with suppress(RuntimeError):
                return get_node(*arguments)
        return get_node(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(services, "get_node", get_node_patiently)
        patch.setenv("PYTHONPATH", str(REPOSITORY))  # for `tests`, on the workers
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("TINY_PAUSE", "1")
        cluster = Cluster(initialize_head=True, head_node_args={"include_dashboard": False, **NODE})
        cluster.add_node(**NODE)
        yield cluster
        cluster.shutdown()


@pytest.fixture
def start(cluster, project):
    """Return a function that starts a command on the cluster in the project's folder."""
    environment = os.environ | {"RAY_ADDRESS": cluster.address, "PYTHONPATH": str(REPOSITORY)}
    started = []

    def start(*arguments):
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.functional.tiny_network", *arguments, "--on", "ray"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def finish(process):
    """Wait for a command that must succeed; return what it printed."""
    stdout, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, stdout + stderr
    return stdout


def wait_for_worker(fold, process):
    """Wait until a process has begun with a fold."""
    output = PATHS.training_output(fold)
    while process.poll() is None and not (output.exists() and output.stat().st_size):
        time.sleep(0.1)


def wait_for_epoch(number, fold, process):
    """Wait until a fold's checkpoint of this epoch or a later one is there."""
    while process.poll() is None:
        names = [path.stem for path in PATHS.checkpoints(fold).glob("epoch*.npz")]
        if any(int(name.removeprefix("epoch")) >= number for name in names):
            return
        time.sleep(0.1)
    raise AssertionError(process.communicate())


def worker_of(fold):
    """Return the process that trains a fold."""
    heading = PATHS.training_output(fold).read_text().splitlines()[0]
    return psutil.Process(int(heading.rpartition(" ")[2]))


@pytest.fixture
def train_here(monkeypatch):
    """Return a function that trains a fold of the same network here."""
    monkeypatch.setattr(train, "_build_model", tiny_network.build_layers)
    return lambda fold, *options: run_well("train", "--fold", fold, *options)


def test_predict_on_ray_writes_the_bytes_of_a_local_run(start, project):
    save_networks()
    change_params({"predict": {"batch_size": 2}})
    run_well("predict")
    expected = PATHS.test_predictions.read_bytes()
    PATHS.test_predictions.unlink()
    printed = finish(start("predict"))
    assert printed == (
        "data/predictions/test.npy: 3 maps, mean of folds 0, 1 and views identity, hflip,"
        " from 2 parts\n"
    )
    assert PATHS.test_predictions.read_bytes() == expected
    assert list(PATHS.test_predictions.parent.iterdir()) == [PATHS.test_predictions]


def test_predict_on_ray_missing_model_is_one_line(start, project):
    save_networks()
    PATHS.model(1).unlink()
    before = PATHS.test_predictions.read_bytes()
    stdout, stderr = (process := start("predict")).communicate(timeout=PATIENCE)
    assert (process.returncode, stdout) == (1, "")
    assert stderr == (
        "Error: models/folds/fold1.keras: no such model; run: pipeline train --fold 1\n"
    )
    assert PATHS.test_predictions.read_bytes() == before
    assert not PATHS.predicted_shards.exists()


def test_train_on_ray_folds_that_fail_are_named_in_one_line(start, project):
    PATHS.folds.unlink()
    stdout, stderr = (process := start("train")).communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert stderr == (
        "Error: fold 0, fold 1: data/folds.csv: no such file; run: pipeline folds\n"
    ), stdout


def test_train_on_ray_more_than_a_node_has_is_one_line(start, project):
    _, stderr = (process := start("train", "--cpus", "64")).communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert stderr == (
        "Error: --on ray: expected a node with 64 processors and 0 GPUs for a worker, got nodes"
        " with 1 and 0, 1 and 0\n"
    )


def test_train_on_ray_stopped_by_ctrl_c_goes_on_later(start, project, train_here):
    change_params({"train": {"epochs": 20}})
    process = start("train", "--fold", "0")
    wait_for_epoch(2, 0, process)
    worker = worker_of(0)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert stderr == "stopped; the same command goes on after the last finished epoch\n"
    worker.wait(30)
    assert not PATHS.model(0).exists()
    assert "going on after epoch" in train_here(0)


def test_compare_on_ray_writes_the_curves_of_a_local_run(start, project, train_here):
    plan = Path("plan.yaml")
    plan.write_text(
        "folds: [0]\nseeds: [7]\nexperiments:\n"
        "  fast: {train: {learning_rate: 0.1}}\n  slow: {train: {learning_rate: 0.001}}\n"
    )
    change_params({"train": {"epochs": 2}})
    assert "fast, seed 7, fold 0: epoch 2/2" in finish(start("compare", "plan.yaml"))
    columns = ["experiment", "seed", "fold", "fingerprint", "epoch", "images", "score"]
    curves = pd.read_csv("plan.csv", usecols=columns).sort_values(["experiment", "epoch"])
    assert "seed 7, fold 0" not in run_well("compare", plan)  # all is done
    Path("plan.csv").unlink()
    for folder in Path(".train").glob("plan-*"):
        shutil.rmtree(folder) if folder.is_dir() else folder.unlink()
    run_well("compare", plan)
    here = pd.read_csv("plan.csv", usecols=columns).sort_values(["experiment", "epoch"])
    assert here.to_csv(index=False) == curves.to_csv(index=False)


def test_train_on_ray_fold_of_a_killed_node_ends_with_the_weights_of_an_undisturbed_run(
    cluster, start, project, train_here
):
    # The last test: one node is left.
    change_params({"train": {"epochs": 8}})
    process = start("train", "--fold", "all")
    for fold in (0, 1):
        wait_for_worker(fold, process)
    (node,) = cluster.worker_nodes
    raylet = node.all_processes["raylet"][0].process.pid
    (lost,) = (
        fold for fold in (0, 1) if raylet in {parent.pid for parent in worker_of(fold).parents()}
    )
    wait_for_epoch(2, lost, process)
    cluster.remove_node(node, allow_graceful=False)
    printed = finish(process)
    assert f"fold {lost}: lost, its node is gone; it goes on from its checkpoint" in printed
    assert f"fold {lost}: going on after epoch" in printed
    assert f"fold {1 - lost}: going on" not in printed
    for fold in (0, 1):
        assert f"models/folds/fold{fold}.keras: validation Dice" in printed
        assert printed.count(f"fold {fold}: epoch 1/8") == 1  # never from the start
        observed, maps = weights_of(fold), PATHS.oof(fold).read_bytes()
        train_here(fold, "--restart")
        assert weights_of(fold) == observed
        assert PATHS.oof(fold).read_bytes() == maps


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("127.0.0.1:1", "RAY_ADDRESS: no cluster at 127.0.0.1:1: Connection refused"),
        ("ray://head:10001", "RAY_ADDRESS: expected HOST:PORT or auto, got 'ray://head:10001'"),
    ],
)
def test_on_ray_without_a_cluster_at_its_address_is_one_line(
    project, monkeypatch, address, message
):
    monkeypatch.setenv("RAY_ADDRESS", address)
    result = run_cli("train", "--on", "ray")
    assert (result.exit_code, result.stderr) == (1, f"Error: {message}\n")
