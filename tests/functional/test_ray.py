"""The real command line on a Ray cluster of several nodes, all on this machine."""

import os
import subprocess
import sys
import time
from pathlib import Path

import keras
import psutil
import pytest

from pipeline.paths import Paths
from pipeline.stages import train
from tests.functional import tiny_network
from tests.functional.projects import (
    REPOSITORY,
    change_params,
    run_well,
)

pytest.importorskip("ray", reason="needs the extra [ray]")

PATHS = Paths(Path())
NODE = {"object_store_memory": 80_000_000}


def start_cluster():
    """Start a head without processors for jobs, and two nodes of one processor each."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **NODE}
    )
    for _ in range(2):
        cluster.add_node(num_cpus=1, **NODE)
    return cluster


@pytest.fixture(scope="module")
def cluster():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(REPOSITORY))  # for `tests`, on the workers
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("TINY_PAUSE", "0.5")
        cluster = start_cluster()
        yield cluster
        cluster.shutdown()


@pytest.fixture
def start(cluster, project):
    """Return a function that starts a command on the cluster in the project's folder."""
    environment = os.environ | {"RAY_ADDRESS": cluster.address, "PYTHONPATH": str(REPOSITORY)}
    started = []

    def start(*arguments):
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.functional.tiny_network", *arguments],
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
    stdout, stderr = process.communicate(timeout=300)
    assert process.returncode == 0, stdout + stderr
    return stdout


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


def node_of(cluster, worker):
    parents = {process.pid for process in worker.parents()}
    (node,) = (
        node
        for node in cluster.worker_nodes
        if node.all_processes["raylet"][0].process.pid in parents
    )
    return node


def weights_of(fold):
    return [array.tobytes() for array in keras.saving.load_model(PATHS.model(fold)).get_weights()]


@pytest.fixture
def train_here(monkeypatch):
    """Return a function that trains the same network here, from the start."""
    monkeypatch.setattr(train, "_build_model", tiny_network.build_layers)
    return lambda fold: run_well("train", "--fold", fold, "--restart")


def test_train_fold_of_a_killed_node_ends_with_the_weights_of_an_undisturbed_run(
    cluster, start, project, train_here
):
    change_params({"train": {"epochs": 12}})
    running = start("train", "--fold", "0", "--on", "ray")
    wait_for_epoch(3, 0, running)
    cluster.remove_node(node_of(cluster, worker_of(0)), allow_graceful=False)
    printed = finish(running)
    cluster.add_node(num_cpus=1, **NODE)  # for the tests that follow

    assert "fold 0: lost, its node is gone; it goes on from its checkpoint" in printed
    assert "fold 0: going on after epoch" in printed
    assert printed.count("epoch 1/12") == printed.count("epoch 12/12") == 1
    observed, maps = weights_of(0), PATHS.oof(0).read_bytes()
    train_here(0)
    assert weights_of(0) == observed
    assert PATHS.oof(0).read_bytes() == maps
