"""Train several parameter sets under the same folds, seeds and budget, side by side."""

import hashlib
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import AfterValidator, BeforeValidator, Field

from pipeline.atomic import atomic_file
from pipeline.cluster.board import training_board
from pipeline.cluster.jobs import Job, run_jobs
from pipeline.cluster.resources import choose_request
from pipeline.errors import InputError
from pipeline.params import Params
from pipeline.paths import Paths
from pipeline.report.comparison import draw_curves, summarise
from pipeline.report.curves import Curves
from pipeline.report.table import Table
from pipeline.runtime import start_keras
from pipeline.stages.fingerprint import fingerprint
from pipeline.stages.folds import check_folds
from pipeline.stages.train import check_loss, fit_fold
from pipeline.stages.train_folds import LOCK_SECONDS, refuse_failures
from pipeline.training.callbacks import score_of
from pipeline.validation import Section, listed, read_yaml, validate


def _each_once(values: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(values)) < len(values):
        raise ValueError(f"expected every number once, got {list(values)}")
    return values


Numbers = Annotated[
    tuple[Annotated[int, Field(ge=0)], ...],
    BeforeValidator(listed),
    Field(min_length=1),
    AfterValidator(_each_once),
]

Name = Annotated[str, Field(pattern=r"^[\w+-][\w .+-]*$")]  # becomes part of file names
_CHANGEABLE = ("model", "train")  # all else is another task, or comes after the training


class Plan(Section):
    """What is compared: each experiment changes some of params.yaml's model and train."""

    folds: Numbers
    seeds: Numbers
    experiments: Annotated[dict[Name, dict[str, Any]], Field(min_length=1)]


def run(
    params: Params,
    paths: Paths,
    plan_path: Path,
    *,
    minutes: float | None = None,
    on: Literal["ray"] | None = None,
    cpus: float | None = None,
    gpus: float | None = None,
) -> tuple[str | Table, ...]:
    """Train every experiment of a plan on every fold and seed; return the table.

    What is done already is not done again: every finished run's curve is in the CSV beside the
    plan, with a fingerprint of its data, parameters and code; a run that was killed goes on. The
    file keeps the curves of other plans too, the table and the plot are of this one's runs.

    Parameters
    ----------
    minutes : float, optional
        After them no further run is started here.
    on : {"ray"}, optional
        Where, if not here; the fingerprint is of this host all the same.
    cpus, gpus : float, optional
        Of each run, on Ray; see `choose_request`.

    Raises
    ------
    InputError
        The plan is at fault, or an artefact is missing.
    """
    plan = validate(Plan, read_yaml(plan_path), plan_path)
    variants = {
        name: _changed(params, changes, f"{plan_path}: experiments.{name}")
        for name, changes in plan.experiments.items()
    }
    check_folds(params, plan.folds)
    for variant in variants.values():
        check_loss(variant)
    curves = Curves(plan_path.with_suffix(".csv"))
    runs = [
        Run(name, seed, fold, variants[name].model_copy(update={"seed": seed}), plan_path.stem)
        for seed, fold, name in product(plan.seeds, plan.folds, variants)
    ]
    keys = {run: {**run.key, "fingerprint": _short(run, paths)} for run in runs}
    runs = [run for run in runs if not curves.has(keys[run])]
    if on == "ray":
        _train_on_ray(runs, keys, paths, curves, cpus=cpus, gpus=gpus)
    else:
        deadline = math.inf if minutes is None else time.monotonic() + 60 * minutes
        for run in runs:
            if time.monotonic() > deadline:
                break
            print(run)
            curves.add(keys[run], _train(run, paths))
    finished = curves.select(keys.values())
    if not finished:
        return (f"no training of {plan_path} was started in {minutes} minutes",)
    table = pd.concat(finished)
    with atomic_file(plan_path.with_suffix(".png")) as beside:
        draw_curves(table).savefig(beside, dpi=120)
    return summarise(table), f"\n{curves.path}, {plan_path.with_suffix('.png')}"


@dataclass(frozen=True)
class Run:
    """One training of an experiment; `plan` is the plan's name."""

    experiment: str
    seed: int
    fold: int
    params: Params
    plan: str

    @property
    def key(self) -> dict[str, str | int]:
        """What is in the table beside the fingerprint."""
        return {"experiment": self.experiment, "seed": self.seed, "fold": self.fold}

    def checkpoints(self, paths: Paths) -> Path:
        """Return the folder from which it goes on."""
        name = f"{self.plan}-{self.experiment}-{self.seed}-fold{self.fold}"
        return paths.checkpoints(self.fold).with_name(name)

    def __str__(self) -> str:
        return f"{self.experiment}, seed {self.seed}, fold {self.fold}"


def _short(run: Run, paths: Paths) -> str:
    text = fingerprint(run.params, paths, run.fold)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _changed(params: Params, changes: Mapping[str, Any], where: str) -> Params:
    values = params.model_dump(mode="json")
    for section, change in changes.items():
        if section not in _CHANGEABLE:
            raise InputError(
                f"{where}: expected changes of {' and '.join(_CHANGEABLE)}, got {section}, which"
                " is the same for all experiments"
            )
        values[section] = {**values[section], **change} if isinstance(change, dict) else change
    return validate(Params, values, Path(where))


def _train(run: Run, paths: Paths, wait: float = 0) -> pd.DataFrame:
    checkpoints = run.checkpoints(paths)
    log = checkpoints.with_name(f"{checkpoints.name}.log")
    _, progress = fit_fold(
        run.params, paths, run.fold, checkpoint_dir=checkpoints, log_dir=log, wait=wait
    )
    history = pd.DataFrame(progress.history)
    return pd.DataFrame(
        {
            "epoch": range(1, len(history) + 1),
            "images": history["images"].cumsum().astype(int),
            "seconds": history["seconds"].cumsum(),
            "score": [score_of(logs, "val_") for logs in progress.history],
        }
    )


def train_run(run: Run, *, attempt: int) -> pd.DataFrame:
    """Return the curve of a run in the project of the working folder; a job."""
    start_keras()
    return _train(run, Paths(Path()), wait=LOCK_SECONDS if attempt > 1 else 0)


def _train_on_ray(
    runs: Sequence[Run],
    keys: Mapping[Run, Mapping[str, str | int]],
    paths: Paths,
    curves: Curves,
    *,
    cpus: float | None,
    gpus: float | None,
) -> None:
    from pipeline.cluster import on_ray

    jobs = {}
    for run in runs:
        checkpoints = run.checkpoints(paths)
        output = checkpoints.with_name(f"{checkpoints.name}.out").resolve()
        jobs[Job(str(run), train_run, (run,), output)] = run
    if not jobs:
        return

    def keep(job: Job, curve: pd.DataFrame) -> None:
        curves.add(keys[jobs[job]], curve)

    with on_ray.connected() as nodes, training_board(list(jobs), keep) as board:
        request = choose_request(nodes, cpus=cpus, gpus=gpus)
        workers = on_ray.RayWorkers(len(jobs), request, paths.root.resolve())
        outcomes = run_jobs(list(jobs), workers, board)
    refuse_failures(outcomes)
