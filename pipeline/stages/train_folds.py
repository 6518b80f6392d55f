"""Train several folds: in turn, on several GPUs of this host, or on a Ray cluster."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from pipeline.cluster.board import training_board
from pipeline.cluster.gpus import several_gpus
from pipeline.cluster.jobs import Job, Outcome, Workers, run_jobs
from pipeline.cluster.local import LocalWorkers
from pipeline.cluster.resources import choose_request
from pipeline.errors import InputError
from pipeline.params import Params
from pipeline.paths import Paths
from pipeline.runtime import start_keras
from pipeline.stages import commit
from pipeline.stages.folds import check_folds

# How long a fold that goes on elsewhere waits for the lock of the process that was lost. A file
# server keeps it while it hopes for the node's return: by default NFS does so for 90 seconds.
LOCK_SECONDS = 180


def run(
    params: Params,
    paths: Paths,
    folds: Sequence[int],
    *,
    restart: bool = False,
    on: Literal["ray"] | None = None,
    cpus: float | None = None,
    gpus: float | None = None,
) -> Iterator[str]:
    """Train each fold; yield what was written.

    Parameters
    ----------
    folds : sequence of int
        One after the other where this host has one device; else one on each GPU at a time.
    restart : bool
        Start anew, also where a killed training could go on.
    on : {"ray"}, optional
        Where, if not here.
    cpus, gpus : float, optional
        Of each fold, on Ray; see `choose_request`.

    Raises
    ------
    InputError
        A fold failed; the others were trained.
    """
    check_folds(params, folds)
    devices = several_gpus() if on is None and len(folds) > 1 else []
    if on == "ray":
        from pipeline.cluster import on_ray

        jobs = _jobs(params, paths, folds, restart=restart)
        with on_ray.connected() as nodes:
            request = choose_request(nodes, cpus=cpus, gpus=gpus)
            yield from _train(jobs, on_ray.RayWorkers(len(jobs), request, paths.root.resolve()))
    elif devices:
        jobs = _jobs(params, paths, folds, restart=restart)
        yield from _train(jobs, LocalWorkers(devices[: len(jobs)]))
    else:
        start_keras()
        from pipeline.stages import train

        for fold in folds:
            yield train.run(params, paths, fold, restart=restart)
    if on is not None or tuple(folds) == params.folds.indices:
        entered = commit.run(paths, [f"train@{fold}" for fold in folds])
        yield from [entered] if entered else []


def train_fold(params: Params, fold: int, restart: bool, *, attempt: int) -> str:
    """Train one fold of the project in the working folder; a job."""
    start_keras()
    from pipeline.stages import train

    wait = LOCK_SECONDS if attempt > 1 else 0
    paths, restart = Paths(Path()), restart and attempt == 1
    return train.run(params, paths, fold, restart=restart, wait=wait)


def _jobs(params: Params, paths: Paths, folds: Sequence[int], *, restart: bool) -> list[Job]:
    return [
        Job(
            f"fold {fold}",
            train_fold,
            (params, fold, restart),
            paths.training_output(fold).resolve(),
        )
        for fold in folds
    ]


def _train(jobs: Sequence[Job], workers: Workers) -> list[str]:
    with training_board(jobs) as board:
        outcomes = run_jobs(jobs, workers, board)
    refuse_failures(outcomes)
    return [outcomes[job.name].result for job in jobs]


def refuse_failures(outcomes: Mapping[str, Outcome]) -> None:
    """Raise InputError, one line that says of each job that failed why it did."""
    failed = defaultdict(list)
    for name, outcome in sorted(outcomes.items()):
        if outcome.error is not None:
            failed[outcome.error.removeprefix(f"{name}: ")].append(name)
    if failed:
        raise InputError("; ".join(f"{', '.join(names)}: {why}" for why, names in failed.items()))
