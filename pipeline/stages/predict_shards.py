"""Predict the test frames on a Ray cluster, some batches at a time."""

import shutil
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from pipeline.atomic import atomic_file
from pipeline.cluster.jobs import Job, Outcome, run_jobs
from pipeline.cluster.resources import choose_request, count_workers
from pipeline.competitions.spec import load_spec
from pipeline.dataset.predictions import join_predictions
from pipeline.dataset.store import open_store
from pipeline.errors import InputError
from pipeline.params import Params
from pipeline.paths import Paths
from pipeline.progress import progress_bar
from pipeline.runtime import start_keras
from pipeline.stages import commit
from pipeline.stages.folds import check_folds

_SHARDS = 4  # for each worker: what a lost one did is small, and the last ones end together


def run(
    params: Params,
    paths: Paths,
    folds: Sequence[int],
    *,
    cpus: float | None = None,
    gpus: float | None = None,
) -> list[str]:
    """Write the same bytes as `pipeline.stages.predict`; return what was written.

    Parameters
    ----------
    cpus, gpus : float, optional
        Of each process; see `choose_request`.

    Raises
    ------
    InputError
        An artefact is missing or at fault.
    """
    from pipeline.cluster import on_ray

    check_folds(params, folds)
    count = len(open_store(paths.test_store, **params.preprocess.size).index)
    shards = paths.predicted_shards
    with on_ray.connected() as nodes, progress_bar("Test frames", count) as advance:
        request = choose_request(nodes, cpus=cpus, gpus=gpus)
        room = count_workers(nodes, request)
        ranges = split_rows(count, params.predict.batch_size, _SHARDS * room)
        jobs = [_job(params, paths, tuple(folds), rows) for rows in ranges]
        shutil.rmtree(shards, ignore_errors=True)  # of a run that was killed
        shards.mkdir(parents=True)
        paths.prediction_output.unlink(missing_ok=True)
        try:
            workers = on_ray.RayWorkers(min(room, len(jobs)), request, paths.root.resolve())
            outcomes = run_jobs(jobs, workers, _Bar(advance), keep_going=False)
            for outcome in outcomes.values():
                if outcome.error is not None:
                    raise InputError(outcome.error)
            with atomic_file(paths.test_predictions) as beside:
                join_predictions(beside, [_shard(paths, start) for start, _ in ranges])
        finally:
            shutil.rmtree(shards, ignore_errors=True)
    written = (
        f"{paths.test_predictions}: {count} maps, mean of folds {', '.join(map(str, folds))} and"
        f" views {', '.join(params.predict.views)}, from {len(jobs)} parts"
    )
    entered = commit.run(paths, ["predict"]) if tuple(folds) == params.folds.indices else None
    return [written, entered] if entered else [written]


def split_rows(count: int, batch_size: int, shards: int) -> list[tuple[int, int]]:
    """Return the first row, and the one after the last, of each shard.

    All but the last hold whole batches, so that every batch is the one of an undivided run.

    Parameters
    ----------
    count : int
        Of rows, at least 1.
    shards : int
        At most so many, of about one size.

    Examples
    --------
    >>> split_rows(70, 16, 3)
    [(0, 32), (32, 64), (64, 70)]
    """
    batches = -(-count // batch_size)
    step = -(-batches // shards) * batch_size
    return [(start, min(start + step, count)) for start in range(0, count, step)]


def predict_shard(
    params: Params, folds: tuple[int, ...], start: int, stop: int, *, attempt: int
) -> None:
    """Predict rows of the test frames of the project in the working folder; a job."""
    start_keras()
    from pipeline.inference.predict import write_predictions

    paths = Paths(Path())
    write_predictions(
        _shard(paths, start),
        _models(params, folds),
        open_store(paths.test_store, **params.preprocess.size).images,
        np.arange(start, stop),
        views=params.predict.views,
        batch_size=params.predict.batch_size,
        exclusive=load_spec(params.competition).exclusive,
    )


def _shard(paths: Paths, start: int) -> Path:
    return paths.predicted_shards / f"{start}.npy"


@lru_cache(maxsize=1)  # for all shards of a process
def _models(params: Params, folds: tuple[int, ...]) -> list[object]:
    from pipeline.stages.predict import load_models

    return load_models(params, Paths(Path()), folds)


def _job(params: Params, paths: Paths, folds: tuple[int, ...], rows: tuple[int, int]) -> Job:
    name = f"rows {rows[0]} to {rows[1] - 1}"
    output = paths.prediction_output.resolve()  # of all: only what fails prints
    return Job(name, predict_shard, (params, folds, *rows), output)


class _Bar:
    """Counts the rows that are done; see `Watcher`."""

    def __init__(self, advance: Callable[[int], None]) -> None:
        self._advance = advance

    def started(self, job: Job, place: str) -> None:
        """Show nothing."""

    def lost(self, job: Job, reason: str) -> None:
        """Say why it takes longer."""
        print(f"{job.name}: lost, {reason}; done again elsewhere")

    def ended(self, job: Job, outcome: Outcome) -> None:
        """Count its rows."""
        *_, start, stop = job.arguments
        self._advance(stop - start)

    def look(self) -> None:
        """Show nothing."""
