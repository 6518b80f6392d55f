"""Train several parameter sets under the same folds, seeds and budget, side by side."""

import hashlib
import math
import time
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from pydantic import BeforeValidator, Field

from pipeline.atomic import atomic_file, write_text
from pipeline.errors import InputError
from pipeline.params import Params
from pipeline.paths import Paths
from pipeline.report.comparison import draw_curves, summarise
from pipeline.report.table import Table
from pipeline.stages.train import check_fold, fingerprint, fit_fold
from pipeline.training.callbacks import score_of
from pipeline.validation import Section, listed, read_yaml, validate

Numbers = Annotated[
    tuple[Annotated[int, Field(ge=0)], ...],
    BeforeValidator(listed),
    Field(min_length=1),
]

Name = Annotated[str, Field(pattern=r"^[\w+-][\w .+-]*$")]  # becomes part of file names
_KEY = ["experiment", "seed", "fold", "fingerprint"]  # of a run


class Plan(Section):
    """What is compared: each experiment changes some parameters of params.yaml."""

    folds: Numbers
    seeds: Numbers
    experiments: Annotated[dict[Name, dict[str, Any]], Field(min_length=1)]


def run(
    params: Params, paths: Paths, plan_path: Path, *, minutes: float | None = None
) -> tuple[str | Table, ...]:
    """Train every experiment of a plan on every fold and seed; return the table.

    What is done already is not done again: every finished run's curve is in the CSV beside the
    plan, with a fingerprint of its data, parameters and code; a run that was killed goes on.
    After `minutes` no further run is started.

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
    for fold in plan.folds:
        check_fold(params, fold)
    table_path = plan_path.with_suffix(".csv")
    curves = _read_curves(table_path)
    deadline = math.inf if minutes is None else time.monotonic() + 60 * minutes
    for seed, fold, name in product(plan.seeds, plan.folds, variants):
        changed = variants[name].model_copy(update={"seed": seed})
        key = {"experiment": name, "seed": seed, "fold": fold}
        key["fingerprint"] = _short(fingerprint(changed, paths, fold))
        if any(curve[list(key)].iloc[0].to_dict() == key for curve in curves):
            continue
        if time.monotonic() > deadline:
            break
        print(f"{name}, seed {seed}, fold {fold}")
        run_key = list(key.values())[:3]
        curves = [c for c in curves if c[list(key)[:3]].iloc[0].tolist() != run_key]  # outdated
        curve = _train(changed, paths, fold, f"{plan_path.stem}-{name}-{seed}")
        curves.append(curve.assign(**key))
        write_text(table_path, pd.concat(curves).to_csv(index=False, float_format="%.5f"))
    if not curves:
        return (f"no training of {plan_path} was started in {minutes} minutes",)
    table = pd.concat(curves)
    table = table[table["experiment"].isin(variants)]
    with atomic_file(plan_path.with_suffix(".png")) as beside:
        draw_curves(table).savefig(beside, dpi=120)
    return summarise(table), f"\n{table_path}, {plan_path.with_suffix('.png')}"


def _short(text: str) -> str:
    return "x" + hashlib.sha256(text.encode()).hexdigest()[:12]


def _changed(params: Params, changes: Mapping[str, Any], where: str) -> Params:
    values = params.model_dump(mode="json")
    for section, change in changes.items():
        if isinstance(change, dict) and isinstance(values.get(section), dict):
            values[section] = {**values[section], **change}
        else:
            values[section] = change
    for fixed in ("preprocess", "folds", "seed"):
        if fixed in changes:
            raise InputError(f"{where}: {fixed} is the same for all experiments")
    return validate(Params, values, Path(where))


def _train(params: Params, paths: Paths, fold: int, name: str) -> pd.DataFrame:
    checkpoints = paths.checkpoints(fold).with_name(f"{name}-fold{fold}")
    log = checkpoints.with_name(f"{checkpoints.name}.log")
    _, progress = fit_fold(params, paths, fold, checkpoint_dir=checkpoints, log_dir=log)
    history = pd.DataFrame(progress.history)
    return pd.DataFrame(
        {
            "epoch": range(1, len(history) + 1),
            "images": history["images"].cumsum().astype(int),
            "seconds": history["seconds"].cumsum(),
            "score": [score_of(logs, "val_") for logs in progress.history],
        }
    )


def _read_curves(path: Path) -> list[pd.DataFrame]:
    """Return the curve of each finished run."""
    columns = ["epoch", "images", "seconds", "score", *_KEY]
    if not path.exists():
        return []
    try:
        table = pd.read_csv(path, dtype={"experiment": str, "fingerprint": str})
    except ValueError as error:
        raise InputError(f"{path}: not a CSV file: {error}") from error
    if list(table) != columns:
        raise InputError(f"{path}: expected the columns {columns}, got {list(table)}")
    return [curve for _, curve in table.groupby(_KEY, sort=False)]
